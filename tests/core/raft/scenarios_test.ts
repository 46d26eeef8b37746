/**
 * Scripts about single rules of the core, with the output that shows them: `scenarios/<rule>_<subject>.txt`. A file is a
 * title, then commands, each followed by what it prints. `MUSTER_REWRITE=1 deno test -R -E -W tests/raft` writes the
 * output anew, to be reviewed as a diff.
 */
import { assertEquals } from "@std/assert";
import { Scenario } from "./scenario.ts";

const FOLDER = new URL("scenarios/", import.meta.url);

function isRewriting(): boolean {
  // Asked for only where it was granted: a normal run needs to read and nothing else.
  const granted = Deno.permissions.querySync({ name: "env", variable: "MUSTER_REWRITE" }).state === "granted";
  return granted && Deno.env.get("MUSTER_REWRITE") === "1";
}

/** Runs a script and returns it with the output it has now. */
function replay(text: string): string {
  const scenario = new Scenario();
  const lines = commandsOf(text).map((line) => {
    if (line === "" || line.startsWith("#")) return line;
    return `> ${line}\n${scenario.run(line).replaceAll(/^/gm, "  ")}`;
  });
  return `${lines.join("\n").trimEnd()}\n`;
}

/** Titles, comments and commands of a script: whatever is not output. */
function commandsOf(text: string): string[] {
  return text.split("\n").filter((line) => !line.startsWith("  ")).map((line) => line.replace(/^> /, ""));
}

for (const { name } of [...Deno.readDirSync(FOLDER)].sort((a, b) => (a.name < b.name ? -1 : 1))) {
  const file = new URL(name, FOLDER);
  const text = Deno.readTextFileSync(file);
  const title = text.split("\n")[0].replace(/^# /, "");
  Deno.test(`${name}: ${title}`, () => {
    const now = replay(text);
    if (isRewriting()) Deno.writeTextFileSync(file, now);
    else assertEquals(now, text);
  });
}

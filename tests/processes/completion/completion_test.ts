/** What a shell completes, with the script that the program prints, in a real bash and a real zsh. */
import { assert, assertEquals } from "@std/assert";
import { AGENT_FLAGS } from "../../../src/program/config/agent_flags.ts";
import { completionScript, isShell, SHELLS } from "../../../src/program/manual/completion.ts";

const flag = (
  name: string,
  supported = true,
) => ({ name, kind: "bool", value: "false", help: `it's ${name}`, supported } as const);
const COMMANDS = [
  { name: "kv get", summary: "show a key", flags: [flag("raw"), flag("recurse"), flag("later", false)] },
  { name: "kv put", summary: "write a key", flags: [] },
  { name: "agent", summary: "run an agent", flags: AGENT_FLAGS },
];

/** What bash offers for a line, of which the last word is being typed. */
async function offered(...words: string[]): Promise<string[]> {
  const script = `${completionScript("bash", COMMANDS)}
COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _muster; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { success, stdout, stderr } = await new Deno.Command("bash", { args: ["-c", script, "bash", ...words] })
    .output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return decoder.decode(stdout).split("\n").filter((line) => line !== "");
}

Deno.test("bash completes commands, their further words and their flags, and leaves files to itself", async () => {
  assertEquals(await offered("muster", ""), ["agent", "kv"]);
  assertEquals(await offered("muster", "k"), ["kv"]);
  assertEquals(await offered("muster", "kv", ""), ["get", "put"]);
  assertEquals(await offered("muster", "kv", "get", "-"), ["-raw", "-recurse"]);
  assertEquals(await offered("muster", "kv", "get", "a key", "-rec"), ["-recurse"]);
  assertEquals(await offered("muster", "agent", "-retry-j"), ["-retry-join", "-retry-join-wan"]);
  for (const words of [["kv", "get", "a"], ["nothing", ""], ["kv", "put", "-"], ["kv;id", "$(id)", "-"]]) {
    assertEquals(await offered("muster", ...words), [], words.join(" "));
  }
});

Deno.test("zsh runs the script as its emulation of bash does: zsh itself picks the words that begin alike", async () => {
  // compdef is of zsh's own completion, which an interactive shell has loaded; the options are those of bashcompinit.
  const script = `compdef() { : }
${completionScript("zsh", COMMANDS)}
offered() {
  emulate -L sh; setopt kshglob noshglob braceexpand ksharrays
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _muster; printf '%s\\n' "\${COMPREPLY[@]}"
}
offered "$@"`;
  const inZsh = async (...words: string[]) => {
    const { stdout, stderr } = await new Deno.Command("zsh", { args: ["-fc", script, "zsh", ...words] }).output();
    const decoder = new TextDecoder();
    assertEquals(decoder.decode(stderr), "");
    return decoder.decode(stdout).split("\n").filter((line) => line !== "");
  };
  assertEquals(await inZsh("muster", ""), ["agent", "kv"]);
  assertEquals(await inZsh("muster", "kv", ""), ["get", "put"]);
  assertEquals(await inZsh("muster", "kv", "get", "-"), ["-raw", "-recurse"]);
});

Deno.test("there is a script for each shell, and text of a command stays text", () => {
  for (const shell of SHELLS) assert(completionScript(shell, COMMANDS).includes("muster"));
  assert(isShell("fish") && !isShell("cmd"));
  assert(completionScript("fish", COMMANDS).includes("-o raw -d 'it\\'s raw'"));
});

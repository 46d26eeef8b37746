/** Every command, every flag and every block of commands that the documentation shows is there, and run by a test. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { musterHere } from "../harness/command_line.ts";
import { type Block, blocksOf, commandsOf, isOutput, pages, parseBlocks } from "../harness/documentation/blocks.ts";
import { EXCEPTIONS } from "../harness/documentation/exceptions.ts";
import { isException } from "../harness/documentation/scenario.ts";

async function allBlocks(): Promise<Block[]> {
  const blocks = await Promise.all((await pages()).map(blocksOf));
  return blocks.flat();
}

Deno.test("every command and every flag that the documentation shows is there", async () => {
  const helps = new Map<string, string>();
  const helpOf = async (words: readonly string[]): Promise<string> => {
    for (let count = Math.min(3, words.length); count > 0; count--) {
      const name = words.slice(0, count).join(" ");
      const known = helps.get(name);
      const { code, stdout } = known === undefined
        ? await musterHere(["help", ...words.slice(0, count)])
        : { code: 0, stdout: known };
      const help = code === 0 ? stdout : "";
      helps.set(name, help);
      if (help !== "") return help;
    }
    return "";
  };
  let seen = 0;
  for (const { page, text } of await allBlocks()) {
    for (const line of text.replaceAll("\\\n", " ").split("\n")) {
      const [, command] = /^(?:deno task )?muster (?!:)(.*?)(?: +#.*)?$/.exec(line.trim()) ?? [];
      if (command === undefined || /^(help|docs|version)\b| -help\b/.test(command)) continue;
      const own = command.split(/ (?:&&|\||<|--|\.\/) ?/)[0].replace(/'[^']*'|"[^"]*"/g, "TEXT");
      const words = own.split(/ +/);
      const agents = words[0] === "rendezvous" ? await helpOf(["agent"]) : ""; // whose flags it has as well
      const help = agents + await helpOf(words.filter((word) => /^[a-z-]+$/.test(word)));
      assert(help !== "", `${page} has a command that there is not: ${line}`);
      for (const word of words.filter((word) => /^--?[a-z]/.test(word))) {
        const flag = word.replace(/^--?/, "").split("=")[0];
        assert(
          new RegExp(`^ *-${flag}\\b`, "m").test(help),
          `${page} has a flag that there is not, -${flag}: ${line}`,
        );
        seen++;
      }
    }
  }
  assert(seen > 60, `only ${seen} flags were found in the documentation`);
});

/** The pages that the tests beside this one run: a scenario fails unless it runs all blocks of commands of its page. */
async function scenarios(): Promise<string[]> {
  const found: string[] = [];
  const folder = new URL("./", import.meta.url);
  for await (const { name } of Deno.readDir(folder)) {
    const source = await Deno.readTextFile(new URL(name, folder));
    found.push(...[...source.matchAll(/\bscenario\(\s*"([^"]+)"/g)].map(([, page]) => page));
  }
  return found;
}

Deno.test("every block of commands is run by a test, or is listed with the reason why none can", async () => {
  const run = await scenarios();
  const commands = (await allBlocks()).filter(({ kind }) => kind === "");
  for (const block of commands) {
    const { page, line, text } = block;
    assert(
      isException(block) || run.includes(page),
      `no scenario in tests/documentation runs ${page}:${line}, and exceptions.ts does not list it:\n${text}`,
    );
  }
  for (const { page, start, reason } of EXCEPTIONS) {
    const count = commands.filter((block) => block.page === page && `${block.text}\n`.startsWith(start)).length;
    assertEquals(count, 1, `exceptions.ts has "${start}" (${reason}), which is in ${page} ${count} times`);
  }
  const shown = commands.filter(({ output }) => output !== undefined).length;
  console.log(
    `${commands.length} blocks of commands, ${EXCEPTIONS.length} of them run by no test, ${shown} with output`,
  );
});

Deno.test("blocks of a page are found with their kinds, places and outputs", () => {
  const page = [
    "# A page",
    "",
    "- a list that goes on",
    "    in its next line",
    "",
    "    muster version",
    "",
    "    muster help",
    "",
    "```output",
    "muster …",
    "```",
    "",
    "```json",
    "{}",
    "```",
  ].join("\n");
  assertEquals(parseBlocks("p.md", page), [
    { page: "p.md", line: 6, kind: "", text: "muster version\n\nmuster help", output: "muster …" },
    { page: "p.md", line: 15, kind: "json", text: "{}" },
  ]);
  assertThrows(() => parseBlocks("p.md", "```json\n{}\n```\n```output\nx\n```"), Error, "without commands");
  assertThrows(() => parseBlocks("p.md", "```\nmuster version"), Error, "never closed");
});

Deno.test("commands of a block are told apart, outputs compared", () => {
  const text = `# before
curl 'a;b' -d '[
  "it # is"]' # behind
muster kv put a#b "x \\" y" ; muster agent \\
  -server`;
  assertEquals(commandsOf(text), [
    `curl 'a;b' -d '[\n  "it # is"]'`,
    `muster kv put a#b "x \\" y"`,
    "muster agent \\\n  -server",
  ]);
  assert(isOutput("Name   Age\n\nann    7 (old)\n", "Name  Age\n…  7 (…)"));
  assert(isOutput("Name\nann\nbob", "Name\n…\nbob") && isOutput("Name\nbob", "Name\n…\nbob"));
  assert(!isOutput("Name\nann\nbob", "Name\na…"), "a line too many");
  assert(!isOutput("Name", "Nam"));
});

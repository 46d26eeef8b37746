/** Every command, every flag and every block of commands that the documentation shows is there, and run by a test. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { musterHere } from "../harness/command_line.ts";
import {
  type Block,
  blocksOf,
  commandsOf,
  isOutput,
  pages,
  parseBlocks,
  ROOT,
} from "../harness/documentation/blocks.ts";
import { EXCEPTIONS } from "../harness/documentation/exceptions.ts";
import { isException } from "../harness/documentation/scenario.ts";

async function allBlocks(): Promise<Block[]> {
  const blocks = await Promise.all((await pages()).map(blocksOf));
  return blocks.flat();
}

/** Lines of commands: those of blocks, and those that a sentence has in it. */
async function commandLines(): Promise<{ readonly page: string; readonly line: string }[]> {
  const found = (await allBlocks()).flatMap(({ page, text }) =>
    text.replaceAll("\\\n", " ").split("\n").map((line) => ({ page, line: line.trim() }))
  );
  for (const page of await pages()) {
    const prose = (await Deno.readTextFile(new URL(page, ROOT))).replace(/^```[^]*?^```$/gm, "");
    for (const [, code] of prose.matchAll(/`((?:deno task|muster) [^`]+)`/g)) {
      found.push({ page, line: code.replace(/\s+/g, " ") });
    }
  }
  return found;
}

/** The help of a command, by the words of its line, as far as they name one; empty where there is none. */
async function helpOf(words: readonly string[], helps: Map<string, string>): Promise<string> {
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
}

Deno.test("every command and every flag that the documentation shows is there", async () => {
  const helps = new Map<string, string>();
  const tasks = Object.keys(config.tasks);
  let seen = 0;
  for (const { page, line } of await commandLines()) {
    const task = /^(?:npx --yes deno@\S+|deno) task ([\w:-]+)/.exec(line)?.[1];
    assert(task === undefined || tasks.includes(task), `${page} has a task that there is not: ${line}`);
    const [, command] = /^(?:deno task )?muster (?!:)(.*?)(?: +#.*)?$/.exec(line) ?? [];
    // What stands for any command or argument is in capitals.
    if (command === undefined || /^(help|docs|version|[A-Z]+)\b| -help\b/.test(command)) continue;
    const own = command.split(/ (?:&&|\||<|--|\.\/) ?/)[0].replace(/'[^']*'|"[^"]*"/g, "TEXT");
    const words = own.split(/ +/);
    const agents = words[0] === "rendezvous" ? await helpOf(["agent"], helps) : ""; // whose flags it has as well
    const help = agents + await helpOf(words.filter((word) => /^[a-z-]+$/.test(word)), helps);
    assert(help !== "", `${page} has a command that there is not: ${line}`);
    for (const word of words.filter((word) => /^--?[a-z]/.test(word))) {
      const flag = word.replace(/^--?/, "").split("=")[0];
      const isThere = new RegExp(`^ *-${flag}\\b`, "m").test(help);
      assert(isThere, `${page} has a flag that there is not, -${flag}: ${line}`);
      seen++;
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

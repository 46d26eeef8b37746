/** `muster docs` and `muster help TOPIC`. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { titleOf, topicOf, topics } from "../../../src/program/manual/pages.ts";
import { musterHere } from "../../harness/command_line.ts";

const BACKUP = Deno.readTextFileSync("docs/backup.md");

Deno.test("muster docs lists every page with its title, and prints each of them", async () => {
  const { code, stdout } = await musterHere(["docs"]);
  assertEquals(code, 0);
  const files = [...Deno.readDirSync("docs")].map(({ name }) => name).filter((name) => name.endsWith(".md")).sort();
  assertEquals(files, topics().map((topic) => `${topic}.md`));
  for (const file of files) {
    const text = Deno.readTextFileSync(`docs/${file}`);
    const title = titleOf(text) ?? "a heading, which is missing";
    assert(stdout.includes(`  ${file.slice(0, -3)} `) && stdout.includes(title), file);
    assertEquals((await musterHere(["docs", file.slice(0, -3)])).stdout.trimEnd(), text.trimEnd());
  }
});

Deno.test("a topic is known by its file, with hyphens and capitals as one likes; no path leads out of docs/", async () => {
  for (const word of ["auto_backup", "auto-backup", "AUTO_BACKUP", "docs/auto_backup.md"]) {
    assertEquals(topicOf(word), "auto_backup", word);
  }
  for (const word of ["", "../README", "../README.md", "/etc/passwd", "backup/../backup"]) {
    assertEquals(topicOf(word), undefined, word);
  }
  const { code, stdout, stderr } = await musterHere(["docs", "bakup"]);
  assertEquals([code, stdout], [2, ""]);
  assertEquals(stderr, 'unknown topic "bakup": did you mean backup?\nRun "muster docs" for all topics.\n');
  assertEquals((await musterHere(["docs", "backup", "tls"])).code, 1);
});

Deno.test("muster help TOPIC prints the page, and the help of a command of that name points to it", async () => {
  assertEquals((await musterHere(["help", "operations"])).stdout, (await musterHere(["docs", "operations"])).stdout);
  const help = await musterHere(["help", "backup"]);
  assertEquals(help.code, 0);
  assertMatch(help.stdout, /^muster backup: [^]*\n\nMore: muster docs backup\n$/);
  assert(!help.stdout.includes(BACKUP));
  assertMatch((await musterHere(["help", "kv"])).stdout, /\n\nMore: muster docs kv\n$/);
  assertMatch((await musterHere(["kv", "-h"])).stdout, /\n\nMore: muster docs kv\n$/);
  assertMatch((await musterHere(["help", "rendezvous"])).stdout, /data\n\nMore: muster docs rendezvous\n$/);
  assert(!(await musterHere(["help", "join"])).stdout.includes("More:"));
  const unknown = await musterHere(["help", "opperation"]);
  assertEquals([unknown.code, unknown.stdout], [2, ""]);
});

Deno.test("muster docs -man prints a manual page with every command, dated as told", async () => {
  const { code, stdout } = await musterHere(["docs", "-man"], { SOURCE_DATE_EPOCH: "86400" });
  assertEquals(code, 0);
  assertMatch(stdout, /^\.TH MUSTER 1 "1970-01-02" "muster \d+\.\d+\.\d+" "User Commands"\n/);
  const sections = stdout.split("\n").filter((line) => line.startsWith(".SS "));
  for (const name of ["serve", "agent", "rendezvous", "rendezvous token create", "kv get", "docs", "completion"]) {
    assert(sections.includes(`.SS muster ${name}`), name);
  }
  // Each of the agent's flags once, though `muster rendezvous` takes them too.
  assertEquals(stdout.match(/^\.BI \\-retry\\-join .*$/gm)?.length, 1);
  assertMatch(stdout, /^\.BI \\-raft\\-addr /m);
  assertMatch(stdout, /^ {2}muster serve \\-node\\-id 2 /m);
});

/** rqlite's own shell works with muster as its documentation shows it. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { nodePlace, type NodeProcess, withNodes } from "../harness/processes.ts";
import { rqliteBinary } from "../harness/rqlite.ts";

/** Runs the shell with these lines and returns its output; the shell is told to exit behind them. */
async function shell(root: string, { place }: NodeProcess, ...lines: string[]): Promise<string> {
  const child = new Deno.Command(await rqliteBinary(root, "rqlite"), {
    args: ["-H", "127.0.0.1", "-p", String(place.httpPort)],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode([...lines, ".exit", ""].join("\n")));
  await writer.close();
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000); // it repeats its prompt for ever where its input ends
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(code, 0, text);
  return text;
}

Deno.test("rqlite's shell writes, reads, lists, backs up and restores", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    assertMatch(await shell(root, node), /Connected to http:\/\/127\.0\.0\.1:\d+ running version v10\./);
    const written = await shell(
      root,
      node,
      "CREATE TABLE foo (id INTEGER NOT NULL PRIMARY KEY, name TEXT)",
      `INSERT INTO foo(name) VALUES("fiona")`,
      "SELECT * FROM foo",
      "INSERT INTO foo(id) VALUES(1)",
    );
    assertStringIncludes(written, "1 row affected");
    assertStringIncludes(written, "| id | name  |\n+----+-------+\n| 1  | fiona |\n");
    assertStringIncludes(written, "UNIQUE constraint failed: foo.id");
    const looked = await shell(root, node, ".tables", ".schema", ".nodes", ".status", ".ready", ".expvar");
    assertMatch(looked, /\| foo +\|/);
    assertStringIncludes(looked, "CREATE TABLE foo (id INTEGER NOT NULL PRIMARY KEY, name TEXT)");
    assertMatch(looked, /1:\n {2}[^]*leader: true/);
    assertMatch(looked, /\bready\b/);
    assertEquals(looked.includes("ERR!"), false, looked);
    const saved = await shell(root, node, `.backup ${root}/copy.db`, `.dump ${root}/copy.sql`, "DROP TABLE foo");
    assertStringIncludes(saved, "backup file written successfully");
    assertStringIncludes(saved, "SQL text file written successfully");
    await shell(root, node, `.restore ${root}/copy.sql`); // this version says EOF, also behind its own server
    assertEquals(await node.row("SELECT name FROM foo"), ["fiona"]);
  }));

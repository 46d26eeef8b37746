/** The client in Node.js, bundled as it is published. */
import { assertEquals } from "@std/assert";
import { run } from "../clients/clients.ts";
import { nodePlace, withNodes } from "../harness/processes.ts";

const CLIENT = new URL("../../client/mod.ts", import.meta.url).pathname;
const PROGRAM = `
import { connect, SqlError } from "./client.mjs";
const db = connect(process.argv[2]);
await db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
await db.keepChanges();
const following = (async () => {
  for await (const { events } of db.changes({ since: 0 + (await since()) })) return events[0].after;
})();
async function since() {
  const response = await fetch(process.argv[2] + "/db/changes/log");
  return (await response.json()).since;
}
await db.execute("INSERT INTO t(v) VALUES(?)", [9007199254740993n]);
const rows = await db.query("SELECT v, x'00ff' AS b FROM t");
const live = db.live("SELECT count(*) AS n FROM t");
const first = (await live.next()).value;
await db.execute("INSERT INTO t(v) VALUES(2)");
const second = (await live.next()).value;
await live.return();
const code = await db.execute("INSERT INTO t(id) VALUES(1)").catch((error) => error instanceof SqlError && error.code);
const shown = (_, value) => typeof value === "bigint" ? value + "n" : value;
console.log(JSON.stringify([rows[0].v, [...rows[0].b], await following, first, second, code], shown));
process.exit(0);
`;

Deno.test("the client runs in Node.js", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    await run(Deno.execPath(), ["bundle", "-q", "--platform=browser", CLIENT, "-o", `${root}/client.mjs`]);
    await Deno.writeTextFile(`${root}/program.mjs`, PROGRAM);
    const output = await run("node", ["program.mjs", node.url], { cwd: root });
    assertEquals(JSON.parse(output), [
      "9007199254740993n",
      [0, 255],
      { id: 1, v: "9007199254740993n" },
      [{ n: 1 }],
      [{ n: 2 }],
      1555,
    ]);
  }));

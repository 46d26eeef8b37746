/**
 * Loading a file and taking backups of it: what passes through the Workers leaves no garbage that grows with its size. The
 * bounds are above what is measured, and far below what a copy per piece comes to that is left to the garbage collector in
 * one Worker (about 70 MiB).
 */
import { assert, assertEquals } from "@std/assert";
import { Database, runOnce } from "../../src/drivers/libsqlite/driver.ts";
import { leaderOf, nodePlace, type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";
import { peakResidentBytes, residentBytes } from "./memory.ts";

const ROWS = 192;
const ROW_BYTES = 1024 * 1024;
const MIB = 1024 * 1024;

function makeDatabase(path: string): void {
  const database = new Database(path, { readOnly: false, foreignKeys: true });
  runOnce(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)");
  const rows = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${ROWS})`;
  runOnce(database, `INSERT INTO t ${rows} SELECT x, randomblob(${ROW_BYTES}) FROM c`);
  database.close();
}

async function load(node: NodeProcess, path: string): Promise<void> {
  const file = await Deno.open(path);
  const response = await fetch(`${node.url}/db/load`, { method: "POST", body: file.readable });
  assertEquals([response.status, await response.text()], [200, `{"results":[]}`]);
}

/** Takes a backup; how many bytes it has. */
async function backUp(node: NodeProcess, query: string): Promise<number> {
  const response = await fetch(`${node.url}/db/backup?${query}`);
  assertEquals(response.status, 200);
  let bytes = 0;
  for await (const piece of response.body ?? []) bytes += piece.length;
  return bytes;
}

/** A node at rest, which has done a little of everything. */
async function restingBytes(node: NodeProcess): Promise<number> {
  await node.execute("CREATE TABLE IF NOT EXISTS warm(a)");
  await node.row("SELECT count(*) FROM warm");
  return await residentBytes(node);
}

async function assertGrowth(node: NodeProcess, beforeBytes: number, mibMax: number, what: string): Promise<void> {
  const grown = Math.round((await peakResidentBytes(node) - beforeBytes) / MIB);
  assert(grown < mibMax, `node ${node.place.id} grew by ${grown} MiB with ${what}: at most ${mibMax} are expected`);
}

Deno.test({
  name: "a load of 192 MiB and backups of it in every format take a node little memory",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withNodes(async (root, start) => {
      const path = `${root}/big.sqlite`;
      makeDatabase(path);
      const node = start(nodePlace(root, "1"));
      await node.ready();
      const before = await restingBytes(node);
      await load(node, path);
      await assertGrowth(node, before, 100, "a load");
      for (const query of ["fmt=binary", "fmt=delete", "fmt=sql", "compress"]) {
        assert(await backUp(node, query) > ROWS * ROW_BYTES * 0.99, query);
        await assertGrowth(node, before, 160, `a backup, ${query}`);
      }
    }),
});

Deno.test({
  name: "a load of 192 MiB through a follower takes all nodes little memory",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withNodes(async (root, start) => {
      const path = `${root}/big.sqlite`;
      makeDatabase(path);
      const nodes = await startCluster(root, start);
      const leader = await leaderOf(nodes);
      const follower = nodes.find((node) => node !== leader) ?? leader;
      await restingBytes(leader);
      const before = await Promise.all(nodes.map(residentBytes));
      await load(follower, path);
      for (const node of nodes) {
        await until(`the rows on node ${node.place.id}`, async () =>
          (await node.row("SELECT count(*) FROM t", "none"))[0] === ROWS || undefined);
      }
      for (const [at, node] of nodes.entries()) {
        await assertGrowth(node, before[at], 120, "a load");
      }
    }),
});

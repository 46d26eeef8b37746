/**
 * Reads that follow each other without a gap, none of them long: the WAL starts over all the same, and a checkpoint comes
 * to its end when it is asked for.
 */
import { assert, assertEquals } from "@std/assert";
import { type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";

const MIB = 1024 * 1024;
/** The file of a WAL that starts over is cut to this size. */
const KEPT_MIB = 40;
/** Takes some hundred milliseconds. */
const SLOW = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 500000) SELECT count(*) FROM c, one";

async function readOnAndOn(node: NodeProcess, isOver: () => boolean): Promise<void> {
  while (!isOver()) assertEquals(await node.row(SLOW), [500_000]);
}

Deno.test("reads that overlap all the time do not let the WAL grow for ever", () =>
  withNodes(async (root, start) => {
    const [node] = await startCluster(root, start, 1);
    await node.execute("CREATE TABLE one(a)", "INSERT INTO one VALUES(1)", "CREATE TABLE t(id INTEGER PRIMARY KEY, b)");
    await node.row(SLOW);
    const { path } = await node.status("store.sqlite3") as { path: string };
    const walMiB = async () => (await Deno.stat(`${path}-wal`)).size / MIB;
    let isOver = false;
    const reading = Promise.all([1, 2, 3, 4].map(() => readOnAndOn(node, () => isOver)));
    let row = 0;
    const write = () => node.execute(["INSERT OR REPLACE INTO t VALUES(?, zeroblob(1000000))", row++ % 50]);
    while (await walMiB() <= 2 * KEPT_MIB) await write();
    await until("the WAL starts over", async () => {
      await write();
      return await walMiB() <= KEPT_MIB || undefined;
    });
    await write();
    const { status } = await fetch(`${node.url}/snapshot`, { method: "POST" });
    assertEquals(status, 200);
    const { applied, durable } = await node.status("store.sqlite3") as Record<string, number>;
    assert(durable > applied - 5, `durable up to ${durable} of ${applied}`);
    isOver = true;
    await reading;
  }));

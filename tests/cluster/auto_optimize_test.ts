import { assertEquals } from "@std/assert";
import { clusterFlags, leaderOf, nodePlace, until, withNodes } from "../harness/processes.ts";

const ROWS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT";

Deno.test("with -auto-optimize-int the leader analyzes what needs it, and all nodes have the same statistics", () =>
  withNodes(async (root, start) => {
    const places = ["1", "2"].map((id) => nodePlace(root, id));
    const nodes = places.map((place) => start(place, [...clusterFlags(places), "-auto-optimize-int=500ms"]));
    await Promise.all(nodes.map((node) => node.ready()));
    const leader = await leaderOf(nodes);
    const statistics = "SELECT group_concat(tbl || ' ' || coalesce(idx, '') || ' ' || stat, ', ') FROM " +
      "(SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY 1, 2)";
    const untilAll = async (expected: string) => {
      for (const node of nodes) {
        await until(expected, async () => (await node.row(statistics, "none"))[0] === expected || undefined);
      }
    };
    await leader.execute(
      'CREATE TABLE "a b"(id INTEGER PRIMARY KEY, v)',
      'CREATE INDEX i ON "a b"(v)',
      "CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
      "CREATE TABLE plain(v)",
      "CREATE TABLE empty(v UNIQUE)",
      "CREATE INDEX part ON plain(v) WHERE v > 1000",
      `${ROWS} 20) INSERT INTO "a b"(v) SELECT x % 4 FROM c`,
      "INSERT INTO w VALUES('k', 1)",
      "INSERT INTO plain VALUES(1)",
    );
    await untilAll("a b i 20 5, plain  1, plain part 0 0, w w 1 1");
    const index = await leader.status("store.raft.last_log_index");
    const [other] = nodes.filter((node) => node !== leader);
    const before = Number((await vars(leader)).num_auto_optimizes);
    await until(
      "two more looks",
      async () => Number((await vars(leader)).num_auto_optimizes) >= before + 2 || undefined,
    );
    assertEquals(await leader.status("store.raft.last_log_index"), index, "nothing is analyzed again without a reason");

    await leader.execute(`${ROWS} 300) INSERT INTO "a b"(v) SELECT x % 4 FROM c`);
    await untilAll("a b i 320 80, plain  1, plain part 0 0, w w 1 1");
    assertEquals((await vars(leader)).num_auto_optimizes_failed, 0);
    assertEquals((await vars(other)).num_auto_optimizes, 0);
    await leader.says(/automatic ANALYZE of a b, plain, w done in \d+ ms/);
  }));

async function vars(node: Awaited<ReturnType<typeof leaderOf>>): Promise<Record<string, unknown>> {
  return (await (await node.get("/debug/vars?key=store")).json()).store;
}

/** A write that takes long: those that would wait behind it are told at once, on whichever node, and nothing of them is done. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { leaderOf, type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";

const ENDLESS = "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c";

async function post(node: NodeProcess, path: string, statements: readonly string[]): Promise<Response> {
  return await fetch(node.url + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(statements),
  });
}

Deno.test("writes behind one that takes long, and reads that must see it, are refused at once, with the entry that runs", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t(a)");
    // Through a follower, which tells its client of the outcome: then no read of the leader may miss it.
    const follower = nodes.find((node) => node !== leader) ?? leader;
    const endless = follower.send("/db/execute?db_timeout=6s&timeout=60s", [ENDLESS], 70_000);
    const { index } = await until("a write that has run for more than a second", async () => {
      const { writing } = await leader.status("store.sqlite3") as { writing?: { since: string; index: number } };
      return writing && Date.now() - Date.parse(writing.since) > 1100 ? writing : undefined;
    });
    for (const node of nodes) {
      for (
        const [path, sql] of [
          ["/db/execute", "INSERT INTO t VALUES('behind')"],
          ["/db/query?level=strong", "SELECT 1"],
          ["/db/query?level=linearizable", "SELECT 1"],
          ["/db/query", "SELECT 1"],
        ]
      ) {
        const response = await post(node, path, [sql]);
        assertEquals([response.status, response.headers.get("retry-after")], [503, "1"]);
        const text = await response.text();
        assertMatch(
          text,
          /^the database has been busy with entry \d+ since [^ ]+Z \([^)]+ steps\): nothing was written/,
        );
        assert(text.includes(`entry ${index} since`), text);
      }
      assertEquals(await node.row("SELECT count(*) FROM t", "none"), [0]);
    }
    const { results, error } = await endless;
    assertMatch(results[0]?.error ?? error ?? "", /exceeded its limit of \d+ steps|may or may not have taken effect/);
    await until(
      "writes again",
      async () => (await post(leader, "/db/execute", ["INSERT INTO t VALUES('later')"])).ok || undefined,
    );
    assertEquals(await leader.row("SELECT group_concat(a) FROM t"), ["later"]);
  }));

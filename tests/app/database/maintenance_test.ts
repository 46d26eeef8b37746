/** Maintenance at intervals by the node that leads: VACUUM, and ANALYZE of the tables that need it. */
import { assertEquals, assertMatch } from "@std/assert";
import { optimizeIfLeader } from "../../../src/app/database/auto_optimize.ts";
import { repeatEvery, vacuumIfLeader } from "../../../src/app/database/maintenance.ts";
import { LocalNode, OTHER } from "../../harness/local_node.ts";
import { until } from "../../harness/processes.ts";

async function withTables(work: (node: LocalNode, log: string[]) => Promise<void>): Promise<void> {
  await using node = new LocalNode();
  await node.json("POST", "/db/execute", [
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a)",
    "CREATE INDEX i ON t(a)",
    "CREATE TABLE empty(a)",
    'CREATE TABLE "a ""b"(x)',
    "INSERT INTO t(a) VALUES (1), (2), (2)",
    'INSERT INTO "a ""b" VALUES (1)',
  ]);
  await work(node, []);
}

const analyzed = async (node: LocalNode) =>
  (await node.json("POST", "/db/query", ["SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY tbl"])).results[0].values ??
    [];

Deno.test("tables without statistics are analyzed once, by the leader alone", () =>
  withTables(async (node, log) => {
    const parts = { ...node.services, log: (line: string) => log.push(line) };
    node.lead(OTHER);
    await optimizeIfLeader(parts, new Set());
    node.lead({ id: "1", addr: "h:2", apiUrl: "" });
    assertEquals(await analyzed(node), []);
    await optimizeIfLeader(parts, new Set());
    assertEquals(await analyzed(node), [['a "b', null, "1"], ["t", "i", "3 2"]]);
    assertMatch(log[0], /^automatic ANALYZE of a "b, t done in \d+ ms$/);
    await optimizeIfLeader(parts, new Set());
    assertEquals([log.length, node.services.counters.auto_optimizes], [1, 2], "there is nothing to do");
    await node.json("POST", "/db/execute", [
      "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 40) INSERT INTO t(a) SELECT x FROM n",
    ]);
    await optimizeIfLeader(parts, new Set());
    assertMatch(log[1], /^automatic ANALYZE of t done/);
    node.refusal = "storage_full";
    await vacuumIfLeader(parts);
    assertEquals(log[2], "automatic VACUUM failed, the next one is due in its time: refused: storage_full");
    node.refusal = undefined;
    await vacuumIfLeader(parts);
    assertMatch(log[3], /^automatic VACUUM done in \d+ ms$/);
    const { auto_vacuums, auto_vacuums_failed } = node.services.counters;
    assertEquals([auto_vacuums, auto_vacuums_failed], [1, 1]);
  }));

Deno.test("repeatEvery() begins the work anew when it is done and the interval has passed; 0 is never", async () => {
  let count = 0;
  const over = Promise.withResolvers<void>();
  repeatEvery(0, () => Promise.reject(new Error("never")));
  repeatEvery(1, () => ++count < 3 ? Promise.resolve() : over.promise);
  const kept = setInterval(() => {}, 1000); // the timers of repeatEvery() keep no process alive
  await until("three times", () => count === 3 || undefined);
  clearInterval(kept);
  assertEquals(count, 3);
});

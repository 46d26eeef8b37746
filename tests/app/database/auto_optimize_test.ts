import { assertEquals } from "@std/assert";
import { ENTRIES_MAX, optimizeIfLeader, verdictOn } from "../../../src/app/database/auto_optimize.ts";
import { hasTables } from "../../../src/app/database/auto_restore.ts";
import { LocalNode } from "../../harness/local_node.ts";

const TABLE = { indexes: 1, hasNewIndex: false, analyzedRows: 1000 };

Deno.test("a table needs statistics when it has none, when an index has none, and when its size changed tenfold", () => {
  assertEquals(verdictOn(TABLE, 1000), "fresh");
  assertEquals(verdictOn(TABLE, 10_000), "fresh");
  assertEquals(verdictOn(TABLE, 10_001), "due");
  assertEquals(verdictOn(TABLE, 100), "fresh");
  assertEquals(verdictOn(TABLE, 99), "due");
  assertEquals(verdictOn({ ...TABLE, hasNewIndex: true }, 1000), "due");
  assertEquals(verdictOn({ ...TABLE, analyzedRows: null }, 1), "due");
  assertEquals(verdictOn({ ...TABLE, analyzedRows: null, hasNewIndex: true }, 0), "fresh");
});

Deno.test("a table whose indexes have too many entries is not analyzed", () => {
  const table = { ...TABLE, indexes: 4, analyzedRows: null };
  assertEquals(verdictOn(table, ENTRIES_MAX / 5), "due");
  assertEquals(verdictOn(table, ENTRIES_MAX / 5 + 1), "too large");
  assertEquals(verdictOn({ ...table, analyzedRows: ENTRIES_MAX / 5 }, ENTRIES_MAX / 5 + 1), "fresh");
});

Deno.test("a user's table is analyzed whatever it is called, and none of the cluster's own", async () => {
  await using node = new LocalNode();
  await node.services.catalog.bringUpToDate();
  await node.json("POST", "/db/execute", [
    "CREATE TABLE _musterly(a)",
    "CREATE INDEX of_a ON _musterly(a)",
    "INSERT INTO _musterly VALUES(1), (2)",
  ]);
  await optimizeIfLeader(node.services, new Set());
  const { results } = await node.json("GET", "/db/query?q=SELECT+tbl,idx+FROM+sqlite_stat1");
  assertEquals(results[0].values, [["_musterly", "of_a"]]);
  assertEquals(await hasTables(node.services), true);
  await node.json("POST", "/db/execute", ["DROP TABLE _musterly"]);
  assertEquals(await hasTables(node.services), false);
});

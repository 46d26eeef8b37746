/** `/db/sql` shows statements as they would go to the log, and runs none of them. */
import { assertEquals } from "@std/assert";
import { nodePlace, withNodes } from "../harness/processes.ts";

Deno.test("/db/sql shows what would go to the log, names what cannot, and runs nothing", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    await node.execute("CREATE TABLE t(a)");
    const same = (sql: string) => ({ original: sql, rewritten: sql });
    const statements = [
      "INSERT INTO t VALUES(random(), datetime('now'))",
      ["INSERT INTO nowhere VALUES(?, :name)", 1, { name: "x" }],
      "SLECT 1",
      "SELECT 1; DELETE FROM t",
      "SELECT 'abc",
      "BEGIN",
      "EXPLAIN QUERY PLAN SELECT * FROM t",
      "PRAGMA user_version = 7",
      "DROP TABLE t",
      "VACUUM",
    ];
    const { results } = await node.send("/db/sql", statements);
    assertEquals(results as unknown[], [
      same("INSERT INTO t VALUES(random(), datetime('now'))"),
      same("INSERT INTO nowhere VALUES(?, :name)"),
      { original: "SLECT 1", error: 'near "SLECT": syntax error' },
      same("SELECT 1"),
      same("DELETE FROM t"),
      { original: "SELECT 'abc", error: 'unrecognized token: "\'abc"' },
      { original: "BEGIN", error: 'BEGIN is not supported: use the "transaction" parameter of the request instead' },
      same("EXPLAIN QUERY PLAN SELECT * FROM t"),
      same("PRAGMA user_version = 7"),
      same("DROP TABLE t"),
      same("VACUUM"),
    ]);
    assertEquals(await node.row("SELECT (SELECT count(*) FROM t), (SELECT user_version FROM pragma_user_version)"), [
      0,
      0,
    ]);

    const many = await node.send("/db/sql?timings", Array.from({ length: 200 }, (_, at) => `SELECT ${at}`));
    assertEquals(many.results.length, 200);
    assertEquals(many.results[199] as unknown, same("SELECT 199"));
    assertEquals(typeof (many as unknown as { time: unknown }).time, "number");

    const one = await node.get("/db/sql?q=SELECT+1");
    assertEquals(await one.json(), { results: [same("SELECT 1")] });
    const none = await node.get("/db/sql");
    assertEquals([none.status, await none.text()], [400, "query not specified\n"]);
    assertEquals(await node.status("http.counters.sql_analyze"), 4);
  }));

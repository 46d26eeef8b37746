import { assertEquals, assertMatch } from "@std/assert";
import { SlowStatements } from "../../../src/app/database/slow_statements.ts";
import { isEncoded } from "../../../src/core/sql/command.ts";
import { bind, read } from "../../drivers/sqlite/fixture.ts";
import { openReader } from "../../../src/drivers/sqlite/reader.ts";
import { Bench } from "../../drivers/sqlite/fixture.ts";
import { wholeText } from "../../../src/core/sql/result_text.ts";

Deno.test("SlowStatements keep texts without parameters, tell of a few a second, and forget the oldest", () => {
  const lines: string[] = [];
  const slow = new SlowStatements(100, (line) => lines.push(line));
  slow.note("execute", [bind("SELECT 1")], 99);
  slow.note("execute", [bind(["INSERT INTO\n  t VALUES(?)", "secret"]), bind("SELECT 'it''s'")], 1234.5);
  assertEquals(lines, ["slow execute, 1.235s: INSERT INTO t VALUES(?); SELECT 'it''s'"]);
  for (let nth = 0; nth < 300; nth++) slow.note("query", [bind(`SELECT ${nth} -- ${"x".repeat(5000)}`)], 100);
  assertEquals([slow.count, lines.length <= 10], [301, true]);
  const off = new SlowStatements(0, (line) => lines.push(line));
  off.note("query", [bind("SELECT 1")], 1e9);
  assertEquals(off.count, 0);
});

Deno.test("a read that names muster.slow_statements finds them, joined and under another name; other statements stay as they are", async () => {
  const path = await Deno.makeTempFile({ suffix: ".db" });
  using bench = new Bench(path);
  bench.run(["CREATE TABLE t(a)"]);
  const reader = openReader(path, { foreignKeys: false });
  try {
    const slow = new SlowStatements(100, () => {});
    slow.note("query", [bind("SELECT 'it''s'")], 250);
    slow.note("execute", [bind("DELETE FROM t")], 350, "4bf9");
    const rows = (sql: string) => {
      const statements = slow.shownIn([bind(sql)]);
      if (isEncoded(statements)) throw new Error("they were given as they are");
      const { results } = reader.read({ ...read([]), statements });
      return JSON.parse(wholeText(results))[0];
    };
    const { columns, values } = rows("SELECT * FROM muster.slow_statements ORDER BY ms DESC");
    assertEquals(columns, ["at", "ms", "kind", "sql", "trace_id"]);
    assertEquals(values.map(([, ...rest]: unknown[]) => rest), [
      [350, "execute", "DELETE FROM t", "4bf9"],
      [250, "query", "SELECT 'it''s'", null],
    ]);
    assertMatch(values[0][0], /^20\d\d-.*Z$/);
    assertEquals(rows("SELECT s.kind FROM muster.slow_statements AS s JOIN (SELECT 250 AS n) ON s.ms = n").values, [[
      "query",
    ]]);
    assertEquals(rows("SELECT count(*) FROM muster.slow_statements WHERE slow_statements.ms > 300").values, [[1]]);
    const plain = [bind("SELECT 1")];
    assertEquals(slow.shownIn(plain), plain);
  } finally {
    reader.close();
    await Deno.remove(path);
  }
});

import { assertEquals } from "@std/assert";
import { clockInSchema } from "../../src/sql/clock.ts";

Deno.test("clockInSchema() finds the clock in what is computed again", () => {
  const found: readonly [string, string][] = [
    ["CREATE UNIQUE INDEX i ON t(datetime('now'))", "datetime"],
    ["CREATE INDEX i ON t(a) WHERE a > date('NOW', '-1 day')", "date"],
    ["CREATE TABLE t(a, b GENERATED ALWAYS AS (unixepoch('subsec')) STORED)", "unixepoch"],
    ["CREATE TABLE t(a, b AS (lower(\"datetime\"(a, 'x', trim('now')))))", "datetime"],
    ['CREATE TABLE t(a CHECK(a < julianday("now")))', "julianday"],
    ["ALTER TABLE t ADD COLUMN b AS (strftime('%s', 'now'))", "strftime"],
    ["CREATE INDEX i ON t(CURRENT_DATE)", "current_date"],
  ];
  for (const [sql, name] of found) assertEquals(clockInSchema(sql), name, sql);
});

Deno.test("clockInSchema() leaves the clock where it is evaluated once", () => {
  for (
    const sql of [
      "CREATE TABLE t(a DEFAULT (datetime('now')), b DEFAULT CURRENT_TIMESTAMP, c AS (date(a)))",
      "CREATE TABLE t AS SELECT datetime('now') AS a",
      "CREATE TABLE t AS WITH x AS (SELECT datetime('now') AS a) SELECT a FROM x",
      "CREATE INDEX i ON t(date(a)) WHERE state = 'now'",
      "CREATE VIEW v AS SELECT datetime('now')",
      "CREATE TEMP VIEW v AS SELECT * FROM (WITH x AS (SELECT datetime('now')) SELECT * FROM x)",
      "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET a = datetime('now'); END",
      "ALTER TABLE t ADD COLUMN b DEFAULT CURRENT_DATE",
    ]
  ) assertEquals(clockInSchema(sql), null, sql);
});

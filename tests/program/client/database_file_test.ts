/** What the command line says of a database file before it is sent, and of one that it fetched. */
import { assertEquals, assertThrows } from "@std/assert";
import { Database, runOnce } from "../../../src/drivers/libsqlite/driver.ts";
import { describe, inspectDatabase } from "../../../src/program/client/database_file.ts";

/** The path of a database in which the statements ran. */
function databaseOf(directory: string, ...statements: string[]): string {
  const path = `${directory}/some.sqlite`;
  const database = new Database(path, { readOnly: false, foreignKeys: false });
  for (const sql of statements) runOnce(database, sql);
  database.close();
  return path;
}

Deno.test("rows that break what was declared after them are no damage", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const path = databaseOf(
      directory,
      "CREATE TABLE t(a)",
      "INSERT INTO t VALUES(1),(2)",
      "ALTER TABLE t ADD b INT NOT NULL DEFAULT -NULL",
      "CREATE TABLE c(a CHECK(a > 0))",
      "PRAGMA ignore_check_constraints = 1",
      "INSERT INTO c VALUES(-1)",
      "CREATE TABLE source(x)",
      "CREATE VIRTUAL TABLE words USING fts5(x, content='source')",
      "DROP TABLE source",
      "CREATE INDEX by_a ON t(a)",
    );
    const inspection = inspectDatabase(path);
    assertEquals(inspection.tables, [
      { name: "c", rows: 1 },
      { name: "t", rows: 2 },
      { name: "words", rows: 0 },
    ]);
    assertEquals(describe(inspection), "tables: 3, rows: 3, indexes, triggers and views: 1");
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["some.sqlite"]);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("a page that was overwritten is damage, with its file's name", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const path = databaseOf(directory, "CREATE TABLE t(a)", "INSERT INTO t VALUES(zeroblob(20000))");
    const bytes = Deno.readFileSync(path);
    bytes.fill(0xff, 4096, 4196);
    Deno.writeFileSync(path, bytes);
    assertThrows(() => inspectDatabase(path), Error, `${path}: `);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

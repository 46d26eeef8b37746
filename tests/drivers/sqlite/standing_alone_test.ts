/**
 * A statement outside a transaction does what it does in SQLite by itself, also where it fails in the middle, though it
 * shares the transaction of its entry: all of it, nothing of it, or what its conflict clause leaves.
 */
import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { changeLogOn } from "../../../src/core/sql/change_log.ts";
import { Bench, SYSTEM } from "./fixture.ts";

const SCHEMA = [
  "CREATE TABLE strict(a INT) STRICT",
  "CREATE TABLE keyed(id INTEGER PRIMARY KEY, a)",
  "INSERT INTO keyed VALUES(1,'a'),(2,'b'),(3,'c')",
  "CREATE TABLE plain(a)",
  "CREATE TABLE sole(a UNIQUE)",
  "INSERT INTO sole VALUES(7)",
  "CREATE TABLE large(part, x)",
  "INSERT INTO large VALUES(1,1),(2,9223372036854775807),(2,1)",
  "CREATE TABLE texts(x)",
  "INSERT INTO texts VALUES('[1]'),('no JSON')",
  "CREATE TABLE fired(b)",
  "INSERT INTO fired VALUES(1),(2)",
  "CREATE TRIGGER t1 AFTER UPDATE ON fired BEGIN INSERT OR REPLACE INTO keyed VALUES(iif(new.rowid=2,'x',50),1); END",
  "CREATE VIEW shown AS SELECT * FROM keyed",
  "CREATE TRIGGER t2 INSTEAD OF DELETE ON shown BEGIN DELETE FROM keyed WHERE id=old.id; " +
  "INSERT INTO strict VALUES(iif(old.id=2,'x',1)); END",
  "CREATE TRIGGER t3 AFTER INSERT ON plain WHEN new.a = 'fail' BEGIN SELECT raise(FAIL, 'failed'); END",
];
const DEFERRED = [
  "CREATE TABLE parent(id INTEGER PRIMARY KEY)",
  "CREATE TABLE child(p REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
];
const TABLES = ["strict", "keyed", "plain", "sole", "large", "texts", "fired"];
const STATEMENTS = [
  "INSERT INTO strict VALUES(1),('x')",
  "INSERT OR REPLACE INTO keyed VALUES(0,'z'),('x',7)",
  "INSERT OR IGNORE INTO keyed VALUES(0,'z'),('x',7)",
  "INSERT INTO keyed VALUES(10,1),('x',1) ON CONFLICT DO NOTHING",
  "INSERT INTO keyed VALUES(10,1),('x',1) ON CONFLICT DO UPDATE SET a = 4",
  "UPDATE OR REPLACE keyed SET id = CASE id WHEN 1 THEN 2 WHEN 2 THEN 9 ELSE 'x' END",
  "UPDATE OR IGNORE keyed SET id = iif(id=3, NULL, id+100)",
  "INSERT INTO plain SELECT sum(x) FROM large GROUP BY part",
  "INSERT INTO plain SELECT sum(x) OVER (ORDER BY rowid) FROM large",
  "INSERT INTO plain SELECT e.value FROM texts, json_each(texts.x) e",
  "INSERT INTO plain SELECT json_extract(x, '$') FROM texts",
  "UPDATE fired SET b=9",
  "DELETE FROM shown",
  "CREATE TABLE copied AS SELECT sum(x) FROM large GROUP BY part",
  "INSERT OR FAIL INTO sole VALUES(1),(2),(1)",
  "INSERT INTO plain VALUES(1),('fail'),(2)",
  "INSERT OR FAIL INTO strict VALUES(1),('x')",
];

/** The tables after a statement that SQLite ran by itself. */
function expectedAfter(sql: string, schema: readonly string[]): { tables: unknown; hasFailed: boolean } {
  const database = new DatabaseSync(":memory:", { enableForeignKeyConstraints: false });
  for (const one of schema) database.exec(one);
  let hasFailed = false;
  try {
    database.exec(sql);
  } catch {
    hasFailed = true;
  }
  const statements = TABLES.map((table) => database.prepare(`SELECT * FROM ${table}`));
  for (const statement of statements) {
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
  }
  const tables = JSON.stringify(statements.map((statement) => statement.all()), numbersAsText);
  database.close();
  return { tables, hasFailed };
}

function numbersAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" || typeof value === "number" ? String(Number(value)) : value;
}

/** The tables after an entry in which the statement stands between others, and the events that the entry has in the log. */
function after(sql: string, schema: readonly string[], foreignKeys: boolean): { tables: unknown; events: number } {
  using bench = new Bench(":memory:", foreignKeys);
  bench.run(schema);
  bench.run(changeLogOn(1e6), SYSTEM);
  bench.run(["CREATE TABLE other(a)", "INSERT INTO other VALUES(1)", sql, "INSERT INTO other VALUES(2)"]);
  assertEquals(bench.rows("SELECT a FROM other"), [[1], [2]], sql);
  const tables = JSON.stringify(TABLES.map((table) => bench.rows(`SELECT * FROM ${table}`)), numbersAsText);
  const events = bench.rows(
    "SELECT count(*) FROM _muster_changes, json_each(events) e WHERE e.value ->> 'table' <> 'other'",
  );
  return { tables, events: Array.isArray(events) ? events[0][0] : NaN };
}

for (
  const [name, schema, foreignKeys] of [
    ["", SCHEMA, false],
    [" where a key is deferred", [...SCHEMA, ...DEFERRED], true],
    [" where a key is deferred and none is enforced", [...SCHEMA, ...DEFERRED], false],
  ] as const
) {
  Deno.test(`a statement that fails in the middle leaves what SQLite alone leaves of it${name}`, () => {
    for (const sql of STATEMENTS) {
      const { tables, hasFailed } = expectedAfter(sql, schema);
      assert(hasFailed, sql);
      const found = after(sql, schema, foreignKeys);
      assertEquals(found.tables, tables, sql);
      const isUntouched = tables === expectedAfter("SELECT", schema).tables;
      assertEquals(found.events > 0, !isUntouched, `the events of ${sql}`);
    }
  });
}

Deno.test("what OR FAIL leaves is undone where it violates a deferred key", () => {
  using bench = new Bench(":memory:", true);
  bench.run([...SCHEMA, ...DEFERRED, "CREATE TABLE own(id UNIQUE, p REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"]);
  assertEquals(
    bench.run(["INSERT OR FAIL INTO own VALUES(1,99),(1,99)", "INSERT INTO own VALUES(5,NULL)"]),
    [
      `[{"error":"FOREIGN KEY constraint failed"},{"last_insert_id":1,"rows_affected":1}]`,
    ][0],
  );
  assertEquals(bench.rows("SELECT id FROM own"), [[5]]);
});

Deno.test("an index on a table behind a virtual one, which calls for a savepoint at each write, ends no process", () => {
  const expressions = ["id", "abs(id)", "hex(block)", "id DESC, block"];
  for (const kind of ["INDEX", "UNIQUE INDEX"]) {
    for (const expression of expressions) {
      for (const transaction of [false, true]) {
        using bench = new Bench();
        bench.run(["CREATE VIRTUAL TABLE f USING fts5(a)", `CREATE ${kind} shadowed ON f_data(${expression})`]);
        bench.run(["INSERT OR REPLACE INTO f(rowid, a) VALUES(1, 'x'), (2, 'y')"], { transaction });
        bench.run(["UPDATE f SET a = 'z' WHERE rowid = 1", "DELETE FROM f WHERE rowid = 2"], { transaction });
        assertEquals(bench.rows("SELECT rowid FROM f('z')"), [[1]], `${kind} ${expression}`);
      }
    }
  }
});

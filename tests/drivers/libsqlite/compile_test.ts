/** What a statement may cost before it runs: limits of the compiler, the same on every machine and for every connection. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Control } from "../../../src/drivers/libsqlite/control.ts";
import { Database, runOnce, SqliteError } from "../../../src/drivers/libsqlite/driver.ts";
import { withDatabase } from "./fixture.ts";

const BUDGET = 1_000_000_000;

/** Steps of the budget that compiling a statement takes. */
function cost(database: Database, sql: string): number {
  const control = new Control();
  control.steps = BUDGET;
  database.prepare(sql, { control }).finalize();
  return BUDGET - control.steps;
}

function repeated(count: number, text: (at: number) => string, separator = ","): string {
  return Array.from({ length: count }, (_, at) => text(at)).join(separator);
}

/** `a op b op c …` as a tree that is no deeper than it must be. */
function balanced(terms: readonly string[], operator: string): string {
  if (terms.length === 1) return terms[0] ?? "";
  const middle = terms.length >> 1;
  return `(${balanced(terms.slice(0, middle), operator)}${operator}${balanced(terms.slice(middle), operator)})`;
}

/** Each but the last takes SQLite half a minute, or several; that has too many instructions. */
const WINDOWS = `SELECT ${repeated(1990, (at) => `row_number() OVER (PARTITION BY a, b ORDER BY ${at})`)} FROM t`;
const SAME_WINDOW = `SELECT ${balanced(Array.from({ length: 60_000 }, () => "sum(1) OVER (ORDER BY a)"), "+")} FROM t`;
const TERMS = `SELECT 1 FROM t WHERE ${balanced(Array.from({ length: 100_000 }, (_, at) => `a>${at}`), " AND ")}`;
const PARAMETERS = `SELECT ${balanced(Array.from({ length: 2_000_000 }, (_, at) => `?${at % 30_000 + 1}`), "+")}`;

const NATURAL = `SELECT 1 FROM ${repeated(64, (at) => `wide${at}`, " NATURAL JOIN ")}`;
const DOUBLED = `WITH k0(a) AS (SELECT 1), ${
  repeated(17, (at) => `k${at + 1}(a) AS (SELECT x.a FROM k${at} x, k${at} y)`)
} SELECT * FROM k17`;
const ALIASES = `SELECT ${repeated(1999, (at) => `a AS x${at}`)} FROM t WHERE ${
  balanced(Array.from({ length: 400_000 }, () => "x1998"), "+")
}`;
const KEYS = `CREATE TABLE keys(${repeated(1990, (at) => `c${at}`)}, ${
  repeated(900, () => `FOREIGN KEY(${repeated(1990, (at) => `c${1989 - at}`)}) REFERENCES t`)
})`;
const INSTRUCTIONS = `INSERT INTO t VALUES ${repeated(300_000, (at) => `(${at}, abs(-${at}), 7)`)}`;

Deno.test("a statement that takes long to compile is given up", () => {
  withDatabase((database) => {
    runOnce(database, "CREATE TABLE t(i INTEGER PRIMARY KEY, a, b)");
    runOnce(database, "CREATE INDEX ta ON t(a)");
    for (let table = 0; table < 64; table++) {
      runOnce(database, `CREATE TABLE wide${table}(${repeated(2000, (at) => `a${table}_${at}`)})`);
    }
    for (const sql of [WINDOWS, SAME_WINDOW, TERMS, PARAMETERS, NATURAL, DOUBLED, ALIASES, KEYS, INSTRUCTIONS]) {
      const error = assertThrows(() => database.prepare(sql), SqliteError);
      assertEquals(error.stop, "compile", sql.slice(0, 60));
      assertEquals(runOnce(database, "SELECT 7"), [[7n]]);
    }
  });
});

Deno.test("compiling ends with the time of its request, and with its budget", () => {
  withDatabase((database) => {
    runOnce(database, "CREATE TABLE t(i INTEGER PRIMARY KEY, a, b)");
    const control = new Control();
    control.timeoutMs = 50;
    assertEquals(assertThrows(() => database.prepare(WINDOWS, { control }), SqliteError).stop, "time");
    control.free();
    control.steps = 1_000_000;
    assertEquals(assertThrows(() => database.prepare(WINDOWS, { control }), SqliteError).stop, "steps");
    control.free();
    control.ticket.current = 1;
    control.ticket.cancel(1);
    assertEquals(assertThrows(() => database.prepare(WINDOWS, { control }), SqliteError).stop, "cancelled");
  });
});

Deno.test("constants by the ten thousand compile", () => {
  withDatabase((database) => {
    runOnce(database, "CREATE TABLE t(i INTEGER PRIMARY KEY, a, b)");
    runOnce(database, `INSERT INTO t VALUES ${repeated(60_000, (at) => `(${at}, abs(-${at}), 'x' || ${at % 7})`)}`);
    assertEquals(runOnce(database, "SELECT count(*), max(a), max(b) FROM t"), [[60_000n, 59_999n, "x6"]]);
    const chosen = `SELECT CASE ${
      repeated(100_000, (at) => `WHEN a = ${at} THEN 'v${at}'`, " ")
    } END FROM t WHERE i = 77`;
    assertEquals(runOnce(database, chosen), [["v77"]]);
  });
});

Deno.test("a statement costs the same whatever its connection has compiled before", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/db.sqlite`;
  try {
    const query = "SELECT * FROM costly";
    const tables = "SELECT count(*) FROM t1999";
    const costs: number[] = [];
    withDatabase((database) => {
      runOnce(database, "CREATE TABLE t(a, b)");
      runOnce(
        database,
        `CREATE VIEW costly AS SELECT ${repeated(300, (at) => `sum(1) OVER (ORDER BY a + ${at})`)} FROM t`,
      );
      runOnce(database, "BEGIN");
      for (let at = 0; at < 2000; at++) {
        runOnce(database, `CREATE TABLE t${at}(${repeated(30, (column) => `c${column} CHECK(c${column} <> ${at})`)})`);
      }
      runOnce(database, "COMMIT");
      costs.push(cost(database, query), cost(database, query), cost(database, tables));
    }, path);
    withDatabase((database) => costs.push(cost(database, tables), cost(database, query)), path);
    const [first, second, small, smallAfresh, afresh] = costs;
    assert(first !== undefined && first > 0);
    assertEquals([second, afresh], [first, first]);
    assertEquals([small, smallAfresh], [0, 0]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

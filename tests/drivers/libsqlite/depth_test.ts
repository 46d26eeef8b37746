/** What stands on each other by the thousand is an error, the same on every machine: it would use up the stack of a thread. */
import { assertEquals, assertThrows } from "@std/assert";
import { runOnce, SqliteError } from "../../../src/drivers/libsqlite/driver.ts";
import { withDatabase } from "./fixture.ts";

/** Runs statements in a transaction of their own; the rows of the last one. */
type Run = (...statements: string[]) => unknown[][];

function inTransactions(work: (run: Run) => void): void {
  withDatabase((database) =>
    work((...statements) => {
      runOnce(database, "BEGIN");
      let rows: unknown[][] = [];
      try {
        for (const sql of statements) rows = runOnce(database, sql).map((row) => [...row]);
      } finally {
        runOnce(database, "COMMIT");
      }
      return rows;
    })
  );
}

/** A statement for each level, with its number. */
function levels(count: number, statement: (level: number) => string): string[] {
  return Array.from({ length: count }, (_, level) => statement(level));
}

Deno.test("common table expressions on each other have a depth", () => {
  const chain = (count: number) =>
    `WITH ${levels(count, (at) => `c${at} AS (SELECT ${at === 0 ? "1" : `* FROM c${at - 1}`})`)} SELECT * FROM c${
      count - 1
    }`;
  inTransactions((run) => {
    assertEquals(run(chain(1000)), [[1n]]);
    for (const count of [1500, 5000]) assertThrows(() => run(chain(count)), SqliteError, "too many levels of views");
  });
});

Deno.test("a statement with names by the hundred thousand is given up while it compiles", () => {
  inTransactions((run) => {
    const many = (count: number) => `WITH ${levels(count, (at) => `c${at} AS (SELECT 1)`)} SELECT 7`;
    assertEquals(run(many(2000)), [[7n]]);
    const error = assertThrows(() => run(many(200_000)), SqliteError);
    assertEquals(error.stop, "compile");
  });
});

Deno.test("views on each other have a depth", () => {
  inTransactions((run) => {
    run(...levels(5000, (at) => `CREATE VIEW v${at} AS SELECT ${at === 0 ? "1 AS a" : `* FROM v${at - 1}`}`));
    assertEquals(run("SELECT * FROM v500"), [[1n]]);
    assertThrows(() => run("SELECT * FROM v4999"), SqliteError, "too many levels of views");
    assertThrows(() => run("SELECT * FROM pragma_table_info('v4999')"), SqliteError, "too many levels of views");
  });
});

Deno.test("triggers and foreign keys that bring about each other have a depth", () => {
  inTransactions((run) => {
    run(...levels(4001, (at) => `CREATE TABLE t${at}(a)`));
    run(
      ...levels(
        4000,
        (at) => `CREATE TRIGGER g${at} AFTER INSERT ON t${at} BEGIN INSERT INTO t${at + 1} VALUES(1); END`,
      ),
    );
    assertThrows(() => run("INSERT INTO t0 VALUES(1)"), SqliteError, "too many levels of triggers");
    run("INSERT INTO t3600 VALUES(1)");
    assertEquals(run("SELECT count(*) FROM t4000"), [[1n]]);
  });
  inTransactions((run) => {
    run(
      "CREATE TABLE k0(a INTEGER PRIMARY KEY)",
      ...levels(4000, (at) => `CREATE TABLE k${at + 1}(a INTEGER PRIMARY KEY REFERENCES k${at} ON DELETE CASCADE)`),
    );
    run(...levels(4001, (at) => `INSERT INTO k${at} VALUES(7)`));
    assertThrows(() => run("DELETE FROM k0"), SqliteError, "too many levels of triggers");
    assertEquals(run("SELECT count(*) FROM k0"), [[1n]]);
    run("DELETE FROM k3600");
    assertEquals(run("SELECT count(*) FROM k4000"), [[0n]]);
  });
});

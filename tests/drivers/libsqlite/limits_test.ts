/** The limits of a statement: each ends it at the same place, whatever it computes and whatever ran before. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { SqlValue } from "../../../src/core/sql/value.ts";
import { Control, type Stop, UNLIMITED } from "../../../src/drivers/libsqlite/control.ts";
import { Database, runOnce, SqliteError, type Statement } from "../../../src/drivers/libsqlite/driver.ts";
import { withDatabase } from "./fixture.ts";
import { causeOf } from "../../../src/drivers/sqlite/failure.ts";

const MEBIBYTE = 1024 * 1024;

/** Why a statement was stopped; `none` where it came to its end. */
function stopOf(work: () => unknown): Stop {
  try {
    work();
    return "none";
  } catch (error) {
    if (!(error instanceof SqliteError) || error.stop === "none") throw error;
    assertEquals(error.code, 9);
    assertEquals(causeOf(error), error.stop === "cancelled" ? "cancelled" : "statement");
    return error.stop;
  }
}

interface Trial {
  readonly field: "steps" | "valueBytes" | "tempBytes";
  readonly unit: number;
  readonly high?: number;
}

/** The least limit, in units, with which `run` comes to its end: with one less it must not. */
function least({ field, unit, high = 1 << 15 }: Trial, run: (control: Control) => unknown): number {
  let refused = -1;
  let accepted = high;
  while (accepted - refused > 1) {
    const middle = Math.floor((accepted + refused) / 2);
    const control = new Control();
    control[field] = middle * unit;
    if (stopOf(() => run(control)) === "none") accepted = middle;
    else refused = middle;
  }
  return accepted;
}

const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n";

Deno.test("a statement that runs is ended by another thread, by its number or whatever runs", async () => {
  const worker = new Worker(new URL("./cancel_worker.ts", import.meta.url), { type: "module" });
  try {
    await new Promise((resolve) => worker.onmessage = resolve);
    withDatabase((database) => {
      const endless = database.prepare(ENDLESS);
      const slow = database.prepare("SELECT instr(?, ?)");
      const values = ["a".repeat(20_000_000), "a".repeat(10_000_000) + "b"];
      for (const run of [(c: Control) => endless.run([], c), (c: Control) => slow.all(values, c)]) {
        const control = new Control();
        control.ticket.current = 7;
        worker.postMessage({ shared: control.shared, ticket: 7 });
        assertEquals(stopOf(() => run(control)), "cancelled");
        control.ticket.current = 8; // the next request goes on
        control.steps = 5000;
        assertEquals(stopOf(() => endless.run([], control)), "steps");
        control.steps = UNLIMITED;
        control.ticket.cancelAll();
        assertEquals(stopOf(() => endless.run([], control)), "cancelled");
      }
    });
  } finally {
    worker.terminate();
  }
});

Deno.test("a statement ends when its time is over, also while its rows are walked", () => {
  withDatabase((database) => {
    const control = new Control();
    control.timeoutMs = 20;
    assertEquals(stopOf(() => database.prepare(ENDLESS).run([], control)), "time");
    const rows = database.prepare("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n");
    control.timeoutMs = 1000;
    const walk = rows.iterate([], control);
    assertEquals(walk.next().value, [1n]);
    control.timeoutMs = 0;
    assertEquals(stopOf(() => [...walk]), "time");
    assertEquals(database.prepare("SELECT 1").all(), [[1n]]);
  });
});

const TABLES = [
  "CREATE TABLE t(a INTEGER PRIMARY KEY, b)",
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000) INSERT INTO t SELECT i, i*7919%3001 FROM n",
  "CREATE VIRTUAL TABLE f USING fts5(x)",
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000) " +
  "INSERT INTO f SELECT printf('word%d word%d word%d', i, i%17, i*7919%401) FROM n",
];
/** Statements that cost some thousand steps. */
const COSTLY = [
  "SELECT count(*), sum(b) FROM t WHERE b%3",
  "SELECT a, printf('%.*c', 300, 'x'), instr(printf('%.*c', 1400, 'x'), 'xy'||a) FROM t WHERE a<200", // several pieces
  "INSERT INTO t(b) SELECT b+1 FROM t WHERE a%5=0 RETURNING a, printf('%.*c', 200, b)",
  "SELECT count(*) FROM f WHERE f MATCH 'word1* word2*'",
  "INSERT INTO f SELECT x FROM f LIMIT 700",
  "INSERT INTO f(f) VALUES('optimize')",
  "DELETE FROM f WHERE rowid%3=0",
];

Deno.test("a budget of steps ends a statement at the same place, whatever ran before and however it is run", () => {
  withDatabase((one) => {
    withDatabase((two) => {
      for (const sql of [...TABLES, ...Array(5).fill(TABLES.at(-1))]) {
        for (const database of [one, two]) runOnce(database, sql);
      }
      // The second has a past.
      for (const sql of COSTLY.slice(1, 4)) runOnce(two, `EXPLAIN ${sql}`);
      for (let at = 0; at < 77; at++) runOnce(two, "SELECT count(*) FROM f WHERE f MATCH 'word3*'");
      for (const sql of COSTLY) {
        const kept = two.prepare(sql);
        const alone = (database: Database, run: (statement: Statement) => unknown, statement?: Statement) => {
          runOnce(database, "BEGIN");
          const own = statement ?? database.prepare(sql);
          try {
            database.recount();
            run(own);
          } finally {
            if (!statement) own.finalize();
            if (database.isTransaction) runOnce(database, "ROLLBACK");
          }
        };
        const steps = { field: "steps", unit: 1000 } as const;
        const wanted = least(steps, (control) => alone(one, (statement) => statement.run([], control)));
        assert(wanted > 3, `${sql} costs ${wanted}`);
        assertEquals(
          least(steps, (control) => alone(two, (statement) => statement.run([], control), kept)),
          wanted,
          sql,
        );
        assertEquals(
          least(steps, (control) => alone(two, (statement) => statement.all([], control), kept)),
          wanted,
          sql,
        );
        assertEquals(least(steps, (control) => alone(one, (statement) => statement.all([], control))), wanted, sql);
      }
    });
  });
});

/** Statements that hold large values, with parameters. */
const HOLDING: readonly (readonly [string, readonly SqlValue[]])[] = [
  ["SELECT upper(?)", ["x".repeat(3 * MEBIBYTE)]],
  ["SELECT zeroblob(?1+i), substr(printf('%.*c', ?1, i), 5) FROM (SELECT 1 AS i UNION SELECT 2)", [2_000_000n]],
  ["SELECT group_concat(b||?1) FROM t", ["x".repeat(1000)]],
  ["INSERT INTO t(b) VALUES(upper(?1)||lower(?1)) RETURNING b, zeroblob(length(b))", ["y".repeat(MEBIBYTE)]],
  ["SELECT json_group_array(b||?) FROM t", ["z".repeat(100)]],
];

Deno.test("a limit of memory ends a statement at the same place, whatever ran before and however it is run", () => {
  withDatabase((database) => {
    for (const sql of TABLES.slice(0, 2)) runOnce(database, sql);
    const clean = database.prepare("DELETE FROM t WHERE a > 3000");
    const memory = { field: "valueBytes", unit: 10_000, high: 1 << 11 } as const;
    const fails = database.prepare("SELECT json_extract('{}', ?)");
    for (const [sql, values] of HOLDING) {
      const run = (way: "run" | "all") => {
        const statement = database.prepare(sql);
        const found = least(memory, (control) => {
          try {
            return statement[way](values, control);
          } finally {
            clean.run();
          }
        });
        statement.finalize();
        return found;
      };
      const wanted = run("run");
      assert(wanted > 10, `${sql} holds ${wanted}`);
      assertEquals(run("all"), wanted, sql);
      assertThrows(() => fails.run(["[".repeat(MEBIBYTE)])); // its message lies in memory now
      assertEquals(run("run"), wanted, sql);
    }
  });
});

Deno.test("a limit of temporary files ends a statement that needs more", async () => {
  const folder = await Deno.makeTempDir();
  try {
    withDatabase((database) => {
      runOnce(database, "PRAGMA temp_store = FILE");
      runOnce(database, "PRAGMA cache_size = 10");
      const sorted = database.prepare(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) " +
          "SELECT count(*) FROM (SELECT DISTINCT printf('%.*c%d', 100, 'x', i) FROM n)",
      );
      const control = new Control();
      control.tempBytes = 100_000;
      assertEquals(stopOf(() => sorted.run([], control)), "temporary");
      const temporary = { field: "tempBytes", unit: 100_000, high: 1000 } as const;
      const wanted = least(temporary, (control) => sorted.run([], control));
      assert(wanted > 2);
      assertEquals(least(temporary, (control) => sorted.all([], control)), wanted);
    }, `${folder}/db`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** A polygon with long teeth, one above the other: nearly all of them cross every vertical line between their ends. */
function comb(teeth: number, y: number): string {
  const points = Array.from({ length: teeth }, (_, at) => [[at / 100, at + y], [50 + at / 100, at + y + 0.5]]).flat();
  return JSON.stringify([...points, [-1, teeth + y], [-1, y], [0, y]]);
}

const SOME = "a".repeat(60_000);
/** Expressions that compute for hours in one step. */
const LONG_STEPS: readonly (readonly [string, string, readonly SqlValue[]])[] = [
  ["instr()", "SELECT instr(?, ?)", [SOME.repeat(9), SOME + "b"]],
  ["replace()", "SELECT replace(?, ?, 'x')", [SOME.repeat(9), SOME + "b"]],
  ["LIKE", "SELECT ? LIKE ?", [SOME, `%${"a".repeat(1000)}b`]],
  ["GLOB", "SELECT ? GLOB ?", [SOME, `*${"a".repeat(1000)}b`]],
  ["trim()", "SELECT trim(?, ?)", [SOME, "bcdefghijklmnopqrstuvwxyz".repeat(40) + "a"]],
  ["rtrim()", "SELECT rtrim(?, ?)", [SOME, "bcdefghijklmnopqrstuvwxyz".repeat(40) + "a"]],
  ["unhex()", "SELECT unhex(?, ?)", ["-".repeat(60_000), "bcdefghijklmnopqrstuvwxyz".repeat(40) + "-"]],
  ["json()", "SELECT json(?)", [`[${"1,".repeat(100_000)}1]`]],
  [
    "json_patch()",
    "SELECT json_patch(?, ?)",
    Array(2).fill(
      JSON.stringify(Object.fromEntries(Array.from({ length: 3000 }, (_, at) => [`k${at}`, at]))),
    ),
  ],
  ["count(*)", "SELECT count(*) FROM large", []],
  ["snippet()", "SELECT snippet(f, 0, '', '', '', 60) FROM f WHERE f MATCH 'a'", []],
  ["a query of FTS5", "SELECT count(*) FROM f WHERE f MATCH 'c NOT b'", []],
  ["geopoly_overlap()", "SELECT geopoly_overlap(?, ?)", [comb(800, 0), comb(800, 1000)]],
];

Deno.test("what one step computes ends at its budget, and ends by itself with a larger one", () => {
  withDatabase((database) => {
    runOnce(database, "CREATE TABLE large(a)");
    runOnce(
      database,
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<4000) INSERT INTO large SELECT zeroblob(3000) FROM n",
    );
    runOnce(database, "CREATE VIRTUAL TABLE f USING fts5(x)");
    database.prepare("INSERT INTO f VALUES(?)").run(["a ".repeat(3000)]);
    database.prepare(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) INSERT INTO f SELECT 'b c' FROM n",
    ).run();
    for (const [name, sql, values] of LONG_STEPS) {
      const statement = database.prepare(sql);
      const control = new Control();
      for (const budget of [10_000, 40_000]) {
        control.steps = budget;
        assertEquals(stopOf(() => statement.run(values, control)), "steps", name);
        assertEquals(control.steps, -1000, name); // no look was left out
        control.steps = budget;
        assertEquals(stopOf(() => statement.all(values, control)), "steps", name);
      }
      statement.finalize();
    }
    assertEquals(runOnce(database, "SELECT count(*) FROM large"), [[4000n]]);
  });
});

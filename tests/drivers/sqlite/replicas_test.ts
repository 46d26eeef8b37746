/**
 * Logs on which replicas have differed, or ended: each is applied in one batch where somebody waits, and entry by entry
 * with a restart before each where nobody does.
 */
import { assertEquals } from "@std/assert";
import { contentHash } from "../../../src/drivers/sqlite/content_hash.ts";
import { Database } from "../../../src/drivers/libsqlite/driver.ts";
import { Bench, entry, type EntryOptions, PLAIN, type Sql } from "./fixture.ts";

/** Entries: their statements, and what differs from a plain execute. */
type Log = readonly (readonly [readonly Sql[], EntryOptions?])[];

const LOGS: Readonly<Record<string, Log>> = {
  "COMMIT fails for what a full-text index was told": [
    [["CREATE VIRTUAL TABLE f USING fts5(c1, content='')", "INSERT INTO f(f, rowid, c1) VALUES('delete', 15, 'abc')"], {
      transaction: true,
    }],
    [["CREATE TABLE t(a)"]],
  ],
  "an R-tree is read and written by one statement": [
    [["CREATE VIRTUAL TABLE b USING rtree(id, x0, x1)", "INSERT INTO b VALUES(NULL, 2, 3), (NULL, 21, 35)"]],
    [["INSERT INTO b(id, x0, x1) SELECT NULL, x0, x1 FROM b LIMIT 5"]],
  ],
  "a full-text index is read by USING alone": [
    [["CREATE TABLE t2(c2)"]],
    [["CREATE VIRTUAL TABLE f5 USING fts5(c2, content=)"]],
    [["INSERT INTO f5(f5, rank) VALUES('secure-delete', 1)"]],
    [["SELECT a.c2 FROM t2 a JOIN f5 USING (c2)"]],
    [["INSERT INTO f5(f5) VALUES('delete-all')"]],
  ],
  "an ALTER fails half way": [
    [["CREATE TABLE t1(c0, c1, c2, c3)", "CREATE TABLE t4(id)"]],
    [["CREATE TRIGGER r5 INSERT ON t1 BEGIN SELECT new.c3; END"]],
    [["CREATE TRIGGER r7 UPDATE ON t4 BEGIN INSERT INTO t1 VALUES(1,2,3); END", "INSERT INTO t4 VALUES(1)"]],
    [["ALTER TABLE t1 DROP c3", "SELECT a", "UPDATE t4 SET id = 1"]],
    [["INSERT INTO t1 VALUES(1,2,3)", "INSERT INTO t1 VALUES(1,2,3,4)"]],
  ],
  "EXPLAIN stands before a use of changes()": [
    [["CREATE TABLE t3(c0)", "CREATE TABLE t4(c0)", "CREATE TABLE t12(a)"]],
    [["CREATE TRIGGER r10 INSERT ON t3 BEGIN INSERT INTO t4 VALUES(changes()); END"]],
    [["EXPLAIN INSERT INTO t12 VALUES(1)", "INSERT INTO t3(c0) VALUES(1)"], { kind: "request" }],
  ],
  "every way to the clock": [
    [["CREATE TABLE t(c)"]],
    [
      [
        "timediff('subsec', '2000-01-01')",
        "timediff('2000-01-01', 'now')",
        "datetime('n'||'ow')",
        "strftime('%J')",
        "unixepoch('subsecond')",
        "julianday()",
        "CURRENT_TIME",
      ]
        .map((clock): Sql => `INSERT INTO t VALUES(${clock})`),
    ],
  ],
  "full-text indexes of all versions": [
    [["CREATE VIRTUAL TABLE f5 USING fts5(a0, a1)", "CREATE VIRTUAL TABLE f4 USING fts4(a0)", "CREATE TABLE seen(n)"]],
    [["INSERT INTO f5 VALUES('', 'x'), ('w27 w21', 'y')", "INSERT INTO f4 VALUES('a b c')"]],
    [["INSERT INTO f5 VALUES('w18 w28', 'z')", "INSERT INTO seen SELECT count(*) FROM f4_segdir"]],
    [["INSERT INTO f4 VALUES('d e f')", "INSERT INTO seen VALUES(last_insert_rowid()) RETURNING n"]],
    [["INSERT INTO seen SELECT count(*) FROM f5_data", "ANALYZE"]],
  ],
  "a full-text index remembers its settings": [
    [["CREATE VIRTUAL TABLE f5 USING fts5(a, content='')"]],
    [["INSERT INTO f5(f5, rank) VALUES('pgsz', 64)"]],
    [["SELECT * FROM f5 WHERE f5 MATCH 'a'"], { kind: "query" }],
    [["INSERT INTO f5(f5) VALUES('delete-all')", "DROP"]],
  ],
  "a full-text index is read, then written, by one request": [
    [["CREATE VIRTUAL TABLE f9 USING fts5(a0, content='')"]],
    [["INSERT INTO f9(f9, rank) VALUES('rank', 'bm25(2.0)')"]],
    [["SELECT 1 FROM f9", "INSERT INTO f9(f9) VALUES('delete-all')"], { kind: "request" }],
  ],
  "the cursor of a full-text index, and what it has read, are values of its table": [
    [["CREATE VIRTUAL TABLE f5 USING fts5(a)", "CREATE TABLE seen(k, v)", "INSERT INTO f5 VALUES('x'), ('x y')"]],
    [["INSERT INTO seen SELECT 'a', f5 FROM f5 WHERE f5 MATCH 'x'"]],
    [["INSERT INTO seen SELECT 'b', f5 FROM f5 WHERE f5 MATCH '*id'"]],
    [["INSERT INTO seen SELECT 'c', f5 FROM f5 WHERE f5 MATCH '*reads'"]],
    [["INSERT INTO seen SELECT bm25(m), bm25(n) FROM f5 m, f5 n WHERE m MATCH 'x' AND n MATCH 'y'"]],
    [["INSERT INTO seen SELECT 'd', f5 FROM f5 WHERE f5 MATCH 'y'"]],
  ],
  "a full-text index is read within a budget, by writes and by queries before them": [
    [["CREATE VIRTUAL TABLE f USING fts5(a)", "CREATE VIRTUAL TABLE g USING fts4(a)", "CREATE TABLE s(v)"]],
    [["INSERT INTO f WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 300) SELECT 'w ' || x FROM c"]],
    [["INSERT INTO g SELECT a FROM f"]],
    ...[77, 270, 140, 77, 270].flatMap((rows): Log => [
      [[`SELECT a FROM f LIMIT ${rows}`], { kind: "query" }],
      [[`INSERT INTO s SELECT a FROM f LIMIT ${rows}`], { maxSteps: 3000 }],
      [[`INSERT INTO s SELECT offsets(g) FROM g WHERE g MATCH 'w' LIMIT ${rows}`], { maxSteps: 3000 }],
      [[`INSERT INTO s SELECT snippet(g) FROM g WHERE g MATCH 'w' LIMIT ${rows}`], { maxSteps: 3000 }],
    ]),
  ],
  "auto_vacuum is asked for in other words, and a VACUUM follows": [
    [["CREATE TABLE t(a)", "CREATE INDEX i ON t(a)"]],
    ...["+1", "01", "'1x'", "3", "abc", "-1"].flatMap((value, at): Log => [
      [[`PRAGMA auto_vacuum = ${value}`]],
      [["CREATE TABLE IF NOT EXISTS u(b)"]],
      [["VACUUM"]],
      [[`CREATE TABLE s${at} AS SELECT name, rootpage FROM sqlite_schema`]],
      [["PRAGMA auto_vacuum = NONE"]],
    ]),
  ],
  "functions of the node stand in the DEFAULT of columns": [
    [["CREATE TABLE d(a, c DEFAULT (total_changes()), e DEFAULT (sqlite_version()))"]],
    [["INSERT INTO d(a) VALUES(1)", "INSERT INTO d(a, c, e) VALUES(1, 2, 3)"]],
    [["CREATE TABLE g(a, b DEFAULT (upper('x')))", "INSERT INTO g(a) VALUES(1)"]],
  ],
  "ANALYZE goes through the tables in their order": [
    [["CREATE TABLE t1(c0 REFERENCES t1, c1)", "CREATE TABLE t2(id INTEGER PRIMARY KEY AUTOINCREMENT, c0)"]],
    [["INSERT INTO t1 VALUES(1,1)", "INSERT INTO t2(c0) VALUES(1)"]],
    [["ANALYZE", "CREATE TABLE x AS SELECT rowid AS n, tbl FROM sqlite_stat1"]],
  ],
  "a query of several statements": [
    [["CREATE TABLE t(a)"]],
    [["SELECT json('{'); INSERT INTO t VALUES(1)", "SELECT; CREATE"], { kind: "query" }],
  ],
  "columns of equal names": [
    [["CREATE TABLE t AS SELECT 1 AS a, 2 AS a, 3 AS a, 4 AS a, 5 AS a, 6 AS a, 7 AS a"]],
    [["CREATE TABLE l AS SELECT fts5_locale('en', 'text') AS v"]],
  ],
  "statements that exceed their steps": [
    [["CREATE TABLE t(a)", "INSERT INTO t VALUES(1)"]],
    [
      [
        "INSERT INTO t VALUES(2)",
        "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c",
        "INSERT INTO t VALUES(3)",
        "INSERT INTO t VALUES(instr(printf('%.*c',100000,'a'), printf('%.*c',50000,'a')||'b'))",
      ],
      { maxSteps: 100_000 },
    ],
  ],
  "a garbled entry": [[["CREATE TABLE t(a)"]], [["INSERT INTO t VALUES(1)"], { timeMs: Number.NaN }], [[
    "INSERT INTO t VALUES(2)",
  ]]],
  "OR ROLLBACK and RAISE(ROLLBACK), thousands of times": [
    [["CREATE TABLE t(a UNIQUE)", "INSERT INTO t VALUES(1)"]],
    [["CREATE TRIGGER r BEFORE INSERT ON t WHEN new.a = 5 BEGIN SELECT RAISE(ROLLBACK, 'no'); END"]],
    [Array.from(
      { length: 3000 },
      (_, n): Sql => n % 2 === 0 ? "INSERT OR ROLLBACK INTO t VALUES(1)" : "INSERT INTO t VALUES(5)",
    )],
  ],
};

function hashOf(path: string): string {
  const database = new Database(path, { readOnly: true, foreignKeys: false });
  try {
    return contentHash(database);
  } finally {
    database.close();
  }
}

for (const [name, log] of Object.entries(LOGS)) {
  Deno.test(`StateMachine holds the same however a log is applied: ${name}`, () => {
    const dir = Deno.makeTempDirSync({ prefix: "muster-replicas-" });
    try {
      const entries = log.map(([statements, options], at) => entry(at + 1, statements, options));
      using together = new Bench(`${dir}/together.sqlite`);
      together.machine.apply(entries.map((one) => ({ ...one, waiter: { port: 1, ref: one.index, options: PLAIN } })));
      assertEquals(together.delivered.length, entries.length);
      let digest = 0;
      for (const one of entries) {
        using alone = new Bench(`${dir}/alone.sqlite`);
        alone.machine.apply([one]);
        digest = alone.machine.digest.value;
      }
      assertEquals(digest, together.machine.digest.value);
      assertEquals(hashOf(`${dir}/alone.sqlite`), hashOf(`${dir}/together.sqlite`));
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  });
}

import fc from "fast-check";
import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import type { ApplyEntry } from "../../../src/core/sql/exchange.ts";
import { Bench, entry, PLAIN, type Sql } from "./fixture.ts";

/** Everything in the database, typed, as text. */
function content(bench: Bench): string {
  const tables = JSON.parse(
    bench.run(["SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"], { kind: "query" }),
  );
  const names: string[] = tables[0].values.flat();
  const schema = bench.run(["SELECT type, name, tbl_name, sql FROM sqlite_schema"], { kind: "query" });
  const rows = names.filter((name) => !name.startsWith("_muster")).map((name) => {
    const columns: [string][] =
      JSON.parse(bench.run([`SELECT name FROM pragma_table_xinfo('${name}')`], { kind: "query" }))[0].values;
    const quoted = columns.map(([column]) => `quote("${column}")`).join(", ");
    return name + bench.run([`SELECT ${quoted} FROM "${name}"`], { kind: "query" });
  });
  return [schema, ...rows].join("\n");
}

const SCRIPT: readonly Sql[][] = [
  [
    "CREATE TABLE t(id INTEGER PRIMARY KEY, r DEFAULT (random()), b DEFAULT (randomblob(8)), at DEFAULT CURRENT_TIMESTAMP," +
    " d DEFAULT (date()), u DEFAULT (unixepoch('subsec')), n, day GENERATED ALWAYS AS (date(at)) STORED)",
    "CREATE INDEX byDay ON t(strftime('%Y', at), date(at))",
    "CREATE TABLE log(id INTEGER, r, at, now)",
    "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES(new.id, random(), CURRENT_TIME, datetime('now')); END",
    "CREATE VIEW v AS SELECT random() AS r, julianday('now') AS j, CURRENT_DATE AS d, id FROM t",
  ],
  ["INSERT INTO t(n) VALUES(1), (2), (3), (4), (5), (6), (7), (8)"],
  ["INSERT INTO t(n) SELECT r FROM v", "INSERT INTO t(n) SELECT j || d FROM v"],
  [
    "INSERT INTO log SELECT id, 0, 0, 'order' FROM t ORDER BY random()",
    "DELETE FROM log WHERE id IN (SELECT id FROM log ORDER BY random() LIMIT 3)",
  ],
  ["UPDATE t SET n = randomblob(abs(random()) % 50) WHERE id % 2", "INSERT INTO t(n) VALUES(hex(randomblob(?)))"],
  ["INSERT OR IGNORE INTO t(id) VALUES(1)", "INSERT INTO log VALUES(last_insert_rowid(), changes(), 'a', 'b')"],
  [
    "CREATE TABLE auto(id INTEGER PRIMARY KEY AUTOINCREMENT, a)",
    "INSERT INTO auto(a) VALUES(strftime('%s %f', 'now', 'localtime'))",
  ],
  ["INSERT INTO auto(a) VALUES(timediff('now', '2020-01-01')), (time('now', 'utc')), (datetime('NOW', '+1 day'))"],
  [["INSERT INTO auto(a) VALUES(datetime(?)), (datetime('n' || 'ow')), (datetime(x'6e6f77'))", "now"]],
  ["INSERT INTO t(id) VALUES(1)", "INSERT OR ROLLBACK INTO t(id) VALUES(1)", "INSERT INTO auto(a) VALUES(random())"],
  [
    "ALTER TABLE log ADD COLUMN extra DEFAULT 5",
    "DELETE FROM t WHERE id % 3 = 0",
    "INSERT INTO t(n) VALUES(changes())",
  ],
  ["CREATE VIRTUAL TABLE ft USING fts5(a)", "INSERT INTO ft SELECT at FROM t", "DELETE FROM ft WHERE rowid % 2"],
  ["ANALYZE", "PRAGMA user_version = 7", "CREATE TABLE copy AS SELECT * FROM t", "DROP TABLE log"],
];

function fixedScript(): ApplyEntry[] {
  return SCRIPT.map((statements, at) => entry(at + 1, statements, { timeMs: 1_700_000_000_000 + at * 61_007 }));
}

Deno.test("StateMachine gives the same content whatever the batches, the wall clock and who waits", async () => {
  const contents: string[] = [];
  const digests = new Set<number>();
  for (const [size, pauseMs] of [[1, 0], [4, 30], [100, 1100]] as const) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs)); // the wall clock itself is under test here
    using bench = new Bench();
    const entries = fixedScript();
    for (let at = 0; at < entries.length; at += size) {
      const batch = entries.slice(at, at + size).map((each) => ({
        ...each,
        ...(size === 4 ? { waiter: { port: 1, ref: each.index, options: PLAIN } } : {}),
      }));
      bench.machine.apply(batch);
    }
    digests.add(bench.machine.digest.value);
    contents.push(content(bench));
  }
  assertEquals(digests.size, 1);
  assertEquals(contents[1], contents[0]);
  assertEquals(contents[2], contents[0]);
  assertStringIncludes(contents[0] ?? "", "2023-11-14");
  assert(!(contents[0] ?? "").includes(new Date().toISOString().slice(0, 10)));
});

const SETUP: readonly Sql[] = [
  "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, r DEFAULT (random()), c CHECK(c IS NULL OR c < 5))",
  "CREATE TABLE log(n, r)",
  "CREATE TRIGGER tr AFTER INSERT ON log WHEN new.n = 3 BEGIN SELECT RAISE(ROLLBACK, 'three'); END",
  "CREATE TRIGGER tf AFTER INSERT ON log WHEN new.n = 4 BEGIN SELECT RAISE(FAIL, 'four'); END",
  "CREATE TABLE p(id INTEGER PRIMARY KEY)",
  "CREATE TABLE k(p REFERENCES p)",
];

const statement: fc.Arbitrary<Sql> = fc.oneof(
  fc.nat(6).map((u) => ["INSERT INTO t(u) VALUES(?)", BigInt(u)] as const),
  fc.nat(6).map((u) => ["INSERT OR ROLLBACK INTO t(u) VALUES(?)", BigInt(u)] as const),
  fc.nat(6).map((u) => ["INSERT OR FAIL INTO t(u) VALUES(random()), (?), (random())", BigInt(u)] as const),
  fc.nat(6).map((n) => ["INSERT INTO log VALUES(?, random()) RETURNING r", BigInt(n)] as const),
  fc.nat(3).map((n) => ["INSERT INTO k VALUES(?)", BigInt(n)] as const),
  fc.nat(3).map((n) => ["INSERT INTO p VALUES(?)", BigInt(n)] as const),
  fc.constantFrom<Sql>(
    "INSERT INTO log SELECT last_insert_rowid(), changes()",
    "UPDATE t SET u = u + 1",
    "DELETE FROM t WHERE r % 2; INSERT INTO log VALUES(7, CURRENT_TIMESTAMP)",
    "INSERT INTO t(rowid) VALUES(9223372036854775807)",
    "CREATE TABLE n(a); INSERT INTO n VALUES(random())",
    "CREATE TABLE d(p REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO d VALUES(1)",
    "INSERT INTO d VALUES(2)",
    "DROP TABLE n",
    "ALTER TABLE log ADD COLUMN x DEFAULT 1",
    "SELECT * FROM t",
    "SELEC",
  ),
);

const script: fc.Arbitrary<readonly ApplyEntry[]> = fc.array(
  fc.record({
    statements: fc.array(statement, { maxLength: 4 }),
    transaction: fc.boolean(),
    kind: fc.constantFrom("execute", "request"),
    timeMs: fc.nat(1_000_000),
  }),
  { minLength: 1, maxLength: 12 },
).map((entries) => entries.map(({ statements, ...options }, at) => entry(at + 2, statements, options)));

Deno.test("StateMachine gives the same content and results for any script in any batches", () => {
  fc.assert(
    fc.property(script, fc.array(fc.integer({ min: 2, max: 6 })), fc.boolean(), (entries, sizes, foreignKeys) => {
      const outcomes: unknown[] = [];
      const digests = new Set<number>();
      const contents = [[], sizes, [100]].map((cuts, replica) => {
        using bench = new Bench(":memory:", foreignKeys);
        bench.run(SETUP);
        bench.delivered.length = 0;
        for (let at = 0, batch = 0; at < entries.length; batch++) {
          const size = cuts[batch] ?? 1;
          const waited = entries.slice(at, at + size).map((each) => ({
            ...each,
            waiter: { port: 1, ref: each.index, options: PLAIN },
          }));
          bench.machine.apply(replica === 2 ? waited.map(({ waiter: _, ...each }) => each) : waited);
          at += size;
        }
        outcomes.push(bench.delivered.map(({ outcome }) => outcome));
        digests.add(bench.machine.digest.value);
        return content(bench);
      });
      assertEquals(contents[1], contents[0]);
      assertEquals(contents[2], contents[0]);
      assertEquals(outcomes[1], outcomes[0]);
      assertEquals(digests.size, 1, "one digest, whoever waits");
    }),
    { numRuns: 150 },
  );
});

Deno.test("random() differs by row, statement, entry and seed", () => {
  using bench = new Bench();
  bench.run([
    "CREATE TABLE t(r, b)",
    "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c WHERE x < 500) INSERT INTO t SELECT random(), randomblob(8) FROM c",
  ]);
  bench.run(["INSERT INTO t VALUES(random(), randomblob(8))", "INSERT INTO t VALUES(random(), randomblob(8))"]);
  bench.run(["INSERT INTO t VALUES(random(), randomblob(8))"]);
  assertEquals(
    bench.rows("SELECT count(DISTINCT r), count(DISTINCT b), min(r) < 0, max(r) > 0, min(typeof(r)) FROM t"),
    [
      [503, 503, 1, 1, "integer"],
    ],
  );
  assertEquals(bench.rows("SELECT length(randomblob(0)), length(randomblob(NULL)), length(randomblob('12x'))"), [[
    1,
    1,
    12,
  ]]);
});

Deno.test("Date functions are SQLite's own, but for the clock and the time zone", () => {
  using bench = new Bench();
  bench.run(["CREATE TABLE t(a)"], { timeMs: 0 });
  const timeMs = Date.UTC(2024, 1, 29, 12, 34, 56, 789);
  const rows = (sql: string) => JSON.parse(bench.run([`SELECT ${sql}`], { kind: "query", timeMs }))[0].values[0];
  assertEquals(rows("date(), time(), datetime(), unixepoch(), strftime('%f')"), [
    "2024-02-29",
    "12:34:56",
    "2024-02-29 12:34:56",
    1709210096,
    "56.789",
  ]);
  assertEquals(rows("CURRENT_DATE, CURRENT_TIME, CURRENT_TIMESTAMP"), [
    "2024-02-29",
    "12:34:56",
    "2024-02-29 12:34:56",
  ]);
  assertEquals(rows("datetime('subsec'), unixepoch('subsec'), typeof(unixepoch()), typeof(julianday())"), [
    "2024-02-29 12:34:56.789",
    1709210096.789,
    "integer",
    "real",
  ]);
  assertEquals(
    rows(
      "date('now', '+1 month', 'start of month', '-1 day'), datetime(0, 'unixepoch'), date('2024-01-31', '+1 month')",
    ),
    [
      "2024-02-29",
      "1970-01-01 00:00:00",
      "2024-03-02",
    ],
  );
  assertEquals(rows("datetime('now', 'localtime'), datetime('2020-01-01', 'utc'), timediff('now', '2024-02-28')"), [
    "2024-02-29 12:34:56",
    "2020-01-01 00:00:00",
    "+0000-00-01 12:34:56.789",
  ]);
  assertEquals(rows("date(NULL), date('rubbish'), strftime(NULL), strftime('%Y', NULL)"), [null, null, null, null]);
  assertEquals(bench.run(["SELECT datetime()"], { kind: "query", timeMs: 1000 }).includes("2024-02-29"), true); // never backwards
});

Deno.test("StateMachine keeps the clock out of indexes and generated columns, as SQLite does: where it is created, or used", () => {
  using bench = new Bench();
  for (
    const expression of [
      "datetime()",
      "CURRENT_TIMESTAMP",
      "random()",
      "strftime('%s')",
      "datetime('now')",
      "timediff('now', a)",
      "unixepoch('SUBSEC')",
    ]
  ) {
    bench.run(["DROP TABLE IF EXISTS t", "CREATE TABLE t(a)"]);
    const indexed = bench.run([`CREATE INDEX i ON t(${expression})`, "INSERT INTO t VALUES('2024-05-06')"]);
    assertMatch(indexed, /"error":"non-deterministic /, expression);
    bench.run(["DROP TABLE IF EXISTS g"]);
    const stored = bench.run([`CREATE TABLE g(a, b AS (${expression}) STORED)`, "INSERT INTO g VALUES('2024-05-06')"]);
    assertMatch(stored, /"error":"non-deterministic /, expression);
  }
  bench.run(["DROP TABLE IF EXISTS t", "CREATE TABLE t(a)"]);
  assertNotMatch(
    bench.run(["CREATE INDEX i ON t(date(a), datetime(a, '+1 day'))", "CREATE TABLE d(a DEFAULT (datetime('now')))"]),
    /error/,
  );
});

Deno.test("StateMachine refuses what nodes would not agree on, by name", () => {
  using bench = new Bench();
  bench.run(["CREATE TABLE t(a)", "CREATE VIEW bad AS SELECT total_changes() AS c"]);
  const refused: readonly [string, RegExp][] = [
    ["INSERT INTO t VALUES(total_changes())", /total_changes\(\) is not supported in replicated statements: /],
    ["INSERT INTO t SELECT c FROM bad", /total_changes\(\)/],
    ["INSERT INTO t VALUES(sqlite_version())", /sqlite_version\(\)/],
    ["INSERT INTO t VALUES(sqlite_source_id())", /sqlite_source_id\(\)/],
    ["INSERT INTO t VALUES(sqlite_compileoption_get(1))", /sqlite_compileoption_get\(\)/],
    ["INSERT INTO t SELECT name FROM dbstat", /dbstat/],
    ["INSERT INTO t SELECT * FROM pragma_page_count", /pragma_page_count/],
    ["PRAGMA cache_size = 7", /PRAGMA cache_size is not supported/],
    ["PRAGMA case_sensitive_like = 1", /PRAGMA case_sensitive_like/],
    ["PRAGMA writable_schema(1)", /PRAGMA writable_schema/],
    ["PRAGMA optimize", /PRAGMA optimize/],
    ["CREATE TEMP TABLE x(a)", /TEMP objects are not supported/],
    ["CREATE TEMPORARY VIEW x AS SELECT 1", /TEMP objects/],
    ["CREATE TABLE temp.x(a)", /TEMP objects/],
    ["CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END", /TEMP objects/],
    ["ATTACH ':memory:' AS x", /ATTACH is not supported/],
    ["DETACH x", /DETACH is not supported/],
    ["SELECT load_extension('x')", /load_extension\(\) is not supported/],
    ["INSERT INTO t VALUES(load_extension('x'))", /load_extension\(\) is not supported/],
    ["BEGIN", /BEGIN is not supported: use the \\"transaction\\" parameter/],
    ["COMMIT", /COMMIT is not supported/],
    ["END", /END is not supported/],
    ["ROLLBACK", /ROLLBACK is not supported/],
    ["SAVEPOINT x", /SAVEPOINT is not supported/],
    ["RELEASE x", /RELEASE is not supported/],
    ["INSERT INTO _muster VALUES(1, 1, 1, 1)", /table _muster cannot be changed/],
    ["UPDATE _MUSTER SET applied = 1", /table _muster cannot be changed/],
    ["DELETE FROM main._muster", /table _muster cannot be changed/],
    ["DROP TABLE _muster", /table _muster cannot be changed/],
    ["ALTER TABLE _muster RENAME TO x", /table _muster cannot be changed/],
    ["ALTER TABLE _muster ADD COLUMN x", /table _muster cannot be changed/],
    ["CREATE INDEX i ON _muster(term)", /table _muster cannot be changed/],
    ["CREATE TRIGGER x AFTER INSERT ON _muster BEGIN SELECT 1; END", /table _muster cannot be changed/],
    ["CREATE VIRTUAL TABLE x USING dbstat", /virtual tables of dbstat/],
    ["SELECT 1 \0 garbage", /NUL/],
  ];
  for (const [sql, pattern] of refused) {
    const results = bench.run([sql], { kind: "execute" });
    assertMatch(results, pattern, sql);
  }
  assertEquals(bench.rows("SELECT * FROM t"), []);
  assertEquals(bench.run(["CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM _muster; END"]), "[{}]");
  assertMatch(bench.run(["INSERT INTO t VALUES(1)"]), /table _muster cannot be changed/);
  assertEquals(bench.rows("SELECT applied FROM _muster"), [[bench.machine.applied]]);
});

Deno.test("StateMachine lets no query write on one node alone", () => {
  using bench = new Bench();
  bench.run([
    "CREATE TABLE t(a)",
    "CREATE INDEX i ON t(a)",
    "INSERT INTO t VALUES(1)",
    "CREATE VIRTUAL TABLE f USING fts4(a)",
    "INSERT INTO f VALUES('x')",
  ]);
  for (const kind of ["query", "request", "execute"] as const) {
    for (
      const sql of [
        "SELECT * FROM pragma_optimize(0x10002)",
        "SELECT * FROM pragma_optimize",
        "SELECT optimize(f) FROM f",
        "SELECT * FROM pragma_wal_checkpoint",
      ]
    ) {
      assertMatch(bench.run([sql], { kind }), /not supported|no such table/, sql);
    }
  }
  assertEquals(bench.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'"), []);
});

Deno.test("StateMachine allows what is stored, and what only its asker sees", () => {
  using bench = new Bench();
  bench.run(["CREATE TABLE t(a)"]);
  assertEquals(bench.run(["PRAGMA user_version = 5", "PRAGMA application_id = 6"]), "[{},{}]");
  assertEquals(bench.rows("PRAGMA user_version"), [[5]]);
  assertStringIncludes(bench.run(["PRAGMA table_info(t)"], { kind: "request" }), '"values":[[0,"a"');
  assertStringIncludes(bench.run(["SELECT sqlite_version()"], { kind: "query" }), '"values":[["3.');
  assertStringIncludes(bench.run(["SELECT sqlite_version()"], { kind: "request" }), '"values":[["3.');
  assertMatch(
    bench.run(["SELECT sqlite_version()"], { kind: "request", transaction: true }),
    /not supported in replicated/,
  );
});

import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { wholeText } from "../../../src/core/sql/result_text.ts";
import { Bench, entry, PLAIN } from "./fixture.ts";
import { Database, runOnce } from "../../../src/drivers/libsqlite/driver.ts";

const TABLE = "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE, age INTEGER)";
const OK = (id: number, rows = 1) => `{"last_insert_id":${id},"rows_affected":${rows}}`;

Deno.test("a request that fails as a whole says why, also where it had made a virtual table", () => {
  for (const module of ["fts5", "fts4", "rtree"]) {
    using bench = new Bench();
    const made = `CREATE VIRTUAL TABLE f USING ${module}(a${module === "rtree" ? ", b, c" : ""})`;
    const { results, error } = bench.outcome([made, "INSERT INTO f DEFAULT VALUES", "SELECT nosuch"], {
      kind: "request",
      transaction: true,
    });
    assertEquals([error, JSON.parse(wholeText(results)).at(-1).error], [undefined, "no such column: nosuch"], module);
    assertEquals(bench.rows("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'f%'"), [[0]]);
    assertEquals(bench.run([made]), bench.run(["CREATE TABLE t(a)"]), "it can be made");
  }
});

Deno.test("StateMachine reports writes with sticky fields, zero ones left out", () => {
  using bench = new Bench();
  assertEquals(bench.run([TABLE]), "[{}]");
  assertEquals(bench.run([["INSERT INTO t(name) VALUES(?)", "a"]]), `[${OK(1)}]`);
  assertEquals(bench.run(["CREATE TABLE u(a)", "SELECT * FROM t"]), `[${OK(1)},${OK(1)}]`);
  assertEquals(bench.run(["INSERT INTO t(name) VALUES('b'), ('c')"]), `[${OK(3, 2)}]`);
  assertEquals(bench.run(["DELETE FROM t WHERE id > 100"]), '[{"last_insert_id":3}]');
  assertEquals(bench.run(["DROP TABLE u"], { render: { associative: true } }), '[{"last_insert_id":3,"rows":null}]');
});

Deno.test("StateMachine lets each statement stand alone without transaction", () => {
  using bench = new Bench();
  bench.run([TABLE]);
  const results = bench.run([
    "INSERT INTO t(id, name) VALUES(1, 'a')",
    "INSERT INTO t(id, name) VALUES(2, 'a')",
    "INSERT INTO nope VALUES(1)",
    "INSERT INTO t(id, name) VALUES(4, 'd')",
  ]);
  assertEquals(
    results,
    `[${OK(1)},{"error":"UNIQUE constraint failed: t.name"},{"error":"no such table: nope"},${OK(4)}]`,
  );
  assertEquals(bench.rows("SELECT id FROM t"), [[1], [4]]);
});

Deno.test("StateMachine shows SQLite's codes of a failed statement, also of one for which the entry was run again", () => {
  using bench = new Bench();
  bench.run(["CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL)", "INSERT INTO t VALUES(1, 'a')"]);
  const codes = (sql: string, options: Parameters<Bench["run"]>[1] = {}) =>
    JSON.parse(bench.run([sql], { render: { errors: "v2" }, ...options }))
      .map((result: { error_v2?: { sqlite?: unknown } }) => result.error_v2?.sqlite ?? result);
  assertEquals(codes("INSERT INTO t VALUES(1, 'b')"), [{ code: 19, extended_code: 1555 }]);
  assertEquals(codes("INSERT INTO t VALUES(2, 'a')"), [{ code: 19, extended_code: 2067 }]);
  assertEquals(codes("INSERT INTO t(id) VALUES(3)"), [{ code: 19, extended_code: 1299 }]);
  assertEquals(codes("SELECT nope"), [{ code: 1, extended_code: 1 }]);
  const over = "INSERT OR ROLLBACK INTO t VALUES(1, 'c')";
  assertEquals(codes(over, { transaction: true }), [{ code: 19, extended_code: 1555 }]);
  assertEquals(codes("CREATE TABLE u AS SELECT abs(-9223372036854775807 - 1)"), [{ code: 1, extended_code: 1 }]); // again
  const slow = "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 9 UNION ALL SELECT x + 1 FROM c) SELECT x, x FROM c";
  const [stopped] = codes(slow, { maxSteps: 100_000 });
  assertEquals(Object.keys(stopped), ["error_v2"]); // by muster, not by SQLite
});

Deno.test("StateMachine runs a statement once that exceeds its steps, and all beside it as if it were not there", () => {
  using bench = new Bench();
  bench.run(["CREATE TABLE t(a)"]);
  const begins: number[] = [];
  const { activity } = bench.control;
  const noteSteps = activity.noteSteps.bind(activity);
  activity.noteSteps = (steps) => {
    begins.push(steps);
    noteSteps(steps);
  };
  const endless = "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c";
  const statements = ["INSERT INTO t VALUES(1)", endless, "INSERT INTO t VALUES(2)"];
  const results = JSON.parse(bench.run(statements, { maxSteps: 1_000_000 }));
  assertEquals(results.map((result: { error?: string }) => result.error), [
    undefined,
    "statement exceeded its limit of 1000000 steps (-db-max-steps, db_timeout)",
    undefined,
  ]);
  assertEquals(begins, [1_000_000, 0], "in the transaction of its batch, and alone with what was known of it");
});

Deno.test("StateMachine undoes everything but the applied index when a transaction fails", () => {
  using bench = new Bench();
  bench.run([TABLE]);
  for (
    const bad of [
      "INSERT INTO t(id) VALUES(1)",
      "INSERT INTO nope VALUES(1)",
      "SELEC",
      "SELECT abs(-9223372036854775807 - 1)",
    ]
  ) {
    for (const kind of ["execute", "request"] as const) {
      const results = JSON.parse(
        bench.run(["INSERT INTO t(id) VALUES(1)", bad, "INSERT INTO t(id) VALUES(2)"], { transaction: true, kind }),
      );
      assertEquals(results.length, 2, bad);
      assert(results[1].error !== undefined, bad);
      assertEquals(bench.rows("SELECT * FROM t"), []);
    }
  }
  assertEquals(bench.rows("SELECT applied FROM _muster"), [[bench.machine.applied]]);
});

Deno.test("StateMachine undoes DDL of a failed transaction and forgets its plans", () => {
  using bench = new Bench();
  bench.run(["CREATE TABLE t(a)", "INSERT INTO t VALUES(1)"]);
  const select = { kind: "request" as const };
  const before = bench.run(["SELECT * FROM t"], select);
  bench.run(["ALTER TABLE t ADD COLUMN b DEFAULT 2", "SELECT * FROM t", "SELEC"], {
    transaction: true,
    kind: "request",
  });
  assertEquals(bench.run(["SELECT * FROM t"], select), before);
  bench.run(["ALTER TABLE t ADD COLUMN b DEFAULT 2"]);
  assertStringIncludes(bench.run(["SELECT * FROM t"], select), '"values":[[1,2]]');
});

Deno.test("StateMachine gives rows for RETURNING, and for reads in a request", () => {
  using bench = new Bench();
  bench.run([TABLE]);
  const row = '{"columns":["id"],"types":["integer"],"values":[[1]]}';
  assertEquals(bench.run(["INSERT INTO t(name) VALUES('a') RETURNING id"]), `[${row}]`);
  assertEquals(bench.run(["CREATE TABLE u(a)"]), `[${OK(1)}]`);
  assertEquals(bench.run(["SELECT id FROM t", "SELECT id FROM t"], { kind: "request" }), `[${row},${row}]`);
  assertEquals(bench.run(["SELECT id FROM t"], { kind: "query", transaction: true }), `[${row}]`);
  assertEquals(bench.run(["UPDATE t SET age = 1e999 RETURNING age"]), '[{"error":"unsupported value: +Inf"}]');
  assertEquals(bench.rows("SELECT typeof(age) FROM t"), [["real"]]);
});

Deno.test("StateMachine refuses writes at level strong", () => {
  using bench = new Bench();
  bench.run([TABLE]);
  const error = '"error":"attempt to change database via query operation"';
  assertEquals(bench.run(["INSERT INTO t(id) VALUES(1)"], { kind: "query" }), `[{${error}}]`);
  const associative = { kind: "query", render: { associative: true } } as const;
  assertEquals(bench.run(["DELETE FROM t"], associative), `[{"rows":[],${error}}]`);
  assertEquals(bench.run(["PRAGMA user_version = 3"], { kind: "query" }).includes("not supported"), false);
  assertEquals(bench.rows("PRAGMA user_version"), [[0]]);
});

Deno.test("StateMachine lets no PRAGMA take effect behind EXPLAIN", () => {
  using bench = new Bench();
  bench.run([TABLE]);
  for (
    const pragma of [
      "query_only = 1",
      "case_sensitive_like(1)",
      "main.foreign_keys = 0",
      "user_version = 7",
      "writable_schema = 1",
    ]
  ) {
    for (const sql of [`EXPLAIN PRAGMA ${pragma}`, `EXPLAIN QUERY PLAN PRAGMA ${pragma}`]) {
      assertMatch(bench.run([sql]), /not supported/, sql);
    }
  }
  assertEquals(bench.run(["INSERT INTO t(id) VALUES(1)"]), `[${OK(1)}]`);
  assertEquals(bench.rows("SELECT 'A' LIKE 'a'"), [[1]]);
});

Deno.test("StateMachine keeps the names of the cluster's tables from views, virtual tables, indexes, triggers and renamed tables", () => {
  using bench = new Bench();
  for (const sql of ["CREATE VIEW _muster_x AS SELECT 1", "CREATE VIRTUAL TABLE _MUSTER_x USING fts5(a)"]) {
    assertMatch(bench.run([sql]), /belongs to the cluster/, sql);
  }
  bench.run(["CREATE TABLE t(a, rename)", "CREATE TABLE rename(a)"]);
  for (
    const sql of [
      "ALTER TABLE t RENAME TO _muster_x",
      "ALTER TABLE t RENAME \u000bTO _muster_x",
      "ALTER TABLE t RENAME TO\n\u000b_muster_x",
      'alter table main."t" rename to "_MUSTER_x"',
      "/* RENAME TO u */ ALTER TABLE t RENAME TO [_muster_y]",
      "ALTER TABLE rename RENAME TO _muster_z",
      "CREATE INDEX _muster_i ON t(a)",
      "CREATE TRIGGER _muster_t AFTER INSERT ON t BEGIN SELECT 1; END",
    ]
  ) {
    assertMatch(
      bench.run([sql]),
      /the name _muster\w* is reserved: names that begin with _muster_ belong to the cluster/,
      sql,
    );
  }
  bench.run([
    "ALTER TABLE t RENAME a TO _muster_a",
    "ALTER TABLE t RENAME COLUMN rename TO b",
    "ALTER TABLE t RENAME TO u",
  ]);
  assertEquals(bench.rows("SELECT name FROM pragma_table_info('u')"), [["_muster_a"], ["b"]]);
});

Deno.test("StateMachine binds parameters in every form", () => {
  using bench = new Bench();
  const query = (sql: string, ...values: (string | bigint | Record<string, string>)[]) => bench.rows([sql, ...values]);
  assertEquals(query("SELECT ?, ?2, ?", "a", "b", "c", "surplus"), [["a", "b", "c"]]);
  assertEquals(query("SELECT :n, @n, $n", { n: "x", unknown: "y" }), "not enough args to execute query: want 3 got 2");
  assertEquals(query("SELECT :n, @m, $o, :n", { n: "x", m: "y", o: "z" }), [["x", "y", "z", "x"]]);
  assertEquals(query("SELECT :a, ?, :b", "p", { a: "x", b: "y" }), [["x", "p", "y"]]);
  assertEquals(query("SELECT :a, :b", "p", "q"), [["p", "q"]]);
  assertEquals(query("SELECT :a, :b", { a: "x", c: "y" }), [["x", null]]);
  assertEquals(query("SELECT ?, ?", "a"), "not enough args to execute query: want 2 got 1");
  assertEquals(query("SELECT :name", { ":name": "x" }), 'name ":name" does not begin with a letter');
  bench.run(["CREATE TABLE t(a, b)", ["INSERT INTO t VALUES(?, ?); INSERT INTO t VALUES(?, ?)", 1n, 2n, 3n, 4n]]);
  assertEquals(bench.rows("SELECT * FROM t"), [[1, 2], [3, 4]]);
  assertStringIncludes(bench.run([["SELECT ?", 2n ** 63n - 1n]], { kind: "query" }), "[[9223372036854775807]]");
  assertStringIncludes(bench.run([["SELECT ?, ?", 2n ** 53n + 1n, 1]], { kind: "query" }), "[[9007199254740993,1]]");
  assertEquals(bench.rows(["SELECT typeof(?), typeof(?)", 1n, 1]), [["integer", "real"]]);
  assertEquals(query("SELECT ?, length(?)", "\ufeffa", "\ufeffa"), [["\ufeffa", 2]]);
  assertEquals(query("SELECT hex(?)", "a\0b"), [["610062"]]);
});

Deno.test("StateMachine runs every statement of a string and stops at the first that fails", () => {
  using bench = new Bench();
  assertEquals(bench.run(["CREATE TABLE t(a); INSERT INTO t VALUES(1); INSERT INTO t VALUES(2)"]), `[${OK(2)}]`);
  assertEquals(
    bench.run(["INSERT INTO t VALUES(3); SELEC; INSERT INTO t VALUES(4)", "-- nothing"]).includes("syntax"),
    true,
  );
  assertEquals(bench.rows("SELECT a FROM t"), [[1], [2], [3]]);
});

Deno.test("StateMachine undoes only the statement that rolls back a whole transaction", () => {
  using bench = new Bench();
  bench.run([
    "CREATE TABLE t(a UNIQUE)",
    "CREATE TABLE log(a)",
    "CREATE TRIGGER tr BEFORE INSERT ON log WHEN new.a = 13 BEGIN SELECT RAISE(ROLLBACK, 'unlucky'); END",
  ]);
  const first = bench.machine.applied + 1;
  const waiter = (ref: number) => ({ port: 2, ref, options: PLAIN });
  bench.machine.apply([
    { ...entry(first, ["INSERT INTO t VALUES(1)"]), waiter: waiter(1) },
    {
      ...entry(first + 1, [
        "INSERT INTO log VALUES(1)",
        "INSERT OR ROLLBACK INTO t VALUES(1)",
        "INSERT INTO t VALUES(2)",
      ]),
      waiter: waiter(2),
    },
    {
      ...entry(first + 2, ["INSERT INTO log VALUES(2)", "INSERT INTO log VALUES(13)"], { transaction: true }),
      waiter: waiter(3),
    },
    { ...entry(first + 3, ["INSERT INTO t VALUES(3)"]), waiter: waiter(4) },
  ]);
  assertEquals(bench.rows("SELECT a FROM t"), [[1], [2], [3]]);
  assertEquals(bench.rows("SELECT a FROM log"), [[1]]);
  const results = bench.delivered.filter(({ port }) => port === 2).map(({ outcome }) => outcome.results);
  assertEquals(results.length, 4);
  assertMatch(results[1] ?? "", /UNIQUE constraint failed: t\.a/);
  assertMatch(results[2] ?? "", /unlucky/);
});

Deno.test("StateMachine checks deferred foreign keys behind each statement, or at the end of a transaction, whatever shares its batch", () => {
  using bench = new Bench(":memory:", true);
  const first = bench.machine.applied + 1;
  bench.machine.apply([
    entry(first, [
      "CREATE TABLE p(id INTEGER PRIMARY KEY)",
      "CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    ]),
    { ...entry(first + 1, ["INSERT INTO c VALUES(1)"]), waiter: { port: 1, ref: 7, options: PLAIN } },
    entry(first + 2, ["INSERT INTO p VALUES(1)"]),
    entry(first + 3, ["INSERT INTO c VALUES(2)", "INSERT INTO p VALUES(2)"], { transaction: true }),
    {
      ...entry(first + 4, ["INSERT INTO p VALUES(3)", "INSERT INTO c VALUES(4)"], { transaction: true }),
      waiter: { port: 1, ref: 8, options: PLAIN },
    },
    {
      ...entry(first + 5, ["INSERT INTO c VALUES(5)", "INSERT INTO p VALUES(5)"]),
      waiter: { port: 1, ref: 9, options: PLAIN },
    },
  ]);
  assertEquals(bench.delivered[0]?.outcome, {
    ref: 7,
    index: first + 1,
    results: '[{"error":"FOREIGN KEY constraint failed"}]',
  });
  const { results, error } = bench.delivered[1].outcome;
  assertEquals([results, error], ["[]", "FOREIGN KEY constraint failed"]);
  assertMatch(
    bench.delivered[2].outcome.results,
    /^\[\{"error":"FOREIGN KEY constraint failed"\},\{"last_insert_id":5,/,
  );
  assertEquals(bench.rows("SELECT p FROM c"), [[2]]);
  assertEquals(bench.rows("SELECT id FROM p"), [[1], [2], [5]]);
  assertEquals(bench.machine.applied, first + 7);
});

Deno.test("StateMachine answers after COMMIT, in order, each port for itself", () => {
  using bench = new Bench();
  const waiter = (port: number, ref: number) => ({ port, ref, options: PLAIN });
  bench.machine.apply([
    { index: 1, term: 3, kind: "noop", body: new Uint8Array() },
    { ...entry(2, ["INSERT INTO t VALUES(0)"]), waiter: waiter(2, 10) },
    { ...entry(3, ["INSERT INTO t VALUES(1)"]), waiter: waiter(0, 11) },
    { ...entry(4, ["INSERT INTO t VALUES(1)"]), waiter: waiter(2, 12) },
    { index: 5, term: 4, kind: "config", body: new Uint8Array([1]) },
  ]);
  assertEquals(bench.delivered.map(({ port, outcome }) => [port, outcome.ref, outcome.index]), [
    [2, 10, 2],
    [2, 12, 4],
    [0, 11, 3],
  ]);
  assertEquals(bench.applied, [5]);
  assertEquals([bench.machine.applied, bench.machine.appliedTerm], [5, 4]);
});

Deno.test("StateMachine resumes after the last entry, skips what it has and keeps its clock", () => {
  const dir = Deno.makeTempDirSync();
  const path = `${dir}/db.sqlite`;
  {
    using bench = new Bench(path);
    bench.run(["CREATE TABLE t(a)"], { timeMs: 0 });
    bench.run(["INSERT INTO t VALUES(unixepoch())"], { timeMs: 5_000_000 });
  }
  {
    using bench = new Bench(path);
    assertEquals([bench.machine.applied, bench.machine.appliedTerm, bench.machine.durable], [2, 1, 2]);
    bench.machine.apply(
      [1, 2, 3].map((index) => entry(index, ["INSERT INTO t VALUES(unixepoch())"], { timeMs: 1000 })),
    );
    assertEquals(bench.rows("SELECT a FROM t"), [[5000], [5000]]);
    assertThrows(() => bench.machine.apply([entry(99, ["SELECT 1"])]));
    const status = bench.machine.status();
    assertEquals([status.path, status.applied], [path, 4]);
    assert(bench.machine.checkpoint("PASSIVE").isComplete);
    assertEquals(bench.machine.durable, 4);
  }
  Deno.removeSync(dir, { recursive: true });
});

Deno.test("StateMachine moves what a reader lets it, and the rest when that has ended (A10)", () => {
  const dir = Deno.makeTempDirSync();
  const path = `${dir}/db.sqlite`;
  {
    using bench = new Bench(path);
    bench.run(["CREATE TABLE t(a)", "INSERT INTO t VALUES(1)"]);
    assert(bench.machine.checkpoint("PASSIVE").isComplete);
    const reader = new Database(path, { readOnly: true, foreignKeys: false });
    runOnce(reader, "BEGIN");
    assertEquals(runOnce(reader, "SELECT a FROM t"), [[1n]]);
    bench.run(["INSERT INTO t VALUES(2)"]);
    const { isComplete, frames, moved } = bench.machine.checkpoint("PASSIVE");
    assertEquals([isComplete, moved < frames, bench.machine.durable], [false, true, 1]);
    bench.run(["INSERT INTO t VALUES(3)"]); // nothing waits for the reader
    assertEquals(runOnce(reader, "SELECT a FROM t"), [[1n]]);
    runOnce(reader, "COMMIT");
    assert(bench.machine.checkpoint("PASSIVE").isComplete);
    assertEquals(bench.machine.durable, 3);
    reader.close();
  }
  Deno.removeSync(dir, { recursive: true });
});

Deno.test("what the WAL holds counts for the next checkpoint, not the length of its file, which is written over", () => {
  const dir = Deno.makeTempDirSync();
  const path = `${dir}/db.sqlite`;
  {
    using bench = new Bench(path);
    const file = () => Deno.statSync(`${path}-wal`).size;
    bench.run(["CREATE TABLE t(a)", ["INSERT INTO t VALUES(zeroblob(?))", 8_000_000]]);
    const whole = file();
    assertEquals(bench.machine.walBytes > 8_000_000, true);
    assert(bench.machine.checkpoint("PASSIVE").isComplete);
    bench.run([["INSERT INTO t VALUES(?)", 1]]);
    assert(bench.machine.walBytes < 100_000, `${bench.machine.walBytes} bytes`);
    assertEquals(file(), whole);
    bench.machine.checkpoint("TRUNCATE");
    assertEquals([bench.machine.walBytes, file()], [0, 0]);
  }
  Deno.removeSync(dir, { recursive: true });
});

Deno.test("StateMachine refuses a file that is not SQLite", () => {
  const path = Deno.makeTempFileSync();
  Deno.writeTextFileSync(path, "these are no tables at all ".repeat(100));
  assertThrows(() => new Bench(path), Error, "it is not an SQLite database");
  Deno.removeSync(path);
});

Deno.test("StateMachine runs a lone VACUUM, and refuses every other", () => {
  using bench = new Bench();
  bench.run(["CREATE TABLE t(a)", "INSERT INTO t VALUES(1), (2)", "DELETE FROM t WHERE a = 1"]);
  assertEquals(bench.rows("SELECT rowid FROM t"), [[2]]);
  const result = bench.run(["VACUUM;"]);
  if (result.includes("VACUUM is not available")) { // the tests run with scoped permissions
    assertEquals(bench.rows("SELECT rowid FROM t"), [[2]]);
  } else {
    assertEquals(result, `[${OK(2)}]`);
    assertEquals(bench.rows("SELECT rowid FROM t"), [[1]]);
  }
  assertEquals(bench.rows("SELECT applied FROM _muster"), [[bench.machine.applied]]);
  assertMatch(bench.run(["VACUUM", "SELECT 1"]), /must be the only statement/);
  assertMatch(bench.run(["VACUUM"], { transaction: true }), /must be the only statement/);
  assertMatch(bench.run(["VACUUM INTO '/tmp/x'"]), /VACUUM INTO is not supported/);
});

Deno.test("StateMachine leaves no read open behind, whatever became of its rows", () => {
  using bench = new Bench();
  const results = bench.run(
    ["CREATE TABLE t(a)", "INSERT INTO t VALUES(1), (2), (3)", "SELECT * FROM t", "SELECT * FROM t; DROP TABLE t"],
    { transaction: true, kind: "request" },
  );
  assertEquals(results.includes("error"), false);
  assertStringIncludes(results, '"values":[[1],[2],[3]]');
});

Deno.test("StateMachine rolls a transaction back for a read that fails in any row, on every node alike", () => {
  using bench = new Bench();
  bench.run(["CREATE TABLE t(a)", "INSERT INTO t VALUES(1), (-9223372036854775807 - 1)"]);
  const late = "SELECT abs(a) FROM t";
  const options = { transaction: true, kind: "request" } as const;
  const results = bench.run([late, "INSERT INTO t VALUES(5)"], options);
  assertEquals(results, '[{"error":"integer overflow"}]');
  bench.machine.apply([entry(bench.machine.applied + 1, [late, "INSERT INTO t VALUES(6)"], options)]);
  bench.run([`${late} ORDER BY a`, "INSERT INTO t VALUES(7)"], options);
  bench.machine.apply([entry(bench.machine.applied + 1, [`${late} ORDER BY a`, "INSERT INTO t VALUES(8)"], options)]);
  assertEquals(bench.rows("SELECT a FROM t WHERE a > 1"), []);
});

Deno.test("StateMachine shows what a failed statement left in the counters, and a failed read as one without rows", () => {
  using bench = new Bench();
  bench.run([TABLE, "INSERT INTO t(id) VALUES(5)"]);
  assertEquals(
    bench.run(["INSERT INTO t(id) VALUES(5)", "SELECT 1"]),
    `[{"error":"UNIQUE constraint failed: t.id"},{"last_insert_id":5}]`,
  );
  assertEquals(
    bench.run(["INSERT INTO t(id) VALUES(8), (5)", "SELECT 1", "SELECT nope"]),
    `[{"error":"UNIQUE constraint failed: t.id"},{"last_insert_id":8},{"error":"no such column: nope"}]`,
  );
  const request = { kind: "request" as const, transaction: true, render: { associative: true } };
  assertEquals(
    bench.run(["SELECT abs(-9223372036854775807 - 1)"], request),
    `[{"rows":[],"error":"integer overflow"}]`,
  );
  assertEquals(bench.run(["SELECT nope"], request), `[{"error":"no such column: nope"}]`);
});

Deno.test("StateMachine gives a text without a statement an empty result", () => {
  using bench = new Bench();
  assertEquals(bench.run(["-- nothing", " ", "CREATE TABLE t(a)"]), "[{},{},{}]");
  const associative = { render: { associative: true } };
  assertEquals(bench.run(["-- nothing"], associative), `[{"rows":null}]`);
  assertEquals(bench.run(["-- nothing"], { ...associative, kind: "query" }), `[{"rows":[]}]`);
});

Deno.test("StateMachine keeps R*Trees", () => {
  using bench = new Bench();
  bench.run(["CREATE VIRTUAL TABLE r USING rtree(id, low, high)", "INSERT INTO r VALUES(1, 0, 5), (2, 10, 20)"]);
  assertEquals(bench.rows("SELECT id FROM r WHERE low > 5"), [[2]]);
  assertMatch(bench.run(["PRAGMA page_size = 512"]), /not supported/);
});

Deno.test("StateMachine protects what is behind a full-text index", () => {
  using bench = new Bench();
  bench.run(["CREATE VIRTUAL TABLE ft USING fts5(a)", "INSERT INTO ft VALUES('hello world')"]);
  assertEquals(bench.rows("SELECT a FROM ft WHERE ft MATCH 'world'"), [["hello world"]]);
  assertMatch(bench.run(["INSERT INTO ft_data VALUES(1, x'00')"]), /may not be modified/);
});

Deno.test("what a refused deferred key leaves in SQLite's counters shows in later results, in the same request and behind it", () => {
  const schema = [
    "CREATE TABLE parent(id INTEGER PRIMARY KEY)",
    "INSERT INTO parent VALUES(100)",
    "CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)",
  ];
  const writes = [
    "INSERT INTO child VALUES(40, 100)",
    "INSERT INTO child VALUES(41, 999)",
    "UPDATE child SET p = p",
    "INSERT INTO child VALUES(42, 999)",
    "DELETE FROM child WHERE id = 7",
  ];
  using together = new Bench(":memory:", true);
  together.run(schema);
  using apart = new Bench(":memory:", true);
  apart.run(schema);
  const results = JSON.parse(together.run(writes));
  assertEquals(writes.flatMap((one) => JSON.parse(apart.run([one]))), results);
  const failed = { error: "FOREIGN KEY constraint failed" };
  assertEquals(results, [
    { last_insert_id: 40, rows_affected: 1 },
    failed,
    { last_insert_id: 41, rows_affected: 1 },
    failed,
    { last_insert_id: 42 },
  ]);
});

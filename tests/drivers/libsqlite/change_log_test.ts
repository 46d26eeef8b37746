/**
 * The log of changed rows: whoever begins with the tables as they were and does what the log says has the tables as they are,
 * whatever changed them, failed in the middle or was undone.
 */
import { assert, assertEquals } from "@std/assert";
import { CHANGE_LOG_OFF, changeLogOn } from "../../../src/core/sql/change_log.ts";
import { Random } from "../../harness/random.ts";
import { Bench, type Sql, SYSTEM } from "../sqlite/fixture.ts";

const DAY_MS = 1_700_000_000_123;

interface Event {
  readonly op?: "INSERT" | "UPDATE" | "DELETE";
  readonly table?: string;
  readonly new_row_id?: number;
  readonly old_row_id?: number;
  readonly before?: Record<string, unknown>;
  readonly after?: Record<string, unknown>;
  readonly error?: string;
}

interface Change {
  readonly index: number;
  readonly timeMs: number;
  readonly events: readonly Event[];
}

/** Runs statements of the cluster's own. */
function system(bench: Bench, statements: readonly string[]): void {
  bench.run(statements, { ...SYSTEM, timeMs: DAY_MS });
}

function rowsOf(bench: Bench, sql: string): unknown[][] {
  const rows = bench.rows(sql);
  if (!Array.isArray(rows)) throw new Error(String(rows));
  return rows;
}

function changes(bench: Bench, since = 0): Change[] {
  const rows = rowsOf(
    bench,
    `SELECT raft_index, time_ms, events FROM _muster_changes WHERE raft_index > ${since} ORDER BY 1`,
  );
  return rows.map(([index, timeMs, events]) => ({
    index: Number(index),
    timeMs: Number(timeMs),
    events: JSON.parse(String(events)),
  }));
}

/** A bench with a log, and what it says of the entries that come. */
function logged(
  maxBytes = 1e6,
  foreignKeys = false,
): { bench: Bench; done: (statements: readonly Sql[], transaction?: boolean) => Event[] } {
  const bench = new Bench(":memory:", foreignKeys);
  system(bench, changeLogOn(maxBytes));
  const done = (statements: readonly Sql[], transaction = false) => {
    const before = bench.machine.applied;
    bench.run(statements, { transaction });
    const ran = bench.machine.applied;
    const found = changes(bench, before);
    assert(found.every(({ index, timeMs }) => index === ran && timeMs === DAY_MS));
    return found.flatMap(({ events }) => events);
  };
  return { bench, done };
}

Deno.test("the log has each changed row with its values before and after, and the ids that SQLite gave", () => {
  const { bench, done } = logged();
  using _ = bench;
  assertEquals(done(["CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, size REAL, data BLOB, big INTEGER)"]), []);
  assertEquals(done([["INSERT INTO t VALUES(NULL, 'äb', 2.0, x'0102', 9007199254740993)"]]).length, 1);
  const [row] = rowsOf(bench, "SELECT events FROM _muster_changes");
  const after = '{"id":1,"name":"äb","size":2,"data":"AQI=","big":9007199254740993}';
  assertEquals(row, [`[{"op":"INSERT","table":"t","new_row_id":1,"after":${after}}]`]);
  assertEquals(done(["UPDATE t SET id = 7, size = 1e400, data = NULL, big = 1"]), [{
    op: "UPDATE",
    table: "t",
    new_row_id: 7,
    old_row_id: 1,
    before: { id: 1, name: "äb", size: 2, data: "AQI=", big: 9007199254740992 },
    after: { id: 7, name: "äb", size: "Infinity", data: null, big: 1 },
  }]);
  assertEquals(done(["DELETE FROM t"]).map(({ op, old_row_id }) => [op, old_row_id]), [["DELETE", 7]]);
  assertEquals(done(["SELECT * FROM t", "DELETE FROM t", "PRAGMA user_version = 3"]), []);
});

Deno.test("the log has what triggers, keys and conflicts bring about, and tables of every kind", () => {
  const bench = new Bench(":memory:", true);
  using _ = bench;
  system(bench, changeLogOn(1e6));
  bench.run([
    "CREATE TABLE p(id INTEGER PRIMARY KEY, u UNIQUE)",
    "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE ON UPDATE SET NULL)",
    "CREATE TABLE w(k TEXT PRIMARY KEY, v, twice AS (v * 2), stored AS (v + 1) STORED) WITHOUT ROWID",
    "CREATE TABLE log(line)",
    "CREATE TRIGGER t AFTER INSERT ON p BEGIN INSERT INTO log VALUES('p' || NEW.id); END",
    "CREATE VIRTUAL TABLE f USING fts5(text)",
  ]);
  const done = (...statements: Sql[]) => {
    const before = bench.machine.applied;
    bench.run(statements, {});
    return changes(bench, before).flatMap(({ events }) => events).map(({ op, table, before, after }) => [
      op,
      table,
      before,
      after,
    ]);
  };
  assertEquals(done("INSERT INTO p VALUES(1, 'a')"), [
    ["INSERT", "p", undefined, { id: 1, u: "a" }],
    ["INSERT", "log", undefined, { line: "p1" }],
  ]);
  done("INSERT INTO c VALUES(5, 1), (6, 1)", "INSERT INTO p VALUES(2, 'b')");
  assertEquals(done("DELETE FROM p WHERE id = 1").map(([op, table]) => [op, table]), [
    ["DELETE", "p"],
    ["DELETE", "c"],
    ["DELETE", "c"],
  ]);
  assertEquals(done("REPLACE INTO p VALUES(3, 'b')").map(([op, table]) => [op, table]), [
    ["DELETE", "p"],
    ["INSERT", "p"],
    ["INSERT", "log"],
  ]);
  assertEquals(done("INSERT INTO w(k, v) VALUES('x', 1)", "UPDATE w SET v = 2", "DELETE FROM w"), [
    ["INSERT", "w", undefined, { k: "x", v: 1, stored: 2 }],
    ["UPDATE", "w", { k: "x", v: 1, stored: 2 }, { k: "x", v: 2, stored: 3 }],
    ["DELETE", "w", { k: "x", v: 2, stored: 3 }, undefined],
  ]);
  assertEquals(done("INSERT INTO f VALUES('words')"), [], "rows of virtual tables are none");
  assertEquals(done("ALTER TABLE log RENAME COLUMN line TO text", "INSERT INTO log VALUES('x')"), [
    ["INSERT", "log", undefined, { text: "x" }],
  ]);
  assertEquals(done("INSERT INTO log VALUES('y')", "ALTER TABLE log RENAME TO story", "DROP TABLE w"), [
    ["INSERT", "log", undefined, { text: "y" }],
  ]);
});

Deno.test("a table that is dropped has no events, and what its keys bring about elsewhere has", () => {
  const { bench, done } = logged(1e6, true);
  using _ = bench;
  bench.run([
    "CREATE TABLE p(id INTEGER PRIMARY KEY)",
    "CREATE TABLE c(p REFERENCES p ON DELETE SET NULL)",
    "INSERT INTO p VALUES(1)",
    "INSERT INTO c VALUES(1)",
  ]);
  assertEquals(done(["INSERT INTO p VALUES(2)", "DROP TABLE p"]), [
    { op: "INSERT", table: "p", new_row_id: 2, after: { id: 2 } },
    { op: "UPDATE", table: "c", new_row_id: 1, old_row_id: 1, before: { p: 1 }, after: { p: null } },
  ]);
});

Deno.test("what was undone is not in the log, and what a statement did before it failed is, where it stays", () => {
  const { bench, done } = logged();
  using _ = bench;
  bench.run(["CREATE TABLE t(a INTEGER PRIMARY KEY CHECK (a < 5), b)", "CREATE TABLE s(a)"]);
  const names = (events: Event[]) => events.map(({ op, after, before }) => `${op} ${(after ?? before)?.a}`);
  assertEquals(names(done(["INSERT INTO t VALUES(1, 0), (2, 0), (9, 0)"])), []);
  assertEquals(names(done(["INSERT OR FAIL INTO t VALUES(1, 0), (2, 0), (9, 0), (3, 0)"])), ["INSERT 1", "INSERT 2"]);
  assertEquals(names(done(["INSERT OR IGNORE INTO t VALUES(2, 0), (3, 0), (9, 0)"])), ["INSERT 3"]);
  assertEquals(names(done(["INSERT INTO s VALUES(1)", "INSERT INTO t VALUES(9, 0)", "INSERT INTO s VALUES(2)"])), [
    "INSERT 1",
    "INSERT 2",
  ]);
  assertEquals(done(["INSERT INTO s VALUES(3)", "INSERT INTO t VALUES(9, 0)", "INSERT INTO s VALUES(4)"], true), []);
  assertEquals(names(done(["UPDATE t SET a = a + 10 WHERE a = 3", "UPDATE t SET b = 1 WHERE a = 1"])), ["UPDATE 1"]);
  assertEquals(rowsOf(bench, "SELECT a FROM s"), [[1], [2]]);
});

Deno.test("the log has a limit, tells what is gone, and of too much in one entry that it is too much", () => {
  const { bench, done } = logged(200_000);
  using _ = bench;
  bench.run(["CREATE TABLE t(a)"]);
  const since = () => Number(rowsOf(bench, "SELECT since FROM _muster_change_log")[0][0]);
  const first = since();
  for (let nth = 0; nth < 300; nth++) done([["INSERT INTO t VALUES(?)", "x".repeat(1000)]]);
  const kept = changes(bench);
  assert(kept.length > 150 && kept.length < 270, `${kept.length} entries are kept`);
  assert(since() > first);
  assertEquals(kept[0].index, since() + 2, "all behind that index is there; each second entry is a read");
  const [events] = [done(["UPDATE t SET a = hex(randomblob(40000))"])];
  assertEquals(events.at(-1)?.error, "the transaction changed more than is recorded of one: read the tables anew");
  assert(events.length < 300);
  system(bench, CHANGE_LOG_OFF);
  bench.run(["INSERT INTO t VALUES(1)"]);
  system(bench, changeLogOn(1e6));
  assertEquals(done(["INSERT INTO t VALUES(2)"]).length, 1);
  assertEquals(changes(bench).length, 1);
});

const STATEMENTS: readonly ((random: Random) => Sql)[] = [
  (random) => ["INSERT INTO t(v) VALUES(?)", `v${random.below(100)}`],
  (random) => ["INSERT OR REPLACE INTO t(id, v) VALUES(?, ?)", BigInt(random.below(12)), `v${random.below(20)}`],
  (random) => ["INSERT OR IGNORE INTO t(id, v) VALUES(?, ?)", BigInt(random.below(12)), `v${random.below(20)}`],
  (random) => ["INSERT OR FAIL INTO t(id, v) SELECT id + ?, v || 'x' FROM t", BigInt(random.below(4))],
  (random) => ["UPDATE OR REPLACE t SET v = v || 'y', id = id + 1 WHERE id % 3 = ?", BigInt(random.below(3))],
  (random) => ["UPDATE t SET v = 'v1' WHERE id < ?", BigInt(random.below(9))],
  (random) => ["DELETE FROM t WHERE id % 5 = ?", BigInt(random.below(5))],
  () => ["DELETE FROM t"],
  (random) => ["INSERT INTO w VALUES(?, 1) ON CONFLICT(k) DO UPDATE SET v = v + 1", `k${random.below(5)}`],
  () => ["UPDATE w SET k = k || 'z' WHERE v > 2"],
  (random) => ["DELETE FROM w WHERE k = ?", `k${random.below(5)}`],
  () => ["INSERT INTO w SELECT v, id FROM t"],
  () => ["DELETE FROM w WHERE v > (SELECT count(*) FROM t)"],
  () => ["INSERT INTO t(v) SELECT raise_no_such_function()"],
];

Deno.test("doing what the log says gives the tables as they are", () => {
  const seed = Math.floor(Math.random() * 1e6);
  for (let nth = 0; nth < 60; nth++) {
    const random = new Random(seed, nth);
    const { bench } = logged();
    using _ = bench;
    bench.run([
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE CHECK (length(v) < 12))",
      "CREATE TABLE w(k TEXT PRIMARY KEY, v NOT NULL) WITHOUT ROWID",
      "CREATE TABLE audit(line)",
      "CREATE TRIGGER audited AFTER DELETE ON t BEGIN INSERT INTO audit VALUES(OLD.v); END",
    ]);
    const model: Record<string, Map<string, string>> = { t: new Map(), w: new Map(), audit: new Map() };
    const begun = bench.machine.applied;
    for (let entry = 0; entry < 30; entry++) {
      const statements = Array.from({ length: 1 + random.below(4) }, () => {
        const make = random.pick(STATEMENTS) ?? STATEMENTS[0];
        return make(random);
      });
      bench.run(statements, { transaction: random.chance(0.5) });
    }
    for (const { events } of changes(bench, begun)) {
      for (const { op, table = "", before, after, new_row_id, old_row_id } of events) {
        const keyOf = (row: Record<string, unknown> | undefined, id: number | undefined) => String(id ?? row?.k);
        if (op !== "INSERT") {
          const key = keyOf(before, old_row_id);
          assertEquals(model[table].get(key), JSON.stringify(before), `seed ${seed}, ${nth}`);
          model[table].delete(key);
        }
        if (op !== "DELETE") model[table].set(keyOf(after, new_row_id), JSON.stringify(after));
      }
    }
    const expected = {
      t: rowsOf(bench, "SELECT id, json_object('id', id, 'v', v) FROM t"),
      w: rowsOf(bench, "SELECT k, json_object('k', k, 'v', v) FROM w"),
      audit: rowsOf(bench, "SELECT rowid, json_object('line', line) FROM audit"),
    };
    for (const [table, rows] of Object.entries(expected)) {
      const wanted = rows.map(([key, row]) => [String(key), String(row)]);
      assertEquals([...model[table]].sort(), wanted.sort(), `seed ${seed}, ${nth}: ${table}`);
    }
  }
});

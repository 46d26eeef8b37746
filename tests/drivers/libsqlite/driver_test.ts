/** The driver: values, rows, statements, errors, and that nothing leaks. Its limits are in limits_test.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { TextCache } from "../../../src/core/sql/text_cache.ts";
import type { SqlValue } from "../../../src/core/sql/value.ts";
import { Control } from "../../../src/drivers/libsqlite/control.ts";
import {
  Database,
  ROW_BYTES_MAX,
  RowTooLargeError,
  runOnce,
  SqliteError,
  type Statement,
} from "../../../src/drivers/libsqlite/driver.ts";

function withDatabase(work: (database: Database) => void): void {
  const database = new Database(":memory:", { readOnly: false, foreignKeys: true });
  try {
    work(database);
  } finally {
    database.close();
  }
}

function failure(work: () => unknown): SqliteError {
  const error = assertThrows(work);
  assert(error instanceof SqliteError, String(error));
  return error;
}

/** A value, and the value that it is read back as if that is another one. */
const VALUES: readonly (readonly [SqlValue, SqlValue?])[] = [
  [null],
  [0n],
  [-1n],
  [127n],
  [2n ** 31n],
  [-(2n ** 31n) - 1n],
  [2n ** 53n + 1n],
  [2n ** 63n - 1n],
  [-(2n ** 63n)],
  [0],
  [-0],
  [1],
  [0.1],
  [5e-324],
  [Number.MAX_VALUE],
  [Infinity],
  [-Infinity],
  [NaN, null], // SQLite has none
  [""],
  ["a\0b\0"],
  ["\0"],
  ["ä€😀\u2028"],
  ["x".repeat(31)],
  ["x".repeat(33)],
  ["ä".repeat(17)],
  ["😀".repeat(100_000)],
  ["\ufeffmark"],
  ["a\ud800b", "a\ufffdb"], // half a surrogate pair is no character
  ["\udc00", "\ufffd"],
  [new Uint8Array(0)],
  [new Uint8Array([0, 255, 0])],
  [new Uint8Array(5_000_000).fill(7)],
];

Deno.test("Statement gives the rows before an error, however many come at a time", () => {
  withDatabase((database) => {
    runOnce(database, "CREATE TABLE t(v)");
    for (const bytes of [10, 5000, 500_000]) {
      runOnce(database, "DELETE FROM t");
      runOnce(database, `INSERT INTO t VALUES(printf('%.*c', ${bytes}, 'x')), (2), (3)`);
      const statement = database.prepare("SELECT v, json_extract(iif(v = 3, '{', '{}'), '$') FROM t");
      let count = 0;
      assertThrows(
        () => {
          for (const _ of statement.iterate()) count++;
        },
        SqliteError,
        "malformed JSON",
      );
      assertEquals(count, 2, `a row of ${bytes} bytes in front`);
      statement.finalize();
    }
  });
});

Deno.test("Statement takes and gives values of every type, exactly", () => {
  withDatabase((database) => {
    const echo = database.prepare("SELECT ?, typeof(?1), length(CAST(?1 AS BLOB))");
    for (const [value, wanted = value] of VALUES) {
      const [[found, type, length]] = echo.all([value]);
      assertEquals(found, wanted);
      if (typeof wanted === "number") assert(Object.is(found, wanted), `${wanted}`); // -0, too
      const types = { bigint: "integer", number: "real", string: "text", object: wanted === null ? "null" : "blob" };
      assertEquals(type, types[typeof wanted as keyof typeof types]);
      if (typeof wanted === "string") assertEquals(length, BigInt(new TextEncoder().encode(wanted).length));
    }
    assertEquals(database.prepare("SELECT ?, ?, ?").all([1n]), [[1n, null, null]]); // what is not given
    assertEquals(failure(() => echo.all([1n, 2n])).code, 25);
    const stored = VALUES.map(([value]) => value);
    database.prepare("CREATE TABLE t(value)").run();
    for (const value of stored) assertEquals(database.prepare("INSERT INTO t VALUES(?)").run([value]).changes, 1);
    assertEquals(
      database.prepare("SELECT value FROM t ORDER BY rowid").all(),
      VALUES.map(([value, wanted = value]) => [wanted]),
    );
  });
});

Deno.test("Statement gives bytes that are no UTF-8 as U+FFFD, and texts of a database in UTF-16 as any other", () => {
  withDatabase((database) => {
    assertEquals(runOnce(database, "SELECT CAST(x'61ff62' AS TEXT), CAST(x'eda080' AS TEXT)"), [[
      "a\ufffdb",
      "\ufffd\ufffd\ufffd",
    ]]);
  });
  withDatabase((database) => {
    runOnce(database, "PRAGMA encoding = 'UTF-16le'");
    database.prepare("CREATE TABLE t(a, b)").run();
    database.prepare("INSERT INTO t VALUES(?, ?)").run(["ä€😀\0" + "x".repeat(100_000), ""]);
    assertEquals(runOnce(database, "SELECT * FROM t"), [["ä€😀\0" + "x".repeat(100_000), ""]]);
  });
});

const COUNTED =
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<?1) SELECT i, printf('%.*c', ?2, 'x') FROM n";

Deno.test("Statement gives all rows in order, however many pieces they take and however large one is", () => {
  withDatabase((database) => {
    const rows = database.prepare(COUNTED);
    for (const [count, length] of [[0n, 1n], [1n, 70_000n], [5000n, 100n], [7n, 65_516n], [3n, 1_000_000n]]) {
      const all = rows.all([count, length]);
      assertEquals(all.length, Math.max(1, Number(count)));
      all.forEach((row, at) => {
        assertEquals(row[0], BigInt(at + 1));
        assertEquals(typeof row[1] === "string" && row[1].length, Number(length));
      });
    }
    for (const row of rows.iterate([100_000n, 10n])) if (row[0] === 5000n) break; // given up in the midst
    assertEquals(rows.all([2n, 1n]).length, 2);
    assertEquals(database.isTransaction, false);
  });
});

Deno.test("Statement refuses a row that no memory could take, and goes on to be used", () => {
  withDatabase((database) => {
    const row = database.prepare("SELECT zeroblob(?1), zeroblob(?1), zeroblob(?1)");
    const error = assertThrows(() => row.all([50_000_000n]), RowTooLargeError);
    assert(
      error.message.includes(`a row of 150000015 bytes exceeds the limit of ${ROW_BYTES_MAX} bytes`),
      error.message,
    );
    assertEquals(row.all([1n]).length, 1);
    assertEquals(failure(() => database.prepare("SELECT zeroblob(67108865)").all()).code, 18);
  });
});

Deno.test("Statement tells its columns, its parameters and whether it only reads", () => {
  withDatabase((database) => {
    database.prepare("CREATE TABLE t(a VARCHAR(9), b)").run();
    const statement = database.prepare("SELECT a AS x, b, 1, t.a || :n FROM t");
    assertEquals(statement.columns(), [
      { name: "x", table: "t", declaredType: "VARCHAR(9)" },
      { name: "b", table: "t", declaredType: null },
      { name: "1", table: null, declaredType: null },
      { name: "t.a || :n", table: null, declaredType: null },
    ]);
    assertEquals([statement.parameterCount, statement.isReadOnly, statement.isEmpty], [1, true, false]);
    const wide = "n".repeat(5000);
    assertEquals(database.prepare(`SELECT 1 AS ${wide}`).columns()[0].name, wide);
    const write = database.prepare("INSERT INTO t VALUES(?, ?3)");
    assertEquals([write.parameterCount, write.isReadOnly, write.columns().length], [3, false, 0]);
    assertEquals(database.prepare(" -- nothing").isEmpty, true);
    const { changes, lastInsertRowid } = write.run(["a", null, "b"]);
    assertEquals([changes, lastInsertRowid], [1, 1]);
  });
});

Deno.test("Database is told of every table that a statement reads, whatever its joins", () => {
  withDatabase((database) => {
    database.prepare("CREATE TABLE t(a, b)").run();
    database.prepare("CREATE TABLE u(a, c)").run();
    for (
      const sql of [
        "SELECT t.b FROM t JOIN u USING (a)",
        "SELECT b FROM t NATURAL JOIN u",
        "SELECT b FROM t LEFT JOIN u AS x USING (a)",
        "SELECT b FROM t FULL JOIN u USING (a)",
        "SELECT count(*) FROM t JOIN u USING (a)",
        "DELETE FROM t WHERE rowid IN (SELECT t.rowid FROM t JOIN u USING (a))",
        "UPDATE t SET b = 1 FROM (SELECT t.a AS k FROM t NATURAL JOIN u) WHERE a = k",
        "WITH c AS (SELECT b FROM t JOIN u USING (a)) SELECT * FROM c",
      ]
    ) {
      database.prepare(sql);
      const reads = database.actions().filter(({ action, database }) => action === 20 && database === "main");
      const tables = new Set(reads.map(({ first }) => first));
      assert(tables.has("t") && tables.has("u"), sql);
    }
  });
});

Deno.test("Database keeps what the statement that was compiled last would do", () => {
  withDatabase((database) => {
    database.prepare("CREATE TABLE t(a, b)").run();
    database.prepare("CREATE VIEW v AS SELECT a FROM t").run();
    database.prepare("INSERT INTO t SELECT upper(v.a), b FROM v, t WHERE b = ?");
    const actions = database.actions().map(({ action, first, second, database }) => [action, first, second, database]);
    assertEquals(actions[0], [18, "t", null, "main"]);
    assert(actions.some(([action, , second]) => action === 31 && second === "upper"));
    assert(actions.some(([action, first, second]) => action === 20 && first === "v" && second === null));
    failure(() => database.prepare("DELETE FROM t WHERE nosuchcolumn = 1"));
    assertEquals(database.actions()[0].action, 9); // what it tried to do
    // A PRAGMA acts when it is compiled, behind EXPLAIN as well.
    const before = runOnce(database, "PRAGMA foreign_keys");
    for (const sql of ["PRAGMA foreign_keys = OFF", "EXPLAIN PRAGMA foreign_keys = OFF"]) {
      assertEquals(failure(() => database.prepare(sql, { mayPragma: false })).code, 23);
      assertEquals(database.actions().at(-1), {
        action: 19,
        first: "foreign_keys",
        second: "OFF",
        database: null,
      });
    }
    assertEquals(runOnce(database, "PRAGMA foreign_keys"), before);
    database.prepare("PRAGMA foreign_keys = OFF");
    assertEquals(runOnce(database, "PRAGMA foreign_keys"), [[0n]]);
  });
});

Deno.test("a closed connection, a finalized statement and one in the midst of another's rows refuse to be used", () => {
  const database = new Database(":memory:", { readOnly: false, foreignKeys: false });
  const statement = database.prepare("SELECT 1 UNION SELECT 2");
  const walk = statement.pieces();
  walk.next();
  assertThrows(() => statement.run(), TypeError, "rows of another one are walked");
  walk.return(undefined);
  statement.finalize();
  statement.finalize();
  for (const use of [() => statement.run(), () => statement.all(), () => statement.columns(), () => statement.handle]) {
    assertThrows(use, TypeError, "The statement is finalized");
  }
  const other = database.prepare("SELECT 1");
  const midway = other.iterate();
  midway.next();
  database.close();
  database.close();
  midway.return(undefined);
  assertEquals(database.isOpen, false);
  const uses = [
    () => database.prepare("SELECT 1"),
    () => database.actions(),
    () => database.recount(),
    () => database.configure("triggers", true),
    () => other.run(),
  ];
  for (const use of uses) assertThrows(use, TypeError);
});

Deno.test("Backup copies what is committed, and says why it cannot", () => {
  withDatabase((source) => {
    runOnce(
      source,
      "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9999) SELECT i FROM n",
    );
    withDatabase((target) => {
      const copy = source.backup(target);
      let steps = 1;
      while (copy.step(5)) steps++;
      copy.finish();
      copy.finish();
      assert(steps > 3, `${steps}`);
      assertEquals(runOnce(target, "SELECT count(*), sum(i) FROM t"), [[9999n, 49_995_000n]]);
      runOnce(target, "BEGIN");
      runOnce(target, "CREATE TABLE u(a)");
      failure(() => source.backup(target).step(-1));
    });
  });
});

/** Bytes that this process holds in memory. */
function resident(): number {
  return Deno.memoryUsage().rss;
}

Deno.test("statements that are prepared, run, walked, dropped and finalized over and over leave nothing behind", () => {
  withDatabase((database) => {
    let ended: Statement | undefined;
    const cache = new TextCache<Statement>(16, (statement) => {
      statement.finalize();
      ended = statement;
    });
    database.prepare("CREATE TABLE t(a INTEGER PRIMARY KEY, b)").run();
    const inUse = () => runOnce(database, "SELECT count(*) FROM sqlite_stmt")[0][0];
    const round = (count: number) => {
      for (let at = 0; at < count; at++) {
        const text = `INSERT OR REPLACE INTO t VALUES(${at % 1000}, ?) RETURNING a, b`;
        let statement = cache.get(text);
        if (!statement) cache.set(text, statement = database.prepare(text));
        if (at % 3 === 0) statement.run(["x".repeat(at % 200)]);
        else if (at % 3 === 1) assertEquals(statement.all([new Uint8Array(at % 200)]).length, 1);
        else for (const _ of statement.iterate([BigInt(at)])) break;
        if (at % 50 === 0) assertThrows(() => database.prepare("SELECT nothing"));
      }
    };
    round(20_000);
    const before = resident();
    round(180_000);
    const grown = resident() - before;
    assert(grown < 64 * 1024 * 1024, `${grown} bytes more than after the first tenth`);
    cache.clear();
    assertThrows(() => ended?.run(), TypeError);
    if (hasStatementTable(database)) assertEquals(inUse(), 1n);
  });
});

function hasStatementTable(database: Database): boolean {
  return runOnce(database, "SELECT 1 FROM pragma_module_list WHERE name = 'sqlite_stmt'").length > 0;
}

Deno.test("Control is one structure, wherever it is seen from", () => {
  const control = new Control();
  const other = new Control(control.shared);
  control.steps = 5;
  assertEquals(other.steps, 5);
  control.ticket.current = 9;
  assertEquals(other.ticket.current, 9);
  other.ticket.cancelAll();
  other.ticket.cancel(9); // does not take back what ends all
  assertEquals(control.ticket.isCancelled, true);
});

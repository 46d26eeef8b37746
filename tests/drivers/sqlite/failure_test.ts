/**
 * Causes of errors: every result code of SQLite is brought about for real, or it is said why it cannot be. Faults of
 * disks, memory and other processes are in environment_test.ts.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Control } from "../../../src/drivers/libsqlite/control.ts";
import { Database, RowTooLargeError, runOnce, SqliteError } from "../../../src/drivers/libsqlite/driver.ts";
import {
  type Cause,
  causeOf,
  EXTENDED_CODES,
  isLocked,
  isNotDatabase,
  isReadOnly,
  RESULT_CODES,
  resultMessage,
  StatementError,
} from "../../../src/drivers/sqlite/failure.ts";

/** The test that brings a code about. */
interface Place {
  readonly database: Database;
  readonly path: string;
  readonly folder: string;
}

/** A way to bring a code about, and whose fault it is then. */
interface Case {
  readonly code: number;
  readonly cause: Cause;
  readonly bring: (place: Place) => unknown;
}

function open(path: string, readOnly = false): Database {
  return new Database(path, { readOnly, foreignKeys: true });
}

/** Runs statements one after the other. */
function all(database: Database, ...statements: string[]): void {
  for (const sql of statements) runOnce(database, sql);
}

const COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000) ";

/** Overwrites what lies behind the first pages of a file. */
function damage(path: string): void {
  const bytes = Deno.readFileSync(path);
  Deno.writeFileSync(path, bytes.fill(0xa5, 4096));
}

const CASES: Readonly<Record<string, Case>> = {
  ERROR: { code: 1, cause: "statement", bring: ({ database }) => database.prepare("nonsense") },
  "ERROR while it runs": { code: 1, cause: "statement", bring: ({ database }) => all(database, "SELECT json('{')") },
  BUSY: {
    code: 5,
    cause: "environment",
    bring: ({ database, path }) => {
      const other = open(path);
      try {
        all(database, "BEGIN EXCLUSIVE");
        all(other, "SELECT * FROM t");
      } finally {
        other.close();
      }
    },
  },
  LOCKED_VTAB: {
    code: 6 | 2 << 8,
    cause: "statement",
    bring: ({ database }) => {
      all(database, "CREATE VIRTUAL TABLE r USING rtree(id, a, b)", `${COUNT} INSERT INTO r SELECT i, i, i FROM n`);
      all(database, "INSERT INTO r VALUES(5000, (SELECT a FROM r), 5000)");
    },
  },
  READONLY: {
    code: 8,
    cause: "environment",
    bring: ({ path }) => {
      const reader = open(path, true);
      try {
        all(reader, "INSERT INTO t VALUES(1, 1)");
      } finally {
        reader.close();
      }
    },
  },
  "READONLY_DBMOVED, of a file that is gone": {
    code: 8 | 4 << 8,
    cause: "environment",
    bring: ({ database, path }) => {
      Deno.removeSync(path);
      all(database, "INSERT INTO t VALUES(1, 1)");
    },
  },
  INTERRUPT: {
    code: 9,
    cause: "statement",
    bring: ({ database }) => {
      const control = new Control();
      control.steps = 0;
      database.prepare(`${COUNT} SELECT count(*) FROM n`).run([], control);
    },
  },
  CORRUPT: {
    code: 11,
    cause: "damage",
    bring: ({ database, path }) => {
      all(database, `${COUNT} INSERT INTO t SELECT i, zeroblob(100) FROM n`);
      database.close();
      damage(path);
      const again = open(path);
      try {
        all(again, "SELECT count(b) FROM t");
      } finally {
        again.close();
      }
    },
  },
  CORRUPT_VTAB: {
    code: 11 | 1 << 8,
    cause: "statement",
    bring: ({ database }) =>
      all(
        database,
        "CREATE VIRTUAL TABLE f USING fts5(b, content=t, content_rowid=a)",
        "INSERT INTO t VALUES(1, 'one')",
        "INSERT INTO f(rowid, b) VALUES(1, 'another')",
        "INSERT INTO f(f, rank) VALUES('integrity-check', 1)",
      ),
  },
  CORRUPT_SEQUENCE: {
    code: 11 | 2 << 8,
    cause: "statement",
    bring: ({ database, path }) => {
      database.configure("defensive", false);
      all(
        database,
        "CREATE TABLE counted(a INTEGER PRIMARY KEY AUTOINCREMENT)",
        "PRAGMA writable_schema = ON",
        "DELETE FROM sqlite_schema WHERE name = 'sqlite_sequence'",
      );
      const again = open(path);
      try {
        all(again, "INSERT INTO counted VALUES(NULL)");
      } finally {
        again.close();
      }
    },
  },
  "FULL, of rowids": {
    code: 13,
    cause: "statement",
    bring: ({ database }) =>
      all(
        database,
        "CREATE TABLE counted(a INTEGER PRIMARY KEY AUTOINCREMENT)",
        "INSERT INTO counted VALUES(9223372036854775807)",
        "INSERT INTO counted VALUES(NULL)",
      ),
  },
  CANTOPEN: { code: 14, cause: "environment", bring: ({ folder }) => open(`${folder}/no/such/folder`) },
  TOOBIG: { code: 18, cause: "statement", bring: ({ database }) => all(database, "SELECT zeroblob(67108865)") },
  "TOOBIG, of a text to compile": {
    code: 18,
    cause: "statement",
    bring: ({ database }) => database.prepare(`SELECT '${"x".repeat(64 * 1024 * 1024)}'`),
  },
  CONSTRAINT_CHECK: { code: 19 | 1 << 8, cause: "statement", bring: insertInto("CHECK(b>5)", "3") },
  CONSTRAINT_FOREIGNKEY: { code: 19 | 3 << 8, cause: "statement", bring: insertInto("REFERENCES t(a)", "3") },
  CONSTRAINT_NOTNULL: { code: 19 | 5 << 8, cause: "statement", bring: insertInto("NOT NULL", "NULL") },
  CONSTRAINT_PRIMARYKEY: {
    code: 19 | 6 << 8,
    cause: "statement",
    bring: ({ database }) => all(database, "INSERT INTO t VALUES(1, 1)", "INSERT INTO t VALUES(1, 2)"),
  },
  CONSTRAINT_TRIGGER: {
    code: 19 | 7 << 8,
    cause: "statement",
    bring: ({ database }) =>
      all(
        database,
        "CREATE TRIGGER g BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'no'); END",
        "INSERT INTO t VALUES(1, 1)",
      ),
  },
  CONSTRAINT_UNIQUE: { code: 19 | 8 << 8, cause: "statement", bring: insertInto("UNIQUE", "3), (3") },
  CONSTRAINT_DATATYPE: {
    code: 19 | 12 << 8,
    cause: "statement",
    bring: ({ database }) => all(database, "CREATE TABLE s(a INTEGER) STRICT", "INSERT INTO s VALUES('x')"),
  },
  MISMATCH: { code: 20, cause: "statement", bring: ({ database }) => all(database, "INSERT INTO t VALUES('x', 1)") },
  AUTH: {
    code: 23,
    cause: "statement",
    bring: ({ database }) => database.prepare("EXPLAIN PRAGMA foreign_keys = 0", { mayPragma: false }),
  },
  RANGE: { code: 25, cause: "statement", bring: ({ database }) => database.prepare("SELECT ?").run([1n, 2n]) },
  NOTADB: {
    code: 26,
    cause: "damage",
    bring: ({ folder }) => {
      Deno.writeTextFileSync(`${folder}/text`, "no database, but long enough to be one: ".repeat(50));
      const other = open(`${folder}/text`);
      try {
        all(other, "SELECT * FROM sqlite_schema");
      } finally {
        other.close();
      }
    },
  },
};

function insertInto(constraint: string, values: string): Case["bring"] {
  return ({ database }) => all(database, `CREATE TABLE c(b ${constraint})`, `INSERT INTO c VALUES(${values})`);
}

/** Codes that no test here brings about, and why. */
const NOT_HERE: Readonly<Record<string, string>> = {
  SQLITE_INTERNAL: "a fault of SQLite itself",
  SQLITE_PERM: "only of file systems that forbid locks",
  SQLITE_ABORT: "of a statement that another one rolls back under its rows: the driver lets none run meanwhile",
  SQLITE_NOMEM: "environment_test.ts; at a limit it comes as SQLITE_INTERRUPT, limits_test.ts",
  SQLITE_IOERR: "environment_test.ts",
  SQLITE_NOTFOUND: "never leaves SQLite but from sqlite3_file_control()",
  SQLITE_PROTOCOL: "of a race of processes over the locks of a WAL, lost for ten seconds",
  SQLITE_EMPTY: "not used by SQLite",
  SQLITE_SCHEMA: "SQLite compiles the statement again, fifty times",
  SQLITE_MISUSE: "the driver does none; native/muster_test.c does",
  SQLITE_NOLFS: "of systems without large files",
  SQLITE_FORMAT: "not used by SQLite",
  SQLITE_NOTICE: "goes to SQLite's log alone",
  SQLITE_WARNING: "goes to SQLite's log alone",
  SQLITE_IOERR_NOMEM: "of a lack of memory just when a WAL is opened: judged as SQLITE_NOMEM is",
};

function errorOf({ bring }: Case): unknown {
  const folder = Deno.makeTempDirSync({ prefix: "muster-failure-" });
  const path = `${folder}/db`;
  const database = open(path);
  try {
    all(database, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    return assertThrows(() => bring({ database, path, folder }));
  } finally {
    database.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

for (const [name, one] of Object.entries(CASES)) {
  Deno.test(`causeOf() says "${one.cause}" of SQLITE_${name}`, () => {
    const error = errorOf(one);
    if (!(error instanceof SqliteError)) throw error;
    assertEquals([error.code, causeOf(error)], [one.code, one.cause], error.message);
    const primary = one.code & 0xff;
    assertEquals(isLocked(error), primary === 5);
    assertEquals(isReadOnly(error), primary === 8);
    assertEquals(isNotDatabase(error), primary === 26);
    const message = resultMessage(error, { steps: 7, valueBytes: 8, tempBytes: 9 });
    assertEquals(message !== null, one.cause === "statement");
  });
}

Deno.test("every result code is brought about by a test, or it is said why not", () => {
  const codes = new Set(Object.values(CASES).map(({ code }) => code));
  const primaries = new Set([...codes].map((code) => code & 0xff));
  for (const [code, { name }] of RESULT_CODES) assert(primaries.has(code) !== name in NOT_HERE, name);
  for (const [code, { name }] of EXTENDED_CODES) assert(codes.has(code) !== name in NOT_HERE, name);
});

Deno.test("causeOf() knows every primary code of SQLite, and judges an unknown one as the environment's", () => {
  assertEquals([...RESULT_CODES.keys()], Array.from({ length: 28 }, (_, at) => at + 1));
  assertEquals(causeOf(new SqliteError("x", 99, new Control())), "environment");
  assertEquals(causeOf(new SqliteError("x", 8 | 99 << 8, new Control())), "environment"); // as its primary code
  for (const [code, { rule }] of EXTENDED_CODES) {
    if (rule === "statement") assertEquals(causeOf(new SqliteError("x", code, new Control())), "statement");
  }
  assertEquals(causeOf(new StatementError("no")), "statement");
  assertEquals(causeOf(new RowTooLargeError(2, 1)), "statement");
  assertEquals(causeOf(new RangeError("from nowhere")), "environment");
  assertEquals(causeOf("text"), "environment");
});

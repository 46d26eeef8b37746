/**
 * Several statements in one request, with and without `transaction`.
 * @module
 */
import { type Case, execute, intend, query, type Rule, type Theme, unified } from "./case.ts";
import { ROWS_NULL } from "./intended.ts";

const TABLE = ["CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)"];
const CONTENTS = ["SELECT * FROM t ORDER BY id", "SELECT count(*) FROM t"];

const SEQUENCES: readonly [string, unknown[]][] = [
  ["all succeed", ["INSERT INTO t VALUES(1, 'a')", "INSERT INTO t VALUES(2, 'b')"]],
  ["the first fails", ["INSERT INTO nosuch VALUES(1)", "INSERT INTO t VALUES(1, 'a')"]],
  ["the first breaks a constraint", ["INSERT INTO t VALUES('x', 'a')", "INSERT INTO t VALUES(1, 'a')"]],
  ["the last breaks a constraint", ["INSERT INTO t VALUES(1, 'a')", "INSERT INTO t VALUES(1, 'b')"]],
  ["one in the middle breaks a constraint", [
    "INSERT INTO t VALUES(1, 'a')",
    "INSERT INTO t VALUES(1, 'b')",
    "INSERT INTO t VALUES(3, 'c')",
  ]],
  ["DDL and a failure", ["CREATE TABLE u(a)", "INSERT INTO u VALUES(1)", "INSERT INTO t VALUES('x', 1)"]],
  ["DDL", ["CREATE TABLE u(a)", "INSERT INTO u VALUES(1)", "DROP TABLE u"]],
  ["several statements in a string, one fails", [
    "INSERT INTO t VALUES(1, 'a'); INSERT INTO t VALUES(1, 'b'); INSERT INTO t VALUES(2, 'c')",
    "INSERT INTO t VALUES(9, 'z')",
  ]],
  ["or ignore", [
    "INSERT INTO t VALUES(1, 'a')",
    "INSERT OR IGNORE INTO t VALUES(1, 'b')",
    "INSERT INTO t VALUES(2, 'c')",
  ]],
  ["returning and a failure", [
    "INSERT INTO t VALUES(1, 'a') RETURNING id",
    "INSERT INTO t VALUES(1, 'b') RETURNING id",
    "INSERT INTO t VALUES(3, 'c')",
  ]],
  ["too few values", [["INSERT INTO t VALUES(?, ?)", 1], "INSERT INTO t VALUES(2, 'b')"]],
  ["a bad name", [["INSERT INTO t VALUES(:a, 1)", { ":a": 1 }], "INSERT INTO t VALUES(2, 'b')"]],
  ["empty statements", ["", "INSERT INTO t VALUES(1, 'a')", ""]],
];

/** With reads among them: for /db/request. */
const MIXED: readonly [string, unknown[]][] = [
  ["reads see writes", ["INSERT INTO t VALUES(1, 'a')", "SELECT * FROM t", "DELETE FROM t", "SELECT * FROM t"]],
  ["a read breaks", [
    "INSERT INTO t VALUES(1, 'a')",
    "SELECT abs(-9223372036854775808)",
    "INSERT INTO t VALUES(2, 'b')",
  ]],
  ["only reads", ["SELECT 1", "SELECT 2", "SELECT * FROM t"]],
  ["only reads, one fails", ["SELECT 1", "SELECT abs(-9223372036854775808)", "SELECT 2"]],
  ["only reads, one does not compile", ["SELECT 1", "SELECT nosuch", "SELECT 2"]],
  ["explain", ["INSERT INTO t VALUES(1, 'a')", "EXPLAIN QUERY PLAN SELECT * FROM t", "SELECT 1"]],
  ["explain alone", ["EXPLAIN QUERY PLAN INSERT INTO t VALUES(1, 'a')"]],
  ["a read between statements in a string", ["INSERT INTO t VALUES(1, 'a'); SELECT * FROM t"]],
  ["a write behind a read in a string", ["SELECT * FROM t; INSERT INTO t VALUES(1, 'a')", "SELECT count(*) FROM t"]],
  ["pragma and write", ["INSERT INTO t VALUES(1, 'a')", "PRAGMA table_info(t)"]],
  ["no rows", ["INSERT INTO t VALUES(1, 'a')", "SELECT * FROM t WHERE 0"]],
];

function both(make: typeof execute, name: string, statements: readonly unknown[], parameters: string): Case[] {
  const subject = parameters === "" ? name : `${name} (${parameters})`;
  const first = make(subject, statements, { setup: TABLE, ...(parameters === "" ? {} : { parameters }) });
  const text = `after ${first.name}`;
  return [
    first,
    query(`${text}, what is stored`, [
      ...CONTENTS,
      "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@'",
    ]),
    execute(`${text}, counters`, ["SELECT 1"]),
  ];
}

const ATOMIC = "a transaction is all or nothing, also over a statement that does not compile or has RETURNING " +
  "(Q5, Q26.2)";
const LAST = "every statement of a string runs, and the last one's result is shown";

const RULES: readonly Rule[] = [
  [/^request: (the first fails|returning and a failure|only reads, one does not compile) \(transaction/, {
    reason: ATOMIC,
    muster: { body: /"error":"[^"]*"\}\]\}$/ },
  }],
  [/^execute: returning and a failure \(transaction/, { reason: ATOMIC, muster: { body: /"error":"[^"]*"\}\]\}$/ } }],
  [
    /^query: after (request: the first fails|execute: returning and a failure|request: returning and a failure) \(transaction.*stored$/,
    {
      reason: ATOMIC,
      muster: { body: /"values":\[\[0\]\]/ },
    },
  ],
  [
    /^execute: after (request: the first fails|execute: returning and a failure|request: returning and a failure) \(transaction.*counters$/,
    {
      reason: ATOMIC,
      muster: { body: /^\{"results":\[\{"last_insert_id":[17](,"rows_affected":1)?\}\]\}$/ },
    },
  ],
  [/^execute: (?!the first |several |too few|a bad name).*associative\)$/, ROWS_NULL],
  [/^(request|query): explain( |$)(?!alone)/, {
    reason: "newer SQLite fills the column notused",
    muster: { body: /SCAN t\b/ },
  }],
  [/^(request|query): explain alone/, {
    reason: "EXPLAIN of a write is a read (Q7)",
    muster: { body: /"types":(\["","","",""\]|\{"detail":"")/ },
  }],
  [/^request: a read between statements in a string/, {
    reason: LAST,
    muster: { body: /"values":\[\[1,"a"\]\]|"rows":\[\{"id":1,"name":"a"\}\]/ },
  }],
  [/^request: a write behind a read in a string/, {
    reason: LAST,
    muster: { body: /^\{"results":\[\{"last_insert_id":1,"rows_affected":1/ },
  }],
  [/^query: after request: a write behind a read in a string(?! \(level).*stored$/, {
    reason: LAST,
    muster: { body: /"values":\[\[1\]\]/ },
  }],
  [/^execute: after request: a write behind a read in a string(?! \(level).*counters$/, {
    reason: LAST,
    muster: { body: `{"results":[{"last_insert_id":1,"rows_affected":1}]}` },
  }],
  [/^execute: after request: explain alone.*counters$/, {
    reason: "EXPLAIN of a write is a read, and leaves no trace",
    muster: { body: `{"results":[{"last_insert_id":7,"rows_affected":1}]}` },
  }],
  [/^query: a write behind a read in a string/, {
    reason: "the same words wherever in a string the write stands",
    muster: {
      body: (rqlite) =>
        rqlite.replace("attempt to write a readonly database", "attempt to change database via query operation"),
    },
  }],
  [/^query: (BEGIN|COMMIT|ROLLBACK|SAVEPOINT a|RELEASE a|END)$/, {
    reason: "transactions by statement are refused (A21)",
    muster: { body: /"error":"[A-Z]+ is not supported/ },
  }],
];

/** Transactions. */
export const TRANSACTIONS: Theme = {
  name: "transactions",
  cases: intend([
    ...SEQUENCES.flatMap(([name, statements]) =>
      ["", "transaction", "transaction&associative"].flatMap((parameters) => [
        ...both(execute, name, statements, parameters),
        ...both(unified, name, statements, parameters),
      ])
    ),
    ...MIXED.flatMap(([name, statements]) =>
      ["", "transaction", "transaction&associative", "level=strong"].flatMap((parameters) =>
        both(unified, name, statements, parameters)
      )
    ),
    ...MIXED.flatMap(([name, statements]) =>
      ["", "transaction", "level=strong", "level=strong&transaction"].map((parameters) =>
        query(`${name} (${parameters})`, statements, { setup: TABLE, parameters })
      )
    ),
    ...["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "END"].map((sql) => query(sql, [sql])),
  ], RULES),
};

/**
 * Query parameters (Q2.5): flags, durations, levels, malformed ones.
 * @module
 */
import { type Case, execute, get, getQuery, intend, post, query, type Rule, type Theme, unified } from "./case.ts";
import { NUL_IN_SQL, RAFT_INDEX, ROWS_NULL } from "./intended.ts";

const TABLE = ["CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, data BLOB)"];
const ROWS = ["INSERT INTO t VALUES(1, 'fiona', x'0102ff')", "INSERT INTO t VALUES(2, NULL, NULL)"];

const FLAGS = ["pretty", "timings", "associative", "blob_array", "transaction", "redirect", "noparse"];
const LEVELS = ["none", "weak", "strong", "linearizable", "auto", "NONE", "Weak", "bogus", ""];
const DURATIONS = [
  "1s",
  "0",
  "10",
  "1.5s",
  "2h45m",
  "100ms",
  "-1s",
  "+1s",
  "1",
  "s",
  "",
  "abc",
  "1 s",
  ".5s",
  "1.s",
  "1d",
  "%31s",
  "9999999999h",
];
const INTEGERS = ["0", "1", "-1", "+1", "x", "", "1.5", "99999999999999999999", "0x1", "1_000", " 1"];
const MALFORMED = [
  "q=%zz",
  "q=%",
  "q=%1",
  "%zz=1",
  "a=1;b=2",
  "a;b",
  "q=",
  "q",
  "q=&q=SELECT+1",
  "q=SELECT+1&q=SELECT+2",
  "&&q=SELECT+1&&",
  "q=SELECT%201",
  "q=SELECT+1+%2B+1",
  "q=SELECT+'%C3%A9%ff'",
  "q=SELECT 1",
  "Q=SELECT+1",
  "q=SELECT+1&pretty=false",
  "q=SELECT+1&PRETTY",
  "q=SELECT+1=1",
  "=1",
  "q=SELECT+'a%00b'",
  "%71=SELECT+1",
];

const STATEMENTS = ["SELECT * FROM t", "SELECT 1 AS one", "SELECT id FROM t WHERE id = 99", "SELECT nosuch FROM t"];
const WRITES = ["INSERT INTO t(name) VALUES('x')", "INSERT INTO nosuch VALUES(1)", "DELETE FROM t WHERE id = 99"];

/** Every pair of flags, on every endpoint. */
function flags(): Case[] {
  const combinations = FLAGS.flatMap((flag, at) => [flag, ...FLAGS.slice(at + 1).map((other) => `${flag}&${other}`)]);
  return combinations.flatMap((parameters) => [
    query(`flags ${parameters}`, STATEMENTS, { parameters }),
    unified(`flags ${parameters}, reads`, STATEMENTS, { parameters }),
    unified(
      `flags ${parameters}, both`,
      [...STATEMENTS.slice(0, 3), WRITES[0], "SELECT id, name FROM t WHERE id = 1"],
      {
        parameters,
      },
    ),
    execute(`flags ${parameters}`, WRITES, { parameters }),
  ]);
}

function levels(): Case[] {
  return LEVELS.flatMap((level) => [
    query(`level ${level}`, STATEMENTS, { parameters: `level=${level}` }),
    query(`level ${level}, associative`, STATEMENTS, { parameters: `level=${level}&associative` }),
    unified(`level ${level}`, STATEMENTS, { parameters: `level=${level}` }),
    unified(`level ${level}, with a write`, [...STATEMENTS, "DELETE FROM t WHERE id = 99"], {
      parameters: `level=${level}`,
    }),
    execute(`level ${level}`, ["DELETE FROM t WHERE id = 99"], { parameters: `level=${level}` }),
  ]);
}

function durations(): Case[] {
  return ["timeout", "freshness", "db_timeout", "linearizable_timeout"].flatMap((name) =>
    DURATIONS.map((value): Case => ({
      name: `${name}=${value}`,
      request: getQuery("SELECT 1", `${name}=${value}`),
    }))
  );
}

function integers(): Case[] {
  return ["retries", "trailing_logs"].flatMap((name) =>
    INTEGERS.map((value): Case => ({
      name: `${name}=${value}`,
      request: getQuery("SELECT 1", `${name}=${encodeURIComponent(value)}`),
    }))
  );
}

const RULES: readonly Rule[] = [
  [/^execute: flags (.*&)?associative/, ROWS_NULL],
  [/: raft_index(, pretty|, strong)?$/, RAFT_INDEX],
  [/^linearizable_timeout=(10|\+1s|1|s||abc|1 s|1d|9999999999h)$/, {
    reason: "linearizable_timeout came with a later rqlite (Q2.5)",
    muster: { status: 400, body: "linearizable_timeout is not a valid duration\n" },
  }],
  [/%00/, NUL_IN_SQL],
];

/** All parameters. */
export const PARAMETERS: Theme = {
  name: "parameters",
  cases: intend([
    query("no flags", STATEMENTS, { setup: [...TABLE, ...ROWS] }),
    ...flags(),
    execute("raft_index", ["DELETE FROM t WHERE id = 99"], { parameters: "raft_index" }),
    execute("raft_index, pretty", ["DELETE FROM t WHERE id = 99"], { parameters: "raft_index&pretty" }),
    query("raft_index, weak", ["SELECT 1"], { parameters: "raft_index" }),
    query("raft_index, strong", ["SELECT 1"], { parameters: "raft_index&level=strong" }),
    unified("raft_index", ["SELECT 1", "DELETE FROM t WHERE id = 99"], { parameters: "raft_index" }),
    unified("raft_index, reads", ["SELECT 1"], { parameters: "raft_index" }),
    query("what is stored", ["SELECT * FROM t"]),
    ...levels(),
    ...durations(),
    ...integers(),
    ...MALFORMED.map((text): Case => ({ name: `query string ${text}`, request: get(`/db/query?${text}`) })),
    { name: "malformed on an unknown path", request: get("/nosuch?q=%zz") },
    { name: "malformed on status", request: get("/status?timeout=x") },
    { name: "malformed on readyz", request: get("/readyz?timeout=x") },
    { name: "freshness_strict alone", request: getQuery("SELECT 1", "freshness_strict") },
    {
      name: "freshness_strict with freshness",
      request: getQuery("SELECT 1", "level=none&freshness=1s&freshness_strict"),
    },
    { name: "freshness tiny on the leader", request: getQuery("SELECT 1", "level=none&freshness=1ns") },
    { name: "no q", request: get("/db/query") },
    { name: "no q, pretty", request: get("/db/query?pretty") },
    { name: "no q, timings", request: get("/db/query?timings") },
    { name: "q on POST", request: post("/db/query?q=SELECT+1", ["SELECT 2"]) },
    { name: "q on execute", request: post("/db/execute?q=SELECT+1", ["SELECT 2"]) },
    { name: "pretty nested", request: getQuery("SELECT json('{\"a\":[1,2]}'), '[\"x\"]', '{', '\\\"'", "pretty") },
    { name: "pretty empty", request: getQuery("SELECT 1 WHERE 0", "pretty") },
    { name: "pretty associative empty", request: getQuery("SELECT 1 WHERE 0", "pretty&associative") },
    { name: "pretty no columns", request: post("/db/query?pretty", [""]) },
    { name: "qualify_columns unknown to v8", request: getQuery("SELECT 1 AS a", "qualify_columns") },
    { name: "norwrandom", request: getQuery("SELECT 1", "norwrandom&norwtime") },
    { name: "unknown parameter", request: getQuery("SELECT 1", "nosuch=1&also") },
  ], RULES),
};

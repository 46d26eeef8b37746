/**
 * Requests to a follower: forwarded, redirected, or answered there (Q6.1 and Q10).
 * @module
 */
import { type Case, execute, get, getQuery, intend, post, query, type Rule, type Theme, unified } from "./case.ts";

const TABLE = ["CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO t(name) VALUES('fiona')"];
const READS = ["SELECT * FROM t", "SELECT nosuch", "SELECT 1"];
const WRITES = ["INSERT INTO t(name) VALUES('x')", "INSERT INTO nosuch VALUES(1)"];

const levels = ["weak", "strong", "linearizable", "auto", "bogus"].flatMap((level): Case[] => [
  query(`level ${level}`, READS, { parameters: `level=${level}` }),
  query(`level ${level}, associative, pretty`, READS, { parameters: `level=${level}&associative&pretty` }),
  query(`level ${level}, timings`, READS, { parameters: `level=${level}&timings` }),
  unified(`level ${level}`, READS, { parameters: `level=${level}` }),
]);

const redirects = ["weak", "strong", "linearizable"].flatMap((level): Case[] => [
  query(`redirect, level ${level}`, READS, { parameters: `redirect&level=${level}` }),
  unified(`redirect, level ${level}`, READS, { parameters: `redirect&level=${level}` }),
]);

const RULES: readonly Rule[] = [
  [/^(execute: writes, redirect|(query|request): redirect, |query by GET, redirect|prefix path)/, {
    reason: "an empty body has no Content-Type",
    muster: { status: 301, body: "", contentType: "" },
  }],
  [/^readyz/, {
    reason: "[+]db ok came with a later rqlite (Q13.3)",
    muster: { body: (rqlite) => `${rqlite}\n[+]db ok` },
  }],
];

/** Cases for a follower. */
export const FOLLOWERS: Theme = {
  name: "followers",
  cases: intend([
    query("table", ["SELECT 1"], { setup: TABLE }),
    ...levels,
    query("level none", ["SELECT 1"], { parameters: "level=none" }),
    query("level none, redirect", ["SELECT 1"], { parameters: "level=none&redirect" }),
    query("level none, freshness", ["SELECT 1"], { parameters: "level=none&freshness=1h" }),
    query("level none, strictly fresh", ["SELECT 1"], { parameters: "level=none&freshness=1h&freshness_strict" }),
    execute("writes", WRITES),
    execute("writes, pretty, timings", WRITES, { parameters: "pretty&timings" }),
    execute("writes, transaction", WRITES, { parameters: "transaction" }),
    execute("writes, redirect", WRITES, { parameters: "redirect&pretty" }),
    execute("bad body", [1]),
    execute("RETURNING", ["INSERT INTO t(name) VALUES('y') RETURNING id, name"]),
    unified("both", [...WRITES, ...READS]),
    unified("both, level none", [...WRITES, ...READS], { parameters: "level=none" }),
    ...redirects,
    { name: "query by GET", request: getQuery("SELECT * FROM t") },
    { name: "query by GET, redirect", request: getQuery("SELECT 'a b', 1+1", "redirect") },
    { name: "prefix path, redirect", request: post("/db/executeX?redirect", ["SELECT 1"]) },
    { name: "unparsable", request: post("/db/query", "[") },
    { name: "state", request: get("/status?key=store.raft.state") },
    { name: "leader's address", request: get("/status?key=store.leader.addr") },
    { name: "readyz", request: get("/readyz") },
    { name: "readyz, sync", request: get("/readyz?sync") },
    { name: "remove a node that is none", request: { ...post("/remove", { id: "nosuch" }), method: "DELETE" } },
    { name: "remove, redirect", request: { ...post("/remove?redirect", { id: "nosuch" }), method: "DELETE" } },
    { name: "remove with a bad body", request: { ...post("/remove", "{}"), method: "DELETE" } },
    query("what is stored", ["SELECT * FROM t"]),
  ], RULES),
};

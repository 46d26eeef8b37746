import { assertEquals } from "@std/assert";
import { sqlNeeds } from "../../../src/core/acl/sql_needs.ts";
import { splitStatements } from "../../../src/core/sql/statement.ts";
import { withStoredNames } from "../../../src/core/catalog/names.ts";

/** What a text needs beside the right to the database. */
function more(sql: string): string[] {
  return sqlNeeds("read", splitStatements(sql)).slice(1).map(({ resource, access }) => `${resource}:${access}`);
}

const KEY = ["key:read"];
const CATALOG = ["node:read", "service:read"];

Deno.test("SQL needs the right to the database, and to what it names of the cluster's own tables", () => {
  const cases: [sql: string, needs: string[]][] = [
    ["SELECT 1", []],
    ["SELECT * FROM t WHERE a = 'muster'", []],
    ["SELECT muster FROM t", []],
    ["SELECT '_muster_' || a FROM t", []],
    ["SELECT * FROM muster.kv", KEY],
    ["select * from MUSTER . KV", KEY],
    [`SELECT * FROM "muster"."kv"`, KEY],
    ["SELECT * FROM [muster].`kv`", KEY],
    ["SELECT * FROM muster /* x */ . -- y\n kv", KEY],
    ["SELECT * FROM _muster_kv", KEY],
    ["SELECT * FROM main._MUSTER_KV", KEY],
    [`SELECT * FROM "_muster_kv"`, KEY],
    ["SELECT * FROM '_muster_kv'", KEY],
    ["INSERT INTO t SELECT value FROM muster.kv", KEY],
    ["CREATE VIEW v AS SELECT * FROM muster.kv", KEY],
    ["EXPLAIN SELECT * FROM muster.kv", KEY],
    ["SELECT 1; SELECT * FROM muster.kv", KEY],
    ["PRAGMA table_info(_muster_kv)", KEY],
    ["SELECT * FROM muster.fences", KEY],
    ["SELECT * FROM muster.kv_history", KEY],
    ["SELECT * FROM muster.changes", []],
    ["SELECT * FROM _muster_changes", []],
    ["SELECT * FROM muster.nodes", CATALOG],
    ["SELECT * FROM muster.services JOIN muster.kv", [...CATALOG, ...KEY]],
    ["SELECT * FROM muster.sessions", ["session:read"]],
    ["SELECT * FROM _muster_queries", ["query:read"]],
    ["SELECT * FROM _muster_acl_tokens", ["acl:read"]],
    ["SELECT * FROM _muster_index", ["operator:read"]],
    ["SELECT * FROM _muster", ["operator:read"]],
    ["SELECT * FROM muster.other", ["operator:read"]],
    ["SELECT sql FROM muster.slow_statements", ["operator:read"]],
  ];
  for (const [sql, needs] of cases) assertEquals(more(sql), needs, sql);
});

Deno.test("a statement as it is run needs what the client's text does", () => {
  for (const sql of ["SELECT * FROM muster.kv", "SELECT k.key FROM muster.kv k, muster.nodes"]) {
    const stored = splitStatements(sql).map(withStoredNames);
    assertEquals(sqlNeeds("read", stored), sqlNeeds("read", splitStatements(sql)), sql);
  }
  // What stands in for the schema table names the prefix of what it hides.
  const listed = splitStatements("SELECT name FROM sqlite_master").map(withStoredNames);
  assertEquals(sqlNeeds("read", listed).length, 1);
});

Deno.test("muster_fence() tells of one lock, and needs no right to all", () => {
  const fenced = splitStatements("INSERT INTO t SELECT 1 WHERE muster_fence('a', 7)");
  assertEquals(sqlNeeds("write", fenced).length, 1);
  assertEquals(sqlNeeds("write", fenced.map(withStoredNames)).length, 1);
});

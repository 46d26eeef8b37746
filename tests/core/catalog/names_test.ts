/** Names of clients and of the database: the catalog's tables, and a schema that shows the user's alone. */
import { assert, assertEquals } from "@std/assert";
import { withStoredNames } from "../../../src/core/catalog/names.ts";
import { splitStatements } from "../../../src/core/sql/statement.ts";
import { Database, runOnce } from "../../../src/drivers/libsqlite/driver.ts";

function stored(sql: string): string {
  return splitStatements(sql).map((part) => withStoredNames(part).sql).join(";");
}

Deno.test("withStoredNames() finds the tables by the schema's name, wherever a table may stand", () => {
  const cases: [string, string][] = [
    ["SELECT * FROM muster.nodes", "SELECT * FROM _muster_nodes AS nodes"],
    ["select name from MUSTER . Members where 1", "select name from _muster_members AS members where 1"],
    [
      "SELECT n.name FROM muster.nodes n, muster.checks AS c",
      "SELECT n.name FROM _muster_nodes n, _muster_checks AS c",
    ],
    ['SELECT muster.nodes.name FROM "muster"."nodes"', "SELECT nodes.name FROM _muster_nodes AS nodes"],
    ["SELECT * FROM muster.nodes JOIN t ON 1", "SELECT * FROM _muster_nodes AS nodes JOIN t ON 1"],
    ["SELECT 'muster.nodes', muster.other FROM muster", "SELECT 'muster.nodes', muster.other FROM muster"],
    ["SELECT main.muster.nodes FROM muster", "SELECT main.muster.nodes FROM muster"],
    ["SELECT /* muster.nodes */ 1", "SELECT /* muster.nodes */ 1"],
    ["INSERT INTO muster.nodes VALUES(1)", "INSERT INTO _muster_nodes AS nodes VALUES(1)"],
  ];
  for (const [text, expected] of cases) assertEquals(stored(text), expected);
});

Deno.test("withStoredNames() writes muster_fence() out, each argument once and in its place", () => {
  const written = (lock: string, token: string) => stored(`SELECT muster_fence(${lock}, ${token})`);
  for (const [lock, token] of [["'a'", "?"], ["?", "?"], ["lower(?1)", "max(1, 2)"], ["(SELECT k FROM t)", ":token"]]) {
    const text = written(lock, token);
    assertEquals(text.split(`(${lock}) AS muster_lock, (${token}) AS muster_token`).length, 2, text);
    assertEquals(text.split("muster_fence(").length, 2, "as the name of the column alone");
    assert(text.endsWith(` AS "muster_fence(${lock}, ${token})"`), text);
    assertEquals(stored(text), text);
  }
  assertEquals(stored("SELECT 1 WHERE muster_fence(1, 2)").includes("muster_fence("), false);
  for (const other of ["SELECT muster_fence('a')", "SELECT muster_fence(1, 2, 3)", "SELECT 'muster_fence(1, 2)'"]) {
    assertEquals(stored(other), other);
  }
  for (const other of ["SELECT muster_fence(,)", "SELECT muster_fence(1,2", "SELECT t.muster_fence(1, 2)"]) {
    assertEquals(stored(other), other);
  }
  const many = stored(`SELECT ${"muster_fence(1, 2), ".repeat(20)}3`);
  assertEquals(many.split("muster_fence(").length - 1, 5, "what is too many is left to SQLite, which knows none");
});

Deno.test("withStoredNames() hides the cluster's own tables from whoever lists tables, however he asks", () => {
  const database = new Database(":memory:", { readOnly: false, foreignKeys: false });
  try {
    for (const name of ["t", "_musterly", "_muster", "_muster_nodes"]) {
      runOnce(database, `CREATE TABLE ${name}(a INTEGER PRIMARY KEY, b UNIQUE)`);
    }
    runOnce(database, "CREATE TRIGGER _muster_nodes_insert AFTER INSERT ON _muster_nodes BEGIN SELECT 1; END");
    const tables = [["t"], ["_musterly"]];
    const ROW = ["table", "t", "t", 2n, "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE)"];
    const cases: [string, unknown[][]][] = [
      ["SELECT name FROM sqlite_master WHERE type = 'table'", tables],
      ["SELECT sqlite_schema.name FROM sqlite_schema WHERE sqlite_schema.type='table'", tables],
      [`SELECT m.name FROM main."sqlite_master" AS m, (SELECT 1) WHERE m.type = 'table'`, tables],
      ["SELECT name FROM (sqlite_schema s) WHERE type LIKE 'table'", tables],
      ["WITH names AS (SELECT name, type FROM SQLITE_MASTER) SELECT name FROM names WHERE type = 'table'", tables],
      ["SELECT count(*) FROM sqlite_master", [[4n]]],
      ["SELECT 1 WHERE EXISTS(SELECT 1 FROM sqlite_master WHERE name = '_MUSTER' COLLATE NOCASE)", []],
      ["SELECT 1 WHERE '_muster_nodes' IN (SELECT tbl_name FROM sqlite_schema)", []],
      ["SELECT name FROM pragma_table_list WHERE name LIKE '%muster%'", [["_musterly"]]],
      ["SELECT name FROM pragma_table_list() AS l WHERE name LIKE '%muster%'", [["_musterly"]]],
      [
        "SELECT m.name, i.name FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table' ORDER BY 1",
        [
          ["_musterly", "sqlite_autoindex__musterly_1"],
          ["t", "sqlite_autoindex_t_1"],
        ],
      ],
      ["SELECT rowid IS NULL FROM sqlite_master WHERE name = '_muster'", []],
      ["SELECT rowid > 0, oid = m._rowid_, name FROM sqlite_master m WHERE m.rowid > 0 AND name GLOB '_*'", [
        [1n, 1n, "_musterly"],
      ]],
      ["SELECT count(*) * max(rowid) > 0 FROM sqlite_master WHERE name = '_muster'", [[null]]],
      ["SELECT rowid > 0, * FROM sqlite_master WHERE name = '_muster'", []],
      ["SELECT rowid > 0, * FROM sqlite_master WHERE name = 't'", [[1n, ...ROW]]],
      ["SELECT m.*, m.oid > 0 FROM main.sqlite_schema AS m WHERE m.name = 't' AND m.rowid;", [[...ROW, 1n]]],
      ["SELECT *, rowid * 0 FROM sqlite_master m ORDER BY m.name DESC LIMIT 1", [[...ROW, 0n]]],
      ["SELECT count(*), max(rowid) > 0 FROM sqlite_master", [[4n, 1n]]],
      // Beside another table it is left as it is.
      ["SELECT m.rowid > 0, m.* FROM sqlite_master m, (SELECT 1) WHERE name = '_muster'", [
        [1n, "table", "_muster", "_muster", 6n, "CREATE TABLE _muster(a INTEGER PRIMARY KEY, b UNIQUE)"],
      ]],
      ['SELECT \'FROM sqlite_master\', "FROM sqlite_master" FROM (SELECT 1 AS "FROM sqlite_master")', [[
        "FROM sqlite_master",
        1n,
      ]]],
    ];
    for (const [sql, rows] of cases) assertEquals(runOnce(database, stored(sql)), rows, sql);
    const listed = runOnce(database, stored("PRAGMA main.table_list;")).map(([schema, name]) => `${schema}.${name}`);
    assertEquals(listed.filter((name) => !name.includes("sqlite_")).sort(), ["main._musterly", "main.t"]);
    for (
      const kept of [
        "CREATE VIEW v AS SELECT * FROM sqlite_master",
        "DELETE FROM sqlite_master",
        "PRAGMA table_list(t)",
        "SELECT rowid, name FROM pragma_table_list", // what would stand in for it has no rowids
      ]
    ) {
      assertEquals(stored(kept), kept);
    }
  } finally {
    database.close();
  }
});

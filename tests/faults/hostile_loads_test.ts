/**
 * Files that no ordinary program writes, and that `/db/load` takes or refuses: whatever follows, the node runs, takes writes and
 * loads, and starts again from its log.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Database, runOnce } from "../../src/drivers/libsqlite/driver.ts";
import { nodePlace, withNodes } from "../harness/processes.ts";
import { post } from "./file_requests.ts";

interface Hostile {
  readonly name: string;
  /** What is done to a new file, where nothing is forbidden. */
  readonly statements: readonly string[];
  /** Done to its bytes afterwards. */
  readonly bytes?: (bytes: Uint8Array) => void;
  /** What the load answers. @default {it succeeds} */
  readonly refused?: RegExp;
  /** Statements after the load, each with what its answer looks like. */
  readonly then?: readonly (readonly [sql: string, answer: RegExp])[];
}

const FILES: readonly Hostile[] = [
  {
    name: "a version of the file format that can only be read",
    statements: ["CREATE TABLE u(v)"],
    bytes: (bytes) => bytes[18] = 3,
    refused: /the file that was loaded is damaged: attempt to write a readonly database/,
  },
  {
    name: "a full-text index without its table of segments",
    statements: ["CREATE VIRTUAL TABLE ft USING fts5(a)", "INSERT INTO ft VALUES('x')", "DROP TABLE ft_idx"],
    then: [["INSERT INTO ft VALUES(1)", /"error":"[^"]+"/], ["DELETE FROM ft", /"error":"[^"]+"/]],
  },
  {
    name: "a full-text index without its data",
    statements: ["CREATE VIRTUAL TABLE ft USING fts5(a)", "INSERT INTO ft VALUES('x')", "DROP TABLE ft_data"],
    then: [["INSERT INTO ft VALUES(1)", /"error":"[^"]+"/]],
  },
  {
    name: "a view in the place of SQLite's table of sequences",
    statements: [
      "PRAGMA writable_schema = ON",
      "INSERT INTO sqlite_schema VALUES('view', 'sqlite_sequence', 'sqlite_sequence', 0, " +
      "'CREATE VIEW sqlite_sequence AS SELECT 1 AS name, 2 AS seq')",
    ],
    refused: /it has a view named sqlite_sequence, which is reserved for SQLite/,
  },
  ...([
    ["type = 'INDEX' WHERE name = 'i'", /a row of type ."INDEX/],
    ["name = 'I' WHERE name = 'i'", /the index I has the text of something else/],
    ["tbl_name = 'T' WHERE name = 't'", /the table t belongs to ."T/],
    ["name = 'T', tbl_name = 'T' WHERE name = 't'", /the index i belongs to ."t|has the text of something else/],
    ["type = 'TABLE' WHERE name = 't'", /a row of type ."TABLE/],
    ["type = 'TRIGGER' WHERE type = 'trigger'", /a row of type ."TRIGGER/],
    ["rootpage = 2 WHERE name = 'f'", /the table f has root page 2/],
  ] as const).map(([change, refused]): Hostile => ({
    name: `a schema in which ${change}`,
    statements: [
      "CREATE TABLE t(a)",
      "CREATE INDEX i ON T(a)",
      "CREATE TRIGGER _muster_q AFTER INSERT ON T BEGIN SELECT 1; END",
      "CREATE VIRTUAL TABLE f USING fts5(a)",
      "PRAGMA writable_schema = ON",
      `UPDATE sqlite_schema SET ${change}`,
    ],
    refused,
  })),
  {
    name: "names of all kinds, as SQLite writes them",
    statements: [
      'CREATE TABLE IF NOT EXISTS main."a ""b"(x, "y z")',
      'CREATE UNIQUE INDEX IF NOT EXISTS [i j] ON "A ""B"("y z")',
      "CREATE VIEW IF NOT EXISTS 'v''w' AS SELECT 1",
      'CREATE TRIGGER IF NOT EXISTS `t ``u` AFTER INSERT ON "A ""b" BEGIN SELECT 1; END',
      'CREATE VIRTUAL TABLE IF NOT EXISTS "f g" USING "fts5"(x)',
      'ALTER TABLE "a ""b" RENAME TO "if"',
      'ALTER TABLE "if" RENAME COLUMN x TO "not"',
      "CREATE TABLE p(a TEXT PRIMARY KEY, b ANY UNIQUE) WITHOUT ROWID, STRICT",
    ],
    then: [['INSERT INTO "if" VALUES(1, 2)', /"rows_affected":1/], ["DROP INDEX [i j]", /results/], [
      "VACUUM",
      /results/,
    ]],
  },
  {
    name: "what SQLite makes itself",
    statements: [
      "CREATE TABLE s(id INTEGER PRIMARY KEY AUTOINCREMENT, v UNIQUE)",
      "INSERT INTO s(v) VALUES(1), (2)",
      "ANALYZE",
    ],
    then: [["INSERT INTO s(v) VALUES(3)", /"last_insert_id":3/], ["VACUUM", /"rows_affected":1/]],
  },
  {
    name: "a virtual table about the file",
    statements: ["CREATE VIRTUAL TABLE vt USING dbstat"],
    refused: /vt, a virtual table of dbstat: it describes one node/,
  },
  {
    name: "views, indexes and triggers with names of the cluster's own",
    statements: [
      "CREATE TABLE u(v)",
      "CREATE VIEW _muster_load AS SELECT 1 AS id",
      "CREATE INDEX _muster_change_log ON u(v)",
      "CREATE TRIGGER _muster_x AFTER INSERT ON u BEGIN SELECT 1; END",
    ],
    then: [["INSERT INTO u VALUES(1)", /"rows_affected":1/]],
  },
  {
    name: "a default that counts what this connection has done",
    statements: ["CREATE TABLE d(a, c DEFAULT (total_changes()))"],
    then: [["INSERT INTO d(a) VALUES(1)", /total_changes\(\) is not supported in replicated statements/]],
  },
];

async function makeFile(path: string, { statements, bytes }: Hostile): Promise<Uint8Array<ArrayBuffer>> {
  const database = new Database(path, { readOnly: false, foreignKeys: false });
  database.configure("defensive", false);
  for (const sql of statements) runOnce(database, sql);
  database.close();
  const file = await Deno.readFile(path);
  bytes?.(file);
  return file;
}

Deno.test("files that are hostile end no node, and stop neither writes nor loads", () =>
  withNodes(async (root, start) => {
    let node = start(nodePlace(root, "1"));
    await node.ready();
    for (const [at, hostile] of FILES.entries()) {
      const { name, refused = /^{"results":\[\]}$/, then = [] } = hostile;
      assertMatch(await post(node, "/db/load", await makeFile(`${root}/${at}.sqlite`, hostile)), refused, name);
      for (const [sql, answer] of then) {
        assertMatch(await post(node, "/db/execute", JSON.stringify([sql])), answer, `${name}: ${sql}`);
      }
      await node.execute("CREATE TABLE IF NOT EXISTS after(a)", `INSERT INTO after VALUES(${at})`);
      assertEquals(await node.row("SELECT max(a) FROM after", "strong"), [at], name);
    }
    await node.stop("SIGKILL");
    node = start(node.place);
    await node.ready();
    assertEquals(await node.row("SELECT max(a) FROM after", "strong"), [FILES.length - 1]);
  }));

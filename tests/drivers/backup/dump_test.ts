/** Dumps as SQL text: loaded again, as a cluster does it, they make the same database; what they cannot hold is refused. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { splitStatements } from "../../../src/core/sql/statement.ts";
import { dumpSql } from "../../../src/drivers/backup/dump.ts";
import { isUtf8, validLiterals } from "../../../src/drivers/backup/literals.ts";
import { Database, runOnce } from "../../../src/drivers/libsqlite/driver.ts";
import { Bench } from "../sqlite/fixture.ts";

const encoder = new TextEncoder();

function open(statements: readonly string[]): Database {
  const database = new Database(":memory:", { readOnly: false, foreignKeys: false });
  for (const sql of statements) runOnce(database, sql);
  return database;
}

/** The dump as text that a decoder of UTF-8 takes without loss. */
function dumpOf(statements: readonly string[], tables?: readonly string[]): string {
  const database = open(statements);
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let text = "";
    for (const piece of dumpSql(database, tables)) text += decoder.decode(piece);
    return text;
  } finally {
    database.close();
  }
}

/** Statements as `/db/load` runs them. */
function loadable(text: string): string[] {
  return splitStatements(text).filter(({ verb }) => verb !== "BEGIN" && verb !== "COMMIT").map(({ sql }) => sql);
}

/** What a query answers of the database itself, and of what its dump makes through a state machine. */
function beforeAndBehind(statements: readonly string[], query: string, after: readonly string[] = []): unknown[] {
  const database = open([...statements, ...after]);
  const before = runOnce(database, query).map((row) =>
    row.map((value) => typeof value === "bigint" ? Number(value) : value)
  );
  database.close();
  using bench = new Bench();
  const results = JSON.parse(bench.run([...loadable(dumpOf(statements)), ...after], { transaction: true }));
  assertEquals(results.filter(({ error }: { error?: string }) => error !== undefined), []);
  return [before, bench.rows(query)];
}

function assertSame(
  statements: readonly string[],
  query: string,
  expected: unknown,
  after: readonly string[] = [],
): void {
  const [before, behind] = beforeAndBehind(statements, query, after);
  assertEquals(before, expected);
  assertEquals(behind, expected);
}

function assertRefused(statements: readonly string[], reason: RegExp): void {
  const database = open(statements);
  const error = assertThrows(() => dumpSql(database), Error); // before a piece is asked for
  database.close();
  assertMatch(error.message, reason);
  assertMatch(error.message, /binary backup/);
}

Deno.test("views come before their triggers, and those that need each other or nothing that is there as they were made", () =>
  assertSame(
    [
      "CREATE TABLE t(a)",
      "CREATE VIEW zv AS SELECT a FROM t",
      "CREATE VIEW av AS SELECT a + 1 AS b FROM zv",
      "CREATE VIEW broken AS SELECT * FROM nowhere",
      "CREATE TRIGGER tr INSTEAD OF INSERT ON av BEGIN INSERT INTO t VALUES(new.b - 1); END",
      "CREATE INDEX i ON t(a)",
    ],
    "SELECT b, (SELECT count(*) FROM sqlite_schema WHERE name IN ('zv', 'av', 'broken', 'tr', 'i')) FROM av",
    [[5, 5]],
    ["INSERT INTO av VALUES(5)"],
  ));

Deno.test("triggers run in the order they had, which their names do not tell", () => {
  const log = (name: string) => `CREATE TRIGGER ${name} AFTER INSERT ON t BEGIN INSERT INTO log VALUES('${name}'); END`;
  const statements = ["CREATE TABLE t(a)", "CREATE TABLE log(n)", log("z"), log("a"), log("m")];
  const [before, behind] = beforeAndBehind(statements, "SELECT n FROM log ORDER BY rowid", ["INSERT INTO t VALUES(1)"]);
  assertEquals(behind, before);
});

Deno.test("a comment at the end of a view or an index does not hide the semicolon", () =>
  assertSame(
    [
      "CREATE TABLE t(a)",
      "CREATE VIEW v AS SELECT 1 AS x -- one",
      "CREATE VIEW w AS SELECT 2 AS y /* two",
      "CREATE INDEX i ON t(a) -- three",
    ],
    "SELECT x, y, (SELECT count(*) FROM sqlite_schema WHERE name = 'i') FROM v, w",
    [[1, 2, 1]],
  ));

Deno.test("a full-text index that has no text is refused by its name; an empty one, or others alone, are written", () => {
  const five = "CREATE VIRTUAL TABLE bare USING fts5(a, content='')";
  for (
    const create of [
      five,
      "CREATE VIRTUAL TABLE bare USING \"fts5\"(a, CONTENT = '', columnsize=0)",
      "CREATE VIRTUAL TABLE bare USING fts5(a, b UNINDEXED, content='', contentless_unindexed=1)",
      'CREATE VIRTUAL TABLE bare USING fts4(a, content="")',
      'CREATE VIRTUAL TABLE bare USING fts4(a, content="", matchinfo=fts3)',
    ]
  ) {
    const filled = [create, "INSERT INTO bare(rowid, a) VALUES(1, 'some words')"];
    assertRefused(filled, /table bare cannot be written as SQL text: its full-text index has no text/);
    const others = dumpOf([...filled, "CREATE TABLE t(a)", "INSERT INTO t VALUES(1)"], ["t"]);
    assertMatch(others, /INSERT INTO "t" VALUES\(1\);/);
    assertSame([create], "SELECT count(*) FROM sqlite_schema WHERE name = 'bare'", [[1]]);
  }
  const found = "SELECT rowid FROM bare WHERE bare MATCH 'late'";
  assertSame([five], found, [[3]], ["INSERT INTO bare(rowid, a) VALUES(3, 'late')"]);
});

Deno.test("an index whose content is missing is refused where it has anything", () => {
  for (const module of ["fts5(a, content='nowhere')", 'fts4(a, content="nowhere")']) {
    const create = `CREATE VIRTUAL TABLE ft USING ${module}`;
    assertRefused([create, "INSERT INTO ft(rowid, a) VALUES(1, 'x')"], /table ft cannot be .* its rows cannot be read/);
    assertSame([create, "CREATE TABLE t(a)", "INSERT INTO t VALUES(8)"], "SELECT a FROM t", [[8]]);
  }
});

Deno.test("an index over a table has the rows that it had, by their rowids; what the table has no more is refused", () => {
  const modules = ["fts5(a, content=t_content)", 'fts4(a, content="t_content")', "fts4(content='v')"];
  for (const module of modules) {
    const id = module.startsWith("fts5") ? "rowid" : "docid";
    const statements = [
      "CREATE TABLE t_content(a)", // named like a table behind t
      "INSERT INTO t_content(rowid, a) VALUES(7, 'seven one'), (9, 'nine one'), (11, 'eleven one')",
      "CREATE VIEW v AS SELECT rowid, a FROM t_content",
      `CREATE VIRTUAL TABLE t USING ${module}`,
      `INSERT INTO t(${id}, a) VALUES(7, 'seven one'), (9, 'nine one')`,
    ];
    assertSame(statements, "SELECT rowid, a FROM t WHERE t MATCH 'one'", [[7, "seven one"], [9, "nine one"]]);
    assertRefused(
      [...statements, `INSERT INTO t(${id}, a) VALUES(12, 'twelve one')`],
      /table t .*content lacks.*'rebuild'/,
    );
  }
});

Deno.test("rowids that are no column are written where an index may find rows by them, and nowhere else", () => {
  const statements = [
    "CREATE TABLE t(a)",
    "CREATE TABLE other(a)",
    "INSERT INTO t VALUES(1)",
    "INSERT INTO other VALUES(1)",
  ];
  const view = "CREATE VIEW v AS SELECT rowid AS id, a FROM other";
  const written = (content: string) =>
    dumpOf([...statements, view, `CREATE VIRTUAL TABLE ft USING fts5(a, content=${content})`]).match(/INSERT INTO .*/g);
  assertEquals(written("T"), [`INSERT INTO "other" VALUES(1);`, `INSERT INTO "t"(rowid,"a") VALUES(1,1);`]);
  assertEquals(written("v, content_rowid=id")?.[0], `INSERT INTO "other"(rowid,"a") VALUES(1,1);`);
  assertEquals(dumpOf(statements).match(/INSERT INTO .*/g), [
    `INSERT INTO "other" VALUES(1);`,
    `INSERT INTO "t" VALUES(1);`,
  ]);
});

Deno.test("tables that show an index are made and not written", () =>
  assertSame(
    [
      "CREATE VIRTUAL TABLE a5 USING fts5vocab(z5, row)",
      "CREATE VIRTUAL TABLE z5 USING fts5(a)",
      "CREATE VIRTUAL TABLE z4 USING fts4(a)",
      "CREATE VIRTUAL TABLE aux USING fts4aux(z4)",
      "INSERT INTO z5 VALUES('x y')",
      "INSERT INTO z4 VALUES('p q')",
    ],
    "SELECT (SELECT group_concat(term) FROM a5), (SELECT group_concat(term) FROM aux WHERE col = '*')",
    [["x,y", "p,q"]],
  ));

Deno.test("the settings of a full-text index are kept", () => {
  const statements = [
    "CREATE VIRTUAL TABLE ft USING fts5(a, b)",
    "INSERT INTO ft(rowid, a, b) VALUES(1, 'x x x', 'y'), (2, 'y', 'x'), (3, 'y', 'y')",
    "INSERT INTO ft(ft, rank) VALUES('rank', 'bm25(0.0, 10.0)')",
    "INSERT INTO ft(ft, rank) VALUES('pgsz', 512)",
  ];
  assertSame(statements, "SELECT rowid FROM ft WHERE ft MATCH 'x' ORDER BY rank", [[2], [1]]);
  assertSame(statements, "SELECT k, v FROM ft_config WHERE k <> 'version'", [["pgsz", 512], [
    "rank",
    "bm25(0.0, 10.0)",
  ]]);
  const four = ["CREATE VIRTUAL TABLE f4 USING fts4(a)", "INSERT INTO f4(f4) VALUES('automerge=4')"];
  assertSame(four, "SELECT value FROM f4_stat WHERE id = 2", [[4]]);
});

Deno.test("rowids, languages and locales of virtual tables are kept, however their module is written", () => {
  for (const module of ['"fts5"(a)', "[fts5](a)", "/* text */ 'fts4'(a)", "Fts3(a)", "fts3(a, languageid=b)"]) {
    const statements = [`CREATE VIRTUAL TABLE ft USING ${module}`, "INSERT INTO ft(rowid, a) VALUES(7, 'seven')"];
    assertSame(statements, "SELECT rowid, a FROM ft WHERE ft MATCH 'seven'", [[7, "seven"]]);
  }
  const shape = "[[0,0],[1,0],[1,1],[0,0]]";
  const shapes = [
    "CREATE VIRTUAL TABLE g USING geopoly(n)",
    `INSERT INTO g(rowid, _shape, n) VALUES(7, '${shape}', 'p')`,
  ];
  assertSame(shapes, "SELECT rowid, n, geopoly_area(_shape) FROM g", [[7, "p", 0.5]]);
  const boxes = ["CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, +n)", "INSERT INTO r VALUES(9, 0.1, 0.3, 'box')"];
  assertSame(boxes, "SELECT id, x0, x1, n FROM r", [[9, 0.09999998658895493, 0.30000001192092896, "box"]]);
  const languages = ["CREATE VIRTUAL TABLE f USING fts4(a, languageid=lid)", "INSERT INTO f(a, lid) VALUES('x', 3)"];
  assertSame(languages, "SELECT a, lid FROM f WHERE f MATCH 'x' AND lid = 3", [["x", 3]]);
  const locales = [
    "CREATE VIRTUAL TABLE l USING fts5(a, b UNINDEXED, c, locale=1)",
    "INSERT INTO l(rowid, a, b, c) VALUES(5, fts5_locale('de_DE', 'it''s'), 2, 'plain')",
  ];
  assertSame(locales, "SELECT rowid, a, b, c, fts5_get_locale(l, 0) FROM l", [[5, "it's", 2, "plain", "de_DE"]]);
});

Deno.test("tables of many columns are written", () => {
  for (const count of [49, 50, 51, 600, 2000]) {
    const columns = Array.from({ length: count }, (_, at) => `c${at}`);
    const values = columns.map((_, at) => at % 3 === 0 ? `'it''s ${at}'` : at);
    assertSame(
      [`CREATE TABLE wide(${columns})`, `INSERT INTO wide VALUES(${values})`],
      `SELECT c0, c1, c48, c${count - 1} FROM wide`,
      [["it's 0", 1, "it's 48", (count - 1) % 3 === 0 ? `it's ${count - 1}` : count - 1]],
    );
  }
});

Deno.test("texts keep their bytes, whether they are UTF-8, have a NUL, or both", () => {
  const texts = [
    "",
    "61",
    "27",
    "ff41",
    "27ff27",
    "c328",
    "eda080",
    "c080",
    "f8",
    "4100ff",
    "e282ac",
    "2c27",
    "c3",
    "f4908080",
    "610d0a62",
    "0a0d",
  ];
  const rows = texts.map((hex, at) => `(${at}, CAST(x'${hex}' AS TEXT), x'ff00', 'ü''s', 1.5, NULL)`);
  assertSame(
    ["CREATE TABLE t(id, v, b, u, r, n)", `INSERT INTO t VALUES${rows}`],
    "SELECT lower(hex(v)), typeof(v), hex(b), u, r, n FROM t ORDER BY id",
    texts.map((hex) => [hex, "text", "FF00", "ü's", 1.5, null]),
  );
  const dump = dumpOf(["CREATE TABLE t(v)", "INSERT INTO t VALUES('ü'), (CAST(x'ff41' AS TEXT))"]);
  assertMatch(dump, /VALUES\('ü'\);\nINSERT INTO "t" VALUES\(CAST\(x'ff41' AS TEXT\)\);/);
  // SQLite's shell takes the return in front of a line's end away.
  assertMatch(
    dumpOf(["CREATE TABLE t(v)", "INSERT INTO t VALUES('a\r\nb')"]),
    /VALUES\(CAST\(x'610d0a62' AS TEXT\)\);/i,
  );
});

Deno.test("bytes are UTF-8 exactly where a decoder takes them", () => {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const isTaken = (bytes: Uint8Array) => {
    try {
      decoder.decode(bytes);
      return true;
    } catch {
      return false;
    }
  };
  const edges = [0x00, 0x27, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xee];
  const all = [...edges, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff];
  for (const first of all) {
    for (const second of all) {
      for (const rest of [[], [0x80], [0x80, 0x80], [0xbf, 0x41], [0x41]]) {
        const bytes = new Uint8Array([first, second, ...rest]);
        assertEquals(isUtf8(bytes), isTaken(bytes), bytes.toHex());
      }
    }
  }
  const plain = encoder.encode("'ü',1,NULL");
  assert(validLiterals(plain) === plain);
});

Deno.test("counts of AUTOINCREMENT come with their tables, and leave those of others as they are", () => {
  const statements = [
    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT)",
    "CREATE TABLE u(id INTEGER PRIMARY KEY AUTOINCREMENT)",
    "INSERT INTO t VALUES(9)",
    "DELETE FROM t",
    "INSERT INTO u VALUES(4)",
  ];
  assertSame(statements, "SELECT name, seq FROM sqlite_sequence ORDER BY name", [["t", 9], ["u", 4]]);
  using bench = new Bench();
  bench.run(["CREATE TABLE own(id INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO own VALUES(20)"]);
  bench.run(loadable(dumpOf(statements, ["t"])));
  assertEquals(bench.rows("SELECT name, seq FROM sqlite_sequence ORDER BY name"), [["own", 20], ["t", 9]]);
  assertSame([...statements, "DROP TABLE t", "DROP TABLE u", "CREATE TABLE p(a)"], "SELECT count(*) FROM p", [[0]]);
});

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { isDisallowedPragma, mayRead, parameterNames, splitStatements } from "../../../src/core/sql/statement.ts";

function texts(sql: string): string[] {
  return splitStatements(sql).map((part) => part.sql);
}

function verbs(sql: string): string[] {
  return splitStatements(sql).map((part) => part.verb);
}

Deno.test("splitStatements() drops empty statements, comments and the semicolons", () => {
  assertEquals(texts("-- a;b\n SELECT 1 ; /* ; */ ;\n;SELECT 2 -- end"), ["SELECT 1", "SELECT 2"]);
  assertEquals(texts(""), []);
  assertEquals(texts(" /* unterminated ; SELECT 1"), []);
});

Deno.test("splitStatements() takes a vertical tab for a blank behind another one alone, as SQLite does", () => {
  assertEquals(
    splitStatements(" \u000bWITH \u000ba(b) AS (SELECT 1)\n\u000b \u000bDELETE FROM c").map(({ verb }) => verb),
    [
      "DELETE",
    ],
  );
  assertEquals(splitStatements("\u000bSELECT 1").map(({ verb }) => verb), [""]);
});

Deno.test("splitStatements() keeps semicolons inside strings, names, blobs and comments", () => {
  const sql = `INSERT INTO "a;b" VALUES(';''', [;], \`;\`\`\`, x';', /* ; */ "x"";")`;
  assertEquals(texts(`${sql};SELECT 1`), [sql, "SELECT 1"]);
});

Deno.test("splitStatements() leaves what is unterminated to SQLite, as one part", () => {
  for (const sql of ["SELECT 'a; SELECT 2", 'SELECT "a; b', "SELECT [a; b", "SELECT x'00; 1", "SELECT `a;"]) {
    assertEquals(texts(sql), [sql]);
  }
});

Deno.test("splitStatements() keeps a trigger together, with CASE … END inside", () => {
  const trigger = "CREATE TEMP TRIGGER tr AFTER INSERT ON t BEGIN " +
    "UPDATE t SET a = CASE WHEN 1 THEN 2 ELSE 3 END; SELECT end FROM t; END";
  assertEquals(texts(`${trigger}; SELECT 1`), [trigger, "SELECT 1"]);
  assertEquals(texts(`EXPLAIN ${trigger} /* c */ ; SELECT 1`), [`EXPLAIN ${trigger}`, "SELECT 1"]);
});

Deno.test("splitStatements() takes trigger as a name where it is one", () => {
  assertEquals(texts("CREATE TABLE trigger(a); INSERT INTO trigger VALUES(1)").length, 2);
  assertEquals(texts("CREATE INDEX trigger ON t(a); SELECT 1").length, 2);
});

Deno.test("splitStatements() finds the main verb of a WITH", () => {
  assertEquals(verbs("WITH a AS (SELECT 1), b(x) AS NOT MATERIALIZED (VALUES(1)) INSERT INTO t SELECT * FROM a"), [
    "INSERT",
  ]);
  assertEquals(verbs("with recursive replace(x) as (select 1) select * from replace"), ["SELECT"]);
  assertEquals(verbs("WITH a AS (SELECT (1)) DELETE FROM t; (SELECT 1); select 1; 'x'"), ["DELETE", "", "SELECT", ""]);
});

Deno.test("splitStatements() counts parameters as SQLite does", () => {
  const count = (sql: string) => splitStatements(sql)[0]?.parameterCount;
  assertEquals(count("SELECT ?, ?, ?"), 3);
  assertEquals(count("SELECT ?5, ?"), 6);
  assertEquals(count("SELECT :a, @a, $a, :a, $a::b(c)"), 4);
  assertEquals(count("SELECT ?2, :a, ?1, '?', \"?\", -- ?\n ?"), 4);
  assertEquals(count("SELECT a - $1, b[?]"), 1);
  assertEquals(count("SELECT ?99999999999"), 32766);
});

Deno.test("parameterNames() names parameters by number", () => {
  assertEquals(parameterNames("SELECT ?, :a, ?, @b, :a"), [null, ":a", null, "@b"]);
  assertEquals(parameterNames("SELECT ?3, ?"), []);
  assertEquals(parameterNames("SELECT ?3, :a"), [null, null, null, ":a"]);
});

Deno.test("parameterNames() takes a statement with as many names as there may be", () => {
  const names = Array.from({ length: 32_766 }, (_, at) => `:a${at}`);
  assertEquals(parameterNames(`SELECT ${names.join()},${names.join()}`), names);
});

Deno.test("isDisallowedPragma() sees every form and place", () => {
  for (
    const sql of [
      "PRAGMA journal_mode = DELETE",
      "  pragma journal_mode(delete)",
      "SELECT 1; PRAGMA main.synchronous=0",
      "/* x */ PRAGMA -- y\n wal_autocheckpoint = 1",
      "PRAGMA wal_checkpoint",
      'PRAGMA "main" . "WAL_Checkpoint"(TRUNCATE)',
      "PRAGMA query_only=0",
    ]
  ) assert(isDisallowedPragma(sql), sql);
  for (const sql of ["PRAGMA journal_mode", "PRAGMA table_info(t)", "SELECT 'PRAGMA journal_mode=x'", "PRAGMA", ""]) {
    assert(!isDisallowedPragma(sql), sql);
  }
});

Deno.test("mayRead() goes by the verb", () => {
  const reads = "SELECT 1; VALUES(1); EXPLAIN DELETE FROM t; PRAGMA user_version; WITH a AS (SELECT 1) SELECT 1";
  assert(splitStatements(reads).every(mayRead));
  assert(!splitStatements("WITH a AS (SELECT 1) DELETE FROM t; INSERT INTO t VALUES(1); DROP TABLE t").some(mayRead));
});

const token = fc.constantFrom(
  "SELECT",
  "a",
  "1.5e+3",
  "'s;''t'",
  '"q;""r"',
  "[b;c]",
  "`;`",
  "x'3b'",
  "?",
  "?7",
  ":n",
  "$v",
  "(",
  ")",
  ",",
  "/* ; */",
  "-- ;\n",
  "END",
  "CASE",
);

Deno.test("splitStatements() splits joined statements back", () => {
  const statement = fc.array(token, { minLength: 1, maxLength: 8 }).map((tokens) => `SELECT ${tokens.join(" ")} x`);
  fc.assert(fc.property(fc.array(statement, { maxLength: 6 }), (statements) => {
    assertEquals(texts(statements.join(" ; ")), statements);
  }));
});

Deno.test("splitStatements() takes any text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (sql) => {
    for (const part of splitStatements(sql)) assert(sql.includes(part.sql) && part.sql !== "");
  }));
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("'", '"', "[", "]", "`", "/*", "*/", "--", "\n", ";", "a", "$", ":", "x'")),
      (signs) => {
        const sql = signs.join("");
        // Splitting a part again gives the part: nothing was cut out of its middle.
        for (const part of splitStatements(sql)) assertEquals(texts(part.sql), [part.sql]);
      },
    ),
  );
});

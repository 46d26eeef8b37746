/**
 * SQL of all kinds: what statements return, what stays behind, what is counted.
 * @module
 */
import { type Case, execute, intend, query, type Rule, type Theme, unified } from "./case.ts";
import { ROWS_NULL } from "./intended.ts";

const TABLE = ["CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, age INTEGER)"];
const PEOPLE = [...TABLE, "INSERT INTO t(name, age) VALUES('fiona', 20), ('declan', 30), ('aoife', 40)"];

/** Sequences through /db/execute, each on a new table, then what the table holds. */
const SEQUENCES: readonly [string, unknown[]][] = [
  ["insert", ["INSERT INTO t(name) VALUES('x')"]],
  ["insert several rows", ["INSERT INTO t(name) VALUES('x'), ('y'), ('z')"]],
  ["insert with id", ["INSERT INTO t(id, name) VALUES(42, 'x')"]],
  ["insert with negative id", ["INSERT INTO t(id, name) VALUES(-5, 'x')"]],
  ["insert with id 0", ["INSERT INTO t(id, name) VALUES(0, 'x')"]],
  ["insert with a large id", ["INSERT INTO t(id, name) VALUES(9007199254740993, 'x')"]],
  ["insert, then DDL", ["INSERT INTO t(name) VALUES('x')", "CREATE TABLE u(a)", "DROP TABLE u"]],
  ["insert, then select", ["INSERT INTO t(name) VALUES('x')", "SELECT * FROM t"]],
  ["insert, then explain", ["INSERT INTO t(name) VALUES('x')", "EXPLAIN QUERY PLAN SELECT * FROM t"]],
  ["insert, then failed insert", ["INSERT INTO t(id) VALUES(50)", "INSERT INTO t(id) VALUES(50)", "SELECT 1"]],
  ["insert, then failing compile", ["INSERT INTO t(id) VALUES(50)", "INSERT INTO nosuch VALUES(1)", "SELECT 1"]],
  ["insert or ignore", ["INSERT INTO t(id) VALUES(50)", "INSERT OR IGNORE INTO t(id) VALUES(50)"]],
  ["insert or replace", ["INSERT INTO t(id) VALUES(50)", "INSERT OR REPLACE INTO t(id, name) VALUES(50, 'r')"]],
  ["replace", ["REPLACE INTO t(id, name) VALUES(7, 'r')", "REPLACE INTO t(id, name) VALUES(7, 's')"]],
  ["upsert", [
    "INSERT INTO t(id, name) VALUES(1, 'a')",
    "INSERT INTO t(id, name) VALUES(1, 'b') ON CONFLICT(id) DO UPDATE SET name = excluded.name",
    "INSERT INTO t(id, name) VALUES(1, 'c') ON CONFLICT DO NOTHING",
  ]],
  ["update", ["INSERT INTO t(name) VALUES('x'), ('y')", "UPDATE t SET age = 1", "UPDATE t SET age = 2 WHERE id = 99"]],
  ["update from", ["INSERT INTO t(name) VALUES('x'), ('y')", "UPDATE t SET age = s.a FROM (SELECT 9 AS a) AS s"]],
  ["delete", [
    "INSERT INTO t(name) VALUES('x'), ('y')",
    "DELETE FROM t WHERE id = 1",
    "DELETE FROM t",
    "DELETE FROM t",
  ]],
  ["delete all (truncate)", ["INSERT INTO t(name) VALUES('x'), ('y'), ('z')", "DELETE FROM t"]],
  ["insert select", ["INSERT INTO t(name) VALUES('x')", "INSERT INTO t(name) SELECT name FROM t"]],
  ["insert select nothing", ["INSERT INTO t(name) SELECT 'x' WHERE 0"]],
  ["insert default values", ["INSERT INTO t DEFAULT VALUES"]],
  ["insert with CTE", ["WITH a(x) AS (SELECT 'q') INSERT INTO t(name) SELECT x FROM a"]],
  ["update with CTE", [
    "INSERT INTO t DEFAULT VALUES",
    "WITH a(x) AS (SELECT 'q') UPDATE t SET name = (SELECT x FROM a)",
  ]],
  ["delete with CTE", [
    "INSERT INTO t DEFAULT VALUES",
    "WITH a(x) AS (SELECT 1) DELETE FROM t WHERE id IN (SELECT x FROM a)",
  ]],
  ["trigger inserts", [
    "CREATE TABLE log(id INTEGER PRIMARY KEY, x)",
    "INSERT INTO log(id) VALUES(100)",
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log(x) VALUES(new.id); UPDATE log SET x = 0; END",
    "INSERT INTO t(name) VALUES('x')",
    "DELETE FROM t",
  ]],
  ["instead of trigger", [
    "CREATE VIEW w AS SELECT id, name FROM t",
    "CREATE TRIGGER g INSTEAD OF INSERT ON w BEGIN INSERT INTO t(name) VALUES(new.name); END",
    "INSERT INTO w(name) VALUES('x')",
    "UPDATE w SET name = 'y' WHERE 0",
  ]],
  ["raise ignore", [
    "CREATE TRIGGER g BEFORE INSERT ON t WHEN new.age < 0 BEGIN SELECT RAISE(IGNORE); END",
    "INSERT INTO t(age) VALUES(-1)",
    "INSERT INTO t(age) VALUES(1)",
  ]],
  ["raise fail half way", [
    "CREATE TRIGGER g BEFORE INSERT ON t WHEN new.age < 0 BEGIN SELECT RAISE(FAIL, 'stop'); END",
    "INSERT INTO t(age) VALUES(1), (-1), (2)",
  ]],
  ["raise rollback", [
    "CREATE TRIGGER g BEFORE INSERT ON t WHEN new.age < 0 BEGIN SELECT RAISE(ROLLBACK, 'back'); END",
    "INSERT INTO t(age) VALUES(1)",
    "INSERT INTO t(age) VALUES(-1)",
    "INSERT INTO t(age) VALUES(2)",
  ]],
  ["or rollback", [
    "INSERT INTO t(id) VALUES(1)",
    "INSERT OR ROLLBACK INTO t(id) VALUES(1)",
    "INSERT INTO t(id) VALUES(2)",
  ]],
  ["or fail half way", ["INSERT INTO t(id) VALUES(2)", "INSERT OR FAIL INTO t(id) VALUES(1), (2), (3)"]],
  ["abort half way", ["INSERT INTO t(id) VALUES(2)", "INSERT INTO t(id) VALUES(1), (2), (3)"]],
  ["without rowid", ["CREATE TABLE u(k TEXT PRIMARY KEY) WITHOUT ROWID", "INSERT INTO u VALUES('a')"]],
  ["autoincrement", [
    "CREATE TABLE u(id INTEGER PRIMARY KEY AUTOINCREMENT, a)",
    "INSERT INTO u(a) VALUES(1)",
    "DELETE FROM u",
    "INSERT INTO u(a) VALUES(2)",
  ]],
  ["create table as", ["INSERT INTO t(name) VALUES('x'), ('y')", "CREATE TABLE u AS SELECT * FROM t", "SELECT 1"]],
  ["alter", [
    "ALTER TABLE t ADD COLUMN extra DEFAULT 'e'",
    "INSERT INTO t(name) VALUES('x')",
    "ALTER TABLE t RENAME COLUMN extra TO more",
    "ALTER TABLE t DROP COLUMN more",
  ]],
  ["create if not exists", ["CREATE TABLE IF NOT EXISTS t(a)", "DROP TABLE IF EXISTS nosuch"]],
  ["index", ["CREATE INDEX i ON t(name)", "CREATE UNIQUE INDEX j ON t(age)", "DROP INDEX i", "REINDEX", "ANALYZE"]],
  ["pragma in execute", ["INSERT INTO t(id) VALUES(3)", "PRAGMA table_info(t)"]],
  ["pragma user_version", ["INSERT INTO t(id) VALUES(3)", "PRAGMA user_version = 5", "PRAGMA user_version = 0"]],
  ["select in execute", ["SELECT * FROM t", "VALUES (1)", "WITH a AS (SELECT 1) SELECT * FROM a"]],
  ["returning", [
    "INSERT INTO t(name) VALUES('x') RETURNING id, name",
    "INSERT INTO t(name) VALUES('y'), ('z') RETURNING *",
    "UPDATE t SET age = 5 WHERE id = 2 RETURNING age, id + 1",
    "UPDATE t SET age = 5 WHERE id = 99 RETURNING id",
    "DELETE FROM t WHERE id = 1 RETURNING id AS gone",
    "INSERT OR REPLACE INTO t(id) VALUES(3) RETURNING id",
    "INSERT INTO t(id) VALUES(3) ON CONFLICT DO NOTHING RETURNING id",
    ["INSERT INTO t(name) VALUES(?) RETURNING name", "p"],
    "SELECT 1",
  ]],
  ["returning in lower case", ["insert into t(name) values('x') returning id"]],
  ["returning, then DDL", ["INSERT INTO t(id) VALUES(9) RETURNING id", "CREATE TABLE u(a)"]],
  ["the word returning in a string", ["INSERT INTO t(name) VALUES('returning home')"]],
  ["double-quoted text", ['INSERT INTO t(name) VALUES("fiona")', 'UPDATE t SET name = "nosuch" WHERE name = "fiona"']],
  ["unicode", [
    "INSERT INTO t(name) VALUES('héllo wörld 日本 𝄞')",
    'CREATE TABLE "tëst"("çol")',
    'INSERT INTO "tëst" VALUES(1)',
  ]],
  ["a table with a quoted name", [
    'CREATE TABLE "a b;c"("x y")',
    'INSERT INTO "a b;c"("x y") VALUES(1)',
    "INSERT INTO [a b;c] VALUES(2)",
  ]],
  ["a trigger of several statements", [
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET age = CASE WHEN id > 1 THEN 1 ELSE 2 END; DELETE FROM t WHERE id = 99; END; INSERT INTO t(name) VALUES('after')",
  ]],
  ["generated columns", [
    "CREATE TABLE u(a, b AS (a * 2), c AS (a + 1) STORED)",
    "INSERT INTO u(a) VALUES(5)",
    "INSERT INTO u(a) VALUES(6) RETURNING * ",
  ]],
  ["foreign keys off by default", [
    "CREATE TABLE child(id, t_id REFERENCES t(id))",
    "INSERT INTO child VALUES(1, 999)",
  ]],
];

const FULL_TEXT = [
  "CREATE VIRTUAL TABLE f USING fts5(title, body)",
  "INSERT INTO f VALUES('one', 'the quick brown fox')",
  "INSERT INTO f(title, body) VALUES('two', 'lazy dogs'), ('three', 'quick dogs')",
];
const RTREE = [
  "CREATE VIRTUAL TABLE r USING rtree(id, minx, maxx, miny, maxy)",
  "INSERT INTO r VALUES(1, 0, 10, 0, 10), (2, 5.5, 15.25, 5, 15)",
];

/** Reads of a table of people. */
const READS = [
  "SELECT * FROM t",
  "SELECT count(*) FROM t",
  "SELECT name, age FROM t WHERE age > 25 ORDER BY age DESC",
  "SELECT t.*, rowid, oid, _rowid_ FROM t",
  "SELECT a.name, b.name FROM t AS a JOIN t AS b ON a.id < b.id",
  "SELECT a.name AS n, b.age FROM t a LEFT JOIN t b ON b.id = a.id + 1",
  "SELECT avg(age), min(name), max(age), sum(age), total(age), group_concat(name, ', ') FROM t",
  "SELECT age / 10, age * 1.5, age % 7, -age FROM t",
  "WITH x AS (SELECT * FROM t) SELECT name FROM x",
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
  "SELECT name, row_number() OVER (ORDER BY age DESC) AS r, sum(age) OVER () FROM t",
  "SELECT DISTINCT age > 20 FROM t",
  "SELECT name FROM t UNION SELECT 'x' ORDER BY 1",
  "SELECT name FROM t LIMIT 1 OFFSET 1",
  "SELECT name FROM t WHERE name LIKE 'F%'",
  "SELECT name FROM t WHERE name GLOB 'f*'",
  'SELECT name FROM t WHERE name = "fiona"',
  'SELECT "name", [age], `id` FROM t',
  "SELECT 'name', \"nosuch\"",
  "SELECT CASE WHEN age > 25 THEN 'old' ELSE 0 END FROM t",
  "SELECT * FROM t WHERE id IN (1, 3)",
  "SELECT (SELECT name FROM t WHERE id = 2)",
  "SELECT EXISTS (SELECT 1 FROM t)",
  "SELECT * FROM json_each('[1, \"a\", null, 2.5]')",
  'SELECT key, value, type FROM json_tree(\'{"a":{"b":[1,2]}}\')',
  "SELECT json_group_array(name), json_group_object(name, age) FROM t",
  "SELECT '{\"a\":1}' -> 'a', '{\"a\":\"x\"}' ->> 'a', '{\"a\":1}' ->> '$.a'",
  "SELECT json_object('name', name) FROM t",
  "SELECT sql FROM sqlite_master WHERE name = 't'",
  "SELECT type, name, tbl_name FROM sqlite_schema WHERE name = 't'",
  "VALUES (1, 'a'), (2, 'b')",
  "SELECT name COLLATE NOCASE FROM t GROUP BY name HAVING count(*) > 0",
  "SELECT name FROM t ORDER BY name IS NULL, name",
  "SELECT id FROM t WHERE (id, name) = (1, 'fiona')",
  "SELECT 1 IS NOT DISTINCT FROM 1",
  "SELECT typeof(age), typeof(name), typeof(NULL) FROM t",
  "SELECT date('2024-01-31', '+1 month'), time('12:00', '-1 hour'), strftime('%s', '2000-01-01')",
  "SELECT printf('%05d|%s|%x', 42, 'a', 255), format('%,d', 1234567)",
  "SELECT instr('hello', 'l'), substr('hello', 2, 3), trim('  x '), replace('aaa', 'a', 'b')",
  "SELECT 7 & 3, 7 | 8, ~0, 1 << 4, 5 <> 5",
  "SELECT max(age) FILTER (WHERE age < 40) FROM t",
  "SELECT * FROM (VALUES (1), (2)) AS v",
  "SELECT * FROM generate_series(1, 3)",
  "SELECT sqrt(16), pow(2, 3), ln(1), pi()",
  "SELECT soundex('Robert')",
  "SELECT EXISTS (SELECT 1 FROM pragma_table_info('t'))",
  "SELECT name, type FROM pragma_table_info('t')",
  "PRAGMA table_info(t)",
  "PRAGMA table_info('t')",
  "PRAGMA table_xinfo(t)",
  "PRAGMA table_info(nosuch)",
  "PRAGMA index_list(t)",
  "PRAGMA foreign_keys",
  "PRAGMA journal_mode",
  "PRAGMA user_version",
  "PRAGMA application_id",
  "PRAGMA encoding",
  "PRAGMA nosuch",
  "PRAGMA page_size",
  "PRAGMA integrity_check",
  "PRAGMA quick_check",
  "PRAGMA foreign_key_check",
  "PRAGMA foreign_key_list(t)",
  "pragma TABLE_INFO(t)",
  "PRAGMA main.table_info(t)",
  "PRAGMA query_only",
  "PRAGMA recursive_triggers",
  "PRAGMA case_sensitive_like",
  "PRAGMA auto_vacuum",
  "EXPLAIN QUERY PLAN SELECT * FROM t WHERE id = 1",
  "EXPLAIN QUERY PLAN SELECT * FROM t ORDER BY name",
];

/** Statements that rqlite 8 carries out, and that do it no harm. */
const DISALLOWED = [
  "PRAGMA journal_mode=WAL",
  "PRAGMA journal_mode = WAL",
  "pragma JOURNAL_MODE=wal",
  "  PRAGMA journal_mode=wal",
  "PRAGMA main.journal_mode=wal",
  "PRAGMA wal_autocheckpoint=0",
  "PRAGMA wal_autocheckpoint = 0",
  "PRAGMA wal_checkpoint",
  "PRAGMA wal_checkpoint(PASSIVE)",
  "PRAGMA wal_checkpoint=PASSIVE",
  "PRAGMA synchronous=OFF",
  "PRAGMA synchronous = 0",
  "PRAGMA query_only=0",
];

/** Statements whose outcome could differ between nodes, or that reach past the one database. */
const REFUSED = [
  "CREATE TEMP TABLE x(a)",
  "CREATE TEMP VIEW x AS SELECT 1",
  "ATTACH ':memory:' AS other",
  "INSERT INTO t(age) VALUES(total_changes())",
  "INSERT INTO t(name) VALUES(sqlite_version())",
  "INSERT INTO t(name) SELECT name FROM pragma_table_info('t')",
  "PRAGMA cache_size = 100",
  "PRAGMA recursive_triggers = OFF",
];

/** Results of the clock and of chance, as far as they are the same everywhere. */
const CHANCE = [
  "SELECT typeof(random()), length(randomblob(4)), typeof(abs(random()) % 10)",
  "SELECT length(CURRENT_TIMESTAMP), length(CURRENT_DATE), length(CURRENT_TIME)",
  "SELECT length(datetime('now')), length(datetime()), length(date('now', '-1 day')), typeof(julianday('now'))",
  "SELECT unixepoch('now') > 1700000000, strftime('%Y', 'now') > '2023', date('now') = CURRENT_DATE",
  "SELECT abs(julianday(CURRENT_TIMESTAMP) - julianday('now')) < 1",
  "SELECT datetime('2024-01-01 12:00', 'utc') = datetime('2024-01-01 12:00'), date('nonsense'), date(NULL)",
  "SELECT datetime(1e10, 'unixepoch'), time(0.5), julianday(2460000.5), strftime('%j %w %%', '2024-02-29')",
];

/** Writes that draw on them, and what stays behind. */
const CHANCE_WRITES: readonly (readonly [string, string])[] = [
  ["INSERT INTO t(name, age) VALUES(CURRENT_TIMESTAMP, random())", "SELECT length(name), typeof(age) FROM t"],
  ["INSERT INTO t(name) VALUES(datetime('now')), (date('now')), (time('now'))", "SELECT length(name) FROM t"],
  ["INSERT INTO t(name) VALUES(hex(randomblob(8)))", "SELECT length(name) FROM t"],
  ["INSERT INTO t(age) VALUES(unixepoch())", "SELECT age > 1700000000 FROM t"],
  ["CREATE TABLE u(a DEFAULT CURRENT_TIMESTAMP, b); INSERT INTO u(b) VALUES(1)", "SELECT length(a), b FROM u"],
];

const chance = [
  ...CHANCE.flatMap((sql): Case[] => [
    query(sql, [sql], { setup: TABLE }),
    query(`${sql}, strong`, [sql], { parameters: "level=strong" }),
    unified(sql, [sql]),
  ]),
  ...CHANCE_WRITES.flatMap(([sql, read]): Case[] => [
    execute(sql, [sql], { setup: TABLE }),
    query(`after execute: ${sql}`, [read]),
    unified(sql, [sql, read], { setup: TABLE }),
  ]),
];

const refused = REFUSED.map((sql) => execute(`refused ${sql}`, [sql], { setup: TABLE }));

const sequences = SEQUENCES.flatMap(([name, statements]): Case[] => [
  execute(name, statements, { setup: TABLE }),
  query(`${name}, what is stored`, ["SELECT * FROM t ORDER BY id"]),
  unified(name, statements, { setup: TABLE }),
  query(`${name} (request), what is stored`, ["SELECT * FROM t ORDER BY id"]),
  execute(`${name}, associative`, statements, { setup: TABLE, parameters: "associative" }),
  unified(`${name}, associative`, statements, { setup: TABLE, parameters: "associative" }),
]);

const reads = READS.flatMap((sql): Case[] => [
  query(sql, [sql]),
  query(`${sql}, associative`, [sql], { parameters: "associative" }),
  query(`${sql}, strong`, [sql], { parameters: "level=strong" }),
  unified(sql, [sql]),
]);

const disallowed = DISALLOWED.flatMap((sql): Case[] => [
  query(`disallowed ${sql}`, ["SELECT 1", sql]),
  execute(`disallowed ${sql}`, [sql]),
  unified(`disallowed ${sql}`, [sql, "SELECT 1"]),
]);

const RULES: readonly Rule[] = [
  [/^(execute|request): insert with id 0(, associative)?$/, {
    reason: "last_insert_rowid() starts at 0 in every log entry, so that a row with id 0 looks like none (A3)",
    muster: { body: /^\{"results":\[\{"last_insert_id":7,"rows_affected":1(,"rows":null)?\}\]\}$/ },
  }],
  [/^execute: full text$/, {
    reason: "a command to FTS5 sets last_insert_rowid() to 0, which looks like no insert (A3)",
    muster: { body: (rqlite) => rqlite.replace(/\{("rows_affected":1\}\]\})$/, `{"last_insert_id":4,$1`) },
  }],
  [/^execute: (returning.*|generated columns), associative$/, {
    reason: "rows of RETURNING on /db/execute are associative in a later rqlite (Q5)",
    muster: { body: /\{"types":\{.*\},"rows":\[\{/ },
  }],
  [/^execute: .*, associative$/, ROWS_NULL],
  [/EXPLAIN QUERY PLAN|^request: insert, then explain/, {
    reason: "newer SQLite fills the column notused",
    muster: { body: /(SCAN|SEARCH) t\b/ },
  }],
  [/SELECT sqrt\(16\)/, {
    reason: "a later rqlite has the math functions",
    muster: { body: /4,8,0,3\.14|"pi\(\)":3\.14/ },
  }],
  [/PRAGMA journal_mode(, associative|, strong)?$/, {
    reason: "reading the journal mode is no write",
    muster: { body: /"wal"/ },
  }],
  [/PRAGMA query_only(, associative)?$/, {
    reason: "muster's readers have query_only set",
    muster: { body: (rqlite) => rqlite.replace(/0(?=[\]}])/, "1") },
  }],
  [/^execute: refused /, {
    reason: "its outcome could differ between nodes (A21)",
    muster: { body: /"error":".*not supported/ },
  }],
  [/: disallowed /, {
    reason: "disallowed pragmas came with a later rqlite (Q3)",
    muster: { body: `{"results":[],"error":"disallowed pragma"}` },
  }],
];

/** All kinds of SQL. */
export const SQL: Theme = {
  name: "sql",
  cases: intend([
    ...sequences,
    query("people", ["SELECT 1"], { setup: PEOPLE }),
    ...reads,
    ...disallowed,
    ...chance,
    ...refused,
    query("full text", [
      "SELECT * FROM f",
      "SELECT title FROM f WHERE f MATCH 'quick'",
      "SELECT highlight(f, 1, '<b>', '</b>') FROM f WHERE f MATCH 'dogs' ORDER BY rank",
      "SELECT rowid, bm25(f) < 0 FROM f WHERE f MATCH 'quick'",
      "SELECT * FROM f WHERE f MATCH '\"'",
    ], { setup: FULL_TEXT }),
    execute("full text", [
      "INSERT INTO f VALUES('four', 'x')",
      "UPDATE f SET title = 'FOUR' WHERE title = 'four'",
      "DELETE FROM f WHERE f MATCH 'quick'",
      "INSERT INTO f(f) VALUES('optimize')",
    ], { setup: FULL_TEXT }),
    query("rtree", ["SELECT * FROM r", "SELECT id FROM r WHERE minx > 3"], { setup: RTREE }),
    execute("rtree", ["INSERT INTO r VALUES(3, 10, 0, 0, 0)", "DELETE FROM r WHERE id = 1"]),
  ], RULES),
};

/**
 * Values and types in results (Q4.1 to Q4.4): every kind of value in every kind of column, and in expressions.
 * @module
 */
import { type Case, intend, query, result, type Rule, type Theme, unified } from "./case.ts";

const COLUMN_TYPES = [
  "",
  "INTEGER",
  "INT",
  "BIGINT",
  "TEXT",
  "REAL",
  "DOUBLE PRECISION",
  "NUMERIC",
  "DECIMAL(10,5)",
  "BLOB",
  "BOOLEAN",
  "boolean",
  "BOOL",
  "DATE",
  "DATETIME",
  "TIMESTAMP",
  "DATETIME(6)",
  "TIME",
  "JSON",
  "VARCHAR(100)",
  "varchar",
  "VARYING CHARACTER(20)",
  "NCHAR(5)",
  "NATIVE CHARACTER(7)",
  "NVARCHAR(9)",
  "CLOB",
  "CHARACTER(20)",
  "CHAR(3)",
  "Some  Thing",
  '"quoted type"',
  "ANY",
];

/** SQL literals. */
const LITERALS = [
  "NULL",
  "0",
  "1",
  "-1",
  "2",
  "1.0",
  "1.5",
  "-0.0",
  "1e100",
  "1e21",
  "1e20",
  "1e-7",
  "0.000001",
  "''",
  "'abc'",
  "'1'",
  "'1.5'",
  "'<b>&</b>'",
  "'é𝄞'",
  "TRUE",
];
/** Kept apart, as their expressions differ. */
const BINARY = ["x'00ff'", "x'deadbeef'", "x'616263'", "x''"];
/** Integers that are no dates. */
const LARGE = ["9223372036854775807", "-9223372036854775808"];
const DATE_TYPES = ["DATE", "DATETIME", "TIMESTAMP"];

const DATES = [
  "'2004-02-14'",
  "'2004-02-14 07:15'",
  "'2004-02-14 07:15:00'",
  "'2004-02-14T07:15:00'",
  "'2004-02-14 07:15:00.5'",
  "'2004-02-14 07:15:00.123456789'",
  "'2004-02-14T07:15:00.250Z'",
  "'2004-02-14 07:15:00+02:00'",
  "'2004-02-14 07:15:00-05:30'",
  "'2004-02-14 07:15:00Z'",
  "'2004-02-14Z'",
  "'0001-01-01'",
  "'9999-12-31 23:59:59'",
  "'2024-02-29'",
  "0",
  "1",
  "-1",
  "1076742900",
  "1076742900000",
  "1000000000001",
  "-1000000000001",
  "253402300799",
  "1076742900123",
  "NULL",
  "1.5",
  "x'616263'",
  "'2004-02-14 7:15'",
  "'2004-02-14T7:15:30'",
  "'2004-02-14 07:15:00,5'",
];

/** Texts that are no dates. */
const NO_DATES = [
  "'hello'",
  "''",
  "'2004-02-30'",
  "'2004-13-01'",
  "'04-02-14'",
  "'2004-2-14'",
  "'2004-02-14T07:15+01:00'",
  "'2004-02-14 7:5'",
  "'2004-02-14 25:00'",
  "'2004-02-14 07:15:60'",
  "' 2004-02-14'",
  "'2004-02-14 '",
  "'07:15:00'",
  "'now'",
  "'2004-02-14 07:15:00 UTC'",
  "'2004-02-14 07:15:00.'",
];

const EXPRESSIONS = [
  "1",
  "-1",
  "1.0",
  "1.5",
  "1e3",
  "1e22",
  "'a'",
  "NULL",
  "x'6869'",
  "x'616263'",
  "TRUE",
  "1 = 1",
  "1 + 1.0",
  "1 / 2",
  "1 / 2.0",
  "1 / 0",
  "'a' || 'b'",
  "CAST('12' AS INTEGER)",
  "CAST(12 AS TEXT)",
  "CAST('1.50' AS REAL)",
  "CAST('abc' AS BLOB)",
  "CAST(1 AS BOOLEAN)",
  "count(*)",
  "sum(1)",
  "sum(1.5)",
  "avg(2)",
  "total(1)",
  "max(NULL)",
  "min(1, 2)",
  "group_concat('x')",
  "length('abc')",
  "upper('abc')",
  "typeof(1)",
  "quote('it''s')",
  "hex(x'ab')",
  "zeroblob(0)",
  "date('2020-01-01')",
  "datetime(0, 'unixepoch')",
  "julianday('2000-01-01')",
  "strftime('%Y', '2020-01-01')",
  "unixepoch('2020-01-01')",
  "json('{\"a\":  1}')",
  "json_extract('{\"a\":1.5}', '$.a')",
  "json_array(1, 'x', NULL)",
  "round(1.25, 1)",
  "abs(-5)",
  "9223372036854775807 + 1",
  "-9223372036854775808",
  "0x7fffffffffffffff",
  "1e308 * 10",
  "-1e308 * 10",
  "printf('%.2f', 1.005)",
  "char(0x2028)",
  "'</script>'",
  "char(127)",
  "char(1, 8, 12)",
  "unicode('é')",
  "iif(1, 'a', 2)",
  "coalesce(NULL, 1)",
  "0.1 + 0.2",
  "100.0",
  "123456789.0 * 10",
  "1e15",
  "1e16",
  "5e-324",
  "1.7976931348623157e308",
  "4.35",
];

/** Texts that are no dates, and numbers too large, have cases of their own. */
function isDateOrNumber(literal: string): boolean {
  return !literal.startsWith("'") && !LARGE.includes(literal);
}

const columns = COLUMN_TYPES.flatMap((type): Case[] => {
  const setup = [
    `CREATE TABLE t(id INTEGER PRIMARY KEY, v ${type})`,
    ...[...LITERALS, ...LARGE].filter((value) => !DATE_TYPES.includes(type) || isDateOrNumber(value)).map((value) =>
      `INSERT INTO t(v) VALUES(${value})`
    ),
  ];
  const name = `column ${type === "" ? "without type" : type}`;
  return [
    query(name, ["SELECT id, v, typeof(v) FROM t ORDER BY id"], { setup }),
    query(`${name}, associative`, ["SELECT v FROM t ORDER BY id"], { parameters: "associative" }),
    query(`${name}, expressions`, ["SELECT max(v), v || '', v + 0, (v), (SELECT v FROM t LIMIT 1) FROM t"]),
    query(`${name}, no rows`, ["SELECT id, v FROM t WHERE 0", "SELECT max(v) FROM t WHERE 0"]),
    query(`${name}, alias and subquery`, ["SELECT x AS y FROM (SELECT v AS x FROM t) LIMIT 3"]),
    unified(`${name}, RETURNING`, ["INSERT INTO t(v) VALUES(1) RETURNING v, id", "DELETE FROM t RETURNING v "]),
    query(`${name}, blobs`, ["SELECT v FROM t"], {
      setup: [`CREATE TABLE t(v ${type})`, ...BINARY.map((value) => `INSERT INTO t VALUES(${value})`)],
    }),
    query(`${name}, blobs as arrays`, ["SELECT v FROM t"], { parameters: "blob_array" }),
    query(`${name}, blobs, associative`, ["SELECT v FROM t"], { parameters: "associative" }),
    query(`${name}, blobs, strong`, ["SELECT v FROM t"], { parameters: "level=strong" }),
  ];
});

const dates = DATE_TYPES.flatMap((type): Case[] => [
  query(`${type}s`, ["SELECT v FROM t"], {
    setup: [`CREATE TABLE t(v ${type})`, ...DATES.map((value) => `INSERT INTO t VALUES(${value})`)],
  }),
  query(`${type}s, strong`, ["SELECT v FROM t"], { parameters: "level=strong" }),
  query(`${type}s, associative`, ["SELECT v FROM t"], { parameters: "associative" }),
  ...[...LARGE, "1000000000000", "253402300800"].map((value) =>
    query(`${type} of integer ${value}`, ["SELECT v FROM t"], {
      setup: [`CREATE TABLE t(v ${type})`, `INSERT INTO t VALUES(${value})`],
    })
  ),
  ...NO_DATES.map((value) =>
    query(`${type} ${value}`, ["SELECT v FROM t"], {
      setup: [`CREATE TABLE t(v ${type})`, `INSERT INTO t VALUES(${value})`],
    })
  ),
]);

const expressions = EXPRESSIONS.flatMap((expression): Case[] => [
  query(`expression ${expression}`, [`SELECT ${expression}`]),
  query(`expression ${expression}, strong`, [`SELECT ${expression} AS e`], { parameters: "level=strong&associative" }),
]);

const blobs = ["x'00ff'", "x'6869'", "x'ff'", "zeroblob(3)", "CAST('é' AS BLOB)"].flatMap((
  blob,
): Case[] => [
  query(`blob expression ${blob}, blob_array`, [`SELECT ${blob}`], { parameters: "blob_array" }),
  query(`blob in a column ${blob}`, ["SELECT b FROM t"], {
    setup: ["CREATE TABLE t(b BLOB)", `INSERT INTO t VALUES(${blob})`],
  }),
  query(`blob in a column ${blob}, blob_array`, ["SELECT b FROM t"], { parameters: "blob_array" }),
  query(`blob in a column ${blob}, blob_array, associative`, ["SELECT b FROM t"], {
    parameters: "blob_array&associative",
  }),
]);

const BLOB_EXPRESSION = "a BLOB without a declared type is shown as such, not as damaged text (Q26.12)";

/** A single text as the BLOB it stands for. */
function asBlob(rqlite: string): string {
  return rqlite
    .replace(/"text"/, `"blob"`)
    .replace(/(\[\[|"rows":\[\{"e":)"([^"]*)"/, (_, head: string, text: string) => `${head}"${btoa(text)}"`);
}

const RULES: readonly Rule[] = [
  [/^query: column without type, blobs$|^query: column without type, blobs, strong$/, {
    reason: BLOB_EXPRESSION,
    muster: { body: result(["v"], ["blob"], [["AP8="], ["3q2+7w=="], ["YWJj"], [""]]) },
  }],
  [/^query: column without type, blobs as arrays$/, {
    reason: BLOB_EXPRESSION,
    muster: { body: result(["v"], ["blob"], [[[0, 255]], [[222, 173, 190, 239]], [[97, 98, 99]], [[]]]) },
  }],
  [/^query: column without type, blobs, associative$/, {
    reason: BLOB_EXPRESSION,
    muster: {
      body: `{"results":[{"types":{"v":"blob"},"rows":[{"v":"AP8="},{"v":"3q2+7w=="},{"v":"YWJj"},{"v":""}]}]}`,
    },
  }],
  [/^query: expression (x'|CAST\('abc' AS BLOB|zeroblob)/, { reason: BLOB_EXPRESSION, muster: { body: asBlob } }],
  [/^query: blob expression/, {
    reason: BLOB_EXPRESSION,
    muster: { body: /"types":\["blob"\],"values":\[\[\[[0-9,]*\]\]\]/ },
  }],
  [/^query: (DATE|DATETIME|TIMESTAMP) '2004-02-14T07:15\+01:00'$/, {
    reason: "an offset may follow HH:MM (Q4.4)",
    muster: { body: /"2004-02-14T07:15:00\+01:00"/ },
  }],
  ...NO_DATES.map((value): Rule => [
    new RegExp(`^query: (DATE|DATETIME|TIMESTAMP) ${RegExp.escape(value)}$`),
    {
      reason: "a text that is no date is shown as stored, not as the year 1 (Q26.12)",
      muster: { body: (rqlite) => rqlite.replace("0001-01-01T00:00:00Z", value.slice(1, -1)) },
    },
  ]),
  [/^query: (DATE|DATETIME|TIMESTAMP) of integer/, {
    reason: "an integer beyond the years 0 to 9999 is shown as stored; rqlite wraps it or fails the statement",
    muster: { body: /"values":\[\[(-9223372036854775808|9223372036854775807|1000000000000|253402300800)\]\]/ },
  }],
  [/1e308 \* 10|infinity$/, {
    reason: "a value without a JSON form fails its own statement, not the whole request",
    muster: { status: 200, body: /"error":"unsupported value: [+-]Inf"\}\]\}$/ },
  }],
  [/^query: fractions as text$/, {
    reason: "newer SQLite writes a REAL as text with up to 17 digits, older with 15",
    muster: { body: /"1.2345678901234568e\+17","46.120241176236029"/ },
  }],
];

/** Values of all kinds. */
export const VALUES: Theme = {
  name: "values",
  cases: intend([
    ...columns,
    ...dates,
    ...expressions,
    ...blobs,
    query("fractions as text", ["SELECT 123456789012345680.0 || '', 46.120241176236029 || ''"]),
    query("types after the first row", ["SELECT v FROM (SELECT 1 AS v UNION ALL SELECT 'a' UNION ALL SELECT 2.5)"]),
    query("types when the first row is NULL", ["SELECT NULL AS v UNION ALL SELECT 5"]),
    query("types of VALUES", ["VALUES (1, 'a'), (2.5, NULL)"]),
    query("duplicate names", ["SELECT 1 AS a, 2 AS a, 3 AS b"]),
    query("duplicate names, associative", ["SELECT 1 AS a, 'x' AS a, 3 AS b"], { parameters: "associative" }),
    query("names in byte order, associative", ['SELECT 1 AS b, 2 AS B, 3 AS é, 4 AS a, 5 AS "10", 6 AS "9"'], {
      parameters: "associative",
    }),
    query("strange names", [`SELECT 1 AS "", 2 AS "<b>", 3 AS "a""b", 4 AS "x.y"`]),
    query("names of expressions", ["SELECT 1+1, 'a' || 'b', count(*), max( 1 , 2 ), (SELECT 1)"]),
    query("a long text", ["SELECT replace(hex(zeroblob(20000)), '0', 'ab<')"]),
    query("many columns", [`SELECT ${Array.from({ length: 200 }, (_, at) => `${at} AS c${at}`).join(", ")}`]),
    query("many rows", [
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i, i * 0.5 FROM n",
    ]),
    query("infinity", ["SELECT 9e999"]),
    query("negative infinity", ["SELECT 1", "SELECT -9e999"]),
    query("a NUL in text", ["SELECT 'a' || char(0) || 'b', length('a' || char(0) || 'b')"]),
    query("text that is no UTF-8", ["SELECT CAST(x'61ff62' AS TEXT)"]),
  ], RULES),
};

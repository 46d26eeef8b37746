/**
 * Request bodies: their forms, parameters and faults (Q3).
 * @module
 */
import { type Case, execute, getQuery, intend, post, query, result, type Rule, type Theme, unified } from "./case.ts";
import { NUL_IN_SQL } from "./intended.ts";

const TABLE = ["CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)"];

/** Statements that insert a value and read it back: each is a whole statement. */
const INSERTS: readonly [string, unknown[]][] = [
  ["a string", ["INSERT INTO t(a) VALUES('x')"]],
  ["an array with SQL alone", [["INSERT INTO t(a) VALUES('x')"]]],
  ["positional", [["INSERT INTO t(a, b) VALUES(?, ?)", "x", 1]]],
  ["numbered", [["INSERT INTO t(a, b) VALUES(?2, ?1)", "x", 1]]],
  ["a number used twice", [["INSERT INTO t(a, b) VALUES(?1, ?1)", "x"]]],
  ["a number left out", [["INSERT INTO t(a, b) VALUES(?1, ?3)", 1, 2, 3]]],
  ["named with :", [["INSERT INTO t(a, b) VALUES(:p, :q)", { p: "x", q: 1 }]]],
  ["named with @", [["INSERT INTO t(a, b) VALUES(@p, @q)", { p: "x", q: 1 }]]],
  ["named with $", [["INSERT INTO t(a, b) VALUES($p, $q)", { p: "x", q: 1 }]]],
  ["a name used twice", [["INSERT INTO t(a, b) VALUES(:p, :p)", { p: "x" }]]],
  ["one name with three prefixes", [["INSERT INTO t(id, a, b) VALUES(:p, @p, $p)", { p: 3 }]]],
  ["named in two objects", [["INSERT INTO t(a, b) VALUES(:p, :q)", { p: "x" }, { q: 1 }]]],
  ["named, later object wins", [["INSERT INTO t(a) VALUES(:p)", { p: "x" }, { p: "y" }]]],
  ["positional and named", [["INSERT INTO t(a, b) VALUES(?, :q)", "x", { q: 1 }]]],
  ["named and positional", [["INSERT INTO t(a, b) VALUES(:p, ?)", { p: "x" }, 1]]],
  ["unknown name besides", [["INSERT INTO t(a) VALUES(:p)", { p: "x", zzz: 1 }]]],
  ["unknown name only", [["INSERT INTO t(a) VALUES(:p)", { zzz: 1 }]]],
  ["positional value for a name", [["INSERT INTO t(a) VALUES(:p)", 5]]],
  ["named with prefix in the key", [["INSERT INTO t(a) VALUES(:p)", { ":p": 1 }]]],
  ["named, key starts with _", [["INSERT INTO t(a) VALUES(:_p)", { _p: 1 }]]],
  ["named, key starts with a digit", [["INSERT INTO t(a) VALUES(:1p)", { "1p": 1 }]]],
  ["named, empty key", [["INSERT INTO t(a) VALUES(1)", { "": 1 }]]],
  ["named, key is a letter beyond ASCII", [["INSERT INTO t(a) VALUES(:é)", { é: 1 }]]],
  ["names in another case", [["INSERT INTO t(a) VALUES(:P)", { p: 1 }]]],
  ["an empty object", [["INSERT INTO t(a) VALUES(1)", {}]]],
  ["an empty object for a name", [["INSERT INTO t(a) VALUES(:p)", {}]]],
  ["too few positional", [["INSERT INTO t(a, b) VALUES(?, ?)", 1]]],
  ["none of two", [["INSERT INTO t(a, b) VALUES(?, ?)"]]],
  ["surplus positional", [["INSERT INTO t(a) VALUES(?)", 1, 2, 3]]],
  ["surplus without any parameter", [["INSERT INTO t(a) VALUES(1)", 2]]],
  ["too few named", [["INSERT INTO t(a, b) VALUES(:p, :q)", { p: 1 }]]],
  ["mixed forms", ["INSERT INTO t(a) VALUES(1)", ["INSERT INTO t(a) VALUES(?)", 2], [
    "INSERT INTO t(a) VALUES(:x)",
    { x: 3 },
  ]]],
  ["an empty SQL among others", ["INSERT INTO t(a) VALUES(1)", "", [""], ["", 1], "INSERT INTO t(a) VALUES(2)"]],
  ["blob literal as text", [["INSERT INTO t(a) VALUES(?)", "x'deadBEEF'"]]],
  ["blob literal with X and spaces", [["INSERT INTO t(a) VALUES(?)", "  X'00ff' "]]],
  ["empty blob literal", [["INSERT INTO t(a) VALUES(?)", "x''"]]],
  ["blob literal of odd length", [["INSERT INTO t(a) VALUES(?)", "x'abc'"]]],
  ["blob literal with other letters", [["INSERT INTO t(a) VALUES(?)", "x'zz'"]]],
  ["blob literal unfinished", [["INSERT INTO t(a) VALUES(?)", "x'00"]]],
  ["blob as array", [["INSERT INTO t(a) VALUES(?)", [222, 173, 190, 239]]]],
  ["empty blob as array", [["INSERT INTO t(a) VALUES(?)", []]]],
  ["blob as array, named", [["INSERT INTO t(a) VALUES(:p)", { p: [0, 255] }]]],
  ["blob literal, named", [["INSERT INTO t(a) VALUES(:p)", { p: "x'00'" }]]],
  ["true, false and null", [["INSERT INTO t(id, a, b) VALUES(?, ?, ?)", true, false, null]]],
  ["an empty text", [["INSERT INTO t(a) VALUES(?)", ""]]],
  ["two statements in a string", ["INSERT INTO t(a) VALUES(1); INSERT INTO t(a) VALUES(2)"]],
  ["two statements, semicolon at the end", ["INSERT INTO t(a) VALUES(1); INSERT INTO t(a) VALUES(2);"]],
  ["two statements with parameters", [["INSERT INTO t(a) VALUES(?); INSERT INTO t(a) VALUES(?)", 1, 2]]],
  ["two statements with a name in both", [["INSERT INTO t(a) VALUES(:p); INSERT INTO t(b) VALUES(:p)", { p: 5 }]]],
  ["two statements, too few values", [["INSERT INTO t(a) VALUES(?); INSERT INTO t(a) VALUES(?)", 1]]],
  ["two statements, the first fails", ["INSERT INTO nosuch VALUES(1); INSERT INTO t(a) VALUES(2)"]],
  ["two statements, the second fails", ["INSERT INTO t(a) VALUES(1); INSERT INTO nosuch VALUES(2)"]],
  ["a comment before", ["-- why\nINSERT INTO t(a) VALUES(1)"]],
  ["a comment inside", ["INSERT /* ; */ INTO t(a) VALUES(1) -- end"]],
  ["a semicolon in a string", ["INSERT INTO t(a) VALUES('a;b')"]],
  ["a parameter in a string", [["INSERT INTO t(a, b) VALUES('?', ?)", 1]]],
  ["escapes", ["INSERT INTO t(a) VALUES('\"\\\n\t\u0001é\u2028𝄞')"]],
  ["escapes as a parameter", [["INSERT INTO t(a) VALUES(?)", "\"\\\n\t\u0001é\u2028𝄞<&>'"]]],
];

/** Numbers as they stand in the body. */
const NUMBERS = [
  "0",
  "-0",
  "1",
  "-1",
  "1.0",
  "-0.0",
  "1.5",
  "1e3",
  "1E3",
  "1e0",
  "1e-7",
  "123456789.125",
  "0.1",
  "1e20",
  "1e21",
  "1e22",
  "9007199254740991",
  "9007199254740992",
  "9007199254740993",
  "-9007199254740993",
  "9223372036854775807",
  "-9223372036854775808",
  "9223372036854775808",
  "-9223372036854775809",
  "18446744073709551616",
  "1.7976931348623157e308",
  "5e-324",
  "0.30000000000000004",
  "100000000000000000000.0",
];

/** Bodies that are no request, or nearly so. */
const RAW: readonly [string, string][] = [
  ["empty", ""],
  ["white space", "  \n"],
  ["not JSON", "hello"],
  ["an unfinished array", `["SELECT 1"`],
  ["an unfinished string", `["SELECT 1`],
  ["a trailing comma", `["SELECT 1",]`],
  ["single quotes", `['SELECT 1']`],
  ["an object", `{"a":1}`],
  ["a string", `"SELECT 1"`],
  ["a number", `1`],
  ["null", `null`],
  ["true", `true`],
  ["an empty array", `[]`],
  ["an element null", `[null]`],
  ["an element number", `[1]`],
  ["an element object", `[{"a":1}]`],
  ["an element true", `[true]`],
  ["an inner array empty", `[[]]`],
  ["an inner array with a number first", `[[1]]`],
  ["an inner array with null first", `[[null]]`],
  ["an inner array with an object first", `[[{"a":1}]]`],
  ["an inner array with an array first", `[["SELECT 1"], [["SELECT 1"]]]`],
  ["a good and a bad element", `["SELECT 1", 2]`],
  ["a nested object", `[["SELECT :a", {"a": {"b": 1}}]]`],
  ["an object in an array", `[["SELECT ?", [{"b": 1}]]]`],
  ["bytes with a fraction", `[["SELECT ?", [1.5]]]`],
  ["bytes with an exponent", `[["SELECT ?", [1e2]]]`],
  ["bytes above 255", `[["SELECT ?", [256]]]`],
  ["bytes below 0", `[["SELECT ?", [-1]]]`],
  ["bytes with a string", `[["SELECT ?", ["a"]]]`],
  ["bytes with a boolean", `[["SELECT ?", [true]]]`],
  ["bytes with null", `[["SELECT ?", [null]]]`],
  ["bytes with an array", `[["SELECT ?", [[1]]]]`],
  ["bytes far above 255", `[["SELECT ?", [99999999999999999999]]]`],
  ["text behind", `["SELECT 1"] and more`],
  ["a second array behind", `["SELECT 1"]["SELECT 2"]`],
  ["a bracket behind", `["SELECT 1"]]`],
  ["white space around", ` \n ["SELECT 1"] \n `],
  ["a number out of range", `[["SELECT ?", 1e999]]`],
  ["a negative number out of range", `[["SELECT ?", -1e999]]`],
  ["a number with a leading zero", `[["SELECT ?", 01]]`],
  ["a control character in a string", `["SELECT '\u0001'"]`],
  ["a bad escape", `["SELECT '\\x'"]`],
  ["a lone surrogate", `["SELECT '\\ud800'"]`],
  ["a surrogate pair", `["SELECT '\\ud834\\udd1e'"]`],
  ["a byte order mark", `\ufeff["SELECT 1"]`],
  ["a key twice", `[["SELECT :a", {"a": 1, "a": 2}]]`],
  ["a key __proto__", `[["SELECT 1", {"__proto__": 2}]]`],
  ["a key __proto__ with an object", `[["SELECT 1", {"__proto__": {"a": 2}}]]`],
  ["an escaped key", `[["SELECT :a", {"\\u0061": 5}]]`],
  ["only empty SQL", `["", [""]]`],
  ["an unfinished comment", `["SELECT 1 /* nothing"]`],
  ["an unfinished SQL string", `["SELECT 'a"]`],
  ["comment, then a statement", `["/* a */ SELECT 1"]`],
  ["semicolon, then a statement", `["; SELECT 1"]`],
  ["a NUL in SQL", `["SELECT 1\\u0000, 2"]`],
  ["deep nesting", "[".repeat(200) + "]".repeat(200)],
];

/** Texts without a statement: a query of one never returns from rqlite 8, so that only /db/execute can be compared. */
const EMPTY: readonly [string, string][] = [
  ["only white space as SQL", `["  "]`],
  ["only a semicolon", `[";"]`],
  ["only semicolons", `[";;"]`],
  ["only a comment", `["-- nothing"]`],
  ["only a block comment", `["/* nothing */"]`],
  ["statement, then a comment", `["SELECT 1; -- nothing"]`],
];

/** Bodies with bytes that are no UTF-8. */
const INVALID_UTF8 = new Uint8Array([
  ...new TextEncoder().encode(`[["SELECT ?, length(?1)", "a`),
  0xff,
  0xc3,
  ...new TextEncoder().encode(`b"]]`),
]);

/** SQL sent as text/plain. */
const PLAIN = ["SELECT 1", "SELECT 1; SELECT 2", "", `["SELECT 1"]`, "INSERT INTO t(a) VALUES(9)"];

function readBack(name: string, statements: readonly unknown[]): Case[] {
  return [
    execute(name, statements, { setup: TABLE }),
    query(`${name}, what is stored`, ["SELECT id, a, typeof(a), b, typeof(b) FROM t ORDER BY id"], {}),
  ];
}

const inserts = INSERTS.flatMap(([name, statements]) => readBack(name, statements));

const numbers = NUMBERS.flatMap((number): Case[] => [
  { name: `query: number ${number}`, request: post("/db/query", `[["SELECT ?, typeof(?1)", ${number}]]`) },
  {
    name: `query: named number ${number}`,
    request: post("/db/query", `[["SELECT :n, typeof(:n)", {"n": ${number}}]]`),
  },
  {
    name: `query: literal ${number}`,
    request: post("/db/query", [`SELECT ${number}, typeof(${number})`]),
  },
]);

const raw = RAW.flatMap(([name, body]) =>
  ["execute", "query", "request"].map((endpoint): Case => ({
    name: `${endpoint}: body is ${name}`,
    request: post(`/db/${endpoint}`, body),
  }))
);

const empty = EMPTY.map(([name, body]): Case => ({
  name: `execute: body is ${name}`,
  request: post("/db/execute", body),
}));

const plain = PLAIN.flatMap((sql) =>
  ["execute", "query", "request"].flatMap((endpoint): Case[] =>
    ["text/plain", "text/plain; charset=utf-8"].map((type) => ({
      name: `${endpoint}: ${type} body ${JSON.stringify(sql)}`,
      request: post(`/db/${endpoint}`, sql, type),
      ...(endpoint === "execute" ? { setup: TABLE } : {}),
    }))
  )
);

const types = ["", "application/x-www-form-urlencoded", "application/json; charset=utf-8", "TEXT/PLAIN", "text/plainer"]
  .flatMap((type) =>
    ["execute", "query", "request"].map((endpoint): Case => ({
      name: `${endpoint}: Content-Type ${JSON.stringify(type)}`,
      request: post(`/db/${endpoint}`, ["SELECT 1"], type),
      setup: [],
    }))
  );

const STORED = ["id", "a", "typeof(a)", "b", "typeof(b)"];

/** The answer to a read of one row with a BLOB. */
function storedBlob(base64: string): string {
  return result(STORED, ["integer", "blob", "text", "", "text"], [[1, base64, "blob", null, "null"]]);
}

const BLOB_PARAMETER = "rqlite 8 knows no BLOB parameters, rqlite 10 does (Q3)";
const PLAIN_TEXT = "text/plain came with a later rqlite (Q3)";
const WRITTEN = `{"results":[{"last_insert_id":1,"rows_affected":1}]}`;
const UNCHANGED = `{"results":[{"last_insert_id":7,"rows_affected":1}]}`;

const RULES: readonly Rule[] = [
  [/^execute: named, empty key$/, {
    reason: "a key must start with a letter (Q3); rqlite takes the value of an empty one as positional",
    muster: { body: `{"results":[{"error":"name \\"\\" does not begin with a letter"}]}` },
  }],
  [/^query: named, empty key, what is stored$/, {
    reason: "the statement before has failed",
    muster: { body: JSON.stringify({ results: [{ columns: STORED, types: ["integer", "", "", "", ""] }] }) },
  }],
  ...([
    ["blob literal as text", "3q2+7w=="],
    ["blob literal with X and spaces", "AP8="],
    ["empty blob literal", ""],
    ["blob literal, named", "AA=="],
    ["blob as array", "3q2+7w=="],
    ["empty blob as array", ""],
    ["blob as array, named", "AP8="],
  ] as const).map(([name, base64]): Rule => [
    new RegExp(`^query: ${name}, what is stored$`),
    { reason: BLOB_PARAMETER, muster: { body: storedBlob(base64) } },
  ]),
  [/^execute: (empty )?blob as array(, named)?$/, { reason: BLOB_PARAMETER, muster: { status: 200, body: WRITTEN } }],
  [/body is (a nested object|an object in an array|bytes |a key __proto__ with)/, {
    reason: "rqlite 10 names the type (Q3)",
    muster: { status: 400, body: /^unsupported type .+\n$/ },
  }],
  [/^execute: two statements with a name in both$/, {
    reason: "a named value serves every statement of its string; rqlite counts it as used up",
    muster: { body: `{"results":[{"last_insert_id":2,"rows_affected":1}]}` },
  }],
  [/^query: two statements with a name in both, what is stored$/, {
    reason: "the statement before has succeeded",
    muster: {
      body: result(STORED, ["integer", "integer", "text", "", "text"], [
        [1, 5, "integer", null, "null"],
        [2, null, "null", 5, "integer"],
      ]),
    },
  }],
  [/^execute: two statements, too few values$/, {
    reason: "what is left for the second statement is counted, not what the first has used",
    muster: { body: `{"results":[{"error":"not enough args to execute query: want 1 got 0"}]}` },
  }],
  [/^(query|request): body is an unfinished comment$/, {
    reason: "comments around a statement are cut off; SQLite would name the column after this one",
    muster: { body: (rqlite) => rqlite.replace("1 /* nothing", "1") },
  }],
  [/^(query|request): body is a NUL in SQL$|^execute: body is a NUL in SQL$/, NUL_IN_SQL],
  [/^execute: body is statement, then a comment$/, {
    reason: "the result is that of the last statement, not of the comment behind it",
    muster: { body: (rqlite) => rqlite.replace("{}", `{"last_insert_id":1,"rows_affected":1}`) },
  }],
  [/^execute: text\/plain.* body "SELECT 1(; SELECT 2)?"$/, {
    reason: PLAIN_TEXT,
    muster: { status: 200, body: UNCHANGED },
  }],
  [/^execute: text\/plain.* body "INSERT/, {
    reason: PLAIN_TEXT,
    muster: { status: 200, body: `{"results":[{"last_insert_id":1,"rows_affected":1}]}` },
  }],
  [/^query: text\/plain.* body "SELECT/, {
    reason: PLAIN_TEXT,
    muster: { status: 200, body: /"values":\[\[[12]\]\]/ },
  }],
  [/^query: text\/plain.* body "INSERT/, {
    reason: PLAIN_TEXT,
    muster: { status: 200, body: `{"results":[{"error":"attempt to change database via query operation"}]}` },
  }],
  [/^(execute|query): Content-Type "text\/plainer"$/, { reason: PLAIN_TEXT, muster: { body: /near .* syntax error/ } }],
  [/^(execute|query): text\/plain.* body ""$/, { reason: PLAIN_TEXT, muster: { status: 200, body: `{"results":[]}` } }],
  [/^(execute|query): text\/plain.* body "\[/, {
    reason: PLAIN_TEXT,
    muster: { status: 200, body: /near .* syntax error/ },
  }],
];

/** Bodies of all forms. */
export const BODIES: Theme = {
  name: "bodies",
  cases: intend([
    ...inserts,
    ...numbers,
    ...raw,
    ...empty,
    ...plain,
    ...types,
    { name: "no body", request: post("/db/execute") },
    { name: "query: no body", request: post("/db/query") },
    { name: "query: invalid UTF-8", request: post("/db/query", INVALID_UTF8) },
    { name: "query: two selects", request: getQuery("SELECT 1; SELECT 2") },
    query("two selects with parameters", [["SELECT ?; SELECT ?", 1, 2]]),
    query("positional", [["SELECT ?, ?", "x", 1]]),
    query("named", [["SELECT :a, @b, $c", { a: 1, b: "2", c: null }]]),
    query("too few", [["SELECT ?, ?", 1]]),
    query("too many", [["SELECT ?", 1, 2]]),
    query("bad name", [["SELECT :a", { ":a": 1 }]]),
    query("bad name, associative", [["SELECT :a", { ":a": 1 }]], { parameters: "associative" }),
    unified("positional", [["SELECT ?, ?", "x", 1]]),
    unified("too few", [["SELECT ?, ?", 1]]),
    unified("two selects", ["SELECT 1; SELECT 2"]),
    unified("bad name", [["SELECT :a", { ":a": 1 }]]),
    unified("mixed", ["SELECT 1", ["INSERT INTO t(a) VALUES(?)", 1], ["SELECT a FROM t WHERE a = :a", { a: 1 }]], {
      setup: TABLE,
    }),
  ], RULES),
};

/** Request bodies and parameters (Q2.5 and Q3). */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeStatements, sqlText } from "../../../src/api/http/sql_body.ts";
import { indent, stringify } from "../../../src/api/http/json.ts";
import { Params } from "../../../src/api/http/params.ts";
import { HttpError } from "../../../src/api/http/problem.ts";

function bound(body: string): unknown[] {
  return decodeStatements(body).map(({ positional, named }) => [positional, named && { ...named }]);
}

Deno.test("decodeStatements() takes strings, positional and named parameters, mixed", () => {
  const statements = decodeStatements(
    `["SELECT 1", ["SELECT ?", 1, "a"], ["SELECT :n", {"n": null}], ["SELECT ?, :n", true, {"n": 2}], ["SELECT 2"]]`,
  );
  assertEquals(statements.map(({ parts }) => parts.map(({ sql }) => sql)), [["SELECT 1"], ["SELECT ?"], ["SELECT :n"], [
    "SELECT ?, :n",
  ], ["SELECT 2"]]);
  assertEquals(statements[1].positional, [1n, "a"]);
  assertEquals({ ...statements[3].named }, { n: 2n });
  assertEquals(statements[3].positional, [1n]);
});

Deno.test("decodeStatements() binds integers exactly, and other numbers as REAL", () => {
  assertEquals(bound(`[["", 0]]`), []);
  assertEquals(
    bound(
      `[["x", 9007199254740993, -9223372036854775808, 9223372036854775807, 9223372036854775808, 1.0, 1e3, -0, 123456789012345]]`,
    ),
    [[
      [
        9007199254740993n,
        -9223372036854775808n,
        9223372036854775807n,
        9223372036854775808,
        1,
        1000,
        0n,
        123456789012345n,
      ],
      null,
    ]],
  );
});

Deno.test("decodeStatements() gives every int64 back, by position and by name", () => {
  fc.assert(fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
    assertEquals(bound(`[["x", ${value}, {"a": ${value}}]]`), [[[value], { a: value }]]);
  }));
});

Deno.test("decodeStatements() binds numbers alike wherever they stand in a long body", () => {
  const before = Array.from({ length: 200 }, (_, at) => `"INSERT INTO t VALUES('${"x".repeat(at % 7)}')"`).join();
  for (const number of ["12", "9007199254740993", "1.5", "-0", "1e3"]) {
    const statements = bound(`[${before}, ["x", ${number}]]`);
    assertEquals([statements.length, statements.at(-1)], [201, bound(`[["x", ${number}]]`)[0]]);
  }
  assertEquals(bound(`[${before}]`).length, 200);
});

Deno.test("decodeStatements() binds blobs from x'…' and from arrays of bytes", () => {
  assertEquals(bound(`[["x", "x'DEAD'", " X'be' ", "x''", [222, 173], [], "x'zz'", "x'abc'"]]`), [[
    [
      new Uint8Array([0xde, 0xad]),
      new Uint8Array([0xbe]),
      new Uint8Array(),
      new Uint8Array([222, 173]),
      new Uint8Array(),
      "x'zz'",
      "x'abc'",
    ],
    null,
  ]]);
});

Deno.test("decodeStatements() ignores what follows the array, also behind brackets in strings", () => {
  assertEquals(decodeStatements(`["SELECT ']'"] and more`).length, 1);
  assertEquals(decodeStatements(`[["SELECT \\"]", 1.5]]]]`).length, 1);
});

Deno.test("decodeStatements() refuses other bodies with rqlite's words", () => {
  const cases: [string, string][] = [
    ["", "invalid JSON body"],
    ["[", "invalid JSON body"],
    ["nonsense", "invalid JSON body"],
    ["{}", "invalid request"],
    [`"SELECT 1"`, "invalid request"],
    ["[1]", "invalid request"],
    ["[[]]", "invalid request"],
    ["[[1]]", "invalid request"],
    ["[]", "no statements"],
    [`[["x", {"a": {"b": 1}}]]`, "unsupported type map[string]interface {}"],
    [`[["x", [256]]]`, "unsupported type 256"],
    [`[["x", 1e999]]`, "invalid number 1e999"],
    [`["x" `.repeat(3), "invalid JSON body"],
  ];
  for (const [body, message] of cases) {
    const error = assertThrows(() => decodeStatements(body), HttpError);
    assertEquals([error.status, error.message.split(":")[0]], [400, message], body);
  }
  assertThrows(() => decodeStatements("[".repeat(200_000) + "]".repeat(200_000)), HttpError);
});

Deno.test("sqlText() takes one SQL text, an empty one is no statement, a blank one has no parts", () => {
  assertEquals(sqlText("SELECT 1; SELECT 2")[0].parts.length, 2);
  assertEquals(sqlText(""), []);
  assertEquals(sqlText("  "), [{ parts: [], positional: [], named: null }]);
});

Deno.test("Params checks durations, integers and dependencies before anything else", () => {
  const cases: [string, string][] = [
    ["timeout=5", "timeout is not a valid duration"],
    ["timeout=", "timeout is not a valid duration"],
    ["freshness=9999999999h", "freshness is not a valid duration"],
    ["db_timeout=x", "db_timeout is not a valid duration"],
    ["freshness_strict", "freshness_strict requires freshness"],
    ["retries=x", "retries is not a valid integer"],
    ["retries=9223372036854775808", "retries is not a valid integer"],
    ["q=", "query parameter not set"],
    ["a=%zz", `invalid URL escape "%zz"`],
    ["a=%2", `invalid URL escape "%2"`],
    ["a=1;b=2", "invalid semicolon separator in query"],
  ];
  for (const [query, message] of cases) {
    const error = assertThrows(() => Params.parse(query), HttpError);
    assertEquals([error.status, error.message], [400, message], query);
  }
});

Deno.test("Params takes flags by presence, the first of repeated values, and any spelling of a level", () => {
  const params = Params.parse("pretty=false&level=STRONG&level=none&q=a%20b+c%C3%A9&timeout=1.5s&retries=%2B2");
  assertEquals([
    params.has("pretty"),
    params.level,
    params.get("q"),
    params.timeoutMs,
    params.retries,
    params.freshnessMs,
  ], [true, "strong", "a b cé", 1500, 2, 0]);
  assertEquals(Params.parse("level=nonsense").level, "weak");
  assertEquals(Params.parse("").timeoutMs, 30_000);
});

Deno.test("stringify() sorts keys and escapes as Go does; indent() changes no token", () => {
  assertEquals(
    stringify({ b: 1n, a: ["<&>\u2028", undefined], c: undefined }),
    `{"a":["\\u003c\\u0026\\u003e\\u2028",null],"b":1}`,
  );
  assertEquals(
    indent(`{"a":[],"b":{},"c":[1,{"d":9007199254740993,"e":"x, \\"{y}: "}]}`),
    `{
    "a": [],
    "b": {},
    "c": [
        1,
        {
            "d": 9007199254740993,
            "e": "x, \\"{y}: "
        }
    ]
}`,
  );
});

Deno.test("a body of too many statements is refused before they take memory, in one text or in several", () => {
  const text = "a;".repeat(2_000_001);
  const several = Array.from({ length: 3 }, (_, at) => `${"a;".repeat(700_000)}${at}`);
  for (const body of [JSON.stringify([text]), JSON.stringify(several)]) {
    const error = assertThrows(() => decodeStatements(body), HttpError, "more than 2000000 statements");
    assertEquals(error.status, 413);
  }
  assertEquals(assertThrows(() => sqlText(text), HttpError).status, 413);
});

Deno.test("a body with more values than memory should hold is refused before it is parsed; texts do not count", () => {
  const many = `[["INSERT INTO t VALUES(?)"${",1".repeat(2_000_001)}]]`;
  assertThrows(() => decodeStatements(many), HttpError, "holds more than 2000000 values");
  const text = JSON.stringify([["INSERT INTO t VALUES(?)", '"[,{'.repeat(1_000_000)]]);
  assertEquals(decodeStatements(text)[0].positional.length, 1);
});

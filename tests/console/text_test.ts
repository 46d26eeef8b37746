/** What the console makes of values: SQL, files for other programs, changes of rows. Without a browser. */
import { assertEquals } from "@std/assert";
import { keyOf, NO_CHANGES, statementsOf, withEdit, withRemoval } from "../../console/data_changes.ts";
import { parseJson, toJson } from "../../console/json.ts";
import { exported } from "../../console/parts/export.ts";
import { cellText, kindOf, parseValue, sqlLiteral, type Value } from "../../console/parts/value.ts";
import type { Table } from "../../console/table.ts";

const column = (name: string, keyPlace = 0) => ({
  name,
  type: "",
  isRequired: false,
  standard: "",
  keyPlace,
  isGenerated: false,
});
const table = (more: Partial<Table> = {}): Table => ({
  name: `odd "name`,
  isView: false,
  hasNoRowid: false,
  fault: "",
  columns: [column("id", 1), column(`va"l`)],
  ...more,
});

Deno.test("whole numbers beyond 2^53 stay what they are, there and back", () => {
  const text = `{"values":[[9007199254740993,-9223372036854775808,1.5,"9007199254740993",1e300]]}`;
  const found = parseJson(text);
  assertEquals(found, { values: [[9007199254740993n, -9223372036854775808n, 1.5, "9007199254740993", 1e300]] });
  assertEquals(toJson(found), text.replace("1e300", "1e+300"));
});

Deno.test("a value is written in SQL so that it is read as the same", () => {
  const cases: [Value, string][] = [
    [null, "NULL"],
    ["it's", "'it''s'"],
    ["a\0b", "CAST(x'610062' AS TEXT)"],
    [[0, 255], "x'00ff'"],
    [9007199254740993n, "9007199254740993"],
    [Infinity, "9e999"],
    [-1.5, "-1.5"],
  ];
  for (const [value, sql] of cases) assertEquals(sqlLiteral(value), sql);
});

Deno.test("what is entered is a value of its kind, or none", () => {
  assertEquals(parseValue("integer", " 9223372036854775807 "), 9223372036854775807n);
  assertEquals(parseValue("integer", "+7"), 7);
  assertEquals(parseValue("blob", "x'0A ff'"), [10, 255]);
  assertEquals(parseValue("text", " as it is "), " as it is ");
  for (
    const [kind, text] of [["integer", "9223372036854775808"], ["integer", "1.5"], ["real", "x"], [
      "blob",
      "abc",
    ]] as const
  ) {
    assertEquals(parseValue(kind, text), undefined, text);
  }
});

Deno.test("a cell shows a value in one line, and not all of it", () => {
  assertEquals(cellText("a\nb\tc\0"), "a⏎b⇥c␀");
  assertEquals(cellText("x".repeat(1000)).length, 201);
  assertEquals([kindOf([1]), kindOf(null), kindOf(1), kindOf(1.5), kindOf("1"), kindOf(1n)], [
    "blob",
    "null",
    "integer",
    "real",
    "text",
    "integer",
  ]);
});

Deno.test("a result is written for other programs, whatever is in it", () => {
  const rows = { columns: ["a", "a"], rows: [[null, `x"y,\n|`], ["", [1, 2]]] as Value[][] };
  assertEquals(exported("CSV", rows), `a,a\r\n,"x""y,\n|"\r\n"",x'0102'\r\n`);
  assertEquals(JSON.parse(exported("JSON", rows)), [{ a: null, a_2: `x"y,\n|` }, { a: "", a_2: "x'0102'" }]);
  assertEquals(
    exported("SQL", rows, `t"`),
    `INSERT INTO "t"""("a", "a") VALUES (NULL, 'x"y,\n|');\nINSERT INTO "t"""("a", "a") VALUES ('', x'0102');\n`,
  );
  assertEquals(exported("Markdown", rows), `| a | a |\n| --- | --- |\n| NULL | x"y,<br>\\| |\n|  | x'0102' |\n`);
});

Deno.test("changes of rows become statements that leave alone what somebody else has changed", () => {
  const row = { key: [7], values: [7, "old"] };
  const edited = withEdit(NO_CHANGES, { row, column: 1, value: "new" });
  assertEquals(statementsOf(table(), edited).map(({ sql }) => sql), [
    `UPDATE "odd ""name" SET "va""l" = 'new' WHERE rowid IS 7 AND "va""l" IS 'old'`,
  ]);
  assertEquals(statementsOf(table(), withEdit(edited, { row, column: 1, value: "old" })), []);
  const removed = withRemoval(edited, row);
  assertEquals(statementsOf(table(), removed).map(({ sql }) => sql), [`DELETE FROM "odd ""name" WHERE rowid IS 7`]);
  assertEquals(statementsOf(table(), withRemoval(removed, row)).length, 1);
  const added = { ...NO_CHANGES, added: [new Map(), new Map<number, Value>([[1, [255]]])] };
  assertEquals(statementsOf(table(), added).map(({ sql }) => sql), [
    `INSERT INTO "odd ""name" DEFAULT VALUES`,
    `INSERT INTO "odd ""name"("va""l") VALUES (x'ff')`,
  ]);
});

Deno.test("a row is named by what its table has", () => {
  assertEquals(keyOf(table()), ["rowid"]);
  assertEquals(keyOf(table({ columns: [column("ROWID"), column("oid")] })), ["_rowid_"]);
  assertEquals(keyOf(table({ hasNoRowid: true, columns: [column("b", 2), column("a", 1)] })), [`"a"`, `"b"`]);
  assertEquals(keyOf(table({ isView: true })), []);
});

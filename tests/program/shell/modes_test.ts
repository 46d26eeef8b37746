/** Results in every mode, with content that tries to get out of its cell. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { cellsOf, isMode, MODES, render } from "../../../src/program/shell/modes.ts";
import { parseResults } from "../../../src/program/shell/results.ts";

const ROWS = {
  columns: ["id", "name"],
  rows: [[1n, "fiona"], [2n, null], [3n, 'a"b|<c>,\n\u001b[2J'], [9223372036854775807n, new Uint8Array([0, 255])]],
};

Deno.test("render() shows rows in each mode as the shells of SQLite and rqlite do", () => {
  const two = { columns: ROWS.columns, rows: ROWS.rows.slice(0, 2) };
  assertEquals(
    render("column", two),
    [
      "+----+-------+",
      "| id | name  |",
      "+----+-------+",
      "| 1  | fiona |",
      "+----+-------+",
      "| 2  | <nil> |",
      "+----+-------+",
    ]
      .join("\n"),
  );
  assertEquals(
    render("box", two),
    ["┌────┬───────┐", "│ id │ name  │", "├────┼───────┤", "│ 1  │ fiona │", "│ 2  │       │", "└────┴───────┘"].join(
      "\n",
    ),
  );
  assertEquals(render("table", two).split("\n").length, 6);
  assertEquals(render("csv", two), "id,name\n1,fiona\n2,");
  assertEquals(render("csv", two, { nullText: "NULL" }), "id,name\n1,fiona\n2,NULL");
  assertEquals(render("csv", { columns: ["a", "b"], rows: [[null, ""]] }), 'a,b\n,""', "as in sqlite3");
  assertEquals(render("csv", two, { hasHeader: false, nullText: "" }), "1,fiona\n2,");
  assertEquals(render("tabs", two), "id\tname\n1\tfiona\n2\t");
  assertEquals(render("list", two), "id|name\n1|fiona\n2|");
  assertEquals(render("line", two), "  id = 1\nname = fiona\n\n  id = 2\nname = NULL");
  assertEquals(render("markdown", two), "| id | name  |\n| -- | ----- |\n| 1  | fiona |\n| 2  |       |");
  assertEquals(render("html", two).split("\n")[1], "<tr><td>1</td><td>fiona</td></tr>");
  assertEquals(render("insert", two, { table: "a b" }).split("\n")[1], 'INSERT INTO "a b"(id,name) VALUES(2,NULL);');
  assertEquals(JSON.parse(render("json", two)), [{ id: 1, name: "fiona" }, { id: 2, name: null }]);
});

Deno.test("render() lets no value out of its cell, in no mode", () => {
  for (const mode of MODES.filter((one) => !["csv", "tabs", "html", "insert"].includes(one))) {
    // deno-lint-ignore no-control-regex -- what must not come through
    assert(!/[\x00-\x09\x0b-\x1f]/.test(render(mode, ROWS)), mode);
  }
  assertEquals(render("csv", { columns: ["a"], rows: [['x"y\n']] }), 'a\n"x""y\n"');
  assertEquals(
    render("html", { columns: ["a"], rows: [["<script>"]] }),
    "<tr><th>a</th></tr>\n<tr><td>&lt;script&gt;</td></tr>",
  );
  assertEquals(render("markdown", { columns: ["a"], rows: [["x|y"]] }).split("\n")[2], "| x\\|y |");
  assertEquals(render("insert", { columns: ["a"], rows: [["O'Hara"], [new Uint8Array([1])]] }).split("\n"), [
    "INSERT INTO tab(a) VALUES('O''Hara');",
    "INSERT INTO tab(a) VALUES(x'01');",
  ]);
  assertEquals(
    render("insert", { columns: ["a"], rows: [[1, 1n, 9007199254740993n, 1e300, 1e20, 0.5, "1"]] }, {
      hasHeader: false,
    }),
    "INSERT INTO tab VALUES(1.0,1,9007199254740993,1e+300,100000000000000000000.0,0.5,'1');",
  );
  assertEquals(
    render("json", { columns: ["a", "b", "c"], rows: [[1n, 9007199254740993n, 1]] }),
    '[{"a":1,"b":"9007199254740993","c":1}]',
  );
  assertEquals(JSON.parse(render("json", { columns: ['a"b$&'], rows: [["$&"]] })), [{ 'a"b$&': "$&" }]);
  for (const mode of MODES) render(mode, { columns: [], rows: [] });
  assert(isMode("box") && !isMode("boxes"));
});

Deno.test("columns line up beside wide and combining characters", () => {
  assertEquals([cellsOf("日本"), cellsOf("e\u0301"), cellsOf("😀"), cellsOf("abc")], [4, 1, 2, 3]);
  const lines = render("box", { columns: ["a"], rows: [["日本"], ["e\u0301"], ["abcd"]] }).split("\n");
  assertEquals(new Set(lines.map(cellsOf)).size, 1);
});

Deno.test("parseResults() tells rows, changes and errors apart, and keeps whole numbers whole", () => {
  const { results, seconds } = parseResults(
    '{"results":[{"columns":["a"],"types":["blob"],"values":[[[1,255]],[9223372036854775807],[null]]},' +
      '{"rows_affected":2,"last_insert_id":7},{"error":"no such table: t"}],"time":0.5}',
  );
  assertEquals(results, [
    { k: "rows", columns: ["a"], rows: [[new Uint8Array([1, 255])], [9223372036854775807n], [null]] },
    { k: "change", rowsAffected: 2, lastInsertId: 7 },
    { k: "error", message: "no such table: t" },
  ]);
  assertEquals(seconds, 0.5);
  const row = '[1,1,9007199254740993,1e+300,100000000000000000000,"9007199254740993",0.5]';
  const types = '["real","integer","integer","","DOUBLE PRECISION","text","integer"]';
  const { results: [typed] } = parseResults(`{"results":[{"columns":[],"types":${types},"values":[${row}]}]}`);
  assertEquals(typed.k === "rows" && typed.rows, [[1, 1n, 9007199254740993n, 1e300, 1e20, "9007199254740993", 0.5]]);
  assertThrows(() => parseResults('{"results":[],"error":"leader not found"}'), Error, "leader not found");
});

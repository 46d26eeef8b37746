import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { AnswerBudget, READ_ANSWERS_BYTES_MAX } from "../../../src/base/shared/answer_budget.ts";
import { countedBytes, wholeText } from "../../../src/core/sql/result_text.ts";
import type { RenderOptions } from "../../../src/core/sql/render_options.ts";
import { openReader, type Reader } from "../../../src/drivers/sqlite/reader.ts";
import { RESULTS_BYTES_MAX } from "../../../src/drivers/sqlite/render.ts";
import { Bench, PLAIN, read, type Sql } from "./fixture.ts";

/** A database with a writer and a reader. */
function withReader(work: (reader: Reader, bench: Bench) => void, answers = new AnswerBudget()): void {
  const dir = Deno.makeTempDirSync();
  const bench = new Bench(`${dir}/db.sqlite`);
  const reader = openReader(`${dir}/db.sqlite`, { foreignKeys: false, answers });
  try {
    work(reader, bench);
  } finally {
    reader.close();
    bench.machine.close();
    Deno.removeSync(dir, { recursive: true });
  }
}

function show(reader: Reader, sql: Sql, options: Partial<RenderOptions> = {}): string {
  return wholeText(reader.read(read([sql], { options: { ...PLAIN, ...options } })).results);
}

Deno.test("Reader reads values of every type", () => {
  withReader((reader, bench) => {
    bench.run(["CREATE TABLE t(i INTEGER, r REAL, s VARCHAR(10), b BLOB, n)", [
      "INSERT INTO t VALUES(?, ?, ?, ?, NULL)",
      -9223372036854775808n,
      1,
      'ä"\\<&>\u2028\u2029\n',
      new Uint8Array([0xde, 0xad, 0xbe, 0xef]),
    ]]);
    assertEquals(
      show(reader, "SELECT * FROM t"),
      '[{"columns":["i","r","s","b","n"],"types":["integer","real","varchar(10)","blob",""],' +
        '"values":[[-9223372036854775808,1,"ä\\"\\\\\\u003c\\u0026\\u003e\\u2028\\u2029\\n","3q2+7w==",null]]}]',
    );
    assertStringIncludes(show(reader, "SELECT b, x'' AS e FROM t", { blobArray: true }), "[[222,173,190,239],[]]");
    assertStringIncludes(
      show(reader, "SELECT 9007199254740993, 1e21, 1e-7, 0.1, -0.0"),
      "[[9007199254740993,1e+21,1e-7,0.1,-0]]",
    );
    assertStringIncludes(show(reader, "SELECT x'6869'"), '"types":["blob"],"values":[["aGk="]]');
    assertStringIncludes(show(reader, "SELECT CAST(x'61ff62' AS TEXT)"), '"a\ufffdb"');
    assertEquals(show(reader, "SELECT 1e999"), '[{"error":"unsupported value: +Inf"}]');
    assertStringIncludes(show(reader, "SELECT 1, 1.5, 'a', NULL"), '"types":["integer","real","text",""]');
  });
});

Deno.test("Reader treats columns by their declared types", () => {
  withReader((reader, bench) => {
    bench.run([
      "CREATE TABLE t(f BOOLEAN, d DATE, dt DATETIME, ts TIMESTAMP, j JSON, nope DATETIME(6))",
      "INSERT INTO t VALUES(1, '2004-02-14', '2004-02-14 07:15:00', 1076742900, x'7b7d', 5)",
      "INSERT INTO t VALUES(-1, 'soon', '2004-02-14T07:15:00.120+02:00', 1076742900123, CAST('[]' AS TEXT), 6)",
      "INSERT INTO t VALUES('yes', '2023-02-29', '2004-02-14 07:15Z', 1.5, NULL, 7)",
      "INSERT INTO t(d, dt) VALUES('2004-02-14 7:15', '2004-02-14 07:15:00,5')",
    ]);
    const [{ types, values }] = JSON.parse(show(reader, "SELECT * FROM t"));
    assertEquals(types, ["boolean", "date", "datetime", "timestamp", "json", "datetime(6)"]);
    assertEquals(values, [
      [true, "2004-02-14T00:00:00Z", "2004-02-14T07:15:00Z", "2004-02-14T07:15:00Z", "{}", 5],
      [false, "soon", "2004-02-14T07:15:00.12+02:00", "2004-02-14T07:15:00.123Z", "[]", 6],
      ["yes", "2023-02-29", "2004-02-14T07:15:00Z", 1.5, null, 7],
      [null, "2004-02-14T07:15:00Z", "2004-02-14T07:15:00.5Z", null, null, null],
    ]);
  });
});

Deno.test("Reader renders associative rows with sorted keys, the last of equal names", () => {
  withReader((reader, bench) => {
    bench.run(["CREATE TABLE t(id INTEGER, name TEXT, age INTEGER)", "INSERT INTO t VALUES(1, 'fiona', 20)"]);
    assertEquals(
      show(reader, "SELECT * FROM t", { associative: true }),
      '[{"types":{"age":"integer","id":"integer","name":"text"},"rows":[{"age":20,"id":1,"name":"fiona"}]}]',
    );
    assertEquals(
      show(reader, "SELECT 1 AS b, 2 AS a, 3 AS b", { associative: true }),
      '[{"types":{"a":"integer","b":"integer"},"rows":[{"a":2,"b":3}]}]',
    );
    assertEquals(
      show(reader, "SELECT id FROM t WHERE 0", { associative: true }),
      '[{"types":{"id":"integer"},"rows":[]}]',
    );
    assertEquals(
      show(reader, "SELEC", { associative: true }),
      '[{"rows":[],"error":"near \\"SELEC\\": syntax error"}]',
    );
    assertStringIncludes(show(reader, "SELECT id, 1 AS x FROM t", { qualifyColumns: true }), '"columns":["t.id","x"]');
    assertEquals(
      show(reader, "SELECT id, age + 1 FROM t WHERE 0"),
      '[{"columns":["id","age + 1"],"types":["integer",""]}]',
    );
    assertMatch(show(reader, "SELECT 1", { timings: true }), /,"time":[\d.e-]+\}\]$/);
  });
});

Deno.test("Reader refuses writes and what reaches outside the database", () => {
  withReader((reader, bench) => {
    bench.run(["CREATE TABLE t(a)"]);
    for (
      const sql of [
        "INSERT INTO t VALUES(1)",
        "DROP TABLE t",
        "WITH x AS (SELECT 1) DELETE FROM t",
        "UPDATE t SET a = 1 RETURNING a",
      ]
    ) {
      assertEquals(show(reader, sql), '[{"error":"attempt to change database via query operation"}]', sql);
    }
    assertEquals(show(reader, "INSERT INTO nope VALUES(1)"), '[{"error":"no such table: nope"}]');
    assertMatch(show(reader, "ATTACH 'x' AS y"), /ATTACH is not supported/);
    assertMatch(show(reader, "SELECT load_extension('x')"), /load_extension\(\) is not supported/);
    assertMatch(show(reader, "BEGIN"), /BEGIN is not supported/);
    assertMatch(show(reader, "VACUUM INTO '/tmp/x'"), /VACUUM INTO is not supported/);
    assertMatch(show(reader, "PRAGMA query_only = 0"), /PRAGMA query_only is not supported/);
    assertMatch(show(reader, "PRAGMA user_version = 1"), /PRAGMA user_version is not supported/);
    assertStringIncludes(show(reader, "PRAGMA table_info(t)"), '"a"');
    assertStringIncludes(show(reader, "PRAGMA integrity_check"), '"ok"');
    assertStringIncludes(show(reader, "EXPLAIN INSERT INTO t VALUES(1)"), '"opcode"');
    assertMatch(show(reader, "EXPLAIN PRAGMA query_only = 0"), /PRAGMA query_only is not supported/);
    assertStringIncludes(show(reader, "PRAGMA query_only"), '"values":[[1]]');
    assertStringIncludes(show(reader, "SELECT sqlite_version()"), '"values":[["3.');
  });
});

Deno.test("Reader runs every statement of a string and shows the last one's rows", () => {
  withReader((reader) => {
    assertStringIncludes(show(reader, ["SELECT ?; SELECT ?", "a", "b"]), '"values":[["b"]]');
    assertEquals(show(reader, "SELECT abs(-9223372036854775807 - 1); SELECT 2"), '[{"error":"integer overflow"}]');
    const { results: text } = reader.read(read(["SELECT 1", "-- nothing", "SELEC", "SELECT 2"]));
    const results: object[] = JSON.parse(wholeText(text));
    assertEquals(results.map((result) => Object.keys(result)[0]), ["columns", undefined, "error", "columns"]);
  });
});

Deno.test("Reader sees a change of schema", () => {
  withReader((reader, bench) => {
    bench.run(["CREATE TABLE t(a)", "INSERT INTO t VALUES(1)"]);
    assertStringIncludes(show(reader, "SELECT * FROM t"), '"columns":["a"]');
    bench.run(["ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'x'"]);
    assertStringIncludes(
      show(reader, "SELECT * FROM t"),
      '"columns":["a","b"],"types":["integer","text"],"values":[[1,"x"]]',
    );
  });
});

const COUNT = "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c WHERE x < ?) SELECT x FROM c";

Deno.test("Reader gives all rows of large results, and every error among them", () => {
  withReader((reader) => {
    for (const count of [0n, 1n, 99n, 100n, 101n, 5000n]) {
      for (const suffix of ["", " ORDER BY x DESC", " LIMIT 100000", " UNION ALL SELECT 0 WHERE 0"]) {
        const [{ values = [] }] = JSON.parse(show(reader, [COUNT + suffix, count]));
        assertEquals(values.length, Math.max(1, Number(count)), suffix);
      }
    }
    for (const at of [1, 50, 150, 3000]) {
      for (const suffix of ["", " LIMIT 100000", " ORDER BY x"]) {
        const sql =
          COUNT.replace("SELECT x FROM c", `SELECT abs(iif(x = ${at}, -9223372036854775807 - 1, x)) AS x FROM c`) +
          suffix;
        assertEquals(show(reader, [sql, 5000n]), '[{"error":"integer overflow"}]', `${at}${suffix}`);
      }
    }
    assertEquals(JSON.parse(show(reader, [`${COUNT} ORDER BY random()`, 500n]))[0].values.length, 500);
    assertEquals(JSON.parse(show(reader, "SELECT 1 UNION ALL VALUES(2)"))[0].values, [[1], [2]]);
  });
});

Deno.test("Reader ends an endless query at its time limit", () => {
  withReader((reader) => {
    const endless = COUNT.replace(" WHERE x < ?", "");
    const results = reader.read(read([endless, "SELECT 1"], { timeoutMs: 30 })).results;
    assertEquals(results, '[{"error":"query timeout"},{"error":"query timeout"}]');
    assertStringIncludes(show(reader, "SELECT 1"), "[[1]]");
  });
});

Deno.test("Reader answers writes when a request that must read does not", () => {
  withReader((reader, bench) => {
    bench.run(["CREATE TABLE t(a)"]);
    const answer = (...sql: Sql[]) => reader.read(read(sql, { onlyIfReadOnly: true }));
    assertEquals(answer("SELECT 1", "INSERT INTO t VALUES(1)"), { ref: 1, results: "[]", writes: true });
    for (const sql of ["SELEC", "SELECT * FROM nope", "PRAGMA user_version = 1", "SELECT 1; DELETE FROM t", "BEGIN"]) {
      assertEquals(answer(sql).writes, true, sql);
    }
    assert(answer("SELECT 1", "EXPLAIN DELETE FROM t", "PRAGMA user_version").writes === undefined);
  });
});

Deno.test("Reader gives long results in parts, counted, and ends a request whose results have no room", () => {
  const answers = new AnswerBudget();
  withReader((reader) => {
    const sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<20000) SELECT x, 'ä' AS t FROM c";
    const { results } = reader.read(read([sql, "SELECT 1", sql, "SELECT x'0g'"]));
    const [first, , third, fourth] = JSON.parse(wholeText(results));
    assertEquals([first.values.length, first.values[19_999], third.values.length], [20_000, [20_000, "ä"], 20_000]);
    assertEquals(Object.keys(fourth), ["error"]);
    assert(typeof results !== "string" && results.length > 1);
    assertEquals(answers.taken, countedBytes(results));
    answers.giveBack(answers.taken);

    answers.add(READ_ANSWERS_BYTES_MAX - 100_000); // room for the first parts alone
    assertEquals(reader.read(read([sql])), { ref: 1, results: "[]", isTooLarge: true });
    assertEquals(reader.read(read(["SELECT zeroblob(2000000)"])), { ref: 1, results: "[]", isTooLarge: true });
    assertEquals(typeof reader.read(read(["SELECT 1"])).results, "string");
    assertEquals(answers.taken, READ_ANSWERS_BYTES_MAX - 100_000);
  }, answers);
});

Deno.test("Reader ends results beyond their limit, and gives back what they have taken", () => {
  const answers = new AnswerBudget();
  withReader((reader) => {
    const sql =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<70) SELECT hex(zeroblob(500000)) FROM c";
    const { results } = reader.read(read([sql, "SELECT 1"]));
    assertEquals(JSON.parse(wholeText(results)), [
      { error: `the results exceed ${RESULTS_BYTES_MAX} bytes: use LIMIT to read them in parts` },
      { error: `the results exceed ${RESULTS_BYTES_MAX} bytes: use LIMIT to read them in parts` },
    ]);
    assertEquals(answers.taken, countedBytes(results));
  }, answers);
});

Deno.test("Reader shows SQLite's codes of an error, its text, or both", () => {
  withReader((reader, bench) => {
    bench.run(["CREATE TABLE t(a)"]);
    const sql = "SELECT json('{')";
    const v2 = '"error_v2":{"message":"malformed JSON","sqlite":{"code":1,"extended_code":1}}';
    assertEquals(show(reader, sql, { errors: "both" }), `[{"error":"malformed JSON",${v2}}]`);
    assertEquals(show(reader, sql, { errors: "v2", associative: true }), `[{"rows":[],${v2}}]`);
    assertEquals(show(reader, sql, { errors: "v1" }), '[{"error":"malformed JSON"}]');
    const refused = "INSERT INTO t VALUES(1)"; // by muster, not by SQLite
    assertEquals(show(reader, refused, { errors: "v2" }).includes('"sqlite"'), false);
  });
});

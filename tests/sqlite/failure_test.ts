import { assertEquals } from "@std/assert";
import { Control } from "../../src/sqlite/control.ts";
import { SqliteError } from "../../src/sqlite/driver.ts";
import { causeOf, EXTENDED_CODES, RESULT_CODES, StatementError } from "../../src/sqlite/failure.ts";

Deno.test("causeOf() knows every primary code of SQLite, and judges an unknown one as the environment's", () => {
  assertEquals([...RESULT_CODES.keys()], Array.from({ length: 28 }, (_, at) => at + 1));
  assertEquals(causeOf(new SqliteError("x", 99, new Control())), "environment");
  assertEquals(causeOf(new SqliteError("x", 8 | 99 << 8, new Control())), "environment"); // as its primary code
  for (const [code, { rule }] of EXTENDED_CODES) {
    if (rule === "statement") assertEquals(causeOf(new SqliteError("x", code, new Control())), "statement");
  }
  assertEquals(causeOf(new StatementError("no")), "statement");
  assertEquals(causeOf(new RangeError("from nowhere")), "environment");
  assertEquals(causeOf("text"), "environment");
});

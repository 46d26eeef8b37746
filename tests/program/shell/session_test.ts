/** Where a statement of the shell ends, and what it takes for words. */
import { assert, assertEquals } from "@std/assert";
import { isComplete, wordsOf } from "../../../src/program/shell/session.ts";

Deno.test("isComplete() holds at a semicolon that ends a statement", () => {
  const trigger = "CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN 1 THEN 2 END;";
  for (
    const text of ["SELECT 1;", "SELECT ';';", "SELECT 1; -- done", "SELECT 1;\n", `${trigger} END;`, "BEGIN;", "END;"]
  ) {
    assert(isComplete(text), text);
  }
  for (const text of ["", "SELECT 1", "SELECT ';", "SELECT 1 -- ;", "/* ; */", trigger, `${trigger} END`]) {
    assert(!isComplete(text), text);
  }
});

Deno.test("wordsOf() keeps what is in quotes together", () => {
  assertEquals(wordsOf(".read 'a file.sql'"), [".read", "a file.sql"]);
  assertEquals(wordsOf('.mode  insert "my table"'), [".mode", "insert", "my table"]);
  assertEquals(wordsOf(".nullvalue ''"), [".nullvalue", ""]);
});

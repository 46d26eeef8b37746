import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { rowChanges, type Splice } from "../../../src/core/sql/row_changes.ts";

function done(rows: readonly string[], splices: readonly Splice[]): string[] {
  const now = [...rows];
  for (const splice of splices) now.splice(splice.at, splice.delete, ...splice.insert);
  return now;
}

Deno.test("rowChanges() makes the one of the other, whatever they are", () => {
  const rows = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 30 });
  fc.assert(fc.property(rows, rows, (before, after) => {
    assertEquals(done(before, rowChanges(before, after)), after);
  }));
});

Deno.test("rowChanges() names no more than what has changed, and gives up where that is much", () => {
  const many = Array.from({ length: 1000 }, (_, at) => `row ${at}`);
  assertEquals(rowChanges(many, many), []);
  const changed = [...many];
  changed[500] = "another";
  changed.splice(10, 1);
  changed.push("the last");
  assertEquals(rowChanges(many, changed), [
    { at: 10, delete: 1, insert: [] },
    { at: 499, delete: 1, insert: ["another"] },
    { at: 999, delete: 0, insert: ["the last"] },
  ]);
  const others = many.map((row) => `${row}!`);
  const all = rowChanges(["first", ...many, "last"], ["first", ...others, "last"]);
  assertEquals(all.length, 1);
  assert(all[0].at === 1 && all[0].delete === 1000);
});

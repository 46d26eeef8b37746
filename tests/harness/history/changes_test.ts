/** The checker of delivered changes: hand-made ones, right and wrong. */
import { assertEquals, assertMatch } from "@std/assert";
import { checkChanges, type RowChange } from "./changes.ts";

const row = (k: number, v: string) => ({ k, v });
const insert = (k: number, v: string) => ({ op: "INSERT", table: "t", after: row(k, v) });
const update = (k: number, from: string, to: string) => ({
  op: "UPDATE",
  table: "t",
  before: row(k, from),
  after: row(k, to),
});
const remove = (k: number, v: string) => ({ op: "DELETE", table: "t", before: row(k, v) });
const RIGHT: readonly RowChange[] = [
  { index: 3, events: [insert(1, "a"), insert(2, "b")] },
  { index: 5, events: [update(1, "a", "c")] },
  { index: 6, events: [remove(2, "b")] },
];
const END = { t: [[1, "c"]] };

Deno.test("checkChanges() accepts what happened, once or more often", () => {
  assertEquals(checkChanges(RIGHT, END), { entries: 3, again: 0, faults: [] });
  const twice = [RIGHT[0], RIGHT[1], RIGHT[0], RIGHT[1], RIGHT[2]];
  assertEquals(checkChanges(twice, END), { entries: 3, again: 2, faults: [] });
});

Deno.test("checkChanges() rejects what is missing, invented or out of order", () => {
  const wrong: [RegExp, readonly RowChange[]][] = [
    [/and there was undefined/, RIGHT.slice(1)],
    [/the changes make/, RIGHT.slice(0, 2)],
    [/and there was a/, [RIGHT[0], { index: 4, events: [update(1, "b", "c")] }, RIGHT[2]]],
    [/which was there/, [...RIGHT, { index: 9, events: [insert(1, "x")] }]],
    [/index 5 came behind 6/, [RIGHT[0], RIGHT[2], RIGHT[1]]],
    [/rows are missing/, [...RIGHT, { index: 9, events: [{ error: "rows are missing" }] }]],
  ];
  for (const [pattern, changes] of wrong) assertMatch(checkChanges(changes, END).faults.join("\n"), pattern);
});

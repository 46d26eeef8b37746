/**
 * The net catches fish: every seeded bug still fits the code, and a handful of them, one per kind of catcher, are caught
 * within their budgets. `deno task sim --bugs` runs them all.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { BUGS } from "./bugs/list.ts";
import { catchBug, mutate, MutationError } from "./bugs/run.ts";

/** Quick ones: together some seconds. */
const QUICK = [
  "1",
  "2",
  "3",
  "4",
  "5",
  "8",
  "10b",
  "10d",
  "11",
  "14",
  "14b",
  "18",
  "20",
  "21",
  "25",
  "26",
  "27",
  "29",
  "c7",
  "c11",
];

Deno.test("every seeded bug has an id of its own and fits the code as it is now", () => {
  assertEquals(new Set(BUGS.map(({ id }) => id)).size, BUGS.length);
  for (const bug of BUGS) {
    const source = Deno.readTextFileSync(new URL(`../../${bug.file}`, import.meta.url));
    assert(mutate(source, bug) !== source, `bug ${bug.id} changes nothing`);
    if (bug.caught.by === "test") Deno.statSync(new URL(`../../${bug.caught.file}`, import.meta.url));
  }
});

Deno.test("a seeded bug is refused when its text is gone or stands twice", () => {
  const [bug] = BUGS;
  assertThrows(() => mutate("nothing", bug), MutationError, "it occurs 0 times");
  assertThrows(() => mutate(bug.find + bug.find, bug), MutationError, "it occurs 2 times");
});

for (const bug of BUGS.filter(({ id }) => QUICK.includes(id))) {
  Deno.test(`bug ${bug.id} is caught: ${bug.title}`, async () => {
    assert((await catchBug(bug)).isCaught);
  });
}

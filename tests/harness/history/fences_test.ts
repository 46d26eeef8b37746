/** The checker of fenced writes: hand-made histories, right and wrong. */
import { assertEquals, assertMatch } from "@std/assert";
import { checkFences, type FencedWrite } from "./fences.ts";

function write(id: number, session: string, token: number, more: Partial<FencedWrite> = {}): FencedWrite {
  return { id, lock: 1, session, token, isLate: false, outcome: "done", ...more };
}

const LATE = { isLate: true, outcome: "notDone" } as const;

Deno.test("checkFences() accepts holders that write one after the other, and what is unknown either way", () => {
  const writes = [
    write(1, "a", 5),
    write(2, "a", 5, { outcome: "unknown" }),
    write(3, "a", 5, LATE),
    write(4, "b", 9),
    write(5, "c", 7, { lock: 2 }),
    write(6, "b", 9, { outcome: "unknown", isLate: true }),
  ];
  assertEquals(checkFences(writes, [1, 4, 5]), { written: 3, refused: 1, faults: [] });
  assertEquals(checkFences(writes, [1, 2, 5, 4]).faults, []);
});

Deno.test("checkFences() rejects what a fence does not let through", () => {
  const wrong: [RegExp, FencedWrite[], number[]][] = [
    [/a holder before this one wrote/, [write(1, "a", 5), write(2, "b", 9)], [2, 1]],
    [/one token, two sessions/, [write(1, "a", 5), write(2, "b", 5)], [1, 2]],
    [/after the lock was lost/, [write(1, "a", 5, { isLate: true, outcome: "unknown" })], [1]],
    [/refused is there/, [write(1, "a", 5, { outcome: "notDone" })], [1]],
    [/is lost/, [write(1, "a", 5)], []],
    [/2 times/, [write(1, "a", 5)], [1, 1]],
    [/nobody sent/, [], [1]],
  ];
  for (const [pattern, writes, ids] of wrong) assertMatch(checkFences(writes, ids).faults.join("\n"), pattern);
});

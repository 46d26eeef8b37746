/** Following a state by blocking reads. */
import { assertEquals } from "@std/assert";
import { follow, type Followed } from "../../../src/app/agent/follow.ts";

/** Follows answers, errors among them, to their end: what comes out, the indices that were asked for, and the pauses. */
async function followed(answers: readonly (Followed | string)[], isUnordered = false) {
  const over = new AbortController();
  const asked: string[] = [];
  const pauses: number[] = [];
  const errors: string[] = [];
  const rest = [...answers];
  const states = follow({
    ask(index) {
      asked.push(index);
      const next = rest.shift();
      if (rest.length === 0) over.abort();
      if (typeof next === "object") return Promise.resolve(next);
      return Promise.reject(new Error(next));
    },
    signal: over.signal,
    isUnordered,
    onError: (error, ms) => errors.push(`${error instanceof Error ? error.message : error} ${ms}`),
    wait(ms) {
      pauses.push(ms);
      return Promise.resolve();
    },
  });
  const values: unknown[] = [];
  for await (const { value } of states) values.push(value);
  return { values, asked, pauses, errors };
}

Deno.test("follow() yields the first state and those that differ from the one before, and waits from each index", async () => {
  const answers = [{ index: "5", value: [1] }, { index: "7", value: [1] }, { index: "9", value: [2] }];
  const { values, asked } = await followed(answers);
  assertEquals(values, [[1], [2]]);
  assertEquals(asked, ["0", "5", "7"]);
});

Deno.test("follow() reads at once after an index that went back, and after an error", async () => {
  const { values, asked, pauses, errors } = await followed([
    { index: "9", value: 1 },
    { index: "3", value: 2 },
    { index: "3", value: 2 },
    "no leader",
    "no leader",
    { index: "4", value: 2 },
    { index: "18446744073709551615", value: 3 },
  ]);
  assertEquals(values, [1, 2, 3]);
  assertEquals(asked, ["0", "9", "0", "3", "0", "0", "4"]);
  assertEquals(pauses, [5000, 20_000]);
  assertEquals(errors, ["no leader 5000", "no leader 20000"]);
});

Deno.test("follow() waits no longer than 3 minutes after any number of errors", async () => {
  const { pauses } = await followed([...Array.from({ length: 8 }, () => "gone"), { index: "1", value: 1 }]);
  assertEquals(pauses.slice(4), [125_000, 180_000, 180_000, 180_000]);
});

Deno.test("follow() pauses when answers without news come at once", async () => {
  const same = { index: "5", value: 1 };
  const { values, pauses } = await followed([same, same, same]);
  assertEquals([values, pauses], [[1], [1000, 1000]]);
});

Deno.test("follow() takes any other index of events for a later one, and keeps it over errors", async () => {
  const { values, asked } = await followed([
    { index: "900", value: ["a"] },
    { index: "3", value: ["b"] },
    "gone",
    { index: "1", value: undefined },
    { index: "7", value: ["b"] },
  ], true);
  assertEquals(values, [["a"], ["b"]]);
  assertEquals(asked, ["0", "900", "3", "3", "1"]);
});

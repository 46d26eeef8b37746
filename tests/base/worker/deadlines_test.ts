/** Time limits that share one timer: each is noticed, whatever was set or cleared before it (src/base/worker/deadlines.ts). */
import { assert, assertEquals } from "@std/assert";
import { Deadlines, SLACK_MS } from "../../../src/base/worker/deadlines.ts";

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

Deno.test("limits expire in time, in any order of setting; cleared ones do not", async () => {
  const deadlines = new Deadlines();
  const startedMs = performance.now();
  const expired = new Map<number, number>();
  const set = (ms: number) => deadlines.start(ms, () => expired.set(ms, performance.now() - startedMs));
  const cleared = set(1);
  for (const ms of [600, 30, 300, 10]) set(ms);
  deadlines.remove(cleared);
  await pause(600 + 10 * SLACK_MS);
  assertEquals([...expired.keys()].toSorted((a, b) => a - b), [10, 30, 300, 600]);
  for (const [ms, afterMs] of expired) assert(afterMs >= ms - 1 && afterMs < ms + 10 * SLACK_MS, `${ms}: ${afterMs}`);
});

Deno.test("a limit that is set while another one expires, or after all have, is noticed", async () => {
  const deadlines = new Deadlines();
  const expired: string[] = [];
  deadlines.start(1, () => {
    expired.push("first");
    deadlines.start(1, () => expired.push("of the first"));
  });
  await pause(10 * SLACK_MS);
  deadlines.remove(deadlines.start(1, () => expired.push("cleared")));
  deadlines.start(20, () => expired.push("after a rest"));
  await pause(10 * SLACK_MS);
  assertEquals(expired, ["first", "of the first", "after a rest"]);
});

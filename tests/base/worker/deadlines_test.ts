/** Time limits that share one timer: each is noticed, whatever was set or cleared before it (src/base/worker/deadlines.ts). */
import { assert, assertEquals } from "@std/assert";
import { Deadlines } from "../../../src/base/worker/deadlines.ts";

Deno.test("limits expire in time, in any order of setting; cleared ones do not", async () => {
  const deadlines = new Deadlines();
  const startedMs = performance.now();
  const expired = new Map<number, number>();
  const set = (ms: number) =>
    new Promise<void>((resolve) => {
      deadlines.start(ms, () => {
        expired.set(ms, performance.now() - startedMs);
        resolve();
      });
    });
  const cleared = deadlines.start(1, () => expired.set(1, 0));
  const all = [600, 30, 300, 10].map(set);
  deadlines.remove(cleared);
  await Promise.all(all);
  assertEquals([...expired.keys()].toSorted((a, b) => a - b), [10, 30, 300, 600]);
  for (const [ms, afterMs] of expired) assert(afterMs >= ms - 1, `${ms}: ${afterMs}`);
});

Deno.test("a limit that is set while another one expires, or after all have, is noticed", async () => {
  const deadlines = new Deadlines();
  const expired: string[] = [];
  const expires = (ms: number, name: string, then?: () => void) =>
    new Promise<void>((resolve) => {
      deadlines.start(ms, () => {
        expired.push(name);
        then?.();
        resolve();
      });
    });
  await new Promise<void>((resolve) => expires(1, "first", () => expires(1, "of the first").then(resolve)));
  deadlines.remove(deadlines.start(1, () => expired.push("cleared")));
  await expires(20, "after a rest");
  assertEquals(expired, ["first", "of the first", "after a rest"]);
});

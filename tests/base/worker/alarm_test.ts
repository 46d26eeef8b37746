import { assert, assertEquals } from "@std/assert";
import { Alarm } from "../../../src/base/worker/alarm.ts";

Deno.test("Alarm calls once, at the first of the times set, and anew when it is set again", async () => {
  let due = Promise.withResolvers<void>();
  let calls = 0;
  const alarm = new Alarm(() => {
    calls++;
    due.resolve();
  });
  const startedMs = performance.now();
  alarm.within(60_000);
  alarm.within(20);
  alarm.within(120_000);
  await due.promise;
  assert(performance.now() - startedMs < 60_000);
  due = Promise.withResolvers();
  alarm.within(1);
  await due.promise;
  assertEquals(calls, 2);
  alarm.within(60_000);
  alarm.clear(); // or the test leaves a timer behind
});

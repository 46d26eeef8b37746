import { assert, assertEquals } from "@std/assert";
import { Ticker } from "../../../src/base/worker/ticker.ts";

const TICK_MS = 20;

Deno.test("Ticker calls once the ticks have passed, and counts each of them once", async () => {
  const due = Promise.withResolvers<void>();
  const ticker = new Ticker({ tickMs: TICK_MS, ticksMax: 100, onDue: due.resolve });
  const startedMs = performance.now();
  ticker.wakeAfter(3);
  await due.promise;
  const passed = (performance.now() - startedMs) / TICK_MS;
  const ticks = ticker.take();
  assert(ticks >= 3 && ticks <= passed + 1, `${ticks} ticks in ${passed}`);
  assertEquals(ticker.take(), 0);
  ticker.stop();
});

Deno.test("Ticker calls at the time set last, earlier or later", async () => {
  let due = Promise.withResolvers<void>();
  const ticker = new Ticker({ tickMs: TICK_MS, ticksMax: 100, onDue: () => due.resolve() });
  const startedMs = performance.now();
  ticker.wakeAfter(10_000);
  ticker.wakeAfter(1);
  ticker.wakeAfter(4);
  await due.promise;
  assert(performance.now() - startedMs >= 4 * TICK_MS);
  due = Promise.withResolvers();
  ticker.wakeAfter(10_000);
  ticker.wakeAfter(1);
  await due.promise;
  assert(ticker.take() < 10_000);
  ticker.stop();
});

Deno.test("Ticker makes up for no more ticks than it may", async () => {
  const ticker = new Ticker({ tickMs: 1, ticksMax: 5, onDue() {} });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(ticker.take(), 5);
  ticker.stop();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(ticker.take(), 0);
});

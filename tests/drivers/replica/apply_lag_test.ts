/** How long committed entries have waited to be applied. */
import { assertEquals } from "@std/assert";
import { ApplyLag } from "../../../src/drivers/replica/apply_lag.ts";

Deno.test("ApplyLag tells since when the oldest entry waits, while others are applied and committed", () => {
  const lag = new ApplyLag(10);
  assertEquals(lag.sinceMs, 0);
  lag.committed(12, 1000);
  lag.committed(15, 3000);
  assertEquals(lag.sinceMs, 1000);
  lag.applied(11);
  assertEquals(lag.sinceMs, 1000, "12 still waits");
  lag.applied(12);
  assertEquals(lag.sinceMs, 3000);
  lag.committed(15, 9000);
  lag.applied(15);
  assertEquals(lag.sinceMs, 0);
  lag.applied(20); // by a snapshot
  lag.committed(18, 9500);
  assertEquals(lag.sinceMs, 0);
  lag.committed(21, 9600);
  assertEquals(lag.sinceMs, 9600);
});

Deno.test("ApplyLag never makes an entry younger than it is, however many are committed", () => {
  const lag = new ApplyLag(0);
  const committedMs = (index: number) => 1000 + index * 30;
  for (let index = 1; index <= 10_000; index++) lag.committed(index, committedMs(index));
  for (let index = 1; index < 10_000; index++) {
    lag.applied(index);
    const isOld = lag.sinceMs <= committedMs(index + 1);
    if (!isOld) throw new Error(`entry ${index + 1} counts from ${lag.sinceMs}`);
  }
  assertEquals(lag.sinceMs > committedMs(100), true, "what is applied is forgotten");
});

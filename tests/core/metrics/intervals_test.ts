import { assertEquals } from "@std/assert";
import { Histogram } from "../../../src/base/shared/histogram.ts";
import { byLabel, counter, gauge, histogram } from "../../../src/core/metrics/family.ts";
import { Intervals } from "../../../src/core/metrics/intervals.ts";

Deno.test("Intervals show the last whole interval, and the time since the start until there is one", () => {
  const counts = { a: 3, b: 0 };
  const times = new Histogram();
  const intervals = new Intervals(() => [
    counter("c_total", "Counted", byLabel("of", counts)),
    gauge("g", "A gauge is left aside", 7),
    histogram("h_seconds", "Timed", times),
  ], 1000);
  for (const ms of [4, 6]) times.observe(ms);

  const a = { name: "c_total", labels: { of: "a" }, count: 3 };
  const h = { name: "h_seconds", labels: {}, count: 2, sum: 10, squares: 52, extremes: { least: 4, greatest: 6 } };
  assertEquals(intervals.last(3000), { startMs: 1000, lengthMs: 2000, counters: [a], samples: [h] });

  intervals.end(11_000);
  counts.b = 5;
  times.observe(1);
  assertEquals(intervals.last(15_000), { startMs: 1000, lengthMs: 10_000, counters: [a], samples: [h] });

  intervals.end(21_000);
  const b = { name: "c_total", labels: { of: "b" }, count: 5 };
  const later = { ...h, count: 1, sum: 1, squares: 1, extremes: { least: 1, greatest: 1 } };
  assertEquals(intervals.last(25_000), { startMs: 11_000, lengthMs: 10_000, counters: [b], samples: [later] });

  intervals.end(31_000);
  assertEquals(intervals.last(32_000).counters.length + intervals.last(32_000).samples.length, 0);
});

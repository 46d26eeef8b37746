import { assertEquals } from "@std/assert";
import { BOUNDS_MS, Histogram, HISTOGRAM_BYTES } from "../../../src/base/shared/histogram.ts";

Deno.test("Histogram counts a duration in the first bucket whose bound is not below it", () => {
  const histogram = new Histogram();
  for (const ms of [0, 0.1, 0.11, 5, 10_000, 10_001]) histogram.observe(ms);
  const { buckets, count, sum, squares } = histogram.observed;
  assertEquals(buckets.length, BOUNDS_MS.length + 1);
  assertEquals([buckets[0], buckets[1], buckets[BOUNDS_MS.indexOf(5)], buckets.at(-2), buckets.at(-1)], [
    2,
    1,
    1,
    1,
    1,
  ]);
  assertEquals([count, Math.round(sum), Math.round(squares / 1000)], [6, 20_006, 200_020]);
});

Deno.test("Histogram shows what another view of its memory observes, at its place", () => {
  const memory = new SharedArrayBuffer(8 + 2 * HISTOGRAM_BYTES);
  const [first, second] = [new Histogram(memory, 8), new Histogram(memory, 8 + HISTOGRAM_BYTES)];
  new Histogram(memory, 8).observe(3);
  assertEquals([first.observed.count, first.observed.sum, second.observed.count], [1, 3, 0]);
});

Deno.test("Histogram has the extremes of a period, which its reader ends", () => {
  const histogram = new Histogram();
  assertEquals(histogram.extremes, undefined);
  for (const ms of [4, 2, 9]) histogram.observe(ms);
  assertEquals(histogram.extremes, { least: 2, greatest: 9 });
  histogram.endPeriod();
  assertEquals(histogram.extremes, undefined, "nothing was observed since");
  histogram.observe(5);
  assertEquals(histogram.extremes, { least: 5, greatest: 5 });
  assertEquals(histogram.observed.count, 4);
});

/** What `deno task bench --scale` says of its series, and that it can draw them. */
import { assertEquals, assertMatch } from "@std/assert";
import { plot } from "../../scripts/bench/scale/plot.ts";
import { bendOf, type Line } from "../../scripts/bench/scale/series.ts";

const line = (...values: readonly number[]): Line => ({
  name: "INSERT",
  points: values.map((y, at) => ({ x: 10 ** at, y })),
});

Deno.test("bendOf() says until where a rate grows and from where it falls, or how a time grows with the size", () => {
  assertEquals(bendOf(line(100, 99, 101, 95), true), "level");
  assertEquals(bendOf(line(10, 100, 99), true), "grows until 10, then level");
  assertEquals(bendOf(line(1, 10, 100), true), "grows to the end");
  assertEquals(bendOf(line(10, 100, 99, 40), true), "grows until 10, then level, below 80 % of its best from 1,000 on");
  assertEquals(bendOf(line(1, 10, 100), false), "exponent 1.00 over all, never faster than the size");
  assertEquals(bendOf(line(1, 1, 100), false), "exponent 1.00 over all, faster than the size from 10 on");
  assertEquals(bendOf(line(NaN, 5), true), "too few points");
});

Deno.test("plot() draws a series as SVG", () => {
  const series = { id: "a", title: "Rows <by> size", size: "rows", figure: "a second", isRate: true };
  const svg = plot({ ...series, lines: [line(1, 10, 100)] });
  assertMatch(svg, /^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  assertMatch(svg, /Rows &lt;by&gt; size/);
});

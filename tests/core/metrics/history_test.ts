import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { Histogram } from "../../../src/base/shared/histogram.ts";
import { counter, type Family, gauge, histogram } from "../../../src/core/metrics/family.ts";
import {
  type Column,
  type Excerpt,
  History,
  HISTORY_BYTES_MAX,
  quantileOf,
} from "../../../src/core/metrics/history.ts";
import { readSeries, SERIES } from "../../../src/core/metrics/series.ts";

const START = 1_700_000_000_000;

/** Families with some figures. */
function families({ writes = 0, memory = 0, requests = [] as [string, number][], syncs = new Histogram() }): Family[] {
  return [
    counter("muster_sqlite_statements_total", "", [
      { labels: { kind: "execute" }, value: writes },
      { labels: { kind: "query" }, value: 7 },
    ]),
    gauge("process_resident_memory_bytes", "", memory),
    counter("muster_http_requests_total", "", requests.map(([code, value]) => ({ labels: { code }, value }))),
    histogram("muster_log_sync_duration_seconds", "", syncs),
    gauge("muster_raft_term", "", undefined),
  ];
}

const valuesOf = ({ columns }: Excerpt, name: string): Column["values"] =>
  columns.find(({ series }) => series.name === name)?.values ?? [];

Deno.test("History keeps gauges as they are, counters by the second, and quantiles of each step", () => {
  const history = new History();
  const syncs = new Histogram();
  const take = (nth: number, facts: Parameters<typeof families>[0]) =>
    history.take(readSeries(families({ syncs, ...facts })), START + nth * 10_000);
  syncs.observe(5000); // before the first sample: in no quantile
  take(0, { writes: 1000, memory: 5 });
  for (let nth = 0; nth < 100; nth++) syncs.observe(0.3);
  take(1, { writes: 1050, memory: 6, requests: [["200", 20]] });
  take(2, { writes: 1050, memory: 7, requests: [["200", 20], ["503", 5]] });
  take(3, { writes: 3, memory: 8, requests: [["200", 20], ["503", 5]] }); // a counter that began anew
  const excerpt = history.since(0 + START - 1, START + 30_000);
  assertEquals([excerpt.stepMs, excerpt.times], [10_000, [0, 10_000, 20_000, 30_000].map((ms) => START + ms)]);
  assertEquals(valuesOf(excerpt, "writes"), [NaN, 5, 0, 0]);
  assertEquals(valuesOf(excerpt, "reads"), [NaN, 0, 0, 0]);
  assertEquals(valuesOf(excerpt, "memory_bytes"), [5, 6, 7, 8]);
  assertEquals(valuesOf(excerpt, "http_requests"), [NaN, 2, 0.5, 0], "what shows late has begun at 0");
  assertEquals(valuesOf(excerpt, "http_errors"), [NaN, 0, 0.5, 0]);
  const [first, median, none] = valuesOf(excerpt, "sync_p50");
  assertEquals([first, none], [NaN, NaN]);
  assertAlmostEquals(median, 0.000375);
  assertEquals(excerpt.columns.some(({ series }) => series.name === "raft_term"), false, "never known");
});

Deno.test("History has samples of 10 s for an hour and of a minute for a day, and forgets what is older", () => {
  const history = new History();
  const day = 24 * 360;
  for (let nth = 0; nth <= 2 * day; nth++) {
    history.take(readSeries(families({ writes: nth * 10, memory: nth })), START + nth * 10_000);
  }
  const now = START + 2 * day * 10_000;
  const hour = history.since(now - 3_600_000, now);
  assertEquals([hour.stepMs, hour.times.length, hour.times.at(-1)], [10_000, 360, now]);
  assertEquals(new Set(valuesOf(hour, "writes")), new Set([1]));
  const all = history.since(0, now);
  assertEquals([all.stepMs, all.times.length, all.times.at(-1)], [60_000, 1441, now]);
  assertEquals(new Set(valuesOf(all, "writes")), new Set([1]));
  assertEquals(valuesOf(all, "memory_bytes").at(-1), 2 * day);
  assert(all.times.every((time, at) => at === 0 || time - all.times[at - 1] === 60_000));
  assertEquals(history.since(now, now).times, []);
  const some = history.since(0, now, (name) => name === "writes");
  assertEquals(some.columns.map(({ series }) => series.name), ["writes"]);
  assert(HISTORY_BYTES_MAX < 1024 * 1024, String(HISTORY_BYTES_MAX));
});

Deno.test("History takes no sample too early, and goes on after a pause or when the clock is set back", () => {
  const history = new History();
  const take = (ms: number, writes: number) => history.take(readSeries(families({ writes })), START + ms);
  take(0, 0);
  take(9500, 10);
  take(9900, 20); // too early
  take(600_000, 610);
  take(300_000, 620); // set back
  take(310_000, 630);
  const excerpt = history.since(0, START);
  assertEquals(history.since(START - 1, START).times.map((time) => time - START), [0, 9500, 600_000, 300_000, 310_000]);
  const values = valuesOf(history.since(START - 1, START), "writes");
  assertEquals(values.map((value) => Math.round(value * 1000) / 1000), [NaN, 1.053, 1.016, NaN, 1]);
  assertEquals(excerpt.stepMs, 60_000);
});

Deno.test("quantileOf() lies in a straight line within a bucket, and is known only where something was observed", () => {
  const counts = (buckets: Record<number, number>) => Array.from({ length: 17 }, (_, at) => buckets[at] ?? 0);
  assertEquals(quantileOf(counts({}), 0.5), NaN);
  assertAlmostEquals(quantileOf(counts({ 3: 10 }), 0.5), 0.00075); // 0.5 to 1 ms
  assertAlmostEquals(quantileOf(counts({ 0: 1, 3: 1 }), 0.99), 0.00099);
  assertAlmostEquals(quantileOf(counts({ 0: 99, 16: 1 }), 0.999), 10, 0.001);
});

Deno.test("each figure has a name of its own, and says what it is", () => {
  assertEquals(new Set(SERIES.map(({ name }) => name)).size, SERIES.length);
  for (const { name, help, kind, quantile } of SERIES) {
    assert(/^[a-z0-9_]+$/.test(name) && /^[A-Z0-9].*[^.]$/.test(help), name);
    assertEquals(kind === "quantile", quantile !== undefined, name);
  }
});

import { assertEquals } from "@std/assert";
import { Histogram } from "../../../src/base/shared/histogram.ts";
import { encodeFamilies } from "../../../src/core/metrics/exposition.ts";
import { byLabel, counter, gauge, histogram } from "../../../src/core/metrics/family.ts";

const FAMILIES = [
  counter("m_things_total", `All "things" \\ so far`, byLabel("kind", { [`a"b\\c\nd`]: 2, plain: 0 })),
  gauge("m_size_bytes", "Bytes", 1.5),
  gauge("m_is_up", "Whether", true),
  gauge("m_none", "Not known now", undefined),
  gauge("m_odd", "Odd", [{ value: Infinity }, { labels: { x: "1" }, value: NaN }]),
];

Deno.test("encodeFamilies() writes Prometheus' text format", () => {
  assertEquals(
    encodeFamilies(FAMILIES, "prometheus"),
    `# HELP m_things_total All "things" \\\\ so far
# TYPE m_things_total counter
m_things_total{kind="a\\"b\\\\c\\nd"} 2
m_things_total{kind="plain"} 0
# HELP m_size_bytes Bytes
# TYPE m_size_bytes gauge
m_size_bytes 1.5
# HELP m_is_up Whether
# TYPE m_is_up gauge
m_is_up 1
# HELP m_odd Odd
# TYPE m_odd gauge
m_odd +Inf
m_odd{x="1"} NaN
`,
  );
});

Deno.test("encodeFamilies() writes OpenMetrics with units, counters by their base name, and an end", () => {
  assertEquals(
    encodeFamilies(FAMILIES.slice(0, 2), "openmetrics"),
    `# HELP m_things All \\"things\\" \\\\ so far
# TYPE m_things counter
m_things_total{kind="a\\"b\\\\c\\nd"} 2
m_things_total{kind="plain"} 0
# HELP m_size_bytes Bytes
# TYPE m_size_bytes gauge
# UNIT m_size_bytes bytes
m_size_bytes 1.5
# EOF
`,
  );
});

Deno.test("encodeFamilies() adds up the buckets of a histogram, in seconds, with the same bounds in both formats", () => {
  const times = new Histogram();
  for (const ms of [0.25, 700, 60_000]) times.observe(ms);
  const family = histogram("m_duration_seconds", "Time", [{ labels: { of: "x" }, times }]);
  const text = encodeFamilies([family], "prometheus");
  const buckets = [...text.matchAll(/_bucket\{of="x",le="(.+?)"\} (\d+)/g)].map(([, le, count]) => `${le}:${count}`);
  assertEquals(
    buckets.join(" "),
    "0.0001:0 0.00025:1 0.0005:1 0.001:1 0.0025:1 0.005:1 0.01:1 0.025:1 0.05:1 0.1:1 0.25:1 0.5:1 1.0:2 2.5:2 5.0:2 " +
      "10.0:2 +Inf:3",
  );
  assertEquals(text.endsWith(`m_duration_seconds_sum{of="x"} 60.70025\nm_duration_seconds_count{of="x"} 3\n`), true);
  const open = encodeFamilies([family], "openmetrics");
  assertEquals(open.replace("# UNIT m_duration_seconds seconds\n", ""), `${text}# EOF\n`);
});

import { assertEquals } from "@std/assert";
import { Histogram } from "../../../src/base/shared/histogram.ts";
import { counter, gauge, histogram } from "../../../src/core/metrics/family.ts";
import { encodeOtlp } from "../../../src/core/metrics/otlp.ts";

Deno.test("encodeOtlp() shows counters, gauges and histograms as the collector wants them", () => {
  const times = new Histogram();
  for (const ms of [0.2, 3, 20_000]) times.observe(ms);
  const families = [
    counter("muster_requests_total", "Requests", [{ labels: { code: "200" }, value: 3 }]),
    gauge("muster_size_bytes", "Size", 7),
    gauge("muster_unknown", "Not known now", undefined),
    histogram("muster_apply_seconds", "Times", times),
  ];
  const context = { resource: { "service.name": "muster" }, version: "1.2.3", startMs: 1000, nowMs: 1_700_000_000_123 };
  const { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics }] }] } = JSON.parse(
    encodeOtlp(families, context),
  );
  assertEquals(resource.attributes, [{ key: "service.name", value: { stringValue: "muster" } }]);
  assertEquals(scope, { name: "muster", version: "1.2.3" });
  const time = { startTimeUnixNano: "1000000000", timeUnixNano: "1700000000123000000" };
  const [requests, size, apply, ...others] = metrics;
  assertEquals(others, []);
  assertEquals(requests, {
    name: "muster_requests_total",
    description: "Requests",
    unit: "1",
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [{ attributes: [{ key: "code", value: { stringValue: "200" } }], ...time, asDouble: 3 }],
    },
  });
  assertEquals([size.unit, size.gauge.dataPoints], ["By", [{ attributes: [], ...time, asDouble: 7 }]]);
  const [point] = apply.histogram.dataPoints;
  assertEquals([apply.unit, point.count, point.sum], ["s", "3", 20.0032]);
  assertEquals(point.explicitBounds.length + 1, point.bucketCounts.length);
  assertEquals(point.bucketCounts.map(Number).filter((count: number) => count > 0), [1, 1, 1]);
  assertEquals(point.bucketCounts.at(-1), "1");
});

/**
 * Metrics as OTLP has them (opentelemetry.io/docs/specs/otlp, opentelemetry-proto 1.3: ExportMetricsServiceRequest in JSON). Pure.
 *
 * Names and units are those of Prometheus, so that both ways show the same. Counters and histograms are cumulative, from the
 * start of the process on.
 *
 * Why no SDK: `@opentelemetry/sdk-metrics` keeps figures of its own in one thread, and would have to be fed from those that
 * are counted here already, in memory that Workers share.
 * @module
 */
import { BOUNDS_MS } from "../../base/shared/histogram.ts";
import type { Family, Labels, Point, Times } from "./family.ts";

/** Both are cumulative (AGGREGATION_TEMPORALITY_CUMULATIVE). */
const CUMULATIVE = 2;
const BOUNDS = BOUNDS_MS.map((ms) => ms / 1000);

/** Whose metrics they are, and of which time. */
export interface OtlpContext {
  /** `service.name` and so on. */
  readonly resource: Labels;
  /** Version of the program. */
  readonly version: string;
  /** When the process began to count, and now, in ms since 1970. */
  readonly startMs: number;
  readonly nowMs: number;
}

/** The body of a request to `/v1/metrics`. Families without points, and summaries, which OTLP has for old data alone, are left out. */
export function encodeOtlp(families: readonly Family[], { resource, version, startMs, nowMs }: OtlpContext): string {
  const times = { startTimeUnixNano: nanos(startMs), timeUnixNano: nanos(nowMs) };
  const metrics = families.filter(({ points, kind }) => points.length > 0 && kind !== "summary")
    .map((family) => ({
      name: family.name,
      description: family.help,
      unit: unitOf(family.name),
      ...dataOf(family, times),
    }));
  const scopeMetrics = [{ scope: { name: "muster", version }, metrics }];
  return JSON.stringify({ resourceMetrics: [{ resource: { attributes: attributesOf(resource) }, scopeMetrics }] });
}

type Moment = Readonly<Record<"startTimeUnixNano" | "timeUnixNano", string>>;

function dataOf(family: Family, times: Moment): Record<string, unknown> {
  switch (family.kind) {
    case "counter":
      return {
        sum: {
          aggregationTemporality: CUMULATIVE,
          isMonotonic: true,
          dataPoints: family.points.map((point) => numberPoint(point, times)),
        },
      };
    case "histogram":
      return {
        histogram: {
          aggregationTemporality: CUMULATIVE,
          dataPoints: family.points.map((point) => histogramPoint(point, times)),
        },
      };
    default:
      return {
        gauge: { dataPoints: family.points.flatMap((point) => "value" in point ? [numberPoint(point, times)] : []) },
      };
  }
}

function numberPoint({ labels, value }: Point, times: Moment): Record<string, unknown> {
  return { attributes: attributesOf(labels), ...times, asDouble: value };
}

function histogramPoint({ labels, times: observed }: Times, times: Moment): Record<string, unknown> {
  const { buckets, count, sum } = observed.observed;
  return {
    attributes: attributesOf(labels),
    ...times,
    count: String(count),
    sum: sum / 1000,
    bucketCounts: buckets.map(String),
    explicitBounds: BOUNDS,
  };
}

function attributesOf(labels: Labels = {}): unknown[] {
  return Object.entries(labels).map(([key, value]) => ({ key, value: { stringValue: value } }));
}

/** UCUM, as OTLP wants units. */
function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return "s";
  return /_bytes(_total)?$/.test(name) ? "By" : "1";
}

/** 64 bits do not fit into a number of JSON. */
function nanos(ms: number): string {
  return String(BigInt(Math.round(ms)) * 1_000_000n);
}

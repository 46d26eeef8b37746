/**
 * Metrics of the HTTP server (docs/metrics.md).
 * @module
 */
import type { Counters } from "../../app/database/counters.ts";
import type { SlowStatements } from "../../app/database/slow_statements.ts";
import type { Tracer } from "../../app/traces/tracer.ts";
import { counter, type Family, gauge, histogram, type Point } from "../../core/metrics/family.ts";
import type { RequestCounts } from "../http/request_counts.ts";

/** Sources of these metrics. */
export interface HttpMetricsParts {
  readonly requests: RequestCounts;
  readonly slow: Pick<SlowStatements, "count">;
  /** Present where traces go to a collector. */
  readonly tracer?: Pick<Tracer, "exported" | "dropped"> | undefined;
  readonly counters: Pick<Counters, "running" | "connections" | "auth_fail" | "num_conn_rejected">;
}

/** The figures now. */
export function httpFamilies({ requests, slow, counters, tracer }: HttpMetricsParts): Family[] {
  const { all } = requests;
  return [
    counter(
      "muster_http_requests_total",
      "Requests by endpoint, method and status",
      all.flatMap(({ endpoint, method, codes }) => byCode(codes, { endpoint, method })),
    ),
    histogram(
      "muster_http_request_duration_seconds",
      "Time from the head of a request until its answer was ready to be sent, waits of blocking queries included",
      all.filter(({ codes }) => codes.size > 0).map(({ endpoint, method, times }) => ({
        labels: { endpoint, method },
        times,
      })),
    ),
    gauge("muster_http_requests_in_flight", "Requests under way", counters.running),
    gauge("muster_http_connections", "Open connections of clients", counters.connections),
    counter(
      "muster_http_requests_refused_total",
      "Requests that were answered before they were read in full, by status: malformed, too large, too slow, one too many",
      byCode(requests.refused),
    ),
    counter("muster_http_connections_rejected_total", "Connections above the limit", counters.num_conn_rejected),
    counter(
      "muster_slow_requests_total",
      "Requests with statements that took longer than -slow-statements",
      slow.count,
    ),
    counter(
      "muster_auth_failures_total",
      "Requests without a known user, or without the permission",
      counters.auth_fail,
    ),
    ...(tracer
      ? [
        counter("muster_trace_spans_exported_total", "Spans that the collector of traces has taken", tracer.exported),
        counter(
          "muster_trace_spans_dropped_total",
          "Spans that found no room in the queue, or that the collector of traces did not take",
          tracer.dropped,
        ),
      ]
      : []),
  ];
}

function byCode(codes: ReadonlyMap<number, number>, labels: Record<string, string> = {}): Point[] {
  return [...codes].map(([code, value]) => ({ labels: { ...labels, code: String(code) }, value }));
}

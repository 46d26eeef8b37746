/**
 * `GET /metrics`: all metrics of the node, for Prometheus and what understands its formats (docs/metrics.md).
 * @module
 */
import { familiesAtHand, nodeFamilies, type NodeMetricsParts, sampledFamilies } from "../../app/metrics/node.ts";
import { CONTENT_TYPES, encodeFamilies } from "../../core/metrics/exposition.ts";
import type { Family } from "../../core/metrics/family.ts";
import type { HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { httpFamilies, type HttpMetricsParts } from "./http.ts";
import { formatFor } from "./negotiation.ts";

/** Sources of the metrics. */
export type MetricsParts = NodeMetricsParts & HttpMetricsParts;

/** All metrics. */
export async function allFamilies(parts: MetricsParts): Promise<Family[]> {
  return [...httpFamilies(parts), ...await nodeFamilies(parts, Date.now())];
}

/** All counters and histograms, and some gauges: what can be told without asking anybody. */
export function countedFamilies(parts: MetricsParts): Family[] {
  return [...httpFamilies(parts), ...familiesAtHand(parts, Date.now())];
}

/** What a node keeps of its last hours is among these. */
export async function historyFamilies(parts: MetricsParts, nowMs: number): Promise<Family[]> {
  return [...httpFamilies(parts), ...await sampledFamilies(parts, nowMs)];
}

/** `GET /metrics`. */
export async function handleMetrics(request: HttpRequest, parts: MetricsParts): Promise<HttpResponse> {
  const format = formatFor(request.accept ?? "");
  const body = encodeFamilies(await allFamilies(parts), format);
  return { status: 200, body, contentType: CONTENT_TYPES[format], headers: { Vary: "Accept" } };
}

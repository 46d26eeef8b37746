/**
 * Metrics as text: Prometheus' format 0.0.4 and OpenMetrics 1.0. Pure.
 *
 * The two differ in what the name of a counter is (OpenMetrics: that of its sample without `_total`), in units, which only
 * OpenMetrics tells, and in its last line. Bounds of buckets are written alike in both, with a point: they are labels, and
 * a scraper that changes the format must not find other ones.
 *
 * Why not `prom-client`: it runs in a Worker without any permission (15.1.3, tried), but keeps its figures in objects of one
 * thread, has no way to show a histogram that another thread has filled, and takes 190 to 330 ns for an observation.
 * @module
 */
import { BOUNDS_MS } from "../../base/shared/histogram.ts";
import type { Family, HistogramFamily, Labels, SummaryFamily } from "./family.ts";

/** A format. */
export type Format = "prometheus" | "openmetrics";

/** Content types by format. */
export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

const UNIT = /_(seconds|bytes)$/;
const BOUNDS: readonly string[] = [...BOUNDS_MS.map((ms) => boundText(ms / 1000)), "+Inf"];

/** The text of all families that have something to show. */
export function encodeFamilies(families: readonly Family[], format: Format): string {
  const shown = families.filter(({ points }) => points.length > 0);
  const end = format === "openmetrics" ? "# EOF\n" : "";
  return shown.map((family) => encodeFamily(family, format)).join("") + end;
}

function encodeFamily(family: Family, format: Format): string {
  const { name, kind, help } = family;
  const isOpen = format === "openmetrics";
  const base = isOpen && kind === "counter" ? name.replace(/_total$/, "") : name;
  const unit = isOpen ? UNIT.exec(base)?.[1] : undefined;
  const samples = family.kind === "histogram"
    ? histogramLines(family)
    : family.kind === "summary"
    ? summaryLines(family)
    : family.points.map(({ labels, value }) => line(name, labels, value));
  return [
    `# HELP ${base} ${escapeHelp(help, isOpen)}\n`,
    `# TYPE ${base} ${kind}\n`,
    ...(unit === undefined ? [] : [`# UNIT ${base} ${unit}\n`]),
    ...samples,
  ].join("");
}

function histogramLines({ name, points }: HistogramFamily): string[] {
  return points.flatMap(({ labels, times }) => {
    const { buckets, count, sum } = times.observed;
    let upTo = 0;
    return [
      ...buckets.map((bucket, at) => line(`${name}_bucket`, { ...labels, le: BOUNDS[at] }, upTo += bucket)),
      line(`${name}_sum`, labels, sum / 1000),
      line(`${name}_count`, labels, count),
    ];
  });
}

function summaryLines({ name, points }: SummaryFamily): string[] {
  return points.flatMap(({ labels, times: { observed: { sum, count } } }) => [
    line(`${name}_sum`, labels, sum),
    line(`${name}_count`, labels, count),
  ]);
}

function line(name: string, labels: Labels = {}, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${numberText(value)}\n`;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
}

function boundText(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

function escapeLabel(text: string): string {
  return text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
}

/** OpenMetrics escapes quotation marks, too. */
function escapeHelp(text: string, isOpen: boolean): string {
  return text.replace(isOpen ? /[\\"]/g : /\\/g, "\\$&").replaceAll("\n", "\\n");
}

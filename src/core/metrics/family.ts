/**
 * Metrics as data: families of numbers, each with a name, a meaning and labels. Pure.
 *
 * Names are those of Prometheus: base units as the end of the name (`_seconds`, `_bytes`), `_total` behind what is counted.
 * The values of a label come from a list in the program, or from the servers of the cluster; never from a client.
 * @module
 */
import type { Histogram } from "../../base/shared/histogram.ts";

/** Labels of one number. */
export type Labels = Readonly<Record<string, string>>;

/** One number. */
export interface Point {
  readonly labels?: Labels;
  readonly value: number;
}

/** One histogram; it is read when it is shown. */
export interface Times {
  readonly labels?: Labels;
  readonly times: Histogram;
}

/** What all families have. */
interface Named {
  readonly name: string;
  /** What it is, in a sentence without a full stop. */
  readonly help: string;
}

/** Numbers that only grow while the process lives. */
export interface CounterFamily extends Named {
  readonly kind: "counter";
  readonly points: readonly Point[];
}

/** Numbers as they are now. */
export interface GaugeFamily extends Named {
  readonly kind: "gauge";
  readonly points: readonly Point[];
}

/** Distributions of durations; shown in seconds. */
export interface HistogramFamily extends Named {
  readonly kind: "histogram";
  readonly points: readonly Times[];
}

/** Number and sum of durations, in ms: as Consul shows them. */
export interface SummaryFamily extends Named {
  readonly kind: "summary";
  readonly points: readonly Times[];
}

/** All numbers of one name. One without points has nothing to show now. */
export type Family = CounterFamily | GaugeFamily | HistogramFamily | SummaryFamily;

/** A value; one that is not known now; or one for each set of labels. */
export type Values = number | boolean | undefined | readonly Point[];

/** A counter. */
export function counter(name: string, help: string, values: Values): CounterFamily {
  return { kind: "counter", name, help, points: pointsOf(values) };
}

/** A gauge; what is true is 1, what is false 0. */
export function gauge(name: string, help: string, values: Values): GaugeFamily {
  return { kind: "gauge", name, help, points: pointsOf(values) };
}

/** A histogram, or one for each set of labels. */
export function histogram(
  name: string,
  help: string,
  times: Histogram | undefined | readonly Times[],
): HistogramFamily {
  return { kind: "histogram", name, help, points: times === undefined ? [] : "observe" in times ? [{ times }] : times };
}

function pointsOf(values: Values): readonly Point[] {
  if (values === undefined) return [];
  return typeof values === "object" ? values : [{ value: Number(values) }];
}

/** The parts of a number, each with one more label. */
export function byLabel(label: string, values: Readonly<Record<string, number>>): Point[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

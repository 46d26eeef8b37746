/**
 * Figures of the last hours, in columns that can be drawn: what the node tells, what came since, and gaps where nothing came.
 * Pure.
 * @module
 */
import { fieldOf, listOf, numberOf, textOf } from "../json.ts";

/** A figure over time. */
export interface Series {
  readonly unit: string;
  readonly help: string;
  /** As many as there are times; null where nothing was known. */
  readonly values: readonly (number | null)[];
}

/** Figures over the same times. */
export interface Figures {
  /** Of the node, in ms. */
  readonly nowMs: number;
  readonly stepMs: number;
  readonly times: readonly number[];
  readonly series: ReadonlyMap<string, Series>;
}

/** Figures from outside. */
export function figuresOf(data: unknown): Figures {
  const series = fieldOf(data, "series");
  return {
    nowMs: numberOf(fieldOf(data, "now")) ?? 0,
    stepMs: (numberOf(fieldOf(data, "step")) ?? 10) * 1000,
    times: listOf(fieldOf(data, "times")).map((one) => numberOf(one) ?? 0),
    series: new Map(
      Object.entries(Object(series)).map(([name, one]): [string, Series] => [name, {
        unit: textOf(fieldOf(one, "unit")),
        help: textOf(fieldOf(one, "help")),
        values: listOf(fieldOf(one, "values")).map((value) => numberOf(value) ?? null),
      }]),
    ),
  };
}

/** What is known, with what came since, without what is older than `spanMs`. */
export function joined(known: Figures, next: Figures, spanMs: number): Figures {
  const last = known.times.at(-1) ?? 0;
  const from = known.times.findIndex((time) => time >= next.nowMs - spanMs);
  const kept = from < 0 ? known.times.length : from;
  const added = next.times.findIndex((time) => time > last);
  const fresh = added < 0 ? next.times.length : added;
  const nothing = known.times.map(() => null);
  return {
    ...next,
    stepMs: known.stepMs,
    times: [...known.times.slice(kept), ...next.times.slice(fresh)],
    series: new Map(
      [...next.series].map(([name, one]) => [name, {
        ...one,
        values: [...(known.series.get(name)?.values ?? nothing).slice(kept), ...one.values.slice(fresh)],
      }]),
    ),
  };
}

/** Times in seconds and columns of values, with a gap where samples are missing. */
export function columnsOf({ times, stepMs, series }: Figures, names: readonly string[]): (number | null)[][] {
  const seconds: number[] = [];
  const columns = names.map((): (number | null)[] => []);
  times.forEach((time, at) => {
    const before = times[at - 1];
    if (before !== undefined && time - before > 2.5 * stepMs) {
      seconds.push((before + stepMs) / 1000);
      columns.forEach((column) => column.push(null));
    }
    seconds.push(time / 1000);
    columns.forEach((column, of) => column.push(series.get(names[of])?.values[at] ?? null));
  });
  return [seconds, ...columns];
}

/** A value with its unit. */
export function valueText(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return "–";
  if (unit === "By") return scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
  if (unit === "s") {
    if (value === 0) return "0";
    if (value < 1e-3) return `${short(value * 1e6)} µs`;
    return value < 1 ? `${short(value * 1e3)} ms` : `${short(value)} s`;
  }
  return `${value >= 10_000 ? scaled(value, 1000, ["", "k", "M", "G"]).trim() : short(value)}${
    unit === "1/s" ? "/s" : ""
  }`;
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let [left, at] = [value, 0];
  for (; left >= base && at < units.length - 1; at++) left /= base;
  return `${short(left)} ${units[at]}`;
}

function short(value: number): string {
  const size = Math.abs(value);
  return size === 0 || size >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/**
 * What was counted and timed within an interval, as Consul shows it: the last whole interval, or until there is one, the
 * time since the start. Pure, but that it ends the periods of the histograms that it reads.
 * @module
 */
import type { Extremes, Histogram, Observed } from "../../base/shared/histogram.ts";
import type { Family, Labels } from "./family.ts";

/** Length of an interval. */
export const INTERVAL_MS = 10_000;

/** A counter that grew. */
export interface Grown {
  readonly name: string;
  readonly labels: Labels;
  readonly count: number;
}

/** Durations, in ms. */
export interface Sampled extends Grown {
  readonly sum: number;
  readonly squares: number;
  readonly extremes: Extremes;
}

/** One interval. Nothing is listed that did not happen in it. */
export interface Interval {
  /** Its beginning, wall clock. */
  readonly startMs: number;
  readonly lengthMs: number;
  readonly counters: readonly Grown[];
  readonly samples: readonly Sampled[];
}

const NOTHING: Observed = { buckets: [], count: 0, sum: 0, squares: 0 };

/** The intervals of a node, one after the other. */
export class Intervals {
  readonly #families: () => readonly Family[];
  #startMs: number;
  #last: Interval | undefined;
  /** At the beginning of the interval. */
  #counted = new Map<string, number>();
  #observed = new Map<Histogram, Observed>();

  /** @param families The counters and histograms to follow; gauges are left aside. */
  constructor(families: () => readonly Family[], nowMs: number) {
    this.#families = families;
    this.#startMs = nowMs;
  }

  /** Ends the interval; to be called every {@linkcode INTERVAL_MS}. */
  end(nowMs: number): void {
    const families = this.#families();
    this.#last = this.#until(nowMs, families);
    this.#startMs = nowMs;
    for (const family of families) {
      if (family.kind === "counter") {
        for (const { labels, value } of family.points) this.#counted.set(keyOf(family.name, labels), value);
      } else if (family.kind === "histogram") {
        for (const { times } of family.points) {
          this.#observed.set(times, times.observed);
          times.endPeriod();
        }
      }
    }
  }

  /** The last whole interval; until there is one, the time since the start. */
  last(nowMs: number): Interval {
    return this.#last ?? this.#until(nowMs, this.#families());
  }

  #until(nowMs: number, families: readonly Family[]): Interval {
    const counters: Grown[] = [];
    const samples: Sampled[] = [];
    for (const family of families) {
      const { name } = family;
      if (family.kind === "counter") {
        for (const { labels = {}, value } of family.points) {
          const count = value - (this.#counted.get(keyOf(name, labels)) ?? 0);
          if (count > 0) counters.push({ name, labels, count });
        }
      } else if (family.kind === "histogram") {
        for (const { labels = {}, times } of family.points) {
          const sampled = sampledOf(times, this.#observed.get(times) ?? NOTHING);
          if (sampled) samples.push({ name, labels, ...sampled });
        }
      }
    }
    return { startMs: this.#startMs, lengthMs: Math.max(1, nowMs - this.#startMs), counters, samples };
  }
}

/** What was observed since `before`; undefined where nothing was. */
function sampledOf(times: Histogram, before: Observed): Omit<Sampled, "name" | "labels"> | undefined {
  const { extremes, observed: { count, sum, squares } } = times;
  if (count <= before.count || !extremes) return undefined;
  return { count: count - before.count, sum: sum - before.sum, squares: squares - before.squares, extremes };
}

function keyOf(name: string, labels: Labels = {}): string {
  return `${name} ${JSON.stringify(labels)}`;
}

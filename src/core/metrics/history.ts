/**
 * The last hours of a node's figures, in memory: samples every 10 s for an hour, and every minute for a day. What is older is
 * overwritten, so the memory is bounded: {@linkcode HISTORY_BYTES_MAX} at most. A restart begins anew. Pure: the time is an
 * argument.
 *
 * A rate or a quantile of the longer step is computed over that step, not from samples of the shorter one.
 * @module
 */
import { BOUNDS_MS } from "../../base/shared/histogram.ts";
import { type Reading, SERIES, type Series } from "./series.ts";

/** Time between two samples, and how many are kept, finest first. */
export const STEPS = [
  { stepMs: 10_000, samplesMax: 361 },
  { stepMs: 60_000, samplesMax: 1441 },
] as const;

/** Bytes of all samples. */
export const HISTORY_BYTES_MAX = STEPS.reduce((sum, { samplesMax }) => sum + samplesMax * 8, 0) * (SERIES.length + 1);

/** A figure over time. */
export interface Column {
  readonly series: Series;
  /** In the order of the times; NaN where it is not known. */
  readonly values: readonly number[];
}

/** Figures over the same times. */
export interface Excerpt {
  readonly stepMs: number;
  /** Wall clock in ms, rising. */
  readonly times: readonly number[];
  readonly columns: readonly Column[];
}

/** Samples of one step. */
class Ring {
  readonly stepMs: number;
  readonly #times: Float64Array;
  /** By figure; absent until it has had a value. */
  readonly #values: (Float64Array | undefined)[] = [];
  #count = 0;
  #before: readonly Reading[] = [];
  #beforeMs = 0;

  constructor({ stepMs, samplesMax }: typeof STEPS[number]) {
    this.stepMs = stepMs;
    this.#times = new Float64Array(samplesMax);
  }

  /** Takes a sample, if it is time for one: timers are a little early or late. */
  take(readings: readonly Reading[], nowMs: number): void {
    const sinceMs = nowMs - this.#beforeMs;
    if (sinceMs >= 0 && sinceMs < this.stepMs * 0.9) return;
    const at = this.#count % this.#times.length;
    const isFirst = this.#count === 0;
    SERIES.forEach((series, nth) => {
      // What is counted begins with the process, and may show only when there is something to count.
      const before = isFirst ? undefined : this.#before[nth] ?? 0;
      const value = valueOf(series, { now: readings[nth], before, seconds: sinceMs / 1000 });
      if (!Number.isNaN(value)) this.#values[nth] ??= new Float64Array(this.#times.length).fill(NaN);
      const values = this.#values[nth];
      if (values) values[at] = value;
    });
    this.#times[at] = nowMs;
    this.#count++;
    this.#before = readings;
    this.#beforeMs = nowMs;
  }

  /** The samples after a time, of some figures. */
  since(sinceMs: number, isWanted: (name: string) => boolean): Excerpt {
    const length = this.#times.length;
    const first = Math.max(0, this.#count - length);
    const places: number[] = [];
    for (let nth = first; nth < this.#count; nth++) {
      if (this.#times[nth % length] > sinceMs) places.push(nth % length);
    }
    const columns = SERIES.flatMap((series, nth): Column[] => {
      const values = this.#values[nth];
      return values && isWanted(series.name) ? [{ series, values: places.map((at) => values[at]) }] : [];
    });
    return { stepMs: this.stepMs, times: places.map((at) => this.#times[at]), columns };
  }
}

/** The figures of a node. */
export class History {
  readonly #rings = STEPS.map((step) => new Ring(step));

  /** Takes a sample; to be called every 10 s. A clock that was set back only leaves times that do not rise there. */
  take(readings: readonly Reading[], nowMs: number): void {
    for (const ring of this.#rings) ring.take(readings, nowMs);
  }

  /** The samples after a time, by the finest step that reaches back so far. */
  since(sinceMs: number, nowMs: number, isWanted: (name: string) => boolean = () => true): Excerpt {
    const [fine, coarse] = this.#rings;
    const [{ stepMs, samplesMax }] = STEPS;
    return (nowMs - sinceMs <= stepMs * (samplesMax - 1) ? fine : coarse).since(sinceMs, isWanted);
  }
}

/** A figure from two readings; NaN where it is not known, or nothing has happened that has a duration. */
function valueOf(
  { kind, quantile = 0 }: Series,
  { now, before, seconds }: { now: Reading; before: Reading; seconds: number },
): number {
  if (kind === "gauge") return typeof now === "number" ? now : NaN;
  if (kind === "rate") {
    if (typeof now !== "number" || seconds <= 0) return NaN;
    return typeof before === "number" ? Math.max(0, now - before) / seconds : NaN;
  }
  if (typeof now !== "object" || before === undefined) return NaN;
  const counts = typeof before === "object" ? now.map((count, at) => count - before[at]) : now;
  return quantileOf(counts, quantile);
}

/** In seconds, as Prometheus' `histogram_quantile()`: in a straight line within a bucket; NaN of no observations. */
export function quantileOf(counts: readonly number[], quantile: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return NaN;
  let below = 0;
  for (const [at, count] of counts.entries()) {
    if (below + count < quantile * total || count === 0) {
      below += count;
      continue;
    }
    const greatest = BOUNDS_MS[BOUNDS_MS.length - 1];
    const low = at === 0 ? 0 : BOUNDS_MS[at - 1];
    const high = BOUNDS_MS[at] ?? greatest;
    return (low + (high - low) * (quantile * total - below) / count) / 1000;
  }
  return NaN;
}

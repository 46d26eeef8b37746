/**
 * A histogram of durations in memory that Workers share: one Worker observes, others read. An observation sends no message
 * and allocates nothing: it finds its bucket and adds to a few doubles.
 *
 *     f64 observations by bucket, the last one without a bound | f64 sum | f64 sum of squares
 *     f64 number of the period, which the reader sets | f64 period of what follows, from 1 | f64 least | f64 greatest
 *
 * (1) Buckets, sum and squares only grow. A reader may find them between two additions, so they may differ by the one
 *     observation that is being made. The number of observations is the sum of the buckets.
 * (2) Least and greatest are those of a period, which a single reader ends. The observer notices that with the next
 *     observation, and begins anew.
 * @module
 */

/** Upper bounds of the buckets, in ms. */
export const BOUNDS_MS: readonly number[] = Object.freeze([
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1000,
  2500,
  5000,
  10_000,
]);

const BOUNDS = Float64Array.from(BOUNDS_MS);
const BUCKETS = BOUNDS.length + 1;
const SUM = BUCKETS;
const SQUARES = SUM + 1;
const PERIOD = SQUARES + 1;
const PERIOD_SEEN = PERIOD + 1;
const LEAST = PERIOD_SEEN + 1;
const GREATEST = LEAST + 1;
const FIELDS = GREATEST + 1;

/** Bytes of the record. */
export const HISTOGRAM_BYTES = FIELDS * 8;

/** What was observed so far. */
export interface Observed {
  /** Observations by bucket, the one without a bound last. */
  readonly buckets: readonly number[];
  readonly count: number;
  /** In ms. */
  readonly sum: number;
  /** In ms². */
  readonly squares: number;
}

/** Least and greatest of a period, in ms. */
export interface Extremes {
  readonly least: number;
  readonly greatest: number;
}

/** The record. */
export class Histogram {
  readonly #fields: Float64Array;

  /**
   * @param memory Default: memory of its own, for an observer that is also the reader.
   * @param offset Of the record, a multiple of eight.
   */
  constructor(memory: ArrayBufferLike = new ArrayBuffer(HISTOGRAM_BYTES), offset = 0) {
    this.#fields = new Float64Array(memory, offset, FIELDS);
  }

  /** Takes a duration in ms. */
  observe(ms: number): void {
    const fields = this.#fields;
    let bucket = 0;
    while (bucket < BUCKETS - 1 && ms > BOUNDS[bucket]) bucket++;
    fields[bucket]++;
    fields[SUM] += ms;
    fields[SQUARES] += ms * ms;
    const period = fields[PERIOD] + 1;
    if (fields[PERIOD_SEEN] !== period) {
      fields[LEAST] = fields[GREATEST] = ms;
      fields[PERIOD_SEEN] = period;
    } else if (ms < fields[LEAST]) fields[LEAST] = ms;
    else if (ms > fields[GREATEST]) fields[GREATEST] = ms;
  }

  /** What was observed since the start. */
  get observed(): Observed {
    const buckets = Array.from(this.#fields.subarray(0, BUCKETS));
    const count = buckets.reduce((sum, one) => sum + one, 0);
    return { buckets, count, sum: this.#fields[SUM], squares: this.#fields[SQUARES] };
  }

  /** Those of the period under way; undefined where nothing was observed in it. */
  get extremes(): Extremes | undefined {
    const fields = this.#fields;
    if (fields[PERIOD_SEEN] !== fields[PERIOD] + 1) return undefined;
    return { least: fields[LEAST], greatest: fields[GREATEST] };
  }

  /** Begins the next period. One reader does so. */
  endPeriod(): void {
    this.#fields[PERIOD]++;
  }
}

/**
 * Counters of the writer since its start, in shared memory that other Workers read. The names are those of rqlite's
 * counters, in the group `db` of `/debug/vars`.
 * @module
 */

const NAMES = [
  "executions",
  "execution_errors",
  "execute_transactions",
  "queries",
  "query_transactions",
  "requests",
  "request_transactions",
  "checkpoints",
  "checkpoint_errors",
  "checkpointed_pages",
  "checkpoint_duration_ms",
  "apply_duration_us",
] as const;
/** A number that is counted. */
export type WriterCount = typeof NAMES[number];

/** Bytes of the record. */
export const WRITER_COUNTS_BYTES = NAMES.length * 8;

/** The record; one Worker writes it. */
export class WriterCounts {
  readonly #fields: Float64Array;

  /** @param offset Of the record in `shared`, a multiple of eight. */
  constructor(shared: SharedArrayBuffer, offset: number) {
    this.#fields = new Float64Array(shared, offset, NAMES.length);
  }

  /** Counts. */
  add(name: WriterCount, count = 1): void {
    this.#fields[NAMES.indexOf(name)] += count;
  }

  /** Sets a number that says how long something took the last time. */
  set(name: WriterCount, value: number): void {
    this.#fields[NAMES.indexOf(name)] = value;
  }

  /** All numbers. */
  get all(): Readonly<Record<WriterCount, number>> {
    return Object.fromEntries(NAMES.map((name, at) => [name, this.#fields[at]])) as Record<WriterCount, number>;
  }
}

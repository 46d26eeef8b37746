/**
 * The writer's activity, in shared memory that other Workers read: while it runs a statement it answers no messages.
 *
 *     f64 kind | f64 index | f64 since | f64 steps at the beginning, of which those left are the first i64 of the memory
 *     f64 commits that may have changed the catalog | f64 whether somebody watches tables | what the writer has done | histogram of applications
 * @module
 */
import { Histogram, HISTOGRAM_BYTES } from "./histogram.ts";
import { WRITER_COUNTS_BYTES, WriterCounts } from "./writer_counts.ts";

const FIELDS = 6;

/** Bytes of the record. */
export const ACTIVITY_BYTES = FIELDS * 8 + WRITER_COUNTS_BYTES + HISTOGRAM_BYTES;

/** The kinds of work, in the order of their numbers; `none` first. */
const KINDS = ["none", "entries", "vacuum", "load"] as const;

/** The writer's current activity. */
export interface Work {
  /** Log entries from an index on, or a database that is written anew, or loaded. */
  readonly kind: Exclude<typeof KINDS[number], "none">;
  /** Log index of the first entry. */
  readonly index: number;
  /** When it began, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** Steps of SQLite's virtual machine since then. */
  readonly steps: number;
}

/** The record. */
export class Activity {
  /** What the writer has done so far. */
  readonly counts: WriterCounts;
  /** How long it took to apply entries that were handed over together. */
  readonly applications: Histogram;
  readonly #fields: Float64Array;
  readonly #stepsLeft: BigInt64Array;

  /** @param offset Of the record in `shared`, a multiple of eight. */
  constructor(shared: SharedArrayBuffer, offset: number) {
    this.#fields = new Float64Array(shared, offset, FIELDS);
    this.counts = new WriterCounts(shared, offset + FIELDS * 8);
    this.applications = new Histogram(shared, offset + FIELDS * 8 + WRITER_COUNTS_BYTES);
    this.#stepsLeft = new BigInt64Array(shared, 0, 1);
  }

  /** Notes what begins. */
  begin(kind: Work["kind"], index: number): void {
    this.#fields[1] = index;
    this.#fields[2] = Date.now();
    this.#fields[3] = -1;
    this.#fields[0] = KINDS.indexOf(kind);
  }

  /** Notes with how many steps the entry begins that is at its turn. */
  noteSteps(steps: number): void {
    this.#fields[3] = steps;
  }

  /** It is done. */
  end(): void {
    this.#fields[0] = 0;
  }

  /** Notes a COMMIT that may have changed the catalog: before anybody hears that it is done. */
  noteCatalogChange(): void {
    this.#fields[4]++;
  }

  /**
   * Such commits so far, and a catalog that was there at the start as the first; 0: there is none. A reading of the catalog is of
   * now as long as there is no further one.
   */
  get catalogChanges(): number {
    return this.#fields[4];
  }

  /** Whether somebody is to be told which tables a COMMIT has changed; who sets it reads after that. */
  get isWatched(): boolean {
    return this.#fields[5] > 0;
  }

  set isWatched(isWatched: boolean) {
    this.#fields[5] = isWatched ? 1 : 0;
  }

  /** The writer's current activity; undefined while it waits. */
  get work(): Work | undefined {
    const [kind = 0, index = 0, sinceMs = 0, steps = -1] = this.#fields;
    const name = KINDS[kind] ?? "none";
    if (name === "none") return undefined;
    return { kind: name, index, sinceMs, steps: steps < 0 ? 0 : Math.max(0, steps - Number(this.#stepsLeft[0])) };
  }
}

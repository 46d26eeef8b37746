/**
 * Figures of the replica since its start, in shared memory that other Workers read: how long the log takes to become
 * durable and entries to be committed, and elections.
 *
 *     f64 elections | histogram of syncs | histogram of commits
 * @module
 */
import { Histogram, HISTOGRAM_BYTES } from "./histogram.ts";

/** Bytes of the record. */
export const REPLICA_COUNTS_BYTES = 8 + 2 * HISTOGRAM_BYTES;

/** The record; the replica writes it. */
export class ReplicaCounts {
  /** Syncs of the log. */
  readonly syncs: Histogram;
  /** From the proposal of entries that were appended together until they were committed, where this node leads. */
  readonly commits: Histogram;
  readonly #elections: Float64Array;

  /** @param offset Of the record in `shared`, a multiple of eight. */
  constructor(shared: ArrayBufferLike, offset: number) {
    this.#elections = new Float64Array(shared, offset, 1);
    this.syncs = new Histogram(shared, offset + 8);
    this.commits = new Histogram(shared, offset + 8 + HISTOGRAM_BYTES);
  }

  /** Elections for which this node was a candidate. */
  get elections(): number {
    return this.#elections[0];
  }

  /** Notes that this node is a candidate in a new term. */
  noteElection(): void {
    this.#elections[0]++;
  }
}

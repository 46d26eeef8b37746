/**
 * Figures of the replica since its start, in shared memory that other Workers read: how long the log takes to become
 * durable and entries to be committed, elections, and proposals.
 *
 *     f64 elections | f64 elections won | f64 proposals | histogram of syncs | histogram of commits
 * @module
 */
import { Histogram, HISTOGRAM_BYTES } from "./histogram.ts";

const COUNTS = 3;

/** Bytes of the record. */
export const REPLICA_COUNTS_BYTES = COUNTS * 8 + 2 * HISTOGRAM_BYTES;

/** The record; the replica writes it. */
export class ReplicaCounts {
  /** Syncs of the log. */
  readonly syncs: Histogram;
  /** From the proposal of entries that were appended together until they were committed, where this node leads. */
  readonly commits: Histogram;
  readonly #counts: Float64Array;

  /** @param offset Of the record in `shared`, a multiple of eight. */
  constructor(shared: ArrayBufferLike, offset: number) {
    this.#counts = new Float64Array(shared, offset, COUNTS);
    this.syncs = new Histogram(shared, offset + COUNTS * 8);
    this.commits = new Histogram(shared, offset + COUNTS * 8 + HISTOGRAM_BYTES);
  }

  /** Elections for which this node was a candidate. */
  get elections(): number {
    return this.#counts[0];
  }

  /** Notes that this node is a candidate in a new term. */
  noteElection(): void {
    this.#counts[0]++;
  }

  /** Elections that this node has won. */
  get won(): number {
    return this.#counts[1];
  }

  /** Notes that this node leads a new term. */
  noteWon(): void {
    this.#counts[1]++;
  }

  /** Entries with commands that this node, as the leader, has given a place in the log. */
  get proposals(): number {
    return this.#counts[2];
  }

  /** Notes that there are `count` more. */
  noteProposals(count: number): void {
    this.#counts[2] += count;
  }
}

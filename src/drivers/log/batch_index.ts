/**
 * Index from entries to their place in the log: one row per batch that holds entries, in index order. Truncation
 * shortens it. Pure.
 * @module
 */
import type { Batch } from "./format.ts";
import type { Index } from "../../core/raft/message.ts";

/** The place of a batch. */
export interface BatchPlace {
  /** Number of the segment. */
  readonly segment: number;
  /** Offset in the file. */
  readonly offset: number;
  /** Bytes of the batch. */
  readonly length: number;
  /** Checksum of its header: another batch in its place is told by it. */
  readonly crc: number;
}

const COLUMNS = 5; // first index, segment, offset, length, checksum

/** Rows of (first index, place), 40 bytes each. */
export class BatchIndex {
  #rows = new Float64Array(COLUMNS * 1024);
  #count = 0;
  #last: Index = 0;

  /** Last index held; 0 for none. */
  get last(): Index {
    return this.#last;
  }

  /** Takes a batch that was written at `place`. */
  add(batch: Batch, place: BatchPlace): void {
    if (batch.truncateFrom !== undefined) this.#truncate(batch.truncateFrom);
    const first = batch.append[0];
    if (!first) return;
    const at = this.#count * COLUMNS;
    if (at === this.#rows.length) {
      const grown = new Float64Array(this.#rows.length * 2);
      grown.set(this.#rows);
      this.#rows = grown;
    }
    this.#rows.set([first.index, place.segment, place.offset, place.length, place.crc], at);
    this.#count++;
    this.#last = first.index + batch.append.length - 1;
  }

  #truncate(from: Index): void {
    while (this.#count > 0 && this.#rows[(this.#count - 1) * COLUMNS] >= from) this.#count--;
    this.#last = Math.min(this.#last, from - 1);
  }

  /** First index held in the segments from `segment` on; that behind the last where they hold none. */
  firstIn(segment: number): Index {
    for (let at = 0; at < this.#count; at++) {
      if (this.#rows[at * COLUMNS + 1] >= segment) return this.#rows[at * COLUMNS];
    }
    return this.#last + 1;
  }

  /** Forgets the batches of the segments before `segment`. */
  cut(segment: number): void {
    let cut = 0;
    while (cut < this.#count && this.#rows[cut * COLUMNS + 1] < segment) cut++;
    this.#rows.copyWithin(0, cut * COLUMNS, this.#count * COLUMNS);
    this.#count -= cut;
  }

  /** Starts anew behind `last`. */
  reset(last: Index): void {
    this.#count = 0;
    this.#last = last;
  }

  /** The batch that holds `index`, with the range of entries it still stands for; undefined where none does. */
  find(index: Index): (BatchPlace & { readonly first: Index; readonly last: Index }) | undefined {
    if (index > this.#last || this.#count === 0 || index < this.#rows[0]) return undefined;
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#rows[middle * COLUMNS] <= index) low = middle;
      else high = middle - 1;
    }
    const at = low * COLUMNS;
    const last = low + 1 < this.#count ? this.#rows[at + COLUMNS] - 1 : this.#last;
    const [first, segment, offset, length, crc] = this.#rows.subarray(at, at + COLUMNS);
    return { first, last, segment, offset, length, crc };
  }
}

/**
 * The newest entries of the log in memory: everything that is not durable yet, and as much behind it as fits. Pure.
 * @module
 */
import type { Entry, Index } from "../../core/raft/message.ts";

/** Memory of an entry besides its body. */
const ENTRY_OVERHEAD_BYTES = 64;

/** A run of entries that ends with the last one of the log; empty after a start. */
export class EntryCache {
  readonly #bytesMax: number;
  /** Entries from `#head` on; what lies before was dropped. */
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  #first: Index;
  #bytes = 0;

  /** @param first Index of the next entry of the log. */
  constructor(first: Index, bytesMax: number) {
    this.#first = first;
    this.#bytesMax = bytesMax;
  }

  /** Index of the oldest entry held, or of the next one where none is. */
  get first(): Index {
    return this.#first;
  }

  /** The entry at `index`; undefined where it is not held. */
  get(index: Index): Entry | undefined {
    return index < this.#first ? undefined : this.#entries[index - this.#first + this.#head];
  }

  /** Takes the next entry. */
  push(entry: Entry): void {
    if (this.#entries.length === this.#head) {
      this.#entries = [];
      this.#head = 0;
      this.#first = entry.index;
    }
    this.#entries.push(entry);
    this.#bytes += entry.body.length + ENTRY_OVERHEAD_BYTES;
  }

  /** Forgets the entries from `from` on. */
  truncate(from: Index): void {
    while (this.#entries.length > this.#head && this.#first + this.#entries.length - this.#head > from) {
      this.#bytes -= (this.#entries.pop()?.body.length ?? 0) + ENTRY_OVERHEAD_BYTES;
    }
  }

  /** Forgets everything; `first` is the next entry. */
  reset(first: Index): void {
    this.#entries = [];
    this.#head = 0;
    this.#first = first;
    this.#bytes = 0;
  }

  /** Drops the oldest entries beyond the limit, as far as they are durable. */
  shrink(persisted: Index): void {
    while (this.#bytes > this.#bytesMax && this.#first <= persisted) {
      const entry = this.#entries[this.#head];
      if (!entry) return;
      this.#entries[this.#head++] = undefined;
      this.#first++;
      this.#bytes -= entry.body.length + ENTRY_OVERHEAD_BYTES;
    }
    if (this.#head > 4096 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}

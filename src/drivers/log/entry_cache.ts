/**
 * The newest entries of the log in memory: everything that is not durable yet, and as much behind it as fits. Pure.
 *
 * Large buffers of entries that are dropped are freed at once. Nobody else may hold them by then: whoever reads an entry
 * copies it in the same turn, and what waits to be written is not dropped. Entries that came in one message share its
 * buffer, so the entries in it are counted.
 * @module
 */
import { freeBuffer } from "../../base/codec/free.ts";
import type { Entry, Index } from "../../core/raft/message.ts";

/** Memory of an entry besides its body. */
const ENTRY_OVERHEAD_BYTES = 64;
/** Smaller buffers are left to the garbage collector: counting them would cost more. */
const COUNTED_BYTES_MIN = 64 * 1024;

/** A run of entries that ends with the last one of the log; empty after a start. */
export class EntryCache {
  readonly #bytesMax: number;
  /** Entries from `#head` on; what lies before was dropped. */
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  #first: Index;
  #bytes = 0;
  /** Entries in each large buffer; what a truncation dropped stays counted, so such a buffer is left to the collector. */
  readonly #shares = new Map<ArrayBufferLike, number>();

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
    const { buffer } = entry.body;
    if (buffer.byteLength >= COUNTED_BYTES_MIN) this.#shares.set(buffer, (this.#shares.get(buffer) ?? 0) + 1);
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
    this.#shares.clear();
  }

  /** An entry is dropped that was durable. */
  #letGo(body: Uint8Array): void {
    const { buffer } = body;
    const shares = this.#shares.get(buffer);
    if (shares === undefined) return;
    if (shares > 1) return void this.#shares.set(buffer, shares - 1);
    this.#shares.delete(buffer);
    freeBuffer(body);
  }

  /**
   * Drops the oldest entries beyond the limit, as far as they are durable.
   * @param bytesMax @default {the one it was made with}
   */
  shrink(persisted: Index, bytesMax: number = this.#bytesMax): void {
    while (this.#bytes > bytesMax && this.#first <= persisted) {
      const entry = this.#entries[this.#head];
      if (!entry) return;
      this.#entries[this.#head++] = undefined;
      this.#first++;
      this.#bytes -= entry.body.length + ENTRY_OVERHEAD_BYTES;
      this.#letGo(entry.body);
    }
    if (this.#head > 4096 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}

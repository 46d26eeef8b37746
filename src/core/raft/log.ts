/**
 * Metadata of the log: terms as runs, payload sizes of recent entries, what waits to be written. Pure.
 *
 * (1) Indices are contiguous from base.index + 1 to last, terms never fall (L1).
 * (2) No memory is held per entry of the whole log: bodies leave with the next drain, and sizes are kept for the newest
 *     entries only; the driver answers for the others.
 * (3) `epoch` rises with every truncation: a range of entries taken under an older epoch may name replaced ones.
 * @module
 */
import { invariant } from "../../invariant.ts";
import type { BootState } from "./effects.ts";
import type { Entry, EntryId, Index, Term } from "./message.ts";
import { Tickets } from "./tickets.ts";

/** Sizes kept at least once an entry is durable and committed; the array may grow to twice that before it is cut. */
const SIZES_KEPT = 8192;

interface TermRun {
  readonly first: Index;
  readonly term: Term;
}

/** The write that is due: an installed snapshot first, then a truncation, then new entries. */
export interface Unsaved {
  readonly install: EntryId | undefined;
  readonly truncateFrom: Index | undefined;
  readonly append: readonly Entry[];
}

/** The log as the core sees it. */
export class Log {
  /** Which writes are durable. */
  readonly tickets: Tickets;
  readonly #bytesOf: (index: Index) => number;
  #base: EntryId;
  #runs: TermRun[];
  #last: Index;
  #epoch = 0;
  #sizes: number[] = [];
  /** Index before the first in #sizes. */
  #sizesBase: Index;
  #unsaved: Entry[] = [];
  #truncateFrom: Index | undefined;
  #install: EntryId | undefined;

  /** @param boot What storage found. */
  constructor(boot: BootState) {
    this.#base = boot.base;
    this.tickets = new Tickets(boot.last.index);
    this.#bytesOf = boot.bytesOf;
    this.#runs = boot.terms.map(({ first, term }) => ({ first, term }));
    this.#last = boot.last.index;
    this.#sizesBase = boot.last.index;
    this.#checkRuns(boot);
  }

  #checkRuns(boot: BootState): void {
    invariant(boot.last.index >= boot.base.index, "the log ends before its base");
    let first = boot.base.index + 1;
    let term = boot.base.term;
    for (const run of this.#runs) {
      invariant(run.first >= first && run.first <= boot.last.index, "term runs do not rise within the log");
      invariant(run.term > 0 && run.term >= term, "terms fall along the log (L1)");
      invariant(first > boot.base.index + 1 || run.first === first, "the first term run does not start at the base");
      first = run.first + 1;
      term = run.term;
    }
    invariant(term === boot.last.term, "the last term run does not end in the last entry");
  }

  /** Entry before the first one kept. */
  get base(): EntryId {
    return this.#base;
  }

  /** Last index; that of the base when nothing follows it. */
  get last(): Index {
    return this.#last;
  }

  /** Term of the last entry. */
  get lastTerm(): Term {
    const runs = this.#runs;
    return runs.length > 0 ? runs[runs.length - 1].term : this.#base.term;
  }

  /** Index and term of the last entry. */
  lastId(): EntryId {
    return { index: this.#last, term: this.lastTerm };
  }

  /** Number of truncations so far. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Last index that is on stable storage (O3). */
  get durable(): Index {
    return this.tickets.durable;
  }

  /** Whether a write is owed to the disk. */
  get hasUnsaved(): boolean {
    return this.#unsaved.length > 0 || this.#truncateFrom !== undefined || this.#install !== undefined;
  }

  /** Term of the entry at `index`, or `undefined` below the base and above the last. */
  termAt(index: Index): Term | undefined {
    if (index > this.#last || index < this.#base.index) return undefined;
    if (index === this.#base.index) return this.#base.term;
    return this.#runs[this.#runAt(index)].term;
  }

  /** Position of the run that holds `index`; -1 when it lies at or below the base. */
  #runAt(index: Index): number {
    const runs = this.#runs;
    let high = runs.length - 1;
    // Nearly every question is about the newest run.
    if (high >= 0 && runs[high].first <= index) return high;
    let low = 0;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (runs[middle].first <= index) low = middle + 1;
      else high = middle - 1;
    }
    return high;
  }

  /**
   * Largest index <= `index` whose term is <= `term`: both halves of the backoff rule L6. Where everything down to the
   * base has a higher term the answer is the index below the base: what was compacted counts as a possible match.
   */
  lastIndexAtMost(index: Index, term: Term): Index {
    if (index < this.#base.index) return index;
    let at = Math.min(index, this.#last);
    for (let run = this.#runAt(at); run >= 0; run--) {
      if (this.#runs[run].term <= term) return at;
      at = this.#runs[run].first - 1;
    }
    return this.#base.term <= term ? Math.min(at, this.#base.index) : Math.max(0, this.#base.index - 1);
  }

  /** Payload bytes of the entry at `index`. */
  bytesAt(index: Index): number {
    return index > this.#sizesBase ? this.#sizes[index - this.#sizesBase - 1] : this.#bytesOf(index);
  }

  /** Payload bytes of the entries from `from` to `to`, both included. */
  bytesBetween(from: Index, to: Index): number {
    let bytes = 0;
    for (let index = from; index <= to; index++) bytes += this.bytesAt(index);
    return bytes;
  }

  /**
   * The longest range from `from` up to `to` within `bytesMax`. It ends before `from` when the first entry alone is
   * larger, with the bytes of that entry.
   */
  fit(from: Index, to: Index, bytesMax: number): { readonly last: Index; readonly bytes: number } {
    let bytes = 0;
    let last = from - 1;
    while (last < to) {
      const size = this.bytesAt(last + 1);
      if (bytes + size > bytesMax) return { last, bytes: last < from ? size : bytes };
      bytes += size;
      last++;
    }
    return { last, bytes };
  }

  /** Takes one entry at the end. */
  append(entry: Entry): void {
    invariant(entry.index === this.#last + 1, "an entry does not follow the last one (L1)");
    invariant(entry.term >= this.lastTerm, "terms fall along the log (L1)");
    if (this.#runs.length === 0 || this.lastTerm !== entry.term) {
      this.#runs.push({ first: entry.index, term: entry.term });
    }
    this.#last = entry.index;
    this.#sizes.push(entry.body.length);
    this.#unsaved.push(entry);
    this.tickets.touch(entry.index);
  }

  /** Removes the entries from `from` on. */
  truncate(from: Index): void {
    invariant(from > this.#base.index && from <= this.#last, "truncation outside the log");
    while (this.#runs.length > 0 && this.#runs[this.#runs.length - 1].first >= from) this.#runs.pop();
    const kept = from - 1 - this.#sizesBase;
    if (kept >= 0) {
      this.#sizes.length = kept;
    } else {
      this.#sizes.length = 0;
      this.#sizesBase = from - 1;
    }
    const unsavedKept = this.#unsaved.length - (this.#last - from + 1);
    if (unsavedKept >= 0) {
      // None of the removed entries ever went to the disk.
      this.#unsaved.length = unsavedKept;
    } else {
      this.#unsaved.length = 0;
      this.#truncateFrom = from;
    }
    this.#last = from - 1;
    this.#epoch++;
    this.tickets.touch(from);
  }

  /** Forgets the entries up to `index`, which were cut off (S2). */
  compact(index: Index): void {
    if (index <= this.#base.index) return;
    const term = this.termAt(index);
    invariant(term !== undefined, "the log was cut behind its end");
    this.#base = { index, term };
    const first = this.#runAt(index + 1);
    if (index === this.#last) this.#runs = [];
    else this.#runs = [{ first: index + 1, term: this.#runs[first].term }, ...this.#runs.slice(first + 1)];
  }

  /** Puts a snapshot that ends in `base` in the place of the whole log; `kept` entries at its front stay durable (S7). */
  install(base: EntryId, kept: Index): void {
    invariant(base.index > kept, "a snapshot ends below what is committed");
    this.tickets.touch(kept + 1);
    this.#base = this.#install = base;
    this.#runs = [];
    this.#last = this.#sizesBase = base.index;
    this.#sizes = [];
    this.#unsaved = [];
    this.#truncateFrom = undefined;
    this.#epoch++;
  }

  /** Hands over what must be written: everything from the lowest touched index to the last, once (O7). */
  takeUnsaved(): Unsaved {
    const taken = { install: this.#install, truncateFrom: this.#truncateFrom, append: this.#unsaved };
    this.#install = undefined;
    this.#truncateFrom = undefined;
    this.#unsaved = [];
    return taken;
  }

  /** Forgets sizes of old entries at or below `index`, once there are many. */
  trimSizes(index: Index): void {
    if (this.#sizes.length <= 2 * SIZES_KEPT) return;
    const count = Math.min(index - this.#sizesBase, this.#sizes.length - SIZES_KEPT);
    if (count < SIZES_KEPT) return;
    this.#sizes = this.#sizes.slice(count);
    this.#sizesBase += count;
  }
}

/**
 * Measures how long committed entries have waited to be applied by the database. Pure.
 * @module
 */
import type { Index } from "../../core/raft/message.ts";

/** Commits that follow one another within this time count as one, from its beginning. */
const MARK_MS = 100;
/** Marks kept; what is committed beyond counts from the last of them. */
const MARKS_MAX = 128;

/** Entries from `first` up to the next mark, and when they were committed. */
interface Mark {
  readonly first: Index;
  readonly sinceMs: number;
}

/** When the oldest entry that waits was committed. */
export class ApplyLag {
  readonly #marks: Mark[] = [];
  #commit: Index;

  /** @param applied Everything up to here is applied. */
  constructor(applied: Index) {
    this.#commit = applied;
  }

  /** Entries up to `index` are committed; those that were not waiting yet wait from now on. */
  committed(index: Index, nowMs: number): void {
    if (index <= this.#commit) return;
    const first = this.#commit + 1;
    this.#commit = index;
    const last = this.#marks.at(-1);
    if (last && (nowMs - last.sinceMs < MARK_MS || this.#marks.length >= MARKS_MAX)) return;
    this.#marks.push({ first, sinceMs: nowMs });
  }

  /** Entries up to `index` are applied and no longer wait. */
  applied(index: Index): void {
    if (index >= this.#commit) {
      this.#commit = index;
      this.#marks.length = 0;
      return;
    }
    while (this.#marks.length > 1 && this.#marks[1].first <= index + 1) this.#marks.shift();
  }

  /** Since when the oldest one waits; 0 where none does. */
  get sinceMs(): number {
    return this.#marks[0]?.sinceMs ?? 0;
  }
}

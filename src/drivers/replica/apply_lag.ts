/**
 * Measures how long entries wait: those that this node proposes as the leader until they are committed, and committed ones
 * until the database has applied them. Pure, but for the figures that it keeps.
 * @module
 */
import type { ReplicaCounts } from "../../base/shared/replica_counts.ts";
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

/** Batches of proposals whose commit is measured at a time; of more than these, the later ones are left out. */
const BATCHES_MAX = 64;

/** How long the entries that were proposed together took to be committed. */
export class CommitTimes {
  readonly #counts: ReplicaCounts;
  /** A ring: the last index of each batch, and when it was proposed. */
  readonly #last = new Float64Array(BATCHES_MAX);
  readonly #sinceMs = new Float64Array(BATCHES_MAX);
  #first = 0;
  #size = 0;

  /** @param counts Takes what is counted and measured. */
  constructor(counts: ReplicaCounts) {
    this.#counts = counts;
  }

  /** Some entries, the last of them at `last`, were proposed at a time of the monotonic clock. */
  proposed(count: number, last: Index, sinceMs: number): void {
    this.#counts.noteProposals(count);
    if (this.#size === BATCHES_MAX) return;
    const at = (this.#first + this.#size++) % BATCHES_MAX;
    this.#last[at] = last;
    this.#sinceMs[at] = sinceMs;
  }

  /** Whether entries up to `commit` were waited for. */
  isDue(commit: Index): boolean {
    return this.#size > 0 && this.#last[this.#first] <= commit;
  }

  /** Entries up to `commit` are committed. */
  committed(commit: Index, nowMs: number): void {
    while (this.isDue(commit)) {
      this.#counts.commits.observe(nowMs - this.#sinceMs[this.#first]);
      this.#first = (this.#first + 1) % BATCHES_MAX;
      this.#size--;
    }
  }

  /** This node leads no more: what becomes of its proposals is not measured. */
  clear(): void {
    this.#size = 0;
  }
}

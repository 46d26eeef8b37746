/**
 * Actions at times, by the thousand, with one timer for all of them: a heap by time, whose timer wakes at multiples of
 * {@linkcode SLACK_MS} only. Waking the event loop costs more than a whole TCP check; a thousand timers of their own
 * a second took 6 % of a core, this takes less than 1 %. An action may come up to {@linkcode SLACK_MS} late.
 * @module
 */

/** Distance between the times at which the timer may wake. */
export const SLACK_MS = 25;

/** A clock that never goes back, and its timers. */
export interface AgendaClock {
  /** Now, in ms. */
  now(): number;
  /** Calls `wake` after `ms`; returns the function that cancels that. */
  after(ms: number, wake: () => void): () => void;
}

/** The clock of this thread. */
export const THREAD_CLOCK: AgendaClock = {
  now: () => performance.now(),
  after(ms, wake) {
    const timer = setTimeout(wake, Math.min(ms, TIMER_MS_MAX));
    return () => clearTimeout(timer);
  },
};

/** Longer timers fire at once. An agenda that wakes too early looks at its clock and sleeps again. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** An action on the agenda. */
export interface AgendaEntry {
  readonly atMs: number;
  readonly act: () => void;
  /** Place in the heap; -1: it is not on the agenda any more. */
  place: number;
}

/** The actions that are to come. */
export class Agenda {
  readonly #clock: AgendaClock;
  /** Each entry is no later than those at twice its place plus 1 and plus 2. */
  readonly #heap: AgendaEntry[] = [];
  #wakeMs = Infinity;
  #cancel = () => {};

  /** An empty agenda. */
  constructor(clock: AgendaClock = THREAD_CLOCK) {
    this.#clock = clock;
  }

  /** Number of actions that are to come. */
  get size(): number {
    return this.#heap.length;
  }

  /** Has `act` called in `ms`. */
  add(ms: number, act: () => void): AgendaEntry {
    const entry = { atMs: this.#clock.now() + ms, act, place: this.#heap.length };
    this.#heap.push(entry);
    this.#rise(entry);
    if (entry.place === 0) this.#sleep();
    return entry;
  }

  /** Takes an action off; harmless when it was called or taken off before. */
  remove(entry: AgendaEntry): void {
    const { place } = entry;
    if (place < 0) return;
    entry.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  /** Takes all actions off. */
  clear(): void {
    for (const entry of this.#heap) entry.place = -1;
    this.#heap.length = 0;
    this.#cancel();
    this.#wakeMs = Infinity;
  }

  /** A timer that wakes before the first action is left as it is: it was set for one that has been taken off. */
  #sleep(): void {
    if (this.#heap.length === 0) return;
    const wakeMs = Math.ceil(this.#heap[0].atMs / SLACK_MS) * SLACK_MS;
    if (wakeMs >= this.#wakeMs) return;
    this.#cancel();
    this.#wakeMs = wakeMs;
    this.#cancel = this.#clock.after(Math.max(0, wakeMs - this.#clock.now()), () => this.#wake());
  }

  #wake(): void {
    this.#wakeMs = Infinity;
    const now = this.#clock.now();
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= now; first = this.#heap[0]) {
      this.remove(first);
      first.act();
    }
    this.#sleep();
  }

  #put(entry: AgendaEntry, place: number): void {
    entry.place = place;
    this.#heap[place] = entry;
  }

  #rise(entry: AgendaEntry): void {
    while (entry.place > 0) {
      const { place } = entry;
      const parent = this.#heap[(place - 1) >> 1];
      if (parent.atMs <= entry.atMs) return;
      this.#put(entry, parent.place);
      this.#put(parent, place);
    }
  }

  #sink(entry: AgendaEntry): void {
    for (;;) {
      const { place } = entry;
      const [left, right] = [this.#heap[2 * place + 1], this.#heap[2 * place + 2]];
      if (left === undefined) return;
      const earlier = right !== undefined && right.atMs < left.atMs ? right : left;
      if (entry.atMs <= earlier.atMs) return;
      this.#put(entry, earlier.place);
      this.#put(earlier, place);
    }
  }
}

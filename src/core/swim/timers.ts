/**
 * Timers of a core whose time is given from outside: a heap of what is due when. Pure.
 * @module
 */

/** A timer that was set. */
export interface Timer {
  readonly dueMs: number;
  /** Undefined once it has fired or was cancelled. */
  action: (() => void) | undefined;
}

/** Cancelled timers that may stay in the heap until they are due. */
const COMPACT_MIN = 64;

interface Entry {
  readonly timer: Timer;
  readonly order: number;
}

function byDue(a: Entry, b: Entry): number {
  return a.timer.dueMs - b.timer.dueMs || a.order - b.order;
}

/** Pending timers, soonest first; equal times in the order in which they were set. */
export class Timers {
  #heap: Entry[] = [];
  #order = 0;
  #cancelled = 0;

  /** When the next one is due; undefined when there is none. */
  get nextMs(): number | undefined {
    while (this.#heap.length > 0 && this.#heap[0].timer.action === undefined) {
      this.#pop();
      this.#cancelled = Math.max(0, this.#cancelled - 1);
    }
    return this.#heap[0]?.timer.dueMs;
  }

  /** Calls `action` at `dueMs`. */
  at(dueMs: number, action: () => void): Timer {
    const timer: Timer = { dueMs, action };
    this.#heap.push({ timer, order: this.#order++ });
    this.#up(this.#heap.length - 1);
    return timer;
  }

  /** Forgets a timer; harmless when it has fired. */
  cancel(timer: Timer | undefined): void {
    if (timer?.action === undefined) return;
    timer.action = undefined;
    this.#cancelled++;
    if (this.#cancelled < COMPACT_MIN || this.#cancelled < this.#heap.length / 2) return;
    this.#heap = this.#heap.filter((one) => one.timer.action !== undefined).sort(byDue); // sorted: a heap
    this.#cancelled = 0;
  }

  /** Fires what is due by `nowMs`. */
  run(nowMs: number): void {
    for (let next = this.nextMs; next !== undefined && next <= nowMs; next = this.nextMs) {
      const { timer } = this.#pop();
      const { action } = timer;
      timer.action = undefined;
      action?.();
    }
  }

  #isBefore(a: number, b: number): boolean {
    return byDue(this.#heap[a], this.#heap[b]) < 0;
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b], this.#heap[a]];
  }

  #up(from: number): void {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #pop(): Entry {
    const top = this.#heap[0];
    this.#swap(0, this.#heap.length - 1);
    this.#heap.pop();
    for (let at = 0;;) {
      const left = 2 * at + 1;
      if (left >= this.#heap.length) return top;
      const child = left + 1 < this.#heap.length && this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#isBefore(child, at)) return top;
      this.#swap(child, at);
      at = child;
    }
  }
}

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

/** What is due, soonest first; equal times in the order in which they were set. */
export class Timers {
  readonly #heap: { timer: Timer; order: number }[] = [];
  #order = 0;

  /** When the next one is due; undefined when there is none. */
  get nextMs(): number | undefined {
    while (this.#heap.length > 0 && this.#heap[0].timer.action === undefined) this.#pop();
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
    if (timer) timer.action = undefined;
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
    const [first, second] = [this.#heap[a], this.#heap[b]];
    return first.timer.dueMs < second.timer.dueMs ||
      first.timer.dueMs === second.timer.dueMs && first.order < second.order;
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

  #pop(): { timer: Timer; order: number } {
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

/**
 * Virtual time: a binary heap of events by (time, order of scheduling).
 * @module
 */

/** Something that happens at a time. */
export interface Scheduled {
  /** Virtual microseconds. */
  readonly at: number;
  /** Breaks ties: first scheduled, first run. */
  readonly order: number;
  /** The action. */
  readonly run: () => void;
}

/** The events to come. */
export class Schedule {
  readonly #heap: Scheduled[] = [];
  #order = 0;
  #now = 0;

  /** Virtual microseconds since the start. */
  get now(): number {
    return this.#now;
  }

  /** Runs `run` after `delay` microseconds. */
  after(delay: number, run: () => void): void {
    const event = { at: this.#now + delay, order: this.#order++, run };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  /** Takes the next event and moves time to it; `undefined` when there is none at or before `until`. */
  next(until: number): Scheduled | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.at > until) return undefined;
    const moved = heap.pop();
    if (moved !== undefined && heap.length > 0) sink(heap, moved);
    this.#now = first.at;
    return first;
  }
}

function sink(heap: Scheduled[], moved: Scheduled): void {
  let at = 0;
  while (true) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
    if (!isBefore(heap[child], moved)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = moved;
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

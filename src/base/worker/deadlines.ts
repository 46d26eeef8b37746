/**
 * Time limits by the thousand: one timer looks after all of them, so that setting a limit costs two writes to memory and
 * no timer of its own. It sleeps until the first of them is due: a limit may be noticed up to {@linkcode SLACK_MS} late.
 * @module
 */

/** Shortest sleep, so that limits that follow one another closely are looked at together. */
export const SLACK_MS = 50;

/** One limit, set and cleared as often as needed. */
export class Deadline {
  readonly #owner: Deadlines;
  readonly #expire: () => void;
  /** On the clock of `performance.now()`; Infinity while it is not set. */
  #atMs = Infinity;

  /** Use {@linkcode Deadlines.add}. */
  constructor(owner: Deadlines, expire: () => void) {
    this.#owner = owner;
    this.#expire = expire;
  }

  /** When it is due, on the clock of `performance.now()`; Infinity while it is not set. */
  get atMs(): number {
    return this.#atMs;
  }

  /** Expires after `ms`, unless it is set anew or cleared before. */
  set(ms: number): void {
    this.#atMs = performance.now() + ms;
    this.#owner.wakeBy(this.#atMs);
  }

  /** The limit does not matter any more. */
  clear(): void {
    this.#atMs = Infinity;
  }

  /** Expires where its time has come. */
  look(now: number): void {
    if (this.#atMs > now) return;
    this.#atMs = Infinity;
    this.#expire();
  }
}

/** All limits that one timer looks after. */
export class Deadlines {
  readonly #all = new Set<Deadline>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer looks: at the first limit at the latest; earlier where that one was cleared. */
  #wakeMs = Infinity;

  /** A limit, not set yet, that is looked after until it is removed. */
  add(expire: () => void): Deadline {
    const deadline = new Deadline(this, expire);
    this.#all.add(deadline);
    return deadline;
  }

  /** A limit for one occasion: set at once, removed when it expires; where it does not, by {@linkcode Deadlines.remove}. */
  start(ms: number, expire: () => void): Deadline {
    const deadline = this.add(() => {
      this.remove(deadline);
      expire();
    });
    deadline.set(ms);
    return deadline;
  }

  /** Looks after a limit no longer. */
  remove(deadline: Deadline): void {
    deadline.clear();
    this.#all.delete(deadline);
  }

  /** Has the timer look soon behind `atMs`. The timer stays as it is where it does: the next limit is likely to be a later one. */
  wakeBy(atMs: number): void {
    if (atMs + SLACK_MS < this.#wakeMs) this.#sleepUntil(atMs + SLACK_MS);
  }

  #sleepUntil(wakeMs: number): void {
    clearTimeout(this.#timer);
    this.#wakeMs = wakeMs;
    this.#timer = setTimeout(() => this.#sweep(), Math.max(0, wakeMs - performance.now()));
  }

  #sweep(): void {
    this.#wakeMs = Infinity;
    const now = performance.now();
    let firstMs = Infinity;
    for (const deadline of this.#all) {
      deadline.look(now);
      firstMs = Math.min(firstMs, deadline.atMs);
    }
    if (firstMs < Infinity) this.wakeBy(firstMs);
  }
}

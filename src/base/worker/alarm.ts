/**
 * A timer that may be brought forward and is never put off: of several times at which something is to be done, the first
 * counts.
 * @module
 */

/** A call that is due at some time, or not at all. */
export class Alarm {
  readonly #onDue: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueMs = Infinity;

  /** @param onDue Called once for all that was set before; it may set the next time. */
  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  /** Calls after `ms`, unless it is to be called sooner. */
  within(ms: number): void {
    const dueMs = performance.now() + ms;
    if (dueMs >= this.#dueMs) return;
    this.clear();
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#dueMs = Infinity;
      this.#onDue();
    }, ms);
  }

  /** Does not call. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#dueMs = Infinity;
  }
}

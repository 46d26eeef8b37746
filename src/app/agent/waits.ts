/**
 * Those who wait for something to happen: blocking queries.
 * @module
 */

/** Waits for one kind of event. */
export class Waits {
  readonly #waiting = new Set<() => void>();

  /** Waits under way. */
  get size(): number {
    return this.#waiting.size;
  }

  /** It has happened: every wait ends. */
  wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves when it happens, after `ms`, or when the wait is `over`. */
  async until(ms: number, over?: Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiting.add(wake);
      over?.then(wake);
    });
  }
}

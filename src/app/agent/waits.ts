/**
 * Wakes blocking queries when the state they watch changes.
 * @module
 */

import { TooManyWaitError } from "../database/errors.ts";

/** Waits under way at a time, of each kind. */
export const WAITING_MAX = 10_000;

/** The error at that limit. */
export function tooManyWait(): TooManyWaitError {
  return new TooManyWaitError(`${WAITING_MAX} blocking queries are waiting`);
}

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

  /**
   * Resolves when it happens, after `ms`, or when the wait is `over`.
   * @throws {TooManyWaitError} When as many wait as may.
   */
  async until(ms: number, over?: Promise<void>): Promise<void> {
    if (this.#waiting.size >= WAITING_MAX) throw tooManyWait();
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

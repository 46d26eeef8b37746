/**
 * Time limits by the thousand: one timer looks after all of them, so that a limit costs a map entry and no timer of its
 * own. It sleeps until the first of them is due: a limit may be noticed up to {@linkcode SLACK_MS} late.
 * @module
 */

/** Shortest sleep, so that limits that follow one another closely are looked at together. */
export const SLACK_MS = 50;

/** Pending limits. */
export class Deadlines {
  readonly #pending = new Map<number, { readonly atMs: number; readonly expire: () => void }>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer looks: at the first limit at the latest; earlier where that one was cleared. */
  #wakeMs = Infinity;
  #next = 1;

  /** Calls `expire` after `ms` unless the returned number is given to {@linkcode Deadlines.clear} before. */
  set(ms: number, expire: () => void): number {
    const id = this.#next++;
    const atMs = performance.now() + ms;
    this.#pending.set(id, { atMs, expire });
    if (atMs + SLACK_MS < this.#wakeMs) this.#sleep(ms + SLACK_MS, atMs + SLACK_MS);
    return id;
  }

  /** The limit does not matter any more. The timer stays as it is: the next limit is likely to be a later one. */
  clear(id: number): void {
    this.#pending.delete(id);
  }

  #sleep(ms: number, wakeMs: number): void {
    clearTimeout(this.#timer);
    this.#wakeMs = wakeMs;
    this.#timer = setTimeout(() => this.#sweep(), ms);
  }

  #sweep(): void {
    this.#wakeMs = Infinity;
    const now = performance.now();
    let firstMs = Infinity;
    for (const [id, { atMs, expire }] of this.#pending) {
      if (atMs > now) firstMs = Math.min(firstMs, atMs);
      else {
        this.#pending.delete(id);
        expire();
      }
    }
    if (firstMs + SLACK_MS < this.#wakeMs) this.#sleep(firstMs + SLACK_MS - now, firstMs + SLACK_MS);
  }
}

/**
 * Time limits by the thousand: one timer looks after all of them, so that a limit costs a map entry and no timer of its
 * own. A limit may be noticed up to {@linkcode SWEEP_MS} late.
 * @module
 */

/** Pause between two looks. */
export const SWEEP_MS = 50;

/** Pending limits. */
export class Deadlines {
  readonly #pending = new Map<number, { readonly atMs: number; readonly expire: () => void }>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #next = 1;

  /** Calls `expire` after `ms` unless the returned number is given to {@linkcode Deadlines.clear} before. */
  set(ms: number, expire: () => void): number {
    const id = this.#next++;
    this.#pending.set(id, { atMs: performance.now() + ms, expire });
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS);
    return id;
  }

  /** The limit does not matter any more. */
  clear(id: number): void {
    this.#pending.delete(id);
  }

  #sweep(): void {
    const now = performance.now();
    for (const [id, { atMs, expire }] of this.#pending) {
      if (atMs > now) continue;
      this.#pending.delete(id);
      expire();
    }
    if (this.#pending.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** A clock that moves when it is told to. */
import type { AgendaClock } from "../../../src/drivers/checks/agenda.ts";

/** Promises that settle one after the other within one turn. */
const CHAIN_MAX = 30;

/** Timers come in the order of their times, and everything that follows from one is done before the next. */
export class FakeClock implements AgendaClock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly wake: () => void }>();
  /** Timers that have woken somebody. */
  wakes = 0;

  now(): number {
    return this.#nowMs;
  }

  after(ms: number, wake: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, wake };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Moves on by `ms`. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    for (;;) {
      const [first] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
      if (!first || first.atMs > untilMs) break;
      this.#timers.delete(first);
      this.#nowMs = first.atMs;
      this.wakes++;
      first.wake();
      await settled();
    }
    this.#nowMs = untilMs;
  }
}

async function settled(): Promise<void> {
  for (let at = 0; at < CHAIN_MAX; at++) await undefined;
}

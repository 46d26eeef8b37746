/**
 * The clocks of the machine, and those of another Worker: each Worker's monotonic clock begins with it, so that a time of
 * one means nothing to another without what lies between them.
 * @module
 */
import type { ClockReading } from "./lease.ts";

/** Reads the clocks. */
export function readClocks(): ClockReading {
  return { ms: performance.now(), wallMs: Date.now() };
}

/** The monotonic clock of another Worker, told from messages: never behind it, ahead by what the fastest message took. */
export class RemoteClock {
  #aheadMs = Infinity;

  /** The other Worker's clock was `aheadMs` ahead of what this one's had been when it asked. */
  heard(aheadMs: number): void {
    this.#aheadMs = Math.min(this.#aheadMs, aheadMs);
  }

  /** The other side's clocks now; Infinity before the first message from there. */
  read(): ClockReading {
    const { ms, wallMs } = readClocks();
    return { ms: ms + this.#aheadMs, wallMs };
  }
}

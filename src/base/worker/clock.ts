/**
 * The clocks of the machine, and those of another Worker: each Worker's monotonic clock begins with it, so that a time of
 * one means nothing to another without what lies between them.
 * @module
 */
import type { ClockReading } from "../shared/lease.ts";

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

/** The wall clock may be off by so much before it is followed: its own readings are whole milliseconds. */
const OFF_MS_MAX = 50;

/**
 * Ids and times of spans. The Workers of a process read one monotonic clock, so that their spans lie in one order; the wall
 * clock is followed only where it has been set.
 */
export class SpanSource {
  #originMs = performance.timeOrigin;

  /** Wall clock, in ms since 1970, with fractions. */
  nowMs(): number {
    const [ms, wallMs] = [performance.now(), Date.now()];
    if (Math.abs(this.#originMs + ms - wallMs) > OFF_MS_MAX) this.#originMs = wallMs - ms;
    return this.#originMs + ms;
  }

  /** A new id of a trace, 32 hexadecimal digits. */
  traceId(): string {
    return hex(16);
  }

  /** A new id of a span, 16 hexadecimal digits. */
  spanId(): string {
    return hex(8);
  }
}

function hex(bytes: number): string {
  let text = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(bytes))) text += byte.toString(16).padStart(2, "0");
  return text;
}

/**
 * A log that rubbish from the network cannot fill: so many lines at once, then so many a second; the rest is counted.
 * @module
 */
import type { LogLevel } from "./log.ts";

/** Lines that may come at once. */
const BURST = 50;
/** Lines a second after that. */
const LINES_PER_SECOND = 5;

/** Takes lines and hands on those that there is room for. */
export class LimitedLog {
  readonly #write: (level: LogLevel, text: string) => void;
  #room = BURST;
  #lastMs = 0;
  #suppressed = 0;

  constructor(write: (level: LogLevel, text: string) => void) {
    this.#write = write;
  }

  /** Writes a line, unless there were too many; errors are always written. */
  write(level: LogLevel, text: string, nowMs: number): void {
    this.#room = Math.min(BURST, this.#room + (nowMs - this.#lastMs) / 1000 * LINES_PER_SECOND);
    this.#lastMs = nowMs;
    if (this.#room < 1 && level !== "error") {
      this.#suppressed++;
      return;
    }
    if (this.#suppressed > 0) this.#write("warn", `${this.#suppressed} lines were left out`);
    this.#suppressed = 0;
    this.#room--;
    this.#write(level, text);
  }
}

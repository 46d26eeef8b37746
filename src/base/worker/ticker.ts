/**
 * The ticks of a logical clock. Ticks that have passed are taken whenever something happens anyway, so that a timer is
 * needed only for the next tick that has work to do: each wake-up of a Worker costs processor time.
 * @module
 */

/** Settings of a ticker. */
export interface TickerOptions {
  /** Time between two ticks. */
  readonly tickMs: number;
  /** Most ticks that are taken at a time: a process that was suspended does not make up for more. */
  readonly ticksMax: number;
  /** Called when the time of {@linkcode Ticker.wakeAfter} has come. */
  onDue(): void;
}

/** A clock that ticks. */
export class Ticker {
  readonly #options: TickerOptions;
  /** When the next tick has passed, by `performance.now()`. */
  #nextMs: number;
  #wakeMs = Infinity;
  #timerMs = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(options: TickerOptions) {
    this.#options = options;
    this.#nextMs = performance.now() + options.tickMs;
  }

  /** Ticks that have passed since they were last taken. */
  take(): number {
    const nowMs = performance.now();
    if (this.#isStopped || nowMs < this.#nextMs) return 0;
    const { tickMs, ticksMax } = this.#options;
    const ticks = Math.min(Math.floor((nowMs - this.#nextMs) / tickMs) + 1, ticksMax);
    this.#nextMs = Math.max(this.#nextMs + ticks * tickMs, nowMs);
    return ticks;
  }

  /** Has `onDue` called when `ticks` more than the ones taken have passed, in place of the time set before. */
  wakeAfter(ticks: number): void {
    this.#wakeMs = this.#nextMs + (ticks - 1) * this.#options.tickMs;
    // A timer that fires early is set anew then: that is cheaper than to set it each time that this is called.
    if (!this.#isStopped && this.#wakeMs < this.#timerMs) this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timerMs = this.#wakeMs;
    this.#timer = setTimeout(() => {
      this.#timerMs = Infinity;
      if (performance.now() < this.#wakeMs) return this.#arm();
      this.#wakeMs = Infinity;
      this.#options.onDue();
    }, Math.max(0, Math.ceil(this.#wakeMs - performance.now())));
  }

  /** No tick passes any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }
}

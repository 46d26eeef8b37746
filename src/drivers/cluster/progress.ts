/**
 * Lines that tell an operator what is awaited: each new one at once, one that stays the same every half minute, so that a
 * long wait neither falls silent nor fills the log.
 * @module
 */

const REPEAT_MS = 30_000;

/** Logs what the node is waiting for when that changes. */
export class Progress {
  readonly #log: (line: string) => void;
  #last = "";
  #loggedMs = 0;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** Logs `line` if it is news. */
  say(line: string): void {
    const now = performance.now();
    if (line === this.#last && now - this.#loggedMs < REPEAT_MS) return;
    this.#log(line);
    this.#last = line;
    this.#loggedMs = now;
  }
}

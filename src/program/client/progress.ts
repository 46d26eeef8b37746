/**
 * Progress of long work: a bar that redraws itself on a terminal, a line now and then elsewhere.
 * @module
 */

/** A number as people read it: `171,075`. */
export function thousands(value: number): string {
  return value.toLocaleString("en-US");
}

const BAR_CELLS = 30;
const REDRAW_MS = 80;
const LINE_MS = 1000;

/** Output for progress. */
export interface ProgressOutput {
  /** Whether the line can be redrawn. */
  isTerminal(): boolean;
  /** Takes bytes at once; returns how many. */
  writeSync(bytes: Uint8Array): number;
}

/** Counts units of work and shows how many are done, how fast, and when the rest will be. */
export class Progress {
  readonly #total: number;
  readonly #unit: string;
  readonly #output: ProgressOutput;
  readonly #started = performance.now();
  #done = 0;
  #shownAt: number;

  /** @param unit Plural of what is counted. */
  constructor(total: number, unit: string, output: ProgressOutput = Deno.stdout) {
    this.#total = total;
    this.#unit = unit;
    this.#output = output;
    this.#shownAt = this.#started;
  }

  /** Adds to what is done. */
  advance(count: number): void {
    this.#done += count;
    const now = performance.now();
    if (now - this.#shownAt < (this.#output.isTerminal() ? REDRAW_MS : LINE_MS)) return;
    this.#shownAt = now;
    this.#show(now, false);
  }

  /** Shows the last state, and ends the line. */
  finish(): void {
    this.#show(performance.now(), true);
  }

  #show(now: number, isLast: boolean): void {
    const seconds = Math.max(now - this.#started, 1) / 1000;
    const perSecond = this.#done / seconds;
    const share = this.#total === 0 ? 1 : this.#done / this.#total;
    const rest = isLast
      ? `in ${seconds.toFixed(1)} s`
      : `ETA ${perSecond === 0 ? "?" : ((this.#total - this.#done) / perSecond).toFixed(0)} s`;
    const text =
      `${thousands(this.#done)} of ${thousands(this.#total)} ${this.#unit} (${(share * 100).toFixed(0)}%)  ` +
      `${thousands(Math.round(perSecond))} ${this.#unit}/s  ${rest}`;
    if (!this.#output.isTerminal()) return this.#write(`  ${text}\n`);
    const cells = Math.round(share * BAR_CELLS);
    this.#write(`\r\x1b[2K  ${"█".repeat(cells)}${"░".repeat(BAR_CELLS - cells)}  ${text}${isLast ? "\n" : ""}`);
  }

  #write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let written = 0; written < bytes.length;) written += this.#output.writeSync(bytes.subarray(written));
  }
}

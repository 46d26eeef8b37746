/**
 * The source of time and randomness for replicated statements (A20).
 *
 * Both come with the log entry: the native part gives the entry's time to SQLite's date functions, CURRENT_* included,
 * and draws from the statement's own generator whatever ends up in data: random(), randomblob(), the rowid that is picked
 * where the largest is in use. So SQLite's own rules hold, that `date('now')` may not stand in an index, say, and defaults,
 * triggers and views see the same. Local time is UTC on every node, in reads as well.
 * @module
 */

import type { Seed } from "../../core/sql/command.ts";
import type { Control } from "../libsqlite/control.ts";

/** Puts an entry's time and a statement's seed into a control. */
export class Determinism {
  readonly #control: Control;
  #seed: Seed = { hi: 0, lo: 0 };

  /** @param control Of the replicated statements. */
  constructor(control: Control) {
    this.#control = control;
  }

  /** Starts an entry: freezes the clock. */
  beginEntry(timeMs: number, seed: Seed): void {
    this.#seed = seed;
    this.#control.nowMs = timeMs;
  }

  /** Starts the statement with this number within the entry: its random numbers depend on nothing before it. */
  beginStatement(number: number): void {
    const { hi, lo } = this.#seed;
    this.#control.setRandom(
      mix(hi ^ 0x9e37_79b9),
      mix(lo ^ 0x85eb_ca6b ^ Math.imul(number, 0x9e37_79b1)),
      mix(number ^ hi ^ 0xc2b2_ae35),
      mix(Math.imul(number + 1, 0x27d4_eb2f) ^ lo) | 1, // never all zero
    );
  }
}

/** Spreads 32 bits (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}

/**
 * Random numbers for simulations: sfc32, seeded, and split per subsystem so that adding a fault does not reshuffle the
 * others.
 * @module
 */
import type { Rng } from "../../src/core/raft/effects.ts";

/** A generator with the draws that simulations need. */
export class Random implements Rng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed Integer; the same one gives the same numbers. @param stream Which of the seed's generators. */
  constructor(seed: number, stream = 0) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) >>> 0;
    this.#c = stream >>> 0;
    // Neighbouring seeds start alike; sfc32 needs a dozen rounds to forget that.
    for (let round = 0; round < 12; round++) this.u32();
  }

  /** A uniform integer in [0, 2^32). */
  u32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** A uniform integer in [0, limit). */
  below(limit: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * limit);
  }

  /** A uniform integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.u32() < probability * 0x1_0000_0000;
  }

  /** An exponentially distributed integer with the given mean. */
  exponential(mean: number): number {
    return Math.round(-mean * Math.log(1 - this.u32() / 0x1_0000_0000));
  }

  /** One of the items, or `undefined` when there is none. */
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }
}

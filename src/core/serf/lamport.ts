/**
 * Lamport clocks (G5.2): 64 bits, three of them in Serf. Pure.
 * @module
 */
const MASK = (1n << 64n) - 1n;

/** A logical clock. */
export class LamportClock {
  #time: bigint;

  /** @param time Stamp of the next message. @default {1n} */
  constructor(time = 1n) {
    this.#time = time;
  }

  /** Stamp of the next message. */
  get time(): bigint {
    return this.#time;
  }

  /** Returns the stamp for a message, and goes on. */
  stamp(): bigint {
    const stamp = this.#time;
    this.#time = (stamp + 1n) & MASK;
    return stamp;
  }

  /** Another's stamp was seen: what comes now is later. */
  witness(seen: bigint): void {
    if (seen >= this.#time) this.#time = (seen + 1n) & MASK;
  }
}

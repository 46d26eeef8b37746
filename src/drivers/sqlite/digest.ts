/**
 * A fingerprint of everything applied, in order (A15): of each entry its place in the log, and of each
 * statement that every replica runs what came of it. Equal histories have equal digests; replicas whose data differ get
 * different ones as soon as a statement's outcome shows it. Pure.
 * @module
 */

/** Digests kept for comparison, by index. */
export const DIGESTS_KEPT = 65_536;

/** A running digest; what {@linkcode Digest.value} gives is a whole number below 2^52. */
export class Digest {
  #high = 0;
  #low = 0x811c9dc5;
  readonly #kept = new Float64Array(DIGESTS_KEPT);
  readonly #indices = new Float64Array(DIGESTS_KEPT);

  /** The digest now. */
  get value(): number {
    return (this.#high & 0xFFFFF) * 0x1_0000_0000 + (this.#low >>> 0);
  }

  /** Goes back, or on, to `value`. */
  set value(value: number) {
    this.#low = value % 0x1_0000_0000 | 0;
    this.#high = Math.floor(value / 0x1_0000_0000);
  }

  /** Takes in the low 32 bits of a number. */
  mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193) ^ (this.#high >>> 15);
    this.#high = Math.imul(this.#high ^ this.#low ^ (value >>> 16), 0x85ebca6b) & 0xFFFFF;
  }

  /** Takes in 64 bits; a number is one that is exact. */
  mixInteger(value: number | bigint): void {
    if (typeof value === "number") { // the same, without a bigint for each step
      this.mix(value | 0);
      return this.mix(Math.floor(value / 0x1_0000_0000) | 0);
    }
    this.mix(Number(BigInt.asIntN(32, value)));
    this.mix(Number(BigInt.asIntN(32, value >> 32n)));
  }

  /** Takes in a text. */
  mixText(text: string): void {
    this.mix(text.length);
    for (let at = 0; at < text.length; at++) this.mix(text.charCodeAt(at));
  }

  /** Keeps the digest as that of `index`. */
  keep(index: number): void {
    this.#kept[index % DIGESTS_KEPT] = this.value;
    this.#indices[index % DIGESTS_KEPT] = index;
  }

  /** The digest after `index`; undefined where it was not reached in this life, or is too long ago. */
  at(index: number): number | undefined {
    return index > 0 && this.#indices[index % DIGESTS_KEPT] === index ? this.#kept[index % DIGESTS_KEPT] : undefined;
  }
}

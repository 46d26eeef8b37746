/**
 * Draws of the generator: random choices from one seed, and which kinds of statements they have used. Pure.
 * @module
 */

import { invariant } from "../../../../src/invariant.ts";
import { Random } from "../../random.ts";
import type { Kind } from "./kinds.ts";

/** A choice with its weight. */
export type Weighted<T> = readonly [weight: number, item: T];

/** Random choices. The same seed, stream and kinds give the same draws. */
export class Draw {
  /** Kinds used since it was last emptied. */
  readonly used: Set<Kind> = new Set();
  readonly #random: Random;
  readonly #kinds: ReadonlySet<Kind>;

  /** @param stream Which of the seed's sequences. */
  constructor(seed: number, stream: number, kinds: ReadonlySet<Kind>) {
    this.#random = new Random(seed, stream);
    this.#kinds = kinds;
  }

  /** A uniform integer in [0, limit). */
  below(limit: number): number {
    return this.#random.below(limit);
  }

  /** A uniform integer in [low, high]. */
  between(low: number, high: number): number {
    return this.#random.between(low, high);
  }

  /** 32 random bits, unsigned. */
  u32(): number {
    return this.#random.u32();
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.#random.chance(probability);
  }

  /** One of the items, of which there must be one. */
  pick<T>(items: readonly T[]): T {
    invariant(items.length > 0, "a choice has items");
    return items[this.#random.below(items.length)];
  }

  /** One of the items, each as often as its weight says. */
  weighted<T>(choices: readonly Weighted<T>[]): T {
    let left = this.#random.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, item] of choices) {
      left -= weight;
      if (left < 0) return item;
    }
    return choices[choices.length - 1][1];
  }

  /** The items in a random order, cut to `count`. */
  sample<T>(items: readonly T[], count: number): T[] {
    const rest = [...items];
    const taken: T[] = [];
    while (taken.length < count && rest.length > 0) taken.push(...rest.splice(this.#random.below(rest.length), 1));
    return taken;
  }

  /** Between `low` and `high` products of `make`. */
  several<T>(low: number, high: number, make: (at: number) => T): T[] {
    return Array.from({ length: this.between(low, high) }, (_, at) => make(at));
  }

  /** Whether a kind is on at all. */
  has(kind: Kind): boolean {
    return this.#kinds.has(kind);
  }

  /** Whether to use a kind here, with the given probability; notes that it is used. */
  kind(kind: Kind, probability: number): boolean {
    const isDrawn = this.#random.chance(probability);
    if (!isDrawn || !this.#kinds.has(kind)) return false;
    this.used.add(kind);
    return true;
  }
}

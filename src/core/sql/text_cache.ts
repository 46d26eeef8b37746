/**
 * A bounded memory of what was worked out for a text. Pure.
 *
 * Two generations instead of a list in order of use: what is found in the old generation moves to the young one, and
 * when the young one is full, it becomes the old one. A hit costs one map look-up; what was not asked for while a whole
 * generation filled is forgotten. (A strict LRU on a Map costs a delete and an insert for every hit.)
 * @module
 */

/** Remembers values by text, at most twice `generationSize` of them. */
export class TextCache<V> {
  readonly #generationSize: number;
  readonly #drop: (value: V) => void;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  /**
   * Starts empty.
   * @param generationSize Texts in a generation.
   * @param drop Told of each value that is forgotten. @default Nobody is.
   */
  constructor(generationSize: number, drop: (value: V) => void = () => {}) {
    this.#generationSize = generationSize;
    this.#drop = drop;
  }

  /** Returns what is remembered for `text`. */
  get(text: string): V | undefined {
    const young = this.#young.get(text);
    if (young !== undefined) return young;
    const old = this.#old.get(text);
    if (old !== undefined) {
      this.#old.delete(text);
      this.set(text, old);
    }
    return old;
  }

  /** Remembers `value` for `text`. */
  set(text: string, value: V): void {
    if (this.#young.size >= this.#generationSize) {
      for (const forgotten of this.#old.values()) this.#drop(forgotten);
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(text, value);
  }

  /** Forgets everything. */
  clear(): void {
    for (const generation of [this.#young, this.#old]) for (const value of generation.values()) this.#drop(value);
    this.#young.clear();
    this.#old.clear();
  }
}

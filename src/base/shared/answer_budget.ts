/**
 * The bytes of large answers in flight, from the row that is rendered until the client has taken it: one word of shared
 * memory, so that readers, writer and HTTP count together and none of them has to ask another.
 * @module
 */

/** Bytes that answers of readers may take; beyond, a read waits. */
export const READ_ANSWERS_BYTES_MAX = 192 * 1024 * 1024;
/** Bytes that all answers may take: the writer, which cannot wait, always has some left that reads do not take. */
export const ANSWERS_BYTES_MAX = 256 * 1024 * 1024;

/** The counter. */
export class AnswerBudget {
  /** The word; goes to other Workers as it is. */
  readonly shared: SharedArrayBuffer;
  readonly #word: Int32Array;

  /** @param shared One that another Worker has made, or none: a new one. */
  constructor(shared = new SharedArrayBuffer(4)) {
    this.shared = shared;
    this.#word = new Int32Array(shared);
  }

  /** Bytes in flight. */
  get taken(): number {
    return Atomics.load(this.#word, 0);
  }

  /**
   * Takes bytes.
   * @returns false where there would be more than `bytesMax` in flight: none were taken.
   */
  take(bytes: number, bytesMax: number): boolean {
    if (Atomics.add(this.#word, 0, bytes) + bytes <= bytesMax) return true;
    Atomics.sub(this.#word, 0, bytes);
    return false;
  }

  /** Takes bytes whatever is in flight: they are there already. */
  add(bytes: number): void {
    Atomics.add(this.#word, 0, bytes);
  }

  /** Gives bytes back. */
  giveBack(bytes: number): void {
    Atomics.sub(this.#word, 0, bytes);
  }
}

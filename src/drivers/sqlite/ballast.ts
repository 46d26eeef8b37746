/**
 * Room kept for the moment when the disk is full (D15): a file of zeros beside the database. What was
 * committed when the disk ran full must still be applied, so the file is given up for it; writes are refused from then on
 * until there is room to fill it again.
 * @module
 */

/** Bytes of the file: more than what can be committed and not yet applied under usual load. */
export const BALLAST_BYTES = 16 * 1024 * 1024;

/** The file. */
export class Ballast {
  readonly #path: string;
  readonly #bytes: number;
  #isFilled = false;

  /** @param path Of the file; one that an earlier life left is taken over. */
  constructor(path: string, bytes = BALLAST_BYTES) {
    this.#path = path;
    this.#bytes = bytes;
  }

  /** Makes the file, if it is not there; false where the disk has no room for it. */
  fill(): boolean {
    if (this.#isFilled || this.#isThere()) return this.#isFilled = true;
    try {
      const file = Deno.openSync(this.#path, { write: true, create: true, truncate: true });
      try {
        const zeros = new Uint8Array(1024 * 1024);
        for (let written = 0; written < this.#bytes;) {
          written += file.writeSync(zeros.subarray(0, Math.min(zeros.length, this.#bytes - written)));
        }
        file.syncSync();
      } finally {
        file.close();
      }
    } catch {
      this.#remove(); // what fitted would only take what others need
      return false;
    }
    this.#isFilled = true;
    return true;
  }

  /** Gives the room back to the disk; false where it was given already. */
  release(): boolean {
    const wasFilled = this.#isFilled || this.#isThere();
    this.#isFilled = false;
    this.#remove();
    return wasFilled;
  }

  /** An earlier life may have left it. */
  #isThere(): boolean {
    try {
      return Deno.statSync(this.#path).size === this.#bytes;
    } catch {
      return false; // the first start, or it was given up
    }
  }

  #remove(): void {
    try {
      Deno.removeSync(this.#path);
    } catch {
      // it was not there
    }
  }
}

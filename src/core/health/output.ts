/**
 * The output of a check, of which the last bytes are kept. Pure.
 * @module
 */

/** Bytes of output that are kept where neither the agent nor the check says otherwise. */
export const OUTPUT_BYTES = 4096;

const LONGEST_CHARACTER_BYTES = 4;
const decoder = new TextDecoder(); // which puts U+FFFD where bytes are not UTF-8
const encoder = new TextEncoder();

/** Keeps the last bytes of what is written to it, in memory of twice their number. */
export class OutputTail {
  readonly #bytesMax: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;
  #total = 0;

  /** @param bytesMax Bytes to keep. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytes = new Uint8Array(Math.min(bytesMax, 512)); // most outputs are short
  }

  /** Takes more output; the bytes are copied. */
  write(chunk: Uint8Array): void {
    this.#total += chunk.length;
    const added = chunk.length > this.#bytesMax ? chunk.subarray(chunk.length - this.#bytesMax) : chunk;
    const kept = Math.min(this.#length, this.#bytesMax - added.length);
    if (kept + added.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(this.#bytesMax, 2 * (kept + added.length)));
      grown.set(this.#bytes.subarray(this.#length - kept, this.#length));
      this.#bytes = grown;
    } else if (kept < this.#length) this.#bytes.copyWithin(0, this.#length - kept, this.#length);
    this.#bytes.set(added, kept);
    this.#length = kept + added.length;
  }

  /** Forgets everything. */
  clear(): void {
    this.#length = 0;
    this.#total = 0;
  }

  /** What is kept, beginning with a whole character; how much is missing is said before it. */
  toString(): string {
    const isCut = this.#total > this.#length;
    const bytes = this.#bytes.subarray(isCut ? firstCharacter(this.#bytes.subarray(0, this.#length)) : 0, this.#length);
    const text = decoder.decode(bytes);
    return isCut ? `Captured ${bytes.length} of ${this.#total} bytes\n...\n${text}` : text;
  }
}

/**
 * Cuts an output to its last `bytesMax` bytes, where it is longer. The line before them that says so comes on top.
 */
export function cutOutput(output: string, bytesMax: number): string {
  if (output.length * 3 <= bytesMax) return output; // UTF-8 has at most three bytes for a UTF-16 unit
  const bytes = encoder.encode(output);
  if (bytes.length <= bytesMax) return output;
  const tail = new OutputTail(bytesMax);
  tail.write(bytes);
  return tail.toString();
}

/** Where the first whole character of cut UTF-8 begins; at 0 where the bytes are not UTF-8. */
function firstCharacter(bytes: Uint8Array): number {
  for (let at = 0; at < Math.min(LONGEST_CHARACTER_BYTES, bytes.length); at++) {
    if ((bytes[at] & 0xc0) !== 0x80) return at;
  }
  return 0;
}

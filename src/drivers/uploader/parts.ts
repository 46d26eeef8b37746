/**
 * Bytes gathered into parts of one size, as stores in a network want them. Pure.
 * @module
 */

/** A part. */
export interface Part {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether no other part follows. */
  readonly isLast: boolean;
}

/**
 * Parts of `bytesMax`; the last one has what is left, which is nothing where there are no bytes at all. All of them share one
 * buffer: a part is valid until the next one is taken.
 */
export async function* partsOf(pieces: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Part> {
  const part = new Uint8Array(bytesMax);
  let length = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      if (length === bytesMax) { // and more has come: it is not the last one
        yield { bytes: part, isLast: false };
        length = 0;
      }
      const taken = piece.subarray(at, at + bytesMax - length);
      part.set(taken, length);
      length += taken.length;
      at += taken.length;
    }
  }
  yield { bytes: part.subarray(0, length), isLast: true };
}

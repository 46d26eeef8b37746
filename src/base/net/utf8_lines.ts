/**
 * Text in UTF-8 as it comes. Bytes that are none are refused with their line, where the runtime's decoders put U+FFFD in their place
 * or tell of a fault without its place.
 * @module
 */

const LINE_FEED = 0x0a;

/** Takes bytes apart into lines, and lines into characters. */
export class Utf8Lines {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #line = 1;

  /** The text of the next bytes, with a piece for each line that they have a part of. @throws {Error} Which names the line. */
  *take(bytes: Uint8Array): Generator<string> {
    for (let at = 0; at < bytes.length;) {
      const feed = bytes.indexOf(LINE_FEED, at);
      const end = feed < 0 ? bytes.length : feed + 1;
      yield this.#decode(bytes.subarray(at, end));
      if (feed >= 0) this.#line++;
      at = end;
    }
  }

  /** Looks whether the last character is whole. @throws {Error} Which names the line. */
  end(): void {
    this.#decode();
  }

  #decode(bytes?: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw new Error(`line ${this.#line} is not text in UTF-8`);
    }
  }
}

/** The text of bytes, in pieces that have no more than one line. @throws {Error} Which names the line. */
export async function* utf8Text(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const lines = new Utf8Lines();
  for await (const piece of pieces) yield* lines.take(piece);
  lines.end();
}

/** The same as a whole. @throws {Error} Which names the line. */
export async function wholeUtf8Text(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  return (await Array.fromAsync(utf8Text(pieces))).join("");
}

/**
 * Header compression of HTTP/2 (RFC 7541), as far as a client needs it that allows its server no dynamic table: the
 * static table and literals. Pure.
 * @module
 */

/** Bytes of all names and values of a header block together. */
const FIELDS_BYTES_MAX = 65_536;
const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** Names of the static table (RFC 7541 Appendix A), from index 1 on. */
const NAMES =
  (":authority :method :method :path :path :scheme :scheme :status :status :status :status :status :status :status " +
    "accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow " +
    "authorization cache-control content-disposition content-encoding content-language content-length " +
    "content-location content-range content-type cookie date etag expect expires from host if-match " +
    "if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards " +
    "proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie " +
    "strict-transport-security transfer-encoding user-agent vary via www-authenticate").split(" ");

/** Values of the static table, by index; others are empty. */
const VALUES: Readonly<Record<number, string>> = {
  2: "GET",
  3: "POST",
  4: "/",
  5: "/index.html",
  6: "http",
  7: "https",
  8: "200",
  9: "204",
  10: "206",
  11: "304",
  12: "400",
  13: "404",
  14: "500",
  16: "gzip, deflate",
};

/** Bits of the code of each byte (RFC 7541 Appendix B), base 36. Codes of one length follow each other, as do the lengths. */
const CODE_BITS = "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca" +
  "d67777777777777777777777878djde6f56565666577666567655677777fbeds" +
  "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq";
const BITS_MAX = 30;

/** A header block that cannot be decoded. */
export class HpackError extends Error {
  /** Always `HpackError`. */
  override readonly name = "HpackError";
}

/** Encodes a header block, without compression; values are at most 65,535 bytes. */
export function encodeFields(fields: readonly (readonly [string, string])[]): Uint8Array {
  const out: number[] = [];
  for (const text of fields.flatMap(([name, value]) => [undefined, name, value])) {
    if (text === undefined) out.push(0); // a literal without indexing, with a new name
    else {
      const bytes = encoder.encode(text);
      encodeInteger(out, bytes.length);
      out.push(...bytes);
    }
  }
  return Uint8Array.from(out);
}

/** In the 7 low bits of a byte, and as many bytes as it takes (RFC 7541 §5.1). */
function encodeInteger(out: number[], value: number): void {
  if (value < 127) return void out.push(value);
  out.push(127);
  let rest = value - 127;
  for (; rest >= 128; rest >>>= 7) out.push(rest & 127 | 128);
  out.push(rest);
}

/**
 * Decodes a header block; of several fields with one name the last counts.
 * @throws {HpackError} When it is not one, is too large, or needs a dynamic table.
 */
export function decodeFields(bytes: Uint8Array): Map<string, string> {
  const fields = new Map<string, string>();
  const reader = new Reader(bytes);
  for (let left = FIELDS_BYTES_MAX; !reader.isAtEnd;) {
    const first = reader.peek();
    if ((first & 0xe0) === 0x20) { // the size of the dynamic table, which is 0
      reader.integer(5);
      continue;
    }
    const isIndexed = (first & 0x80) !== 0;
    const index = reader.integer(isIndexed ? 7 : (first & 0x40) !== 0 ? 6 : 4);
    if (isIndexed && index === 0 || index > NAMES.length) throw new HpackError("header compression: unknown index");
    const name = index === 0 ? reader.text() : NAMES[index - 1];
    const value = isIndexed ? VALUES[index] ?? "" : reader.text();
    left -= name.length + value.length + 32;
    if (left < 0) throw new HpackError("header compression: the header is too large");
    fields.set(name, value);
  }
  return fields;
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  peek(): number {
    if (this.isAtEnd) throw new HpackError("header compression: it ends too early");
    return this.#bytes[this.#at];
  }

  /** An integer in the low `bits` of a byte, and what follows (RFC 7541 §5.1). */
  integer(bits: number): number {
    const most = 2 ** bits - 1;
    let value = this.peek() & most;
    this.#at++;
    if (value < most) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.peek();
      this.#at++;
      value += (byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new HpackError("header compression: a number is too large");
  }

  text(): string {
    const isCompressed = (this.peek() & 0x80) !== 0;
    const length = this.integer(7);
    if (length > this.#bytes.length - this.#at) throw new HpackError("header compression: it ends too early");
    const bytes = this.#bytes.subarray(this.#at, this.#at += length);
    return latin1.decode(isCompressed ? expand(bytes) : bytes);
  }
}

/** The canonical code: of each length its first code, and its symbols in order. */
const CODE = codeOf(CODE_BITS);

function codeOf(text: string): { readonly first: number; readonly symbols: readonly number[] }[] {
  const code: { first: number; symbols: number[] }[] = [];
  let next = 0;
  for (let bits = 0; bits <= BITS_MAX; bits++) {
    const symbols = [...text].flatMap((letter, symbol) => parseInt(letter, 36) === bits ? [symbol] : []);
    code.push({ first: next, symbols });
    next = (next + symbols.length) * 2;
  }
  return code;
}

/** Undoes the Huffman code; padding at the end is ones (RFC 7541 §5.2). */
function expand(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  let [code, bits] = [0, 0];
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + (byte >> bit & 1);
      if (++bits > BITS_MAX) throw new HpackError("header compression: unknown code");
      const { first, symbols } = CODE[bits];
      if (code - first >= symbols.length) continue;
      out.push(symbols[code - first]);
      [code, bits] = [0, 0];
    }
  }
  if (bits > 7 || code !== 2 ** bits - 1) throw new HpackError("header compression: wrong padding");
  return Uint8Array.from(out);
}

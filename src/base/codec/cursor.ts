/**
 * Reading and writing binary values, big-endian, with bounds checked on every read: bytes from outside end in a
 * `DecodeError`, never in a crash or an unbounded allocation. Pure.
 * @module
 */

/** Bytes that are not what the format promises. */
export class DecodeError extends Error {
  /** Always `DecodeError`. */
  override readonly name = "DecodeError";
}

/** Texts up to this length are encoded here where they are ASCII, which is quicker than asking the encoder. */
const SHORT_TEXT_LENGTH_MAX = 24;
/** Texts beyond this length are written without room to spare. */
const LONG_TEXT_LENGTH = 64 * 1024;
/** Room behind a long text or blob, so that what follows does not make the buffer grow again at once. */
const SLACK_BYTES = 4096;
/** A buffer doubles up to this size, and grows by a quarter from there on. */
const DOUBLED_BYTES_MAX = 4 * 1024 * 1024;
/** A buffer of this size that was outgrown is freed at once: garbage is collected late (free.ts). */
const FREED_BYTES_MIN = 64 * 1024;
/** More bytes than these are given away with the buffer that they are in. */
const COPIED_BYTES_MAX = 1024 * 1024;
const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }); // a U+FEFF is text, too

/** Appends values to a growing buffer. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  /** @param capacity Bytes to reserve at first. @default {256} */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Makes room for `count` more bytes and returns the offset at which they start. */
  reserve(count: number): number {
    const offset = this.#length;
    const needed = offset + count;
    const capacity = this.#bytes.length;
    if (needed > capacity) this.#grow(Math.max(needed, capacity * (capacity < DOUBLED_BYTES_MAX ? 2 : 1.25)));
    this.#length = needed;
    return offset;
  }

  /** Grows, if need be, to just what `count` more bytes take: for those who know how many come. */
  expect(count: number): void {
    if (this.#length + count > this.#bytes.length) this.#grow(this.#length + count);
  }

  #grow(capacity: number): void {
    const grown = new Uint8Array(Math.ceil(capacity));
    grown.set(this.#bytes.subarray(0, this.#length));
    if (this.#bytes.length >= FREED_BYTES_MIN) this.#bytes.buffer.transfer(0); // views end with the next write
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  /** Writes one byte. */
  u8(value: number): this {
    const offset = this.reserve(1);
    this.#view.setUint8(offset, value);
    return this;
  }

  /** Writes an unsigned 32-bit integer. */
  u32(value: number): this {
    const offset = this.reserve(4);
    this.#view.setUint32(offset, value);
    return this;
  }

  /** Writes a non-negative safe integer as an unsigned 64-bit one. */
  u64(value: number): this {
    const offset = this.reserve(8);
    this.#view.setUint32(offset, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(offset + 4, value >>> 0);
    return this;
  }

  /** Writes a signed 64-bit integer. */
  i64(value: bigint): this {
    const offset = this.reserve(8);
    this.#view.setBigInt64(offset, value);
    return this;
  }

  /** Writes a double. */
  f64(value: number): this {
    const offset = this.reserve(8);
    this.#view.setFloat64(offset, value);
    return this;
  }

  /** Writes bytes as they are, without a length. */
  raw(bytes: Uint8Array): this {
    const offset = this.reserve(bytes.length);
    this.#bytes.set(bytes, offset);
    return this;
  }

  /** Writes a u32 length and the bytes. */
  bytes(bytes: Uint8Array): this {
    if (bytes.length > LONG_TEXT_LENGTH) this.expect(bytes.length + SLACK_BYTES);
    return this.u32(bytes.length).raw(bytes);
  }

  /** Writes a u32 length in bytes and the text in UTF-8. */
  string(text: string): this {
    const lengthAt = this.reserve(4);
    const written = text.length > LONG_TEXT_LENGTH ? this.#longText(text) : this.#text(text);
    this.#view.setUint32(lengthAt, written);
    return this;
  }

  #text(text: string): number {
    const start = this.reserve(text.length * 3);
    const isShort = text.length <= SHORT_TEXT_LENGTH_MAX && this.#ascii(text, start);
    const written = isShort ? text.length : utf8Encoder.encodeInto(text, this.#bytes.subarray(start)).written;
    this.#length = start + written;
    return written;
  }

  /** Most long texts are ASCII: three bytes for each unit are reserved behind the first that is not. */
  #longText(text: string): number {
    this.expect(text.length + SLACK_BYTES);
    const start = this.reserve(text.length);
    const { read, written } = utf8Encoder.encodeInto(text, this.#bytes.subarray(start));
    this.#length = start + written;
    return read === text.length ? written : written + this.#text(text.slice(read));
  }

  /** Writes a text at `start`; false where it is not ASCII. */
  #ascii(text: string, start: number): boolean {
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code >= 0x80) return false;
      this.#bytes[start + at] = code;
    }
    return true;
  }

  /** Overwrites the u32 at `offset`, which must have been written before. */
  setU32(offset: number, value: number): void {
    this.#view.setUint32(offset, value);
  }

  /** Starts over with the same buffer. */
  clear(): void {
    this.#length = 0;
  }

  /** Takes back what was written behind `length`. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /** The written bytes as a view of the internal buffer, valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** The written bytes, which the caller owns from now on; starts over with a new buffer. */
  take(): Uint8Array {
    const bytes = this.view();
    this.#bytes = new Uint8Array(256);
    this.#view = new DataView(this.#bytes.buffer);
    this.#length = 0;
    return bytes;
  }

  /** The written bytes, which the caller owns, many in the buffer that they are in, few as a copy of it; starts over. */
  finish(): Uint8Array {
    if (this.#length > COPIED_BYTES_MAX) return this.take();
    const bytes = this.copy();
    this.clear();
    return bytes;
  }

  /** The written bytes as a copy that the caller owns. */
  copy(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}

/** Reads values from bytes it does not own; every read throws a {@linkcode DecodeError} past the end. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  /** @param bytes What to read; not copied. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  #take(count: number): number {
    const offset = this.#offset;
    if (count > this.#bytes.length - offset) {
      throw new DecodeError(`Expected ${count} more bytes at offset ${offset}: only ${this.remaining} are left`);
    }
    this.#offset = offset + count;
    return offset;
  }

  /** Reads one byte. */
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  /** Reads an unsigned 32-bit integer. */
  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** Reads an unsigned 64-bit integer that must be a safe one. */
  u64(): number {
    const offset = this.#take(8);
    const value = this.#view.getUint32(offset) * 0x1_0000_0000 + this.#view.getUint32(offset + 4);
    if (!Number.isSafeInteger(value)) throw new DecodeError(`Expected an integer below 2^53 at offset ${offset}`);
    return value;
  }

  /** Reads a signed 64-bit integer. */
  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8));
  }

  /** Reads a double. */
  f64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  /** Reads `count` bytes as a view. */
  raw(count: number): Uint8Array {
    const offset = this.#take(count);
    return this.#bytes.subarray(offset, offset + count);
  }

  /** Reads a u32 length and that many bytes, as a view. */
  bytes(): Uint8Array {
    return this.raw(this.u32());
  }

  /** Reads a u32 length and that much UTF-8. */
  string(): string {
    const bytes = this.bytes();
    try {
      return utf8Decoder.decode(bytes);
    } catch {
      throw new DecodeError(`Expected UTF-8 text before offset ${this.#offset}`);
    }
  }

  /** Where the next byte is read. */
  get offset(): number {
    return this.#offset;
  }

  /** Passes over some bytes. */
  skip(count: number): void {
    this.#take(count);
  }

  /** Passes over a u32 length and that much UTF-8; whether it was that. */
  skipText(): boolean {
    const length = this.u32();
    const from = this.#take(length);
    for (let at = from; at < this.#offset; at++) {
      if (this.#bytes[at] >= 0x80) return isUtf8(this.#bytes.subarray(from, this.#offset));
    }
    return true;
  }

  /** Asserts that nothing is left. */
  end(): void {
    if (this.remaining > 0) {
      throw new DecodeError(`Expected the end at offset ${this.#offset}: ${this.remaining} bytes follow`);
    }
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    utf8Decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/**
 * The stream between two nodes that share a secret, after they have shown that they do: cut into records, each with a
 * code over its place in the stream and its bytes (HMAC-SHA-256 under a key of this connection and direction, RFC 2104 §5).
 * Whoever can change packets on the way cannot alter, invent, repeat, reorder or leave out a record unnoticed: the first
 * one that does not fit ends the stream. Such a person can still end the connection, and read it, which TLS prevents.
 *
 *     length of the bytes u32 | number of the record u64 | the bytes | code, 16 bytes
 *
 * One record holds what leaves in one write, many frames under load: a code costs about 10 µs, whatever it covers.
 * @module
 */
import { createHmac } from "node:crypto";
import { DecodeError } from "../../base/codec/cursor.ts";

/** Most bytes of a record. */
export const RECORD_BYTES_MAX = 128 * 1024;
const HEAD_BYTES = 12;
/** Half of the hash: nobody guesses 128 bits, and a shorter code is no weaker otherwise. */
const CODE_BYTES = 16;
const FIRST_ROOM_BYTES = 4096;

/** Makes records. */
export class RecordSealer {
  readonly #key: Uint8Array;
  #number = 0;
  #buffer = new Uint8Array(FIRST_ROOM_BYTES);

  /** @param key Of this connection and direction. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Cuts `bytes` into records; each is valid until the next is asked for. */
  *seal(bytes: Uint8Array): Generator<Uint8Array> {
    for (let start = 0; start < bytes.length; start += RECORD_BYTES_MAX) {
      yield this.#record(bytes.subarray(start, start + RECORD_BYTES_MAX));
    }
  }

  #record(bytes: Uint8Array): Uint8Array {
    const covered = HEAD_BYTES + bytes.length;
    this.#buffer = roomFor(covered + CODE_BYTES, this.#buffer);
    const view = new DataView(this.#buffer.buffer);
    view.setUint32(0, bytes.length);
    view.setBigUint64(4, BigInt(this.#number++));
    this.#buffer.set(bytes, HEAD_BYTES);
    this.#buffer.set(codeOf(this.#key, this.#buffer.subarray(0, covered)), covered);
    return this.#buffer.subarray(0, covered + CODE_BYTES);
  }
}

/** Takes records apart. */
export class RecordOpener {
  readonly #key: Uint8Array;
  #number = 0;
  #buffer = new Uint8Array(FIRST_ROOM_BYTES);
  #held = 0;

  /** @param key Of this connection and direction. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /**
   * Takes bytes as they arrive, and gives those of each record that is complete; valid until the next is asked for.
   * @throws {DecodeError} When a record is not the next that the other end has made.
   */
  *open(chunk: Uint8Array): Generator<Uint8Array> {
    for (let taken = 0; taken < chunk.length;) {
      const more = chunk.subarray(taken, taken + this.#missing());
      this.#buffer.set(more, this.#held);
      this.#held += more.length;
      taken += more.length;
      if (this.#held > HEAD_BYTES && this.#missing() === 0) yield this.#finish();
    }
  }

  /** Bytes that the head, or the whole record, still needs. */
  #missing(): number {
    if (this.#held < HEAD_BYTES) return HEAD_BYTES - this.#held;
    const length = new DataView(this.#buffer.buffer).getUint32(0);
    // Believed before it is proven, so no length may cost memory.
    if (length === 0 || length > RECORD_BYTES_MAX) throw strange();
    this.#buffer = roomFor(HEAD_BYTES + length + CODE_BYTES, this.#buffer);
    return HEAD_BYTES + length + CODE_BYTES - this.#held;
  }

  #finish(): Uint8Array {
    const covered = this.#held - CODE_BYTES;
    const isNext = new DataView(this.#buffer.buffer).getBigUint64(4) === BigInt(this.#number);
    const code = codeOf(this.#key, this.#buffer.subarray(0, covered));
    if (!isEqual(code, this.#buffer.subarray(covered, this.#held)) || !isNext) throw strange();
    this.#number++;
    this.#held = 0;
    return this.#buffer.subarray(HEAD_BYTES, covered);
  }
}

function strange(): DecodeError {
  return new DecodeError(
    "Expected the next record of this session: bytes were altered, added, repeated or left out on the way",
  );
}

/** A buffer that holds `count` bytes, with what the one before held. */
function roomFor(count: number, buffer: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (count <= buffer.length) return buffer;
  const roomy = new Uint8Array(Math.min(2 * count, HEAD_BYTES + RECORD_BYTES_MAX + CODE_BYTES));
  roomy.set(buffer);
  return roomy;
}

function codeOf(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return createHmac("sha256", key).update(bytes).digest().subarray(0, CODE_BYTES);
}

/** Compares in a time that does not tell how much is equal. */
function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let at = 0; at < a.length; at++) difference |= a[at] ^ b[at];
  return difference === 0;
}

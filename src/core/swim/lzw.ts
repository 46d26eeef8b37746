/**
 * LZW as Go's `compress/lzw` writes it: codes of 9 to 12 bits, least significant bit first, literals of 8 bits
 * (G2.6). Pure.
 * @module
 */
import { ByteWriter, DecodeError } from "../../base/codec/cursor.ts";

/** Longest output of {@linkcode decompress}: twice the largest stream. */
export const DECOMPRESSED_BYTES_MAX = 40 * 1024 * 1024;

const CLEAR = 256;
const END = 257;
const WIDTH_MIN = 9;
const WIDTH_MAX = 12;
const CODES = 1 << WIDTH_MAX;
const SLOTS = 4 * CODES; // open addressing, at most a quarter full
const NONE = -1;

/*
 * Tables that every call starts anew and none leaves to another: 116 KB, which a call of its own would leave to the
 * garbage collector with every datagram, and that counts buffers outside its heap late.
 */
const keys = new Int32Array(SLOTS);
const codes = new Uint16Array(SLOTS);
const prefix = new Uint16Array(CODES);
const suffix = new Uint8Array(CODES);
const lengths = new Uint16Array(CODES);

/** Codes into bytes, least significant bit first. */
class BitWriter {
  readonly bytes: ByteWriter;
  #bits = 0;
  #count = 0;

  constructor(capacity: number) {
    this.bytes = new ByteWriter(capacity);
  }

  code(code: number, width: number): void {
    this.#bits |= code << this.#count;
    this.#count += width;
    for (; this.#count >= 8; this.#count -= 8, this.#bits >>>= 8) this.bytes.u8(this.#bits & 0xff);
  }

  flush(): Uint8Array {
    if (this.#count > 0) this.bytes.u8(this.#bits & 0xff);
    return this.bytes.view();
  }
}

/** Compresses. */
export function compress(input: Uint8Array): Uint8Array {
  const out = new BitWriter(input.length + 16);
  keys.fill(NONE);
  let high = END;
  let width = WIDTH_MIN;
  out.code(CLEAR, width);
  /** Counts the code just written; true where the dictionary was full and starts over. */
  const grow = (): boolean => {
    high++;
    if (high === 1 << width) width++;
    if (high < CODES - 1) return false;
    out.code(CLEAR, width);
    high = END;
    width = WIDTH_MIN;
    keys.fill(NONE);
    return true;
  };
  if (input.length > 0) {
    let saved = input[0];
    for (let i = 1; i < input.length; i++) {
      const key = saved << 8 | input[i];
      let slot = (key >>> 8 ^ key * 37) & (SLOTS - 1);
      while (keys[slot] !== NONE && keys[slot] !== key) slot = (slot + 1) & (SLOTS - 1);
      if (keys[slot] === key) {
        saved = codes[slot];
        continue;
      }
      out.code(saved, width);
      if (!grow()) {
        keys[slot] = key;
        codes[slot] = high;
      }
      saved = input[i];
    }
    out.code(saved, width);
    grow();
  }
  out.code(END, width);
  return out.flush().slice();
}

/**
 * Decompresses; bytes after the end code are disregarded.
 * @param bytesMax Longest output.
 * @throws {DecodeError} At a code that cannot be, an end too early, or more output than `bytesMax`.
 */
export function decompress(input: Uint8Array, bytesMax: number): Uint8Array {
  lengths.fill(1, 0, CLEAR);
  for (let literal = 0; literal < CLEAR; literal++) suffix[literal] = literal;
  let output = new Uint8Array(Math.min(bytesMax, Math.max(256, input.length * 4)));
  let length = 0;
  let width = WIDTH_MIN;
  let high = END;
  let last = NONE;
  let bits = 0;
  let count = 0;
  for (let at = 0;;) {
    for (; count < width; count += 8) {
      if (at >= input.length) throw new DecodeError("lzw: the input ends before the end code");
      bits |= input[at++] << count;
    }
    const code = bits & ((1 << width) - 1);
    bits >>>= width;
    count -= width;
    if (code === END) return output.slice(0, length);
    if (code === CLEAR) {
      width = WIDTH_MIN;
      high = END;
      last = NONE;
      continue;
    }
    const isFull = high === CODES - 1; // the entry `high` is there already
    if (code > high || code === high && last === NONE && !isFull) throw new DecodeError("lzw: invalid code");
    const isOwnEnd = code === high && last !== NONE; // the entry that this code completes
    const stringLength = isOwnEnd ? lengths[last] + 1 : lengths[code];
    if (length + stringLength > bytesMax) throw new DecodeError(`lzw: more than ${bytesMax} bytes`);
    if (length + stringLength > output.length) {
      const grown = new Uint8Array(Math.min(bytesMax, (length + stringLength) * 2));
      grown.set(output.subarray(0, length));
      output = grown;
    }
    let end = length + stringLength - (isOwnEnd ? 2 : 1);
    let from = isOwnEnd ? last : code;
    for (; from > END; from = prefix[from]) output[end--] = suffix[from];
    output[end] = from;
    if (isOwnEnd) output[length + stringLength - 1] = output[length];
    if (last !== NONE) {
      prefix[high] = last;
      suffix[high] = output[length];
      lengths[high] = lengths[last] + 1;
    }
    length += stringLength;
    last = code;
    high++;
    if (high >= 1 << width) {
      if (width === WIDTH_MAX) {
        last = NONE;
        high--;
      } else width++;
    }
  }
}

/**
 * Values on their way into the native part and rows on their way out, as bytes (the form is in library/muster.h (1)). Pure.
 * @module
 */

import { freeBuffer } from "../../base/codec/free.ts";
import { type EncodedValues, VALUE_TAG } from "../../core/sql/command.ts";
import type { SqlValue } from "../../core/sql/value.ts";

/** A row of results. */
export type Row = readonly SqlValue[];

const INTEGER = 1;
const REAL = 2;
const TEXT = 3;
const BLOB = 4;
const NULL = 5;

/** Texts up to this length are read byte by byte where they are ASCII, which is quicker than asking the decoder. */
const SHORT_TEXT_BYTES_MAX = 32;
/** Texts beyond this length are packed without room to spare. */
const LONG_TEXT_LENGTH = 64 * 1024;
/** A packer that has grown beyond this is cut back when it is used again. */
const KEPT_BYTES = 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Packs values, into memory that it uses again and again. */
export class Packer {
  readonly #addressOf: (bytes: Uint8Array<ArrayBuffer>) => bigint;
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #address: bigint;

  /** @param addressOf Where bytes lie in memory. */
  constructor(addressOf: (bytes: Uint8Array<ArrayBuffer>) => bigint) {
    this.#addressOf = addressOf;
    this.#address = addressOf(this.#bytes);
  }

  /** Where the values packed last lie; valid until the next call, and as long as the packer is. */
  get address(): bigint {
    return this.#address;
  }

  /** Packs values to {@linkcode Packer.address}. @returns How many bytes they take. */
  pack(values: readonly SqlValue[] | EncodedValues): number {
    return "from" in values ? this.#packEncoded(values) : this.#packValues(values);
  }

  #packValues(values: readonly SqlValue[]): number {
    if (this.#bytes.length > KEPT_BYTES) this.#use(new Uint8Array(256));
    let at = 0;
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      if (value === null) {
        this.#reserve(at + 1);
        this.#bytes[at++] = NULL;
      } else if (typeof value === "string") {
        const written = value.length > LONG_TEXT_LENGTH ? this.#putLong(value, at + 5) : this.#putShort(value, at + 5);
        this.#bytes[at] = TEXT;
        this.#view.setUint32(at + 1, written, true);
        at += 5 + written;
      } else if (typeof value === "bigint") {
        this.#reserve(at + 9);
        this.#bytes[at] = INTEGER;
        this.#view.setBigInt64(at + 1, value, true);
        at += 9;
      } else if (typeof value === "number") {
        this.#reserve(at + 9);
        this.#bytes[at] = REAL;
        this.#view.setFloat64(at + 1, value, true);
        at += 9;
      } else {
        this.#reserve(at + 5 + value.length);
        this.#bytes[at] = BLOB;
        this.#view.setUint32(at + 1, value.length, true);
        this.#bytes.set(value, at + 5);
        at += 5 + value.length;
      }
    }
    return at;
  }

  /** Without making a text or a bigint of any. */
  #packEncoded({ bytes: source, from, to }: EncodedValues): number {
    if (this.#bytes.length > KEPT_BYTES) this.#use(new Uint8Array(256));
    let at = 0;
    for (let next = from; next < to;) {
      const tag = source[next++];
      if (tag === VALUE_TAG.null) {
        this.#reserve(at + 1);
        this.#bytes[at++] = NULL;
      } else if (tag === VALUE_TAG.text || tag === VALUE_TAG.blob) {
        const length = source[next] * 0x100_0000 + (source[next + 1] << 16 | source[next + 2] << 8 | source[next + 3]);
        this.#reserve(at + 5 + length);
        this.#bytes[at] = tag === VALUE_TAG.text ? TEXT : BLOB;
        this.#view.setUint32(at + 1, length, true);
        this.#copy(source, next + 4, length, at + 5);
        next += 4 + length;
        at += 5 + length;
      } else {
        this.#reserve(at + 9);
        const bytes = this.#bytes;
        bytes[at] = tag === VALUE_TAG.real ? REAL : INTEGER;
        if (tag === VALUE_TAG.byte) {
          bytes[at + 1] = source[next++];
          for (let byte = 2; byte <= 8; byte++) bytes[at + byte] = 0;
        } else {
          for (let byte = 8; byte > 0; byte--) bytes[at + byte] = source[next++]; // there the most significant is first
        }
        at += 9;
      }
    }
    return at;
  }

  /** Few bytes one by one, which is quicker than a view of them. */
  #copy(source: Uint8Array, from: number, length: number, to: number): void {
    const bytes = this.#bytes;
    if (length > SHORT_TEXT_BYTES_MAX) bytes.set(source.subarray(from, from + length), to);
    else for (let at = 0; at < length; at++) bytes[to + at] = source[from + at];
  }

  /** Most long texts are ASCII: room for three bytes a unit is made behind the first that is not. */
  #putLong(text: string, from: number): number {
    this.#reserve(from + text.length);
    const { read, written } = encoder.encodeInto(text, this.#bytes.subarray(from));
    return read === text.length ? written : written + this.#putShort(text.slice(read), from + written);
  }

  #putShort(text: string, from: number): number {
    this.#reserve(from + text.length * 3); // a UTF-16 code unit is at most three bytes of UTF-8
    return this.#putText(text, from);
  }

  /** Writes a text; a short one of ASCII character by character, which is quicker than asking the encoder. */
  #putText(text: string, from: number): number {
    const bytes = this.#bytes;
    if (text.length <= SHORT_TEXT_BYTES_MAX) {
      let at = 0;
      for (; at < text.length; at++) {
        const code = text.charCodeAt(at);
        if (code >= 0x80) break;
        bytes[from + at] = code;
      }
      if (at === text.length) return at;
    }
    return encoder.encodeInto(text, bytes.subarray(from)).written;
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const roomy = new Uint8Array(Math.max(length, this.#bytes.length * 2));
    roomy.set(this.#bytes);
    this.#use(roomy);
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    freeBuffer(this.#bytes);
    this.#bytes = bytes;
    this.#view = new DataView(this.#bytes.buffer);
    this.#address = this.#addressOf(this.#bytes);
  }
}

/** Reads packed values one after the other. */
export class Unpacker {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** Starts at the first byte. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Where the next value begins. */
  get at(): number {
    return this.#at;
  }

  /** Whether all was read. */
  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next value, which must be a BLOB, as a view. */
  blob(): Uint8Array {
    const from = this.#at + 5;
    this.#at = from + this.#view.getUint32(this.#at + 1, true);
    return this.#bytes.subarray(from, this.#at);
  }

  /** The next value. BLOBs are copies. */
  next(): SqlValue {
    const bytes = this.#bytes;
    const tag = bytes[this.#at++];
    switch (tag) {
      case INTEGER: {
        const low = this.#view.getInt32(this.#at, true);
        const high = this.#view.getInt32(this.#at + 4, true);
        this.#at += 8;
        if (high === low >> 31) return BigInt(low); // most are small, and these are quicker
        return this.#view.getBigInt64(this.#at - 8, true);
      }
      case REAL:
        this.#at += 8;
        return this.#view.getFloat64(this.#at - 8, true);
      case TEXT: {
        const from = this.#at + 4;
        this.#at = from + this.#view.getUint32(this.#at, true);
        return textOf(bytes, from, this.#at);
      }
      case BLOB: {
        const from = this.#at + 4;
        this.#at = from + this.#view.getUint32(this.#at, true);
        return bytes.slice(from, this.#at);
      }
      default:
        return null;
    }
  }
}

/** Bytes as text; what is no UTF-8 becomes U+FFFD. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= SHORT_TEXT_BYTES_MAX) {
    let text = "";
    let at = from;
    for (; at < to && bytes[at] < 0x80; at++) text += String.fromCharCode(bytes[at]);
    if (at === to) return text;
  }
  return decoder.decode(bytes.subarray(from, to));
}

/** The rows that lie end to end in `bytes`. */
export function unpackRows(bytes: Uint8Array, columns: number): Row[] {
  const reader = new Unpacker(bytes);
  const rows: Row[] = [];
  while (!reader.isAtEnd) {
    const row: SqlValue[] = new Array(columns);
    for (let at = 0; at < columns; at++) row[at] = reader.next();
    rows.push(row);
  }
  return rows;
}

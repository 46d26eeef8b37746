/**
 * The msgpack dialect of memberlist and Serf (G2.2). Pure.
 *
 * Written is what the oldest codec reads: text and bytes in the "raw" family alone, integers in the shortest unsigned
 * form, keys in ascending order. Read is what either codec writes. A body is decoded by its {@linkcode struct}: bytes
 * stay bytes, unknown keys are skipped, what is missing or nil is the zero value, and what does not fit throws a
 * `DecodeError`. Every length is checked against the bytes that are there before anything is allocated.
 * @module
 */
import { ByteWriter, DecodeError } from "../../base/codec/cursor.ts";

/** The bytes end before the value does: more of a stream may complete it. */
export class TruncatedError extends DecodeError {}

/** Bytes that stand for none. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Nesting that is followed in values that are skipped. */
const DEPTH_MAX = 32;
const MAX_U32 = 0xffff_ffff;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Reads MessagePack values from bytes, at a position that advances. */
export class MsgpackReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Next byte to be read. */
  offset: number;

  /** @param bytes Not copied. */
  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = offset;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#bytes.length - this.offset;
  }

  #take(count: number): number {
    const at = this.offset;
    if (count > this.#bytes.length - at) throw new TruncatedError(`${count} bytes expected, ${this.remaining} left`);
    this.offset = at + count;
    return at;
  }

  /** The next byte, not taken. */
  peek(): number {
    if (this.remaining < 1) throw new TruncatedError("a value expected, nothing left");
    return this.#bytes[this.offset];
  }

  /** Whether exactly these bytes stand here; they are taken then. */
  takes(expected: Uint8Array): boolean {
    const at = this.offset;
    if (expected.length > this.#bytes.length - at) return false;
    for (let i = 0; i < expected.length; i++) if (this.#bytes[at + i] !== expected[i]) return false;
    this.offset = at + expected.length;
    return true;
  }

  /** Whether nil stands here; it is taken then. */
  nil(): boolean {
    if (this.peek() !== 0xc0) return false;
    this.offset++;
    return true;
  }

  #length(width: 1 | 2 | 4): number {
    const at = this.#take(width);
    return width === 1 ? this.#bytes[at] : width === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  /** Length of the text or bytes that begin here, undefined where something else stands. */
  #rawLength(): number | undefined {
    const tag = this.peek();
    const width = RAW_WIDTHS[tag];
    if (width === undefined) return undefined;
    this.offset++;
    return width === 0 ? tag & 0x1f : this.#length(width);
  }

  /** Text or bytes as they are, as a view. */
  raw(): Uint8Array {
    const length = this.#rawLength();
    if (length === undefined) throw unexpected("text", this.peek());
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Bytes: raw, or a list of small integers; a copy. Nil is none. */
  bytes(): Uint8Array {
    if (this.nil()) return NO_BYTES;
    const tag = this.peek();
    if ((tag & 0xf0) === 0x90 || tag === 0xdc || tag === 0xdd) {
      return Uint8Array.from({ length: this.list() }, () => this.unsigned(0xff));
    }
    return this.raw().slice();
  }

  /** Text; nil is "". What is not UTF-8 is refused: it could not be sent on unchanged. */
  string(): string {
    if (this.nil()) return "";
    const bytes = this.raw();
    if (bytes.length < 24) { // most are: cheaper than the decoder
      let text = "";
      let at = 0;
      for (; at < bytes.length && bytes[at] < 0x80; at++) text += String.fromCharCode(bytes[at]);
      if (at === bytes.length) return text;
    }
    try {
      return utf8.decode(bytes);
    } catch {
      throw new DecodeError("text that is not UTF-8");
    }
  }

  /** Elements of the list that begins here; nil is none. */
  list(): number {
    return this.#count("a list", 0x90, 0xdc, 1);
  }

  /** Pairs of the map that begins here; nil is none. */
  map(): number {
    return this.#count("a map", 0x80, 0xde, 2);
  }

  #count(what: string, fixed: number, wide: number, bytesEach: number): number {
    if (this.nil()) return 0;
    const tag = this.peek();
    const isFixed = (tag & 0xf0) === fixed;
    if (!isFixed && tag !== wide && tag !== wide + 1) throw unexpected(what, tag);
    this.offset++;
    const count = isFixed ? tag & 0x0f : this.#length(tag === wide ? 2 : 4);
    if (count * bytesEach > this.remaining) {
      throw new TruncatedError(`${what} of ${count}, ${this.remaining} bytes left`);
    }
    return count;
  }

  /** An integer of any width and sign. */
  integer(): number | bigint {
    const tag = this.peek();
    this.offset++;
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0:
        return 0;
      case 0xcc:
        return this.#view.getUint8(this.#take(1));
      case 0xcd:
        return this.#view.getUint16(this.#take(2));
      case 0xce:
        return this.#view.getUint32(this.#take(4));
      case 0xcf:
        return this.#view.getBigUint64(this.#take(8));
      case 0xd0:
        return this.#view.getInt8(this.#take(1));
      case 0xd1:
        return this.#view.getInt16(this.#take(2));
      case 0xd2:
        return this.#view.getInt32(this.#take(4));
      case 0xd3:
        return this.#view.getBigInt64(this.#take(8));
      default:
        throw unexpected("an integer", tag);
    }
  }

  /** An integer from 0 to `max`. */
  unsigned(max: number): number {
    const value = this.integer();
    if (value < 0 || value > max) throw new DecodeError(`an integer from 0 to ${max} expected: ${value}`);
    return Number(value);
  }

  /** A double; integers are taken, too. */
  float(): number {
    const tag = this.peek();
    if (tag !== 0xca && tag !== 0xcb) return Number(this.integer());
    this.offset++;
    return tag === 0xca ? this.#view.getFloat32(this.#take(4)) : this.#view.getFloat64(this.#take(8));
  }

  /** True or false; nil is false. */
  boolean(): boolean {
    const tag = this.peek();
    if (tag !== 0xc0 && tag !== 0xc2 && tag !== 0xc3) throw unexpected("true or false", tag);
    this.offset++;
    return tag === 0xc3;
  }

  /** Passes over any value. */
  skip(depth = 0): void {
    if (depth > DEPTH_MAX) throw new DecodeError(`values nested more than ${DEPTH_MAX} deep`);
    const tag = this.peek();
    if (RAW_WIDTHS[tag] !== undefined) this.raw();
    else if ((tag & 0xf0) === 0x90 || tag === 0xdc || tag === 0xdd) {
      for (let left = this.list(); left > 0; left--) this.skip(depth + 1);
    } else if ((tag & 0xf0) === 0x80 || tag === 0xde || tag === 0xdf) {
      for (let left = 2 * this.map(); left > 0; left--) this.skip(depth + 1);
    } else if (tag === 0xca || tag === 0xcb) this.float();
    else if (tag === 0xc2 || tag === 0xc3) this.offset++;
    else if (EXTENSION_BYTES[tag] !== undefined) {
      this.offset++;
      this.#take(EXTENSION_BYTES[tag]);
    } else if (tag >= 0xc7 && tag <= 0xc9) {
      this.offset++;
      this.#take(1 + this.#length(tag === 0xc7 ? 1 : tag === 0xc8 ? 2 : 4));
    } else this.integer();
  }
}

/** Bytes of the length field of text (0: inside the tag), by tag. */
const RAW_WIDTHS: readonly (0 | 1 | 2 | 4 | undefined)[] = Array.from({ length: 256 }, (_, tag) => {
  if ((tag & 0xe0) === 0xa0) return 0;
  if (tag === 0xd9 || tag === 0xc4) return 1;
  if (tag === 0xda || tag === 0xc5) return 2;
  return tag === 0xdb || tag === 0xc6 ? 4 : undefined;
});

const EXTENSION_BYTES: Readonly<Record<number, number>> = { 0xd4: 2, 0xd5: 3, 0xd6: 5, 0xd7: 9, 0xd8: 17 };

function unexpected(what: string, tag: number): DecodeError {
  return new DecodeError(`${what} expected, not 0x${tag.toString(16).padStart(2, "0")}`);
}

function writeLength(writer: ByteWriter, length: number, fixed: number, fixedMax: number, wide: number): void {
  if (length <= fixedMax) writer.u8(fixed | length);
  else if (length <= 0xffff) writer.u8(wide).u8(length >>> 8).u8(length & 0xff);
  else writer.u8(wide + 1).u32(length);
}

/** Writes text or bytes in the raw family. */
export function writeRaw(writer: ByteWriter, bytes: Uint8Array): void {
  writeLength(writer, bytes.length, 0xa0, 31, 0xda);
  writer.raw(bytes);
}

/** Writes the head of a list. */
export function writeListHead(writer: ByteWriter, count: number): void {
  writeLength(writer, count, 0x90, 15, 0xdc);
}

/** Writes the head of a map. */
export function writeMapHead(writer: ByteWriter, count: number): void {
  writeLength(writer, count, 0x80, 15, 0xde);
}

function writeUnsigned(writer: ByteWriter, value: number | bigint): void {
  if (value < 0x80) writer.u8(Number(value));
  else if (value <= 0xff) writer.u8(0xcc).u8(Number(value));
  else if (value <= 0xffff) writer.u8(0xcd).u8(Number(value) >>> 8).u8(Number(value) & 0xff);
  else if (value <= MAX_U32) writer.u8(0xce).u32(Number(value));
  else writer.u8(0xcf).i64(BigInt.asIntN(64, BigInt(value)));
}

/** A kind of value: how it is read and written, and what stands for none. */
export interface Kind<T> {
  /** Value for a missing or nil field. */
  readonly zero: T;
  /** @throws {DecodeError} When something else stands there. */
  read(reader: MsgpackReader): T;
  write(writer: ByteWriter, value: T): void;
}

function unsignedKind(max: number): Kind<number> {
  return { zero: 0, read: (reader) => reader.unsigned(max), write: writeUnsigned };
}

/** Unsigned integers by width. `u31` is what Go's signed `int` may be where a count is meant. */
export const u8 = unsignedKind(0xff);
/** 16 bits. */
export const u16 = unsignedKind(0xffff);
/** 31 bits: a count that is signed on the other side. */
export const u31 = unsignedKind(0x7fff_ffff);
/** 32 bits. */
export const u32 = unsignedKind(MAX_U32);

/** 64 bits, unsigned: Lamport times. */
export const u64: Kind<bigint> = {
  zero: 0n,
  read(reader) {
    const value = BigInt(reader.integer());
    if (value < 0n || value > MAX_U64) throw new DecodeError(`an unsigned integer expected: ${value}`);
    return value;
  },
  write: writeUnsigned,
};

/** Nanoseconds: 63 bits, not negative. */
export const duration: Kind<bigint> = {
  zero: 0n,
  read(reader) {
    const value = BigInt(reader.integer());
    if (value < 0n || value >= 1n << 63n) throw new DecodeError(`a duration expected: ${value}`);
    return value;
  },
  write: writeUnsigned,
};

/** True or false. */
export const bool: Kind<boolean> = {
  zero: false,
  read: (reader) => reader.boolean(),
  write: (writer, value) => void writer.u8(value ? 0xc3 : 0xc2),
};

/** A double. */
export const f64: Kind<number> = {
  zero: 0,
  read: (reader) => reader.float(),
  write: (writer, value) => void writer.u8(0xcb).f64(value),
};

const SHORT_ASCII = /^[\0-\x7f]{0,31}$/;

/** UTF-8 text. */
export const str: Kind<string> = {
  zero: "",
  read: (reader) => reader.string(),
  write(writer, value) {
    if (!SHORT_ASCII.test(value)) return writeRaw(writer, encoder.encode(value));
    writer.u8(0xa0 | value.length); // most are: cheaper than the encoder
    for (let at = 0; at < value.length; at++) writer.u8(value.charCodeAt(at));
  },
};

/** Bytes; none is nil. */
export const bin: Kind<Uint8Array> = {
  zero: NO_BYTES,
  read: (reader) => reader.bytes(),
  write: (writer, value) => value.length === 0 ? void writer.u8(0xc0) : writeRaw(writer, value),
};

/** A list; an empty one is nil. */
export function listOf<T>(kind: Kind<T>): Kind<readonly T[]> {
  return {
    zero: [],
    read: (reader) => Array.from({ length: reader.list() }, () => kind.read(reader)),
    write(writer, value) {
      if (value.length === 0) return void writer.u8(0xc0);
      writeListHead(writer, value.length);
      for (const each of value) kind.write(writer, each);
    },
  };
}

/** A value or nil. */
export function optional<T>(kind: Kind<T>): Kind<T | undefined> {
  return {
    zero: undefined,
    read: (reader) => reader.nil() ? undefined : kind.read(reader),
    write: (writer, value) => value === undefined ? void writer.u8(0xc0) : kind.write(writer, value),
  };
}

/** A map from text; keys are written in ascending order. */
export function mapOf<T>(kind: Kind<T>): Kind<ReadonlyMap<string, T>> {
  return {
    zero: new Map(),
    read(reader) {
      const map = new Map<string, T>();
      for (let left = reader.map(); left > 0; left--) {
        const key = reader.string();
        map.set(key, kind.read(reader));
      }
      return map;
    },
    write(writer, value) {
      writeMapHead(writer, value.size);
      for (const key of [...value.keys()].sort()) {
        str.write(writer, key);
        kind.write(writer, value.get(key) ?? kind.zero);
      }
    },
  };
}

/** One field of a {@linkcode struct}: its name on the wire, and its kind. */
export interface Field<T> {
  readonly key: string;
  readonly kind: Kind<T>;
  /** Left out while zero or empty. */
  readonly omitsEmpty: boolean;
}

/** Declares a field. */
export function field<T>(key: string, kind: Kind<T>, { omitsEmpty = false } = {}): Field<T> {
  return { key, kind, omitsEmpty };
}

type Fields = Readonly<Record<string, Field<unknown>>>;

/** The value that a struct of these fields has. */
export type ValueOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

function isEmpty(value: unknown): boolean {
  return value === 0 || value === "" || value instanceof Uint8Array && value.length === 0;
}

/** A map with fixed keys, by field. */
export function struct<const F extends Fields>(fields: F): Kind<ValueOf<F>> {
  const ordered = Object.entries(fields)
    .map(([name, { key, kind, omitsEmpty }]) => ({ name, kind, omitsEmpty, key, head: keyBytes(key) }))
    .sort((a, b) => a.key < b.key ? -1 : 1);
  const byKey = new Map(ordered.map((one) => [one.key, one]));
  const zero = Object.fromEntries(ordered.map(({ name, kind }) => [name, kind.zero])) as ValueOf<F>;
  const mayOmit = ordered.some(({ omitsEmpty }) => omitsEmpty);
  return {
    zero,
    read(reader) {
      const value: Record<string, unknown> = { ...zero };
      let expected = 0; // real encoders write keys in order
      for (let left = reader.map(); left > 0; left--) {
        const isExpected = expected < ordered.length && reader.takes(ordered[expected].head);
        const known = isExpected ? ordered[expected] : byKey.get(reader.string());
        if (known === undefined) reader.skip();
        else value[known.name] = reader.nil() ? known.kind.zero : known.kind.read(reader);
        if (known !== undefined) expected = ordered.indexOf(known) + 1;
      }
      return value as ValueOf<F>;
    },
    write(writer, value) {
      const record: Readonly<Record<string, unknown>> = value;
      const present = mayOmit
        ? ordered.filter(({ name, omitsEmpty }) => !omitsEmpty || !isEmpty(record[name]))
        : ordered;
      writeMapHead(writer, present.length);
      for (const { name, kind, head } of present) {
        writer.raw(head);
        kind.write(writer, record[name]);
      }
    },
  };
}

/** A key as it is written. */
function keyBytes(key: string): Uint8Array {
  const writer = new ByteWriter(key.length + 1);
  str.write(writer, key);
  return writer.copy();
}

/**
 * Reads one value; bytes after it are disregarded.
 * @throws {DecodeError} When something else stands there.
 */
export function decode<T>(kind: Kind<T>, bytes: Uint8Array, offset = 0): T {
  return kind.read(new MsgpackReader(bytes, offset));
}

/** A message: a byte that tells its type, and its body. */
export function encodeMessage<T>(type: number, kind: Kind<T>, body: T): Uint8Array {
  const writer = new ByteWriter(128);
  writer.u8(type);
  kind.write(writer, body);
  return writer.copy();
}

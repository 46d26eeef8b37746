/**
 * Datagrams (G2.1 to G2.9): from messages to bytes and back. Pure.
 *
 *   out:  messages → compound → compressed, where that is smaller → CRC → encrypted → label
 *   in:   the reverse; compound and compressed ones may stand inside each other
 *
 * Input is bounded: depth, messages and decompressed bytes of a datagram. Parts that can be read are returned even if
 * others cannot be read; each error is a string.
 * @module
 */
import { ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import { type Cipher, CIPHER_OVERHEAD, openBlob, sealBlob } from "./cipher.ts";
import { crc32 } from "../../base/codec/crc32.ts";
import { sameBytes } from "./keyring.ts";
import { compress, decompress } from "./lzw.ts";
import { COMPRESSED, TYPE } from "./message.ts";
import { decode, encodeMessage } from "./msgpack.ts";

/** Bytes of a datagram that we build, without the CRC (G2.9). */
export const PACKET_BYTES = 1400;
/** Head of a compound. */
export const COMPOUND_HEAD_BYTES = 2;
/** Bytes that a compound adds for each part. */
export const COMPOUND_PART_BYTES = 2;
const CRC_BYTES = 5;
const DEPTH_MAX = 8;
const MESSAGES_MAX = 4096;
const EXPANDED_BYTES_MAX = 256 * 1024;
const LABEL_BYTES_MAX = 255;

/** How the datagrams and streams of a pool are wrapped. */
export interface Wrapping {
  readonly compression: boolean;
  /** Present: everything is encrypted, and nothing else is believed. */
  readonly cipher: Cipher | undefined;
  /** UTF-8 of the label; empty for none. */
  readonly label: Uint8Array;
}

/** Bytes of the budget that wrapping takes. */
export function wrappingBytes({ cipher, label }: Wrapping): number {
  return (cipher ? CIPHER_OVERHEAD : 0) + (label.length > 0 ? 2 + label.length : 0);
}

/** Several messages as one: at most 255, none empty. */
export function compound(messages: readonly Uint8Array[]): Uint8Array {
  if (messages.length === 1) return messages[0];
  const writer = new ByteWriter(PACKET_BYTES);
  writer.u8(TYPE.compound).u8(messages.length);
  for (const { length } of messages) writer.u8(length >>> 8).u8(length & 0xff);
  for (const message of messages) writer.raw(message);
  return writer.copy();
}

/** A message inside a compressed one. */
export function compressed(message: Uint8Array): Uint8Array {
  return encodeMessage(TYPE.compress, COMPRESSED, { algo: 0, buf: compress(message) });
}

/** The bytes inside a compressed message, whose body begins at `offset`. */
export function expanded(message: Uint8Array, offset: number, bytesMax: number): Uint8Array {
  const { algo, buf } = decode(COMPRESSED, message, offset);
  if (algo !== 0) throw new DecodeError(`unknown compression algorithm ${algo}`);
  const inner = decompress(buf, bytesMax);
  if (inner.length === 0) throw new DecodeError("a compressed message of nothing");
  return inner;
}

/** The header that tells pools apart. */
export function labelHeader(label: Uint8Array): Uint8Array {
  return label.length === 0 ? label : Uint8Array.of(TYPE.label, label.length, ...label);
}

/** Wraps a message or compound for the network. */
export function sealPacket(message: Uint8Array, wrapping: Wrapping, { crc }: { crc: boolean }): Uint8Array {
  let bytes = message;
  if (wrapping.compression) {
    const smaller = compressed(message);
    if (smaller.length < bytes.length) bytes = smaller;
  }
  if (crc) bytes = new ByteWriter(bytes.length + CRC_BYTES).u8(TYPE.hasCrc).u32(crc32(bytes)).raw(bytes).copy();
  if (wrapping.cipher) bytes = sealBlob(wrapping.cipher, bytes, wrapping.label);
  if (wrapping.label.length > 0) {
    bytes = new ByteWriter(bytes.length + 2 + LABEL_BYTES_MAX).raw(labelHeader(wrapping.label)).raw(bytes).copy();
  }
  return bytes;
}

/** The content of a datagram. */
export interface OpenedPacket {
  /** Each begins with its type; none is compound, compressed or empty. Views of the datagram, or own bytes. */
  readonly messages: Uint8Array[];
  /** Errors of the parts that could not be read. */
  readonly faults: string[];
}

/** Unwraps a datagram; never throws. */
export function openPacket(datagram: Uint8Array, wrapping: Wrapping): OpenedPacket {
  const opened: OpenedPacket = { messages: [], faults: [] };
  try {
    let bytes = withoutLabel(datagram, wrapping.label);
    if (wrapping.cipher) bytes = openBlob(wrapping.cipher, bytes, wrapping.label);
    if (bytes.length >= CRC_BYTES && bytes[0] === TYPE.hasCrc) bytes = withoutCrc(bytes);
    unfold(bytes, 0, { left: EXPANDED_BYTES_MAX }, opened);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    opened.faults.push(error.message);
  }
  return opened;
}

function withoutLabel(bytes: Uint8Array, label: Uint8Array): Uint8Array {
  if (bytes[0] !== TYPE.label) {
    if (label.length > 0) throw new DecodeError("discarding packet without the label");
    return bytes;
  }
  const length = bytes[1];
  if (length === undefined || length === 0 || bytes.length < 2 + length) {
    throw new DecodeError("cannot read the label header");
  }
  if (!sameBytes(bytes.subarray(2, 2 + length), label)) {
    throw new DecodeError("discarding packet with unacceptable label");
  }
  return bytes.subarray(2 + length);
}

function withoutCrc(bytes: Uint8Array): Uint8Array {
  const expected = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  const inner = bytes.subarray(CRC_BYTES);
  if (crc32(inner) !== expected) throw new DecodeError("Got invalid checksum for UDP packet");
  return inner;
}

function unfold(bytes: Uint8Array, depth: number, budget: { left: number }, opened: OpenedPacket): void {
  if (bytes.length === 0) throw new DecodeError("an empty message");
  if (depth > DEPTH_MAX) throw new DecodeError(`messages nested more than ${DEPTH_MAX} deep`);
  if (bytes[0] === TYPE.compound) unfoldCompound(bytes, depth, budget, opened);
  else if (bytes[0] === TYPE.compress) {
    const inner = expanded(bytes, 1, budget.left);
    budget.left -= inner.length;
    unfold(inner, depth + 1, budget, opened);
  } else if (opened.messages.length >= MESSAGES_MAX) throw new DecodeError(`more than ${MESSAGES_MAX} messages`);
  else opened.messages.push(bytes);
}

function unfoldCompound(bytes: Uint8Array, depth: number, budget: { left: number }, opened: OpenedPacket): void {
  const count = bytes[1];
  if (count === undefined) throw new DecodeError("Failed to decode compound request: missing compound length byte");
  let at = COMPOUND_HEAD_BYTES + 2 * count;
  if (bytes.length < at) throw new DecodeError("Failed to decode compound request: truncated len slice");
  for (let part = 0; part < count; part++) {
    const length = bytes[2 + 2 * part] << 8 | bytes[3 + 2 * part];
    if (at + length > bytes.length) {
      opened.faults.push(`Compound request had ${count - part} truncated messages`);
      return;
    }
    try {
      unfold(bytes.subarray(at, at + length), depth + 1, budget, opened);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      opened.faults.push(error.message);
    }
    at += length;
  }
}

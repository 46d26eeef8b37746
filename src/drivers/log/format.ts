/**
 * The replicated log on disk: the bytes (D1 to D5). A segment is a file of zeros that is filled from the front:
 *
 *     segment  = header, padded to 512 bytes | batch | batch | … | zeros
 *     header   = magic "MUSTRLOG" | length u32 | crc32c u32 | version u8 | segment number u64 | first index u64
 *                | previous entry index u64, term u64 | next batch number u64 | crc of previous batch u32
 *                | identity (node id, storage id: strings) | hard state | commit u64
 *                | configuration (its index u64, bytes) | restart u8
 *     batch    = magic u32 | batch number u64 | crc of previous batch u32 | body length u32
 *                | highest batch known durable u64 | body crc32c u32 | zero u32 | header crc32c u32
 *                | body (masked), padded to 8 bytes
 *     body     = flags u8 | [hard state] | [truncate from u64] | commit u64 | entry count u32 | entries
 *     entry    = index u64 | term u64 | kind u8 | length u32 | crc32c u32 | payload
 *
 * (1) One `persist` effect is one batch; batch numbers rise by one through all segments, each names the checksum of the
 *     one before it, so that a hole or a swapped file shows.
 * (2) The header's checksum covers the body's, so it names the whole batch; checked on its own, it tells whether the
 *     length can be believed.
 * (3) Bodies are masked so that a sector that was written is practically never all zero: recovery tells a torn write
 *     (a zero sector) from damage by it (D17).
 * (4) Truncation is logical: a batch with `truncateFrom` k supersedes the entries from k on. Nothing is edited in place.
 *
 * Pure.
 * @module
 */
import { ByteReader, ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import { crc32c } from "../../base/codec/crc32c.ts";
import { decodeConfig, EMPTY_CONFIG, encodeConfig } from "../../core/raft/configuration.ts";
import type { Config, Entry, EntryId, EntryKind, HardState, Index } from "../../core/raft/message.ts";

/** Version of this format; a node refuses a log with another. */
export const LOG_FORMAT_VERSION = 2;
/** Smallest unit that a disk writes whole. */
export const SECTOR_BYTES = 512;
/** Bytes before a batch's body. */
export const BATCH_HEADER_BYTES = 40;
/** Longest body that a reader believes. */
export const BATCH_BODY_BYTES_MAX = 256 * 1024 * 1024;

/** Bytes of a batch without entries, and of an entry without its body; at most, but for the name in a vote. */
const BATCH_OVERHEAD_BYTES = 512;
const ENTRY_OVERHEAD_BYTES = 25;
const SEGMENT_MAGIC = new TextEncoder().encode("MUSTRLOG");
const BATCH_MAGIC = 0x4D42_A7C1;
const KINDS: readonly EntryKind[] = ["noop", "command", "config"];
const FLAG_HARD = 1;
const FLAG_TRUNCATE = 2;

/** The owner of a log. */
export interface LogIdentity {
  /** The node's id. */
  readonly nodeId: string;
  /** Random id of the data directory (B2). */
  readonly storageId: string;
}

/**
 * First block of a segment: enough to start from it without any older one (D1), provided that `previous` is committed:
 * then nothing in this segment or behind it supersedes what lies before.
 */
export interface SegmentHeader {
  readonly identity: LogIdentity;
  /** Rises by one from 1. */
  readonly number: number;
  /** Index that the next appended entry has, unless a truncation lowers it. */
  readonly firstIndex: Index;
  /** Entry just before it. */
  readonly previous: EntryId;
  /** Number of the first batch in this segment. */
  readonly nextBatch: number;
  /** Checksum of the batch before it. */
  readonly chain: number;
  readonly hard: HardState;
  readonly commit: Index;
  /** Configuration in force at `previous`. */
  readonly config: Config;
  /** A snapshot that ends in `previous` was installed: all older segments are void (S8). */
  readonly isRestart: boolean;
}

/** One durable write. */
export interface Batch {
  readonly hard?: HardState;
  readonly truncateFrom?: Index;
  readonly append: readonly Entry[];
  /** Commit index when it was written: a safe lower bound at the next boot (C5). */
  readonly commit: Index;
}

/** Whether a batch says nothing but that those before it are durable: a seal (D5), or what only begins a segment. */
export function isEmpty({ hard, truncateFrom, append }: Batch): boolean {
  return hard === undefined && truncateFrom === undefined && append.length === 0;
}

/** The header of a batch. */
export interface BatchHeader {
  readonly number: number;
  readonly chain: number;
  readonly bodyLength: number;
  /** This batch was durable when the batch was written. */
  readonly durableBatch: number;
  readonly bodyCrc: number;
  /** Names the batch in the next one's `chain`. */
  readonly crc: number;
}

function writeHard(writer: ByteWriter, hard: HardState): void {
  writer.u64(hard.term).u8(hard.vote === null ? 0 : 1).string(hard.vote ?? "");
}

function readHard(reader: ByteReader): HardState {
  const term = reader.u64();
  const voted = reader.u8() === 1;
  const vote = reader.string();
  return { term, vote: voted ? vote : null };
}

/** Encodes a segment's first block; its length is a multiple of {@linkcode SECTOR_BYTES}. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const writer = new ByteWriter(SECTOR_BYTES);
  writer.raw(SEGMENT_MAGIC).u32(0).u32(0).u8(LOG_FORMAT_VERSION);
  writer.u64(header.number).u64(header.firstIndex).u64(header.previous.index).u64(header.previous.term);
  writer.u64(header.nextBatch).u32(header.chain);
  writer.string(header.identity.nodeId).string(header.identity.storageId);
  writeHard(writer, header.hard);
  writer.u64(header.commit).u64(header.config.at);
  writer.bytes(header.config.members.length === 0 ? new Uint8Array(0) : encodeConfig(header.config));
  writer.u8(header.isRestart ? 1 : 0);
  writer.reserve((SECTOR_BYTES - writer.length % SECTOR_BYTES) % SECTOR_BYTES);
  writer.setU32(8, writer.length);
  writer.setU32(12, crc32c(writer.view().subarray(16)));
  return writer.copy();
}

/**
 * Decodes a segment's first block.
 * @returns The header and its length in bytes, or undefined where the bytes are not a whole header.
 * @throws {DecodeError} When it is a header of another format version.
 */
export function decodeSegmentHeader(bytes: Uint8Array): { header: SegmentHeader; length: number } | undefined {
  if (bytes.length < SECTOR_BYTES || SEGMENT_MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined;
  const fixed = new ByteReader(bytes.subarray(8));
  const length = fixed.u32();
  const crc = fixed.u32();
  if (length < SECTOR_BYTES || length > bytes.length || crc32c(bytes.subarray(16, length)) !== crc) return undefined;
  const reader = new ByteReader(bytes.subarray(16, length));
  const version = reader.u8();
  if (version !== LOG_FORMAT_VERSION) {
    throw new DecodeError(
      `Expected log format ${LOG_FORMAT_VERSION}: the file has ${version}; use the muster that wrote it`,
    );
  }
  const number = reader.u64();
  const firstIndex = reader.u64();
  const previous = { index: reader.u64(), term: reader.u64() };
  const nextBatch = reader.u64();
  const chain = reader.u32();
  const identity = { nodeId: reader.string(), storageId: reader.string() };
  const hard = readHard(reader);
  const commit = reader.u64();
  const configAt = reader.u64();
  const members = reader.bytes();
  const config = members.length === 0 ? EMPTY_CONFIG : decodeConfig(members, configAt);
  const isRestart = reader.u8() === 1;
  return {
    header: { identity, number, firstIndex, previous, nextBatch, chain, hard, commit, config, isRestart },
    length,
  };
}

/** XORs the body in place; doing it twice undoes it. */
export function mask(body: Uint8Array): void {
  const whole = body.length & ~3;
  if (body.byteOffset % 4 === 0) {
    const words = new Uint32Array(body.buffer, body.byteOffset, whole / 4);
    for (let i = 0; i < words.length; i++) words[i] ^= 0xA5C3_E196;
  } else {
    for (let i = 0; i < whole; i += 4) {
      body[i] ^= 0x96;
      body[i + 1] ^= 0xE1;
      body[i + 2] ^= 0xC3;
      body[i + 3] ^= 0xA5;
    }
  }
  for (let i = whole; i < body.length; i++) body[i] ^= 0x96;
}

/** Bytes of a batch, or a few more. */
export function batchBytes({ append }: Batch): number {
  const each = append.reduce((sum, { body }) => sum + body.length + ENTRY_OVERHEAD_BYTES, 0);
  return BATCH_OVERHEAD_BYTES + each;
}

/** Appends one whole batch to `writer`, whose length must be a multiple of 8, and returns its checksum. */
export function writeBatch(
  writer: ByteWriter,
  batch: Batch,
  place: { readonly number: number; readonly chain: number; readonly durableBatch: number },
): number {
  const start = writer.length;
  writer.u32(BATCH_MAGIC).u64(place.number).u32(place.chain).u32(0).u64(place.durableBatch).u32(0).u32(0).u32(0);
  const bodyStart = writer.length;
  const flags = (batch.hard ? FLAG_HARD : 0) | (batch.truncateFrom !== undefined ? FLAG_TRUNCATE : 0);
  writer.u8(flags);
  if (batch.hard) writeHard(writer, batch.hard);
  if (batch.truncateFrom !== undefined) writer.u64(batch.truncateFrom);
  writer.u64(batch.commit).u32(batch.append.length);
  for (const entry of batch.append) {
    writer.u64(entry.index).u64(entry.term).u8(KINDS.indexOf(entry.kind)).u32(entry.body.length);
    writer.u32(crc32c(entry.body)).raw(entry.body);
  }
  while ((writer.length - start) % 8 !== 0) writer.u8(0);
  const bodyLength = writer.length - bodyStart;
  writer.setU32(start + 16, bodyLength);
  const bytes = writer.view();
  mask(bytes.subarray(bodyStart));
  writer.setU32(start + 28, crc32c(bytes.subarray(bodyStart)));
  const crc = crc32c(bytes.subarray(start, start + 36));
  writer.setU32(start + 36, crc);
  return crc;
}

/** Reads a batch's header at the front of `bytes`; undefined where there is none. */
export function decodeBatchHeader(bytes: Uint8Array): BatchHeader | undefined {
  if (bytes.length < BATCH_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, BATCH_HEADER_BYTES);
  if (view.getUint32(0) !== BATCH_MAGIC || crc32c(bytes.subarray(0, 36)) !== view.getUint32(36)) return undefined;
  const bodyLength = view.getUint32(16);
  if (bodyLength > BATCH_BODY_BYTES_MAX) return undefined;
  return {
    number: Number(view.getBigUint64(4)),
    chain: view.getUint32(12),
    bodyLength,
    durableBatch: Number(view.getBigUint64(20)),
    bodyCrc: view.getUint32(28),
    crc: view.getUint32(36),
  };
}

/**
 * Decodes the batch at the front of `bytes`; undefined where it is not whole. Entries' bodies are copies.
 * The masked bytes are left as they were.
 */
export function decodeBatch(bytes: Uint8Array): { header: BatchHeader; batch: Batch; length: number } | undefined {
  const header = decodeBatchHeader(bytes);
  const end = BATCH_HEADER_BYTES + (header?.bodyLength ?? 0);
  if (!header || bytes.length < end) return undefined;
  if (crc32c(bytes.subarray(BATCH_HEADER_BYTES, end)) !== header.bodyCrc) return undefined;
  const body = bytes.slice(BATCH_HEADER_BYTES, end);
  mask(body);
  return { header, batch: decodeBody(body), length: end };
}

function decodeBody(body: Uint8Array): Batch {
  const reader = new ByteReader(body);
  const flags = reader.u8();
  const hard = flags & FLAG_HARD ? readHard(reader) : undefined;
  const truncateFrom = flags & FLAG_TRUNCATE ? reader.u64() : undefined;
  const commit = reader.u64();
  const count = reader.u32();
  const append: Entry[] = [];
  for (let i = 0; i < count; i++) {
    const index = reader.u64();
    const term = reader.u64();
    const kind = KINDS[reader.u8()];
    const length = reader.u32();
    const crc = reader.u32();
    const payload = reader.raw(length);
    if (kind === undefined || crc32c(payload) !== crc) {
      throw new DecodeError(`Expected a whole entry ${index}: it is damaged`);
    }
    append.push({ index, term, kind, body: payload.slice() });
  }
  return { hard, truncateFrom, append, commit };
}

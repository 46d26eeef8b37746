/**
 * Reading the log at boot: what is whole is taken, what was never acknowledged is cut, and what is damaged stops the
 * node (D17). Nothing is written or deleted here; the caller carries out what is found.
 *
 * A write that a crash tore and a write that rotted later look alike. They are told apart by three facts: at most one
 * batch is in flight at a time, so a torn one is the very last; no byte of a written sector run is all zero (the mask
 * of format.ts), so a torn write shows an unwritten sector; and nothing at or below the applied or commit index
 * may be missing.
 * @module
 */
import {
  type Batch,
  BATCH_HEADER_BYTES,
  decodeBatch,
  decodeBatchHeader,
  decodeSegmentHeader,
  isEmpty,
  type LogIdentity,
  SECTOR_BYTES,
  type SegmentHeader,
} from "./format.ts";
import { decodeConfig } from "../../core/raft/configuration.ts";
import type { Config, EntryId, HardState, Index, Term } from "../../core/raft/message.ts";
import { BatchIndex } from "./batch_index.ts";
import type { LogDisk } from "./disk.ts";
import { basename } from "./path.ts";

/** The log is damaged, or not this node's: the process ends with exit code 3, and the files stay as they are (D8). */
export class LogDamageError extends Error {
  /** Always `LogDamageError`. */
  override readonly name = "LogDamageError";
}

/** A segment as found on disk. */
export interface FoundSegment {
  /** Name of its file. */
  readonly name: string;
  readonly number: number;
  readonly firstIndex: Index;
  /** Entry before it. */
  readonly previous: EntryId;
  /** Bytes of the file that hold the header and whole batches. */
  validBytes: number;
  /** Size of the file. */
  readonly fileBytes: number;
}

/** The content of a recovered log. */
export interface RecoveredLog {
  readonly segments: FoundSegment[];
  /** Files of segments that an installed snapshot made void: to be deleted. */
  readonly void: string[];
  /** Entry before the first one kept. */
  base: EntryId;
  /** Newest file that a crash left without a header: to be deleted. */
  readonly unborn?: string;
  readonly batches: BatchIndex;
  hard: HardState;
  commit: Index;
  last: EntryId;
  readonly terms: { first: Index; term: Term }[];
  readonly configs: Config[];
  /** Number of the next batch. */
  nextBatch: number;
  /** Checksum of the last batch. */
  chain: number;
  /** The last batch is a seal, or there is none (D5). */
  isSealed: boolean;
  /**
   * The remaining log replaces earlier entries: a crash interrupted the deletion of old segments, and the log begins
   * with a later one.
   */
  isHeadless: boolean;
  /** Bytes of a torn last write that are cut off; 0 for a clean end. */
  torn: number;
}

/** More than a header of some hundred members takes. */
export const HEADER_BYTES_MAX = 256 * 1024;
const SEGMENT_NAME = /^(\d{10})-(\d{16})\.log$/;

/** File name of a segment. */
export function segmentName(number: number, firstIndex: Index): string {
  return `${String(number).padStart(10, "0")}-${String(firstIndex).padStart(16, "0")}.log`;
}

/**
 * Reads all segments.
 * @param applied Last index that the state machine holds durably.
 * @throws {LogDamageError} When the log cannot be trusted.
 */
export function recoverLog(disk: LogDisk, identity: LogIdentity, applied: Index): RecoveredLog {
  const directory = disk.pathOf("");
  const files = segmentFiles(disk);
  const log: RecoveredLog = {
    segments: [],
    void: [],
    base: { index: 0, term: 0 },
    batches: new BatchIndex(),
    hard: { term: 0, vote: null },
    commit: 0,
    last: { index: 0, term: 0 },
    terms: [],
    configs: [],
    nextBatch: 1,
    chain: 0,
    isSealed: true,
    isHeadless: false,
    torn: 0,
  };
  let unborn: string | undefined;
  files.forEach((name, at) => {
    const newest = at === files.length - 1;
    if (!readSegment(log, disk, name, { identity, newest })) unborn = name;
  });
  if (log.isHeadless) {
    throw new LogDamageError(
      `The log in ${directory} has lost its oldest segments: what is there continues entries that are gone. Keep the ` +
        "files. In a cluster, remove this node, empty its data directory and let it join again; a single node needs a backup",
    );
  }
  if (applied < log.base.index) {
    throw new LogDamageError(
      `The log in ${directory} begins after index ${log.base.index}, but the database holds only index ${applied}: it is ` +
        "older than the log. Keep the files. In a cluster, remove this node, empty its data directory and let it join " +
        "again; a single node needs a backup",
    );
  }
  const needed = Math.max(applied, log.commit);
  if (needed > log.last.index) {
    throw new LogDamageError(
      `The log in ${directory} ends at index ${log.last.index}, but index ${needed} was ` +
        `${
          applied >= needed ? "applied to the database" : "committed"
        }: its tail is lost. Keep the files. In a cluster, remove ` +
        `this node, empty its data directory and let it join again; a single node needs a backup`,
    );
  }
  return unborn === undefined ? log : { ...log, unborn };
}

/** Names of the segments' files, oldest first. */
function segmentFiles(disk: LogDisk): string[] {
  return disk.list().filter((name) => SEGMENT_NAME.test(name)).sort();
}

/** Entry before the first one that the log keeps, from the headers alone; undefined for an empty log. */
export function readLogBase(disk: LogDisk): EntryId | undefined {
  let base: EntryId | undefined;
  for (const name of segmentFiles(disk)) {
    const header = decodeSegmentHeader(readFile(disk, name, HEADER_BYTES_MAX))?.header;
    if (header && (base === undefined || header.isRestart)) base = header.previous;
  }
  return base;
}

/** The first `bytesMax` bytes of a file, or all. */
export function readFile(disk: LogDisk, name: string, bytesMax = Infinity): Uint8Array {
  const file = disk.open(name);
  try {
    return file.read(0, Math.min(file.bytes, bytesMax));
  } finally {
    file.close();
  }
}

/** Takes one segment into `log`; false where the newest file never got its header. */
function readSegment(
  log: RecoveredLog,
  disk: LogDisk,
  name: string,
  { identity, newest }: { identity: LogIdentity; newest: boolean },
): boolean {
  const path = disk.pathOf(name);
  const bytes = readFile(disk, name);
  const found = decodeSegmentHeader(bytes);
  if (!found) {
    // Its header is durable before it gets its name. (Earlier builds could leave it without one in a crash.)
    const isUnwritten = bytes.subarray(0, SECTOR_BYTES).every((byte) => byte === 0);
    if (newest && isUnwritten && findWitness(bytes, 0, 0) === undefined) return false;
    throw damage(path, 0, "the segment's header is damaged");
  }
  const { header, length } = found;
  checkHeader(log, path, header, identity);
  if (log.segments.length === 0 || header.isRestart || log.isHeadless) startFrom(log, header);
  const segment: FoundSegment = {
    name,
    number: header.number,
    firstIndex: header.firstIndex,
    previous: header.previous,
    validBytes: length,
    fileBytes: bytes.length,
  };
  log.segments.push(segment);
  if (log.hard.term < header.hard.term) log.hard = header.hard;
  log.commit = Math.max(log.commit, header.commit);
  let offset = length;
  for (;;) {
    const whole = decodeBatch(bytes.subarray(offset));
    if (!whole || whole.header.number !== log.nextBatch || whole.header.chain !== log.chain) break;
    takeBatch(log, path, offset, whole.batch);
    const place = { segment: header.number, offset, length: whole.length, crc: whole.header.crc };
    log.batches.add(whole.batch, place);
    log.isSealed = isEmpty(whole.batch);
    log.nextBatch++;
    log.chain = whole.header.crc;
    offset += whole.length;
    segment.validBytes = offset;
  }
  checkRest(log, path, bytes, { offset, newest });
  return true;
}

function checkHeader(log: RecoveredLog, path: string, header: SegmentHeader, identity: LogIdentity): void {
  if (header.identity.nodeId !== identity.nodeId || header.identity.storageId !== identity.storageId) {
    throw new LogDamageError(
      `${path} belongs to node "${header.identity.nodeId}" (storage ${header.identity.storageId}), not to ` +
        `"${identity.nodeId}" (storage ${identity.storageId}): foreign files. Put back this node's own data directory`,
    );
  }
  const previous = log.segments.at(-1);
  if (previous && header.number !== previous.number + 1) {
    throw damage(path, 0, `segment ${previous.number + 1} is missing before it`);
  }
  if (!previous) return; // older ones were cut off: the database must hold what they held
  if (header.nextBatch !== log.nextBatch || header.chain !== log.chain) {
    throw damage(
      path,
      0,
      `it continues batch ${header.nextBatch - 1}, but the log before it ends with batch ${log.nextBatch - 1}`,
    );
  }
}

/** Nothing before this segment counts: it was cut off, or a snapshot took its place. */
function startFrom(log: RecoveredLog, header: SegmentHeader): void {
  for (const { name } of log.segments) log.void.push(name);
  log.segments.length = 0;
  log.batches.reset(header.previous.index);
  log.isHeadless = false;
  log.base = log.last = header.previous;
  log.terms.length = 0;
  log.configs.length = 0;
  if (header.config.at > 0) log.configs.push(header.config);
  log.nextBatch = header.nextBatch;
  log.chain = header.chain;
}

function takeBatch(log: RecoveredLog, path: string, offset: number, batch: Batch): void {
  if (batch.hard) {
    if (batch.hard.term < log.hard.term) throw damage(path, offset, `the term goes back from ${log.hard.term}`);
    log.hard = batch.hard;
  }
  log.commit = Math.max(log.commit, batch.commit);
  if (batch.truncateFrom !== undefined) truncate(log, batch.truncateFrom);
  for (const entry of batch.append) {
    if (entry.index !== log.last.index + 1 || entry.term < log.last.term) {
      throw damage(
        path,
        offset,
        `entry ${entry.index} of term ${entry.term} follows ${log.last.index} of ${log.last.term}`,
      );
    }
    if (entry.term !== log.last.term || log.terms.length === 0) {
      log.terms.push({ first: entry.index, term: entry.term });
    }
    if (entry.kind === "config") log.configs.push(decodeConfig(entry.body, entry.index));
    log.last = { index: entry.index, term: entry.term };
  }
}

function truncate(log: RecoveredLog, from: Index): void {
  if (from <= log.base.index) log.isHeadless = true;
  while (log.terms.length > 0 && log.terms[log.terms.length - 1].first >= from) log.terms.pop();
  while (log.configs.length > 0 && log.configs[log.configs.length - 1].at >= from) log.configs.pop();
  if (from <= log.last.index) log.last = { index: from - 1, term: log.terms.at(-1)?.term ?? log.base.term };
}

/** Judges what follows the last whole batch of a segment. */
function checkRest(
  log: RecoveredLog,
  path: string,
  bytes: Uint8Array,
  { offset, newest }: { offset: number; newest: boolean },
): void {
  const lastWritten = lastNonZero(bytes);
  if (lastWritten < offset) return; // zeros to the end: the normal end
  if (!newest) throw damage(path, offset, "a batch in the middle of the log is damaged");
  const later = findWitness(bytes, offset + 8, log.nextBatch);
  if (later !== undefined) {
    throw damage(path, offset, `a batch is damaged, which was durable as the one at offset ${later} says`);
  }
  const header = decodeBatchHeader(bytes.subarray(offset));
  if (header && header.number !== log.nextBatch) {
    throw damage(path, offset, `expected batch ${log.nextBatch}, found ${header.number}`);
  }
  // Of a header that lies in two sectors, the second may be the one that was not written.
  const headerEnd = offset + BATCH_HEADER_BYTES;
  const end = header ? headerEnd + header.bodyLength : Math.max(headerEnd, lastWritten + 1);
  if (end <= bytes.length && !hasZeroSector(bytes, offset, end)) {
    throw damage(path, offset, "the last batch was fully written and is damaged, and may have been acknowledged");
  }
  log.torn = lastWritten + 1 - offset;
}

/** The error that tells an operator about damage in the file `path`. */
export function damage(path: string, offset: number, what: string): LogDamageError {
  return new LogDamageError(
    `The log is damaged: ${path} at offset ${offset}: ${what}. Nothing was changed; keep ${
      basename(path)
    } for analysis. ` +
      "In a cluster, remove this node, empty its data directory and let it join again; a single node needs a backup",
  );
}

/** Place of the last byte that is not zero; -1 where all are. By words: a new segment has millions of zeros. */
function lastNonZero(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end % 4 !== 0 && bytes[end - 1] === 0) end--;
  if (end % 4 === 0 && bytes.byteOffset % 4 === 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, end / 4);
    let count = words.length;
    while (count > 0 && words[count - 1] === 0) count--;
    end = 4 * count;
  }
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end - 1;
}

/** Whether a sector, or the part of one, within [start, end) is all zero: it was not written. */
function hasZeroSector(bytes: Uint8Array, start: number, end: number): boolean {
  for (let from = start; from < end;) {
    const to = Math.min(end, (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    if (bytes.subarray(from, to).every((byte) => byte === 0)) return true;
    from = to;
  }
  return false;
}

/**
 * Offset of the first batch from `start` on that was written when batch `number` was durable; undefined where there is
 * none. Its header says so, whatever became of its body: each batch vouches for the one before it, and a seal (D5) for
 * the last.
 */
function findWitness(bytes: Uint8Array, start: number, number: number): number | undefined {
  for (let at = Math.ceil(start / 8) * 8; at + BATCH_HEADER_BYTES <= bytes.length; at += 8) {
    if (bytes[at] !== 0x4D || bytes[at + 1] !== 0x42) continue;
    const header = decodeBatchHeader(bytes.subarray(at));
    if (header && header.durableBatch >= number) return at;
  }
  return undefined;
}

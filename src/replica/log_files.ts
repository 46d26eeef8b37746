/**
 * The log's files: made ahead of use, prepared at boot, written and synced.
 * @module
 */
import { exists, syncDirectory } from "../disk/files.ts";
import { EMPTY_CONFIG } from "../raft/configuration.ts";
import { encodeSegmentHeader, type LogIdentity, SECTOR_BYTES } from "./log_format.ts";
import { type RecoveredLog, segmentName } from "./log_recovery.ts";
import { joinPath } from "./path.ts";

/** A segment made ahead of use. */
export const SPARE = "spare.tmp";
const FRESH = "fresh.tmp";
/** Above this a write leaves the thread, so that copying it to the page cache holds up no heartbeat. */
const SYNC_WRITE_BYTES_MAX = 256 * 1024;

/** The segment that is appended to. */
export interface CurrentSegment {
  readonly file: Deno.FsFile;
  readonly offset: number;
  readonly fileBytes: number;
  readonly number: number;
}

/** Makes the newest segment safe to append to (D13), or the first one. */
export function prepareCurrent(
  directory: string,
  log: RecoveredLog,
  { identity, segmentBytes }: { identity: LogIdentity; segmentBytes: number },
): CurrentSegment {
  if (log.unborn !== undefined) Deno.removeSync(log.unborn);
  for (const path of log.void) Deno.removeSync(path);
  for (const leftover of [SPARE, FRESH]) {
    if (exists(joinPath(directory, leftover))) Deno.removeSync(joinPath(directory, leftover));
  }
  const newest = log.segments.at(-1);
  let bytes: Uint8Array;
  let path: string;
  if (newest) {
    bytes = new Uint8Array(Math.max(newest.fileBytes, segmentBytes));
    bytes.set(Deno.readFileSync(newest.path).subarray(0, newest.validBytes));
    path = newest.path;
  } else {
    const header = encodeSegmentHeader({
      identity,
      number: 1,
      firstIndex: 1,
      previous: { index: 0, term: 0 },
      nextBatch: 1,
      chain: 0,
      hard: { term: 0, vote: null },
      commit: 0,
      config: EMPTY_CONFIG,
      isRestart: false,
    });
    bytes = new Uint8Array(segmentBytes);
    bytes.set(header);
    path = joinPath(directory, segmentName(1, 1));
    const previous = { index: 0, term: 0 };
    log.segments.push({ path, number: 1, firstIndex: 1, previous, validBytes: header.length, fileBytes: bytes.length });
  }
  const fresh = joinPath(directory, FRESH);
  const file = Deno.openSync(fresh, { read: true, write: true, create: true, truncate: true });
  try {
    for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
    file.syncSync();
  } catch (error) {
    Deno.removeSync(fresh);
    if (!isNoSpace(error)) throw error;
    throw new Error(
      `no space left on the disk of ${directory}: the log needs ${bytes.length} bytes to start; free some space`,
      { cause: error },
    );
  }
  Deno.renameSync(fresh, path);
  syncDirectory(directory);
  const offset = log.segments[log.segments.length - 1].validBytes;
  return { file, offset, fileBytes: bytes.length, number: newest?.number ?? 1 };
}

/** Writes all of `bytes` at the file's position. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  const inline = bytes.length <= SYNC_WRITE_BYTES_MAX;
  for (let written = 0; written < bytes.length;) {
    const rest = bytes.subarray(written);
    written += inline ? file.writeSync(rest) : await file.write(rest);
  }
}

/** Creates a file of zeros and makes it durable. */
export async function makeZeros(path: string, bytes: number): Promise<void> {
  const size = Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
  const file = await Deno.open(path, { write: true, create: true, truncate: true });
  try {
    const zeros = new Uint8Array(Math.min(size, 1024 * 1024));
    for (let written = 0; written < size;) {
      written += await file.write(zeros.subarray(0, Math.min(zeros.length, size - written)));
    }
    await file.sync();
  } catch (error) {
    await Deno.remove(path); // on a full disk half a spare would only take what others need
    throw error;
  } finally {
    file.close();
  }
}

/** Whether an error says that the disk is full. */
export function isNoSpace(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

/** As `syncDirectory`, without holding up this thread. */
export async function syncDirectoryLater(path: string): Promise<void> {
  const directory = await Deno.open(path, { read: true });
  try {
    await directory.sync();
  } finally {
    directory.close();
  }
}

/**
 * Makes a log that was read ready to be written to, at boot, before anything is acknowledged.
 * @module
 */
import { EMPTY_CONFIG } from "../../core/raft/configuration.ts";
import { isNoSpace, type LogDisk, type LogFile } from "./disk.ts";
import { encodeSegmentHeader, type LogIdentity } from "./format.ts";
import { readFile, type RecoveredLog, segmentName } from "./recovery.ts";

/**
 * A segment made ahead of use, all zeros, which are durable: nothing has this name before they are, and who takes it takes
 * the name away, durably, before writing to it.
 */
export const SPARE = "spare";
/** A spare segment in the making. */
export const UNREADY = "spare.tmp";
/** A segment that is not in use yet. */
export const FRESH = "fresh.tmp";

/** The segment that is appended to. */
export interface CurrentSegment {
  readonly file: LogFile;
  readonly offset: number;
  readonly fileBytes: number;
  readonly number: number;
}

/** Makes the newest segment safe to append to (D13), or the first one; deletes what does not count any more. */
export function prepareCurrent(
  disk: LogDisk,
  log: RecoveredLog,
  { identity, segmentBytes }: { identity: LogIdentity; segmentBytes: number },
): CurrentSegment {
  if (log.unborn !== undefined) disk.remove(log.unborn);
  for (const name of log.void) disk.remove(name);
  for (const leftover of [UNREADY, FRESH]) if (disk.exists(leftover)) disk.remove(leftover);
  const newest = log.segments.at(-1);
  const content = newest ? readFile(disk, newest.name, newest.validBytes) : firstHeader(identity);
  const fileBytes = Math.max(newest?.fileBytes ?? 0, segmentBytes);
  const { name, number } = newest ?? { name: segmentName(1, 1), number: 1 };
  const file = freshSegment(disk, content, fileBytes);
  disk.renameNow(FRESH, name);
  disk.syncNow();
  const offset = content.length;
  if (!newest) {
    log.segments.push({ name, number, firstIndex: 1, previous: { index: 0, term: 0 }, validBytes: offset, fileBytes });
  }
  return { file, offset, fileBytes, number };
}

function firstHeader(identity: LogIdentity): Uint8Array {
  return encodeSegmentHeader({
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
}

/** A durable file that begins with `content` and goes on with zeros, under a name that no recovery looks for. */
function freshSegment(disk: LogDisk, content: Uint8Array, fileBytes: number): LogFile {
  try {
    const spare = takeSpare(disk, fileBytes);
    if (spare) spare.writeNow(0, content);
    const file = spare ?? createFresh(disk, content, fileBytes);
    file.syncNow();
    return file;
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    throw new Error(
      `no space left on the disk of ${disk.pathOf("")}: the log needs ${fileBytes} bytes to start; free some space`,
      { cause: error },
    );
  }
}

/** The spare segment, if it has this size: a start need not write that many zeros, which takes longer than all else. */
function takeSpare(disk: LogDisk, fileBytes: number): LogFile | undefined {
  if (!disk.exists(SPARE)) return undefined;
  disk.renameNow(SPARE, FRESH);
  disk.syncNow();
  const file = disk.open(FRESH);
  if (file.bytes === fileBytes) return file;
  file.close();
  return undefined;
}

function createFresh(disk: LogDisk, content: Uint8Array, fileBytes: number): LogFile {
  const bytes = new Uint8Array(fileBytes);
  bytes.set(content);
  return disk.createNow(FRESH, bytes);
}

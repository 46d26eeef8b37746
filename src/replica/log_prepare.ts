/**
 * Makes a log that was read ready to be written to, at boot, before anything is acknowledged.
 * @module
 */
import { EMPTY_CONFIG } from "../raft/configuration.ts";
import { isNoSpace, type LogDisk, type LogFile } from "./log_disk.ts";
import { encodeSegmentHeader, type LogIdentity } from "./log_format.ts";
import { readFile, type RecoveredLog, segmentName } from "./log_recovery.ts";

/** A segment made ahead of use. */
export const SPARE = "spare.tmp";
const FRESH = "fresh.tmp";

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
  for (const leftover of [SPARE, FRESH]) if (disk.exists(leftover)) disk.remove(leftover);
  const newest = log.segments.at(-1);
  let bytes: Uint8Array;
  let name: string;
  if (newest) {
    bytes = new Uint8Array(Math.max(newest.fileBytes, segmentBytes));
    bytes.set(readFile(disk, newest.name, newest.validBytes));
    name = newest.name;
  } else {
    const previous = { index: 0, term: 0 };
    const header = encodeSegmentHeader({
      identity,
      number: 1,
      firstIndex: 1,
      previous,
      nextBatch: 1,
      chain: 0,
      hard: { term: 0, vote: null },
      commit: 0,
      config: EMPTY_CONFIG,
      isRestart: false,
    });
    bytes = new Uint8Array(segmentBytes);
    bytes.set(header);
    name = segmentName(1, 1);
    log.segments.push({ name, number: 1, firstIndex: 1, previous, validBytes: header.length, fileBytes: bytes.length });
  }
  const file = createFresh(disk, bytes);
  disk.renameNow(FRESH, name);
  disk.syncNow();
  const offset = log.segments[log.segments.length - 1].validBytes;
  return { file, offset, fileBytes: bytes.length, number: newest?.number ?? 1 };
}

/** A durable file of `bytes`, under a name that no recovery looks for. */
function createFresh(disk: LogDisk, bytes: Uint8Array): LogFile {
  try {
    const file = disk.createNow(FRESH, bytes);
    file.syncNow();
    return file;
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    throw new Error(
      `no space left on the disk of ${disk.pathOf("")}: the log needs ${bytes.length} bytes to start; free some space`,
      { cause: error },
    );
  }
}

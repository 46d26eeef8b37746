/**
 * The database file: the settings every node relies on, and checkpoints.
 *
 * `synchronous=NORMAL` in WAL mode leaves a consistent prefix after a power loss, which the log completes; only the
 * writer checkpoints (spec/raft.md §4.2).
 * @module
 */

import { SYSTEM_TABLE } from "./authorizer.ts";
import { type Database, runOnce } from "./driver.ts";
import { isNotDatabase } from "./failure.ts";
import { sqliteVersion } from "./functions.ts";

/** Time a connection waits for another's lock, in milliseconds. */
export const BUSY_TIMEOUT_MS = 5000;

/** Size to which the WAL is cut when it starts over after a checkpoint: its size then tells how much has come since. */
const WAL_KEPT_BYTES = 4 * 1024 * 1024;

/** A database that cannot be used. */
export class DatabaseFileError extends Error {
  /** Always `DatabaseFileError`. */
  override readonly name = "DatabaseFileError";
}

/** What a checkpoint did. */
export interface Checkpoint {
  /** Whether every frame of the WAL is now in the database file, on disk. */
  readonly isComplete: boolean;
  /** Frames in the WAL. */
  readonly frames: number;
  /** Frames moved. */
  readonly moved: number;
}

/** First version without the WAL-reset race (sqlite.org/releaselog/3_51_3.html); 3.52.0 was withdrawn. */
const VERSION_MIN = [3, 51, 3] as const;

/** Whether a version of SQLite may be used with several connections. */
export function isSafeVersion(version: string): boolean {
  if (version === "3.52.0") return false;
  const numbers = version.split(".").map(Number);
  for (const [at, wanted] of VERSION_MIN.entries()) {
    const found = numbers[at] ?? 0;
    if (found !== wanted) return found > wanted;
  }
  return true;
}

/**
 * Sets what the connection and the file need; creates the system table.
 * @throws {DatabaseFileError} When the file is not an SQLite database, or not one the node can keep.
 */
export function prepareDatabase(database: Database, path: string, warn: (message: string) => void): void {
  const version = readVersion(database, path);
  if (!isSafeVersion(version)) {
    warn(
      `SQLite ${version} can corrupt a database in rare cases when it is read and checkpointed at once ` +
        `(the WAL-reset bug): use a runtime with SQLite ${VERSION_MIN.join(".")} or later`,
    );
  }
  const mode = runOnce(database, "PRAGMA journal_mode = WAL")[0]?.[0];
  if (mode !== "wal" && path !== ":memory:") {
    throw new DatabaseFileError(`Cannot use "${path}": its journal mode stays ${String(mode)}`);
  }
  const encoding = runOnce(database, "PRAGMA encoding")[0]?.[0];
  if (encoding !== "UTF-8") throw new DatabaseFileError(`Cannot use "${path}": its encoding is ${String(encoding)}`);
  runOnce(database, "PRAGMA synchronous = NORMAL");
  runOnce(database, `PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  runOnce(database, "PRAGMA wal_autocheckpoint = 0");
  runOnce(database, `PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`);
  runOnce(database, "PRAGMA recursive_triggers = OFF");
  runOnce(
    database,
    `CREATE TABLE IF NOT EXISTS ${SYSTEM_TABLE}` +
      "(id INTEGER PRIMARY KEY CHECK(id = 0), applied INTEGER NOT NULL, term INTEGER NOT NULL, " +
      "time_ms REAL NOT NULL, digest INTEGER)",
  );
}

/** The first statement of a connection reads the file, whatever it asks. */
function readVersion(database: Database, path: string): string {
  try {
    return sqliteVersion(database);
  } catch (error) {
    if (!isNotDatabase(error)) throw error;
    throw new DatabaseFileError(`Cannot open "${path}": it is not an SQLite database`, { cause: error });
  }
}

/** Runs a checkpoint and reads its answer (spec/raft.md A10). */
export function checkpoint(database: Database, mode: "PASSIVE" | "TRUNCATE"): Checkpoint {
  const [busy, frames, moved] = runOnce(database, `PRAGMA wal_checkpoint(${mode})`)[0] ?? [];
  if (typeof busy !== "bigint" || typeof frames !== "bigint" || typeof moved !== "bigint") {
    throw new TypeError("Expected three integers from wal_checkpoint");
  }
  return { isComplete: busy === 0n && frames === moved, frames: Number(frames), moved: Number(moved) };
}

/**
 * The database file: the settings every node relies on, and checkpoints.
 *
 * `synchronous=NORMAL` in WAL mode leaves a consistent prefix after a power loss, which the log completes; only the
 * writer checkpoints (A9).
 * @module
 */

import { CATALOG_PREFIX } from "../../core/catalog/catalog.ts";
import { SYSTEM_TABLE } from "./authorizer.ts";
import { type Database, runOnce } from "../libsqlite/driver.ts";
import { isNotDatabase } from "./failure.ts";

/** Time a connection waits for another's lock, in milliseconds. */
export const BUSY_TIMEOUT_MS = 5000;

/** Size of the WAL that calls for a checkpoint whatever the rule says, in bytes (A9). */
export const CHECKPOINT_WAL_BYTES = 32 * 1024 * 1024;
/**
 * The file of a WAL that starts over is cut to this size. Cutting off what the next seconds of a full load write again
 * would keep every write waiting for 10 ms, each time.
 */
const WAL_KEPT_BYTES = CHECKPOINT_WAL_BYTES + 8 * 1024 * 1024;
const WAL_FRAME_HEADER_BYTES = 24;

/** A database that cannot be used. */
export class DatabaseFileError extends Error {
  /** Always `DatabaseFileError`. */
  override readonly name = "DatabaseFileError";
}

/** Result of a checkpoint. */
export interface Checkpoint {
  /** Whether every frame of the WAL is now in the database file, on disk. */
  readonly isComplete: boolean;
  /** Frames in the WAL. */
  readonly frames: number;
  /** Frames moved. */
  readonly moved: number;
}

/**
 * Sets what the connection and the file need; creates the system table.
 * @throws {DatabaseFileError} When the file is not an SQLite database, or not one the node can keep.
 */
export function prepareDatabase(database: Database, path: string): void {
  refuseForeignFile(database, path);
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
  runOnce(database, "PRAGMA temp_store = FILE");
  runOnce(
    database,
    `CREATE TABLE IF NOT EXISTS ${SYSTEM_TABLE}` +
      "(id INTEGER PRIMARY KEY CHECK(id = 0), applied INTEGER NOT NULL, term INTEGER NOT NULL, " +
      "time_ms REAL NOT NULL, digest INTEGER)",
  );
}

/** Whether the database has tables of the cluster's own beside the one of its position. */
export function hasCatalog(database: Database): boolean {
  return runOnce(database, `SELECT 1 FROM sqlite_schema WHERE name GLOB '${CATALOG_PREFIX}*' LIMIT 1`).length > 0;
}

/** The first statement of a connection that reads the file tells whether it is one. */
function refuseForeignFile(database: Database, path: string): void {
  try {
    runOnce(database, "PRAGMA schema_version");
  } catch (error) {
    if (!isNotDatabase(error)) throw error;
    throw new DatabaseFileError(`Cannot open "${path}": it is not an SQLite database`, { cause: error });
  }
}

/** Bytes of the frames in the WAL, whatever the length of its file. */
export function walBytes(database: Database): number {
  const [pageSize] = runOnce(database, "PRAGMA page_size")[0] ?? [];
  return checkpoint(database, "NOOP").frames * (Number(pageSize) + WAL_FRAME_HEADER_BYTES);
}

/** Runs a checkpoint, or only looks (`NOOP`), and reads the answer (A10). */
export function checkpoint(database: Database, mode: "PASSIVE" | "TRUNCATE" | "NOOP"): Checkpoint {
  const [busy, frames, moved] = runOnce(database, `PRAGMA wal_checkpoint(${mode})`)[0] ?? [];
  if (typeof busy !== "bigint" || typeof frames !== "bigint" || typeof moved !== "bigint") {
    throw new TypeError("Expected three integers from wal_checkpoint");
  }
  return { isComplete: busy === 0n && frames === moved, frames: Number(frames), moved: Number(moved) };
}

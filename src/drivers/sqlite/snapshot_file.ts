/**
 * The files of copies of the database, which go from node to node (A18, A19, S5, S8). Beside `db.sqlite`:
 *
 *     copy.sqlite      a copy made here, to be sent
 *     incoming.part    one that arrives, as far as it has come; incoming.json says which
 *     staged.sqlite    one that has arrived whole and was verified: it may take the database's place
 *
 * A copy's position in the log is what it says itself, never an index remembered before copying (A18).
 * @module
 */
import { exists, syncDirectory } from "../../base/worker/files.ts";
import { SYSTEM_TABLE } from "./authorizer.ts";
import { type Backup, Database, type OpenOptions, runOnce, STORED_BYTES_MAX } from "../libsqlite/driver.ts";
import type { SqliteLibrary } from "../libsqlite/library.ts";
import { findDamage } from "./soundness.ts";

/** Pages copied at a time: 16 MiB of the usual size. */
const COPY_PAGES = 4096;

/** A snapshot that cannot be used; the message says why. */
export class SnapshotError extends Error {
  /** Always `SnapshotError`. */
  override readonly name = "SnapshotError";
}

/** Paths of a database's files. */
export interface SnapshotPaths {
  readonly database: string;
  readonly copy: string;
  readonly incoming: string;
  readonly label: string;
  readonly staged: string;
  /** The SQLite library; undefined: the one that belongs to this machine. */
  readonly library: SqliteLibrary | undefined;
}

const READING: OpenOptions = { readOnly: true, foreignKeys: false, valueBytesMax: STORED_BYTES_MAX };

/** The files beside the database at `path`. */
export function snapshotPaths(path: string, library?: SqliteLibrary): SnapshotPaths {
  const directory = directoryOf(path);
  return {
    database: path,
    copy: `${directory}/copy.sqlite`,
    incoming: `${directory}/incoming.part`,
    label: `${directory}/incoming.json`,
    staged: `${directory}/staged.sqlite`,
    library,
  };
}

/** Index and term of the last entry that the database in a file holds; undefined where there is no such file. */
export function positionOf(path: string, library?: SqliteLibrary): { applied: number; term: number } | undefined {
  if (!exists(path)) return undefined;
  const database = new Database(path, { ...READING, ...(library ? { library } : {}) });
  try {
    const [applied, term] = runOnce(database, `SELECT applied, term FROM ${SYSTEM_TABLE} WHERE id = 0`)[0] ?? [];
    if (typeof applied !== "bigint" || typeof term !== "bigint") throw new SnapshotError(`${path} holds no position`);
    return { applied: Number(applied), term: Number(term) };
  } finally {
    database.close();
    removeDatabase(path, { keepMain: true });
  }
}

/**
 * Copies a database to another file while it is written to (A19), a piece at a time. A read transaction of the source holds on to what is
 * copied: without it, every write by another connection would make the copy start again. Each piece is synced by itself,
 * as one sync of a gigabyte at the end would hold up the log's for as long.
 */
export function copyPages(from: string, to: string, libraryOrNone: SqliteLibrary | undefined): void {
  removeDatabase(to);
  const library = libraryOrNone ? { library: libraryOrNone } : {};
  const source = new Database(from, { ...READING, ...library });
  const target = new Database(to, { readOnly: false, foreignKeys: false, ...library });
  const file = Deno.openSync(to, { read: true, write: true });
  let copying: Backup | undefined;
  try {
    runOnce(source, "BEGIN");
    runOnce(source, `SELECT applied FROM ${SYSTEM_TABLE}`);
    copying = source.backup(target);
    while (copying.step(COPY_PAGES)) file.syncDataSync();
    copying.finish();
    file.syncDataSync();
  } catch (error) {
    copying?.finish();
    target.close();
    removeDatabase(to); // half a copy would only take what others need
    throw error;
  } finally {
    source.close();
    target.close();
    file.close();
  }
}

/** Describes the damage of a database file that nobody uses; undefined if there is none. */
export function damageOf(path: string, library: SqliteLibrary | undefined): string | undefined {
  const database = new Database(path, { ...READING, ...(library ? { library } : {}) });
  try {
    return findDamage(database);
  } finally {
    database.close();
  }
}

/** Puts the staged copy in the place of the database, whose connections must be closed. */
export function adoptStaged(paths: SnapshotPaths): void {
  // Without its old WAL first: a reader must never find that one beside the new file.
  removeDatabase(paths.database);
  Deno.renameSync(paths.staged, paths.database);
  removeDatabase(paths.staged);
  syncDirectory(directoryOf(paths.database));
}

/** Removes a database with its side files. */
export function removeDatabase(path: string, { keepMain = false } = {}): void {
  for (const name of [`${path}-wal`, `${path}-shm`, ...(keepMain ? [] : [path])]) {
    if (exists(name)) Deno.removeSync(name);
  }
}

/** The folder of a file. */
export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/**
 * A database that a failed read or write has left in doubt (D14). The writer marks it and the process ends.
 * The next start trusts nothing that only the page cache may hold: it checks the whole database and writes it anew, into
 * another file, before it goes on. What does not pass stays as it is, for an operator to look at.
 * @module
 */
import { exists, syncDirectory } from "../../base/worker/files.ts";
import { Database, runOnce, STORED_BYTES_MAX } from "../libsqlite/driver.ts";
import type { SqliteLibrary } from "../libsqlite/library.ts";
import { DatabaseFileError } from "./database_file.ts";
import { causeOf, isAboutTemporaryFile, sqliteCode } from "./failure.ts";
import { freelistFault, headerFault, type Peculiarities, peculiaritiesOf } from "../libsqlite/header.ts";
import { findDamage } from "./soundness.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** SQLite's primary code for an error of the disk. */
const IOERR = 10;

/** A database that must not be used as it is; the process ends with exit code 3. */
export class DamagedDatabaseError extends Error {
  /** Always `DamagedDatabaseError`. */
  override readonly name = "DamagedDatabaseError";
}

/** Whether an error leaves what is on disk in doubt: damage, or a failed operation on a file of the database. */
export function taints(error: unknown): boolean {
  const cause = causeOf(error);
  if (cause === "damage") return true;
  const isAboutDisk = ((sqliteCode(error) ?? 0) & 0xff) === IOERR;
  return cause === "environment" && isAboutDisk && !isAboutTemporaryFile(error);
}

function markerOf(path: string): string {
  return `${path.slice(0, path.lastIndexOf("/"))}/tainted`;
}

/** Marks the database at `path` as in doubt, as well as the disk still allows. */
export function markTainted(path: string, why: string): void {
  try {
    Deno.writeTextFileSync(markerOf(path), `${why}\n`);
    syncDirectory(path.slice(0, path.lastIndexOf("/")));
  } catch {
    // The process ends in any case; without a mark the next start opens the file as after a crash.
  }
}

/**
 * Checks and rewrites a database that is in doubt; nothing may have it open.
 * @returns Why it was, or undefined where it is not.
 * @throws {DamagedDatabaseError} When it does not pass: marker and file stay.
 */
export function healTainted(path: string, library?: SqliteLibrary): string | undefined {
  const marker = markerOf(path);
  if (!exists(marker)) return undefined;
  const why = Deno.readTextFileSync(marker).trim();
  if (exists(path)) {
    checkAndMerge(path, library);
    rewrite(path);
  }
  Deno.removeSync(marker);
  syncDirectory(path.slice(0, path.lastIndexOf("/")));
  return why;
}

/** A full check, and everything of the WAL in the file itself. */
function checkAndMerge(path: string, library: SqliteLibrary | undefined): void {
  let damage: string | undefined;
  try {
    const database = new Database(path, {
      readOnly: false,
      foreignKeys: false,
      valueBytesMax: STORED_BYTES_MAX,
      ...(library ? { library } : {}),
    });
    try {
      damage = findDamage(database);
      if (damage === undefined) runOnce(database, "PRAGMA wal_checkpoint(TRUNCATE)");
    } finally {
      database.close();
    }
  } catch (error) {
    damage = messageOf(error);
  }
  if (damage !== undefined) throw damaged(path, damage);
}

/** The error that tells an operator how to recover from a damaged database. */
export function damaged(path: string, verdict: string): DamagedDatabaseError {
  return new DamagedDatabaseError(
    `the database ${path} is damaged (${
      verdict.replaceAll(/\s+/g, " ")
    }): this node stops. In a cluster, keep the data directory for analysis, ` +
      "remove the node, and let it join again with an empty directory; a node that is alone is restored from a backup",
  );
}

/**
 * Opens the database at `path`: what is wrong with the file itself is damage, in whatever words SQLite says so.
 * @throws {DamagedDatabaseError} When it is damaged, or no database at all.
 */
export function openUndamaged<T>(path: string, open: () => T, library?: SqliteLibrary): T {
  const fault = headerFault(path) ?? layoutFault(path, library);
  if (fault !== undefined) throw damaged(path, fault);
  try {
    return open();
  } catch (error) {
    if (causeOf(error) === "damage" || error instanceof DatabaseFileError) throw damaged(path, messageOf(error));
    throw error;
  }
}

/**
 * What the header says about the pages, where it is wrong. A file with a WAL is seldom whole without it, and the newest
 * header is then in there: what such a file hides is found when it is used.
 */
function layoutFault(path: string, library: SqliteLibrary | undefined): string | undefined {
  if (!exists(path) || exists(`${path}-wal`) && Deno.statSync(`${path}-wal`).size > 0) return undefined;
  const fault = freelistFault(path);
  const peculiarities = peculiaritiesOf(path);
  const isPlain = Object.values(peculiarities).every((value) => value === 0);
  return fault !== undefined || isPlain ? fault : peculiarityFault(path, peculiarities, library);
}

/** Checks rare claims of a header against the schema and its pages. */
function peculiarityFault(
  path: string,
  { largestRoot, excessBytes }: Peculiarities,
  library: SqliteLibrary | undefined,
): string | undefined {
  const database = new Database(path, { readOnly: false, foreignKeys: false, ...(library ? { library } : {}) });
  try {
    if (excessBytes !== 0) return findDamage(database); // SQLite leaves none
    const verdict = String(runOnce(database, "PRAGMA quick_check(sqlite_schema)")[0]?.[0]);
    if (verdict !== "ok") return verdict;
    const largest = Number(runOnce(database, "SELECT max(1, max(rootpage)) FROM sqlite_schema")[0]?.[0] ?? 1);
    if (largestRoot === 0 || largestRoot === largest) return undefined;
    return `its header says that the largest root is page ${largestRoot}: it is page ${largest}`;
  } catch (error) {
    if (causeOf(error) !== "damage") throw error;
    return messageOf(error);
  } finally {
    database.close();
  }
}

/** Reads every byte and writes it to another file: what was read is then on disk for certain. */
function rewrite(path: string): void {
  const fresh = `${path}.rewritten`;
  Deno.copyFileSync(path, fresh);
  const file = Deno.openSync(fresh, { read: true, write: true });
  try {
    file.syncSync();
  } finally {
    file.close();
  }
  for (const suffix of ["-wal", "-shm"]) if (exists(path + suffix)) Deno.removeSync(path + suffix);
  Deno.renameSync(fresh, path);
}

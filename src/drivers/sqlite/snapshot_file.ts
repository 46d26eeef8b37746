/**
 * Copies of the database as files, on their way from node to node (A18, A19, S5, S8). Beside `db.sqlite`:
 *
 *     copy.sqlite      a copy made here, to be sent
 *     incoming.part    one that arrives, as far as it has come; incoming.json says which
 *     staged.sqlite    one that has arrived whole and was verified: it may take the database's place
 *
 * A copy's position in the log is what it says itself, never an index remembered before copying (A18).
 * @module
 */
import { crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { exists, syncDirectory } from "../../base/worker/files.ts";
import type { SnapshotPart, SnapshotPiece } from "./api.ts";
import { SYSTEM_TABLE } from "./authorizer.ts";
import { type Backup, Database, type OpenOptions, runOnce, STORED_BYTES_MAX } from "../libsqlite/driver.ts";
import type { SqliteLibrary } from "../libsqlite/library.ts";
import { findDamage } from "./soundness.ts";
import { damaged } from "./taint.ts";

/** Bytes read at a time where a whole file is. */
const PAGE_BYTES = 1024 * 1024;

/** Pages copied at a time: 16 MiB of the usual size. */
const COPY_PAGES = 4096;
/** Received data are synced after this many bytes. */
const SYNC_BYTES = 16 * 1024 * 1024;

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

/** Makes the copy that is sent to other nodes, in the place of the last one. */
export function copyDatabase(paths: SnapshotPaths): SnapshotPart {
  copyPages(paths.database, paths.copy, paths.library);
  scrub(paths);
  const position = positionOf(paths.copy, paths.library);
  if (!position) throw new SnapshotError("the copy vanished");
  const { size: bytes, crc } = checksum(paths.copy);
  return { id: `${position.applied}-${position.term}-${crc}`, bytes, crc, ...position };
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

/** A copy that is damaged comes from a damaged database (D11). */
function scrub(paths: SnapshotPaths): void {
  const damage = damageOf(paths.copy, paths.library);
  if (damage === undefined) return;
  removeDatabase(paths.copy);
  throw damaged(paths.database, damage);
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

/** A piece of the copy. */
export function readCopy(paths: SnapshotPaths, offset: number, length: number): Uint8Array {
  const file = Deno.openSync(paths.copy);
  try {
    file.seekSync(offset, Deno.SeekMode.Start);
    return readUpTo(file, length);
  } finally {
    file.close();
  }
}

/** Longest piece that is taken: several times what a sender makes of one. */
export const PIECE_BYTES_MAX = 4 * 1024 * 1024;

/** A piece with these bytes of the file, compressed if the sender wants it (`-compress-snap-transport`): here it holds up nothing else. */
export function packPiece(bytes: Uint8Array, compress: boolean): SnapshotPiece & { readonly bytes: number } {
  const packed = compress ? ownBytes(zstdCompressSync(bytes)) : bytes;
  const isCompressed = packed.length < bytes.length;
  return { chunk: isCompressed ? packed : bytes, bytes: bytes.length, isCompressed };
}

/**
 * The bytes of the file that a piece stands for.
 * @throws {Error} When they are more than {@linkcode PIECE_BYTES_MAX}, or were not compressed with zstd.
 */
export function unpackPiece({ chunk, isCompressed }: SnapshotPiece): Uint8Array {
  return isCompressed ? zstdDecompressSync(chunk, { maxOutputLength: PIECE_BYTES_MAX }) : chunk;
}

/** Node's buffers may lie in memory that others share, which must not be transferred. */
function ownBytes(buffer: Uint8Array): Uint8Array {
  return buffer.byteLength === buffer.buffer.byteLength ? buffer : new Uint8Array(buffer);
}

/** Begins to receive `part`, or goes on where an earlier attempt ended. @returns Bytes that are here already. */
export function beginIncoming(paths: SnapshotPaths, part: SnapshotPart): number {
  if (exists(paths.incoming) && readText(paths.label) === part.id) {
    const { size } = Deno.statSync(paths.incoming);
    if (size <= part.bytes) return size;
  }
  Deno.writeFileSync(paths.incoming, new Uint8Array(0));
  Deno.writeTextFileSync(paths.label, part.id);
  return 0;
}

/** Takes the next piece; it must begin where the last one ended. */
export function writeIncoming(
  paths: SnapshotPaths,
  id: string,
  { offset, chunk }: { offset: number; chunk: Uint8Array },
) {
  if (readText(paths.label) !== id) throw new SnapshotError("another snapshot is being received");
  const file = Deno.openSync(paths.incoming, { write: true });
  try {
    const { size } = file.statSync();
    if (size !== offset) {
      throw new SnapshotError(`a piece at ${offset} does not follow the ${size} bytes that are here`);
    }
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let written = 0; written < chunk.length;) written += file.writeSync(chunk.subarray(written));
    // Now and then, so that the last sync does not hold up everybody on this disk for a gigabyte.
    if (Math.floor(offset / SYNC_BYTES) !== Math.floor((offset + chunk.length) / SYNC_BYTES)) file.syncDataSync();
  } finally {
    file.close();
  }
}

/**
 * Verifies what has arrived and stages it.
 * @throws {SnapshotError} When it is not what was announced: it is thrown away.
 */
export function stageIncoming(paths: SnapshotPaths, part: SnapshotPart): void {
  try {
    const { size, crc } = checksum(paths.incoming);
    if (size !== part.bytes || crc !== part.crc) {
      throw new SnapshotError(`what arrived has ${size} bytes and checksum ${crc}, not ${part.bytes} and ${part.crc}`);
    }
    checkDatabase(paths, part);
  } catch (error) {
    removeDatabase(paths.incoming);
    throw error;
  }
  const file = Deno.openSync(paths.incoming, { read: true, write: true });
  try {
    file.syncSync();
  } finally {
    file.close();
  }
  removeDatabase(paths.staged);
  Deno.renameSync(paths.incoming, paths.staged);
  Deno.removeSync(paths.label);
  syncDirectory(directoryOf(paths.database));
}

function checkDatabase({ incoming, library }: SnapshotPaths, { applied, term }: SnapshotPart): void {
  const damage = damageOf(incoming, library);
  if (damage !== undefined) throw new SnapshotError(`the database that arrived is damaged: ${damage}`);
  const found = positionOf(incoming, library);
  if (found?.applied !== applied || found.term !== term) {
    throw new SnapshotError(`the database that arrived ends at ${found?.applied}, not at ${applied}`);
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

/** Removes the copy: nobody will ask for it any more. */
export function dropCopy(paths: SnapshotPaths): void {
  removeDatabase(paths.copy);
}

/** Removes a database with its side files. */
export function removeDatabase(path: string, { keepMain = false } = {}): void {
  for (const name of [`${path}-wal`, `${path}-shm`, ...(keepMain ? [] : [path])]) {
    if (exists(name)) Deno.removeSync(name);
  }
}

function checksum(path: string): { size: number; crc: number } {
  const file = Deno.openSync(path);
  try {
    let crc = 0;
    let size = 0;
    for (;;) {
      const piece = readUpTo(file, PAGE_BYTES);
      if (piece.length === 0) return { size, crc };
      crc = crc32(piece, crc);
      size += piece.length;
    }
  } finally {
    file.close();
  }
}

function readUpTo(file: Deno.FsFile, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let read = 0;
  while (read < length) {
    const count = file.readSync(bytes.subarray(read));
    if (count === null) break;
    read += count;
  }
  return bytes.subarray(0, read);
}

function readText(path: string): string {
  return exists(path) ? Deno.readTextFileSync(path) : "";
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

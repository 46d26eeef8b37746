/**
 * Copies of the database on their way from node to node (A18, A19, S5, S8): made, read and compressed in pieces here, received
 * and verified there. `sqlite/snapshot_file.ts` says which files they are.
 * @module
 */
import { crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { exists, syncDirectory } from "../../base/worker/files.ts";
import type { SnapshotPart, SnapshotPiece } from "../sqlite/api.ts";
import {
  copyPages,
  damageOf,
  directoryOf,
  positionOf,
  removeDatabase,
  SnapshotError,
  type SnapshotPaths,
} from "../sqlite/snapshot_file.ts";
import { damaged } from "../sqlite/taint.ts";

/** Bytes read at a time where a whole file is. */
const PAGE_BYTES = 1024 * 1024;
/** Received data are synced after this many bytes. */
const SYNC_BYTES = 16 * 1024 * 1024;

/** Makes the copy that is sent to other nodes, in the place of the last one. */
export function copyDatabase(paths: SnapshotPaths): SnapshotPart {
  copyPages(paths.database, paths.copy, paths.library);
  scrub(paths);
  const position = positionOf(paths.copy, paths.library);
  if (!position) throw new SnapshotError("the copy vanished");
  const { size: bytes, crc } = checksum(paths.copy);
  return { id: `${position.applied}-${position.term}-${crc}`, bytes, crc, ...position };
}

/** A copy that is damaged comes from a damaged database (D11). */
function scrub(paths: SnapshotPaths): void {
  const damage = damageOf(paths.copy, paths.library);
  if (damage === undefined) return;
  removeDatabase(paths.copy);
  throw damaged(paths.database, damage);
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

/** Removes the copy: nobody will ask for it any more. */
export function dropCopy(paths: SnapshotPaths): void {
  removeDatabase(paths.copy);
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

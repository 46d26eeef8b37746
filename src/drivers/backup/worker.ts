/**
 * The backup Worker: makes backups and passes them on in pieces, without delaying the writer. It may use SQLite's
 * library and the folder of the database, which holds a backup while it is sent.
 * @module
 */
import { ByteWriter } from "../../base/codec/cursor.ts";
import { Callee, type Methods, type ToCallee } from "../../base/worker/channel.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import { Database, runOnce, STORED_BYTES_MAX } from "../libsqlite/driver.ts";
import { removeDatabase } from "../sqlite/snapshot_file.ts";
import type { BackupMethods, BackupOptions, OpenBackups } from "./api.ts";
import { copyForUsers } from "./copy.ts";
import { dumpSql } from "./dump.ts";

/** Backups at a time: each takes as much disk as the database. */
const BACKUPS_MAX = 4;
/** Bytes of a piece. */
const PIECE_BYTES = 256 * 1024;

/** A backup that is being handed out. */
interface OpenBackup {
  readonly pieces: AsyncIterator<Uint8Array<ArrayBuffer>>;
  /** Undefined where it is not known. */
  readonly length: number | undefined;
  readonly isEmpty: boolean;
  /** Path of its temporary file, if it has one. */
  readonly file: string;
  /** The database, where it is read while it is handed out. */
  readonly database: Database | undefined;
}

/** The database and library that backups are made with. */
type Source = Pick<OpenBackups, "path" | "library">;

function openBackup(source: Source, file: string, options: BackupOptions): OpenBackup {
  const { pieces, length, isEmpty, database } = options.format === "sql"
    ? { ...openText(source, options.tables), length: undefined, isEmpty: false }
    : { ...filePieces(source, file, options), database: undefined };
  if (!options.isCompressed) return { pieces: pieces[Symbol.asyncIterator](), length, isEmpty, file, database };
  return { pieces: compressed(pieces)[Symbol.asyncIterator](), length: undefined, isEmpty, file, database };
}

function filePieces(
  { path, library }: Source,
  file: string,
  options: BackupOptions,
): { pieces: AsyncIterable<Uint8Array<ArrayBuffer>>; length: number; isEmpty: boolean } {
  const isEmpty = copyForUsers(path, file, { ...options, library });
  return { pieces: readPieces(file), length: Deno.statSync(file).size, isEmpty };
}

async function* readPieces(path: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const file = Deno.openSync(path);
  try {
    for (;;) {
      const bytes = new Uint8Array(PIECE_BYTES);
      const count = file.readSync(bytes);
      if (count === null) return;
      yield count === bytes.length ? bytes : bytes.slice(0, count);
    }
  } finally {
    file.close();
  }
}

/** @throws {Error} When the database cannot be written as text. */
function openText(
  { path, library }: Source,
  tables: readonly string[] | undefined,
): { pieces: AsyncIterable<Uint8Array<ArrayBuffer>>; database: Database } {
  const options = { readOnly: true, foreignKeys: false, library, valueBytesMax: STORED_BYTES_MAX };
  const database = new Database(path, options);
  try {
    runOnce(database, "BEGIN");
    return { pieces: textPieces(database, dumpSql(database, tables)), database };
  } catch (error) {
    database.close();
    throw error;
  }
}

async function* textPieces(database: Database, texts: Iterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const writer = new ByteWriter(2 * PIECE_BYTES);
  try {
    for (const text of texts) {
      writer.raw(text);
      if (writer.length < PIECE_BYTES) continue;
      yield writer.copy();
      writer.clear();
    }
    yield writer.copy();
  } finally {
    database.close();
  }
}

async function* compressed(pieces: AsyncIterable<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const packed = ReadableStream.from(pieces).pipeThrough(new CompressionStream("gzip"));
  for await (const piece of packed) yield piece;
}

/** Removes what an earlier life has left. */
function clean(directory: string): void {
  for (const { name } of [...Deno.readDirSync(directory)]) {
    if (/^backup-\d+\.sqlite$/.test(name)) removeDatabase(`${directory}/${name}`);
  }
}

/** Those that are being handed out, whoever asked for them. */
const backups = new Map<number, OpenBackup>();
let lastId = 0;

function methodsOf(source: Source, directory: string): Methods<BackupMethods> {
  return {
    open(options) {
      const id = ++lastId;
      if (backups.size >= BACKUPS_MAX) throw new Error(`${BACKUPS_MAX} backups are being made: try again later`);
      const backup = openBackup(source, `${directory}/backup-${id}.sqlite`, options);
      backups.set(id, backup);
      return { id, length: backup.length, isEmpty: backup.isEmpty };
    },
    async read({ id }, { transfer }) {
      const next = await backups.get(id)?.pieces.next();
      if (!next || next.done) return null;
      transfer.push(next.value.buffer);
      return next.value;
    },
    async close({ id }) {
      const backup = backups.get(id);
      backups.delete(id);
      if (!backup) return;
      try {
        await backup.pieces.return?.();
      } finally {
        backup.database?.close();
        removeDatabase(backup.file);
      }
    },
  };
}

/** The first message, and one for each further port. */
workerScope<OpenBackups, never>().onmessage = ({ data: { port, ...source } }) => {
  const directory = source.path.slice(0, source.path.lastIndexOf("/"));
  if (lastId === 0) clean(directory);
  const callee = new Callee(port, methodsOf(source, directory));
  port.onmessage = ({ data }: MessageEvent<ToCallee<BackupMethods>>) => callee.take(data);
};

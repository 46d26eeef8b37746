/**
 * The messages of the backup Worker. Types only.
 * @module
 */
import type { SqliteLibrary } from "../libsqlite/library.ts";

/** First message to the Worker; each further one adds a port. */
export interface OpenBackups {
  /** Path of the database. */
  readonly path: string;
  /** The SQLite library, with its extensions. */
  readonly library: SqliteLibrary;
  /** Carries calls of {@linkcode BackupMethods}. */
  readonly port: MessagePort;
}

/** Options of a backup. */
export interface BackupOptions {
  /** A database file in WAL mode or in DELETE mode, or SQL text. */
  readonly format: "wal" | "delete" | "sql";
  /** Whether the file is made anew, without free pages; not of SQL text. */
  readonly isVacuumed: boolean;
  /** Whether it is compressed with gzip. */
  readonly isCompressed: boolean;
  /** Of SQL text, the tables that it has; undefined: all. */
  readonly tables?: readonly string[];
}

/** Methods of the Worker; its errors are messages for people. */
export interface BackupMethods {
  /** Makes a backup. */
  open: { params: BackupOptions; result: OpenedBackup };
  /** The next piece of a backup; null behind the last. */
  read: { params: { id: number }; result: Uint8Array<ArrayBuffer> | null };
  /** Lets go of a backup. */
  close: { params: { id: number }; result: void };
}

/** A backup to be read. */
export interface OpenedBackup {
  readonly id: number;
  /** Whether it is a file without any tables. */
  readonly isEmpty: boolean;
  /** Its bytes; undefined where they are not known. */
  readonly length: number | undefined;
}

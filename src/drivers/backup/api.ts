/**
 * The messages of the backup Worker. Types only.
 * @module
 */

/** First message to the Worker. */
export interface OpenBackups {
  /** Path of the database. */
  readonly path: string;
  /** Path of the SQLite library. */
  readonly library: string;
  /** Carries {@linkcode ToBackup} in and {@linkcode FromBackup} out. */
  readonly port: MessagePort;
}

/** What is wanted. */
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

/** To the Worker; each is answered. */
export type ToBackup =
  /** Makes a backup. The result is its length in bytes, or null where it is not known. */
  | { readonly k: "open"; readonly ref: number; readonly options: BackupOptions }
  /** The next piece of the backup that was opened with the reference `of`; null behind the last. */
  | { readonly k: "read"; readonly ref: number; readonly of: number }
  /** Lets go of it. */
  | { readonly k: "close"; readonly ref: number; readonly of: number };

/** From the Worker. */
export interface FromBackup {
  readonly ref: number;
  readonly result?: number | Uint8Array<ArrayBuffer> | null;
  /** For people. */
  readonly error?: string;
}

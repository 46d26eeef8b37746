/**
 * The messages of the SQLite Workers, and how many of them there are. The replica talks to the writer, http Workers talk to readers, and
 * the writer answers whoever waits for an entry directly, through a port of its own.
 * @module
 */

import type { TicketPlace } from "../../base/shared/ticket.ts";
import type { SqliteLibrary } from "../libsqlite/library.ts";
import type { PackedEntries, PackedOutcomes, PackedReadResults, PackedReads } from "../../core/sql/exchange.ts";

/** Readers that are started at most, whatever `-db-max-ro-conns` says. */
export const READERS_MAX = 4;

/** Readers that are started at most where `-db-max-ro-conns` is `limit`; 0: no limit. */
export function readersMaxOf(limit: number): number {
  return limit === 0 ? READERS_MAX : Math.min(limit, READERS_MAX);
}

/** The number of the first http Worker among the ports that wait for outcomes; it alone ends reads on the writer. */
export const HTTP_PORT = 1;

/** First message to the writer Worker, on its global scope. */
export interface OpenWriter {
  /** Message kind. */
  readonly k: "open";
  /** Path of the database file; its folder exists. */
  readonly path: string;
  /** Whether foreign keys are enforced (`-fk`): the same on every node. */
  readonly foreignKeys: boolean;
  /** The SQLite library, with its extensions. */
  readonly library: SqliteLibrary;
  /** Shared with whoever may end what runs; see control.ts. */
  readonly control: SharedArrayBuffer;
  /** The same for statements that only their asker sees; its tickets are the numbers of the waiters of {@linkcode HTTP_PORT}. */
  readonly privateControl: SharedArrayBuffer;
  /** Counts the bytes of answers in flight; see rpc/answer_budget.ts. */
  readonly answers: SharedArrayBuffer;
  /** When a checkpoint is due. */
  readonly checkpoint: CheckpointRule;
  /** Bytes of each temporary file of a read (`-db-max-temp-size`). */
  readonly tempBytesMax: number;
  /** Carries {@linkcode ToWriter} in, {@linkcode FromWriter} and the outcomes of port 0 out. */
  readonly replica: MessagePort;
  /** Ports 1 and up: {@linkcode FromWriterToHttp} out, {@linkcode MadeWay} in. */
  readonly http: readonly MessagePort[];
}

/** A checkpoint is due after so many entries or bytes of WAL, and not sooner than `intervalMs` after the last one. */
export interface CheckpointRule {
  readonly entries: number;
  /** 0: whatever its size. */
  readonly walBytes: number;
  readonly intervalMs: number;
}

/** Replica → writer. */
export type ToWriter =
  | { readonly k: "apply"; readonly entries: PackedEntries }
  | { readonly k: "status"; readonly ref: number }
  | { readonly k: "digest"; readonly ref: number; readonly index: number } // answered by `digest`
  | { readonly k: "checkpoint" } // whatever the size of the WAL; answered by `checkpointed`
  | { readonly k: "adopt" } // the staged snapshot takes the database's place; answered by `ready`
  | { readonly k: "close" };

/**
 * Writer → replica; `applied` follows every COMMIT, and every checkpoint that moved `durable`: up to there the log may
 * be cut (A8).
 */
export type FromWriter =
  | {
    readonly k: "ready";
    readonly applied: number;
    readonly term: number;
    /** Index of the snapshot that lies ready to take the database's place; 0 for none. */
    readonly staged: number;
    /** Version and options of SQLite, which should be the same on every node. */
    readonly sqlite: string;
    /** The database was in doubt after a failed read or write, and has passed a check: why it was. */
    readonly tainted?: string;
  }
  | { readonly k: "applied"; readonly index: number; readonly term: number; readonly durable: number }
  | { readonly k: "checkpointed"; readonly durable: number; readonly term: number } // term: of the applied index
  | { readonly k: "space"; readonly state: "ok" | "full" } // of the disk that holds the database
  | { readonly k: "digest"; readonly ref: number; readonly digest: number | null } // null: not known here
  | { readonly k: "status"; readonly ref: number; readonly status: Record<string, unknown> }
  | { readonly k: "closed" }
  | { readonly k: "failed"; readonly message: string; readonly isDamage: boolean };

/** Writer → the port of the waiters: all outcomes of one COMMIT in one message. */
export interface Outcomes {
  /** Message kind. */
  readonly k: "outcomes";
  /** In log order. */
  readonly outcomes: PackedOutcomes;
}

/** Writer → every http Worker: the cluster's own tables may have changed. */
export interface CatalogChanged {
  /** Message kind. */
  readonly k: "catalogChanged";
}

/** Writer → every http Worker, while somebody watches tables: those that a COMMIT may have changed. */
export interface TablesChanged {
  /** Message kind. */
  readonly k: "tablesChanged";
  /** In lower case; `sqlite_master` where the schema has changed, `*` for everything. */
  readonly tables: readonly string[];
}

/**
 * Writer → every http Worker: reads have kept checkpoints from their end for long (A10). None is to begin until `goOn`, which follows
 * {@linkcode MadeWay}.
 */
export interface MakeWay {
  /** Message kind. */
  readonly k: "makeWay" | "goOn";
}

/** http → writer: no read runs. */
export interface MadeWay {
  /** Message kind. */
  readonly k: "madeWay";
  /** How long the longest of the reads that were ended for it had run, in milliseconds; they begin again. */
  readonly endedMs: number;
}

/** Whatever the writer says to an http Worker. */
export type FromWriterToHttp = Outcomes | CatalogChanged | TablesChanged | MakeWay;

/** A snapshot: a copy of the database as a file, and where in the log it stands. */
export interface SnapshotPart {
  /** Names this very copy: others of the same index differ in their bytes. */
  readonly id: string;
  readonly bytes: number;
  /** CRC-32 of the whole file. */
  readonly crc: number;
  /** Last entry that it holds. */
  readonly applied: number;
  readonly term: number;
}

/** A piece of a snapshot on its way. */
export interface SnapshotPiece {
  /** Its bytes, compressed with zstd or as they are in the file. */
  readonly chunk: Uint8Array;
  readonly isCompressed: boolean;
}

/** First message to the snapshot Worker, on its global scope. */
export interface OpenSnapshot {
  /** Path of the database file. */
  readonly path: string;
  /** The SQLite library, with its extensions. */
  readonly library: SqliteLibrary;
  /** Carries calls of {@linkcode SnapshotMethods}. */
  readonly replica: MessagePort;
}

/** Methods of the snapshot Worker. An error with code `damage` means a damaged database: the node must stop. */
export interface SnapshotMethods {
  /** Copies the database, in the place of the last copy. */
  copy: { params: Record<string, never>; result: SnapshotPart };
  /** Removes the copy. */
  drop: { params: Record<string, never>; result: void };
  /** A piece of the copy, and how many bytes of the file it stands for; compressed where that makes it shorter. */
  read: {
    params: { offset: number; length: number; compress: boolean };
    result: SnapshotPiece & { readonly bytes: number };
  };
  /** Begins to receive, or goes on: how many bytes are here already. */
  begin: { params: { part: SnapshotPart }; result: number };
  /** Takes the next piece. */
  write: { params: { id: string; offset: number; piece: SnapshotPiece }; result: void };
  /** Verifies what has arrived whole: it is ready to be adopted. */
  stage: { params: { part: SnapshotPart }; result: void };
  /** Answered when everything asked before is done. */
  awake: { params: Record<string, never>; result: void };
  /** Holds on to the database as it is now: the index that it has applied. */
  view: { params: Record<string, never>; result: number };
  /** SHA-256 of the content of that view in hex; the view ends. */
  hash: { params: Record<string, never>; result: string };
}

/** First message to a reader Worker, on its global scope. */
export interface OpenReader {
  /** Message kind. */
  readonly k: "open";
  /** Path of the database file; the writer has opened it before. */
  readonly path: string;
  /** Whether foreign keys are enforced; only shown in pragmas. */
  readonly foreignKeys: boolean;
  /** The SQLite library, with its extensions. */
  readonly library: SqliteLibrary;
  /** Shared with whoever may end what runs; see control.ts. */
  readonly control: SharedArrayBuffer;
  /** Counts the bytes of answers in flight; see rpc/answer_budget.ts. */
  readonly answers: SharedArrayBuffer;
  /** Bytes of each temporary file of a statement (`-db-max-temp-size`). */
  readonly tempBytesMax: number;
  /** Carries {@linkcode ToReader} in and {@linkcode FromReader} out. */
  readonly port: MessagePort;
}

/** The http side of a reader. */
export interface ReaderLine {
  /** Carries {@linkcode ToReader} out and {@linkcode FromReader} in. */
  readonly port: MessagePort;
  /** The number of its current request, and of the one to abort. */
  readonly ticket: TicketPlace;
}

/** http → reader. */
export type ToReader =
  | { readonly k: "read"; readonly requests: PackedReads }
  | { readonly k: "reopen" } // another file has taken the database's place
  | { readonly k: "close" };

/** Reader → http. */
export type FromReader =
  | { readonly k: "ready" }
  | { readonly k: "results"; readonly results: PackedReadResults }
  | { readonly k: "failed"; readonly message: string };

/**
 * The messages of the SQLite Workers; types only. The replica talks to the writer, http Workers talk to readers, and
 * the writer answers whoever waits for an entry directly, through a port of its own.
 * @module
 */

import type { BoundStatement } from "../sql/command.ts";
import type { RenderOptions } from "./render.ts";

/** Where the outcome of an entry goes: only the node that took the request has one. */
export interface Waiter {
  /** 0 is the replica itself (forwarded requests), 1 and up are the http Workers in the order given at open. */
  readonly port: number;
  /** The asker's own number for the request; comes back in the {@linkcode Outcome}. */
  readonly ref: number;
  /** How to render the results. */
  readonly options: RenderOptions;
}

/** A committed log entry on its way into the database. */
export interface ApplyEntry {
  /** Log index; entries at or below the applied index are skipped. */
  readonly index: number;
  /** Term of the entry. */
  readonly term: number;
  /** Only commands touch the database; the others move the applied index. */
  readonly kind: "noop" | "command" | "config";
  /** What `encodeCommand` made, stamped by the leader; ignored for other kinds. */
  readonly body: Uint8Array;
  /** Who wants the results, if anyone here does. */
  readonly waiter?: Waiter;
}

/** First message to the writer Worker, on its global scope. */
export interface OpenWriter {
  /** Message kind. */
  readonly k: "open";
  /** Path of the database file; its folder exists. */
  readonly path: string;
  /** Whether foreign keys are enforced (`-fk`): the same on every node. */
  readonly foreignKeys: boolean;
  /** Carries {@linkcode ToWriter} in, {@linkcode FromWriter} and the outcomes of port 0 out. */
  readonly replica: MessagePort;
  /** Ports 1 and up: {@linkcode Outcomes} out. */
  readonly http: readonly MessagePort[];
}

/** Replica → writer. */
export type ToWriter =
  | { readonly k: "apply"; readonly entries: readonly ApplyEntry[] }
  | { readonly k: "status"; readonly ref: number }
  | { readonly k: "close" };

/**
 * Writer → replica; `applied` follows every COMMIT, and every checkpoint that moved `durable`: up to there the log may
 * be cut (spec/raft.md A8).
 */
export type FromWriter =
  | { readonly k: "ready"; readonly applied: number; readonly term: number }
  | { readonly k: "applied"; readonly index: number; readonly term: number; readonly durable: number }
  | { readonly k: "status"; readonly ref: number; readonly status: Record<string, unknown> }
  | { readonly k: "closed" }
  | { readonly k: "failed"; readonly message: string };

/** What one entry came to. */
export interface Outcome {
  /** The waiter's own number. */
  readonly ref: number;
  /** Log index of the entry. */
  readonly index: number;
  /** Text of the JSON array `results`. */
  readonly results: string;
  /** Top-level error: the request failed as a whole. */
  readonly error?: string;
}

/** Writer → the port of the waiters: all outcomes of one COMMIT in one message. */
export interface Outcomes {
  /** Message kind. */
  readonly k: "outcomes";
  /** In log order. */
  readonly outcomes: readonly Outcome[];
}

/** First message to a reader Worker, on its global scope. */
export interface OpenReader {
  /** Message kind. */
  readonly k: "open";
  /** Path of the database file; the writer has opened it before. */
  readonly path: string;
  /** Whether foreign keys are enforced; only shown in pragmas. */
  readonly foreignKeys: boolean;
  /** Carries {@linkcode ToReader} in and {@linkcode FromReader} out. */
  readonly port: MessagePort;
}

/** One read request. */
export interface ReadRequest {
  /** The asker's own number; comes back in the {@linkcode ReadResult}. */
  readonly ref: number;
  /** What to run, in order. */
  readonly statements: readonly BoundStatement[];
  /** Whether all statements see one snapshot. */
  readonly transaction: boolean;
  /** How to render the results. */
  readonly options: RenderOptions;
  /** Time for the whole request in milliseconds, checked between rows; 0 for no limit. */
  readonly timeoutMs: number;
  /** `/db/request`: answer `writes` instead of running when any statement is not read-only. */
  readonly onlyIfReadOnly: boolean;
}

/** What a read request came to. */
export interface ReadResult {
  /** The asker's own number. */
  readonly ref: number;
  /** Text of the JSON array `results`. */
  readonly results: string;
  /** Nothing was run: a statement writes or does not compile, so the request belongs into the log. */
  readonly writes?: true;
  /** Top-level error. */
  readonly error?: string;
}

/** http → reader. */
export type ToReader = { readonly k: "read"; readonly requests: readonly ReadRequest[] } | { readonly k: "close" };

/** Reader → http. */
export type FromReader =
  | { readonly k: "ready" }
  | { readonly k: "results"; readonly results: readonly ReadResult[] }
  | { readonly k: "failed"; readonly message: string };

/**
 * Errors of operations. Each protocol has its own way to report them; between nodes they travel as failure.ts says.
 * @module
 */
import type { Verdict } from "../users/verdict.ts";

/** An operation failed as a whole. */
export class RequestError extends Error {
  /** Always `RequestError`. */
  override readonly name = "RequestError";
  /** Whether nothing was written, or nobody can say whether it was (X6). */
  readonly outcome: "none" | "unknown";
  /** Nothing was done, as no leader is known here or it cannot be reached: another node may know more, or this one soon. */
  readonly leaderless: boolean;

  constructor(message: string, outcome: "none" | "unknown" = "none", { leaderless = false } = {}) {
    super(message);
    this.outcome = outcome;
    this.leaderless = leaderless;
  }
}

/** An operation was refused for now; nothing was done, and it may be tried again a little later. */
export class BusyError extends Error {
  /** Always `BusyError`. */
  override readonly name = "BusyError";
}

/** An operation asks for more than can be done; nothing was done. */
export class TooLargeError extends Error {
  /** Always `TooLargeError`. */
  override readonly name = "TooLargeError";
}

/** A database file was not loaded, as something is wrong with it; nothing has changed. */
export class LoadError extends Error {
  /** Always `LoadError`. */
  override readonly name = "LoadError";
}

/** No leader is known. Nothing was done. */
export class NoLeaderError extends Error {
  /** Always `NoLeaderError`. */
  override readonly name = "NoLeaderError";

  constructor() {
    super("leader not found");
  }
}

/** Only the leader can do it, and this node does not lead. Nothing was done. */
export class NotLeaderError extends Error {
  /** Always `NotLeaderError`. */
  override readonly name = "NotLeaderError";

  constructor() {
    super("not leader");
  }
}

/** An operation failed for a reason that is for people alone. */
export class OperationError extends Error {
  /** `OperationError`, or the name of a class of its own. */
  override readonly name: string = "OperationError";
}

/** What was queued is still in the queue when the time to wait for it is up. */
export class QueueWaitError extends Error {
  /** Always `QueueWaitError`. */
  override readonly name = "QueueWaitError";

  constructor() {
    super("queue wait timeout");
  }
}

/** Too many blocking queries wait already. */
export class TooManyWaitError extends Error {
  /** Always `TooManyWaitError`. */
  override readonly name = "TooManyWaitError";
}

/** The node that was to do it does not let the client. */
export class RefusedError extends Error {
  /** Always `RefusedError`. */
  override readonly name = "RefusedError";
  readonly why: Exclude<Verdict, { k: "allowed" }>;

  constructor(why: Exclude<Verdict, { k: "allowed" }>) {
    super("not authorized");
    this.why = why;
  }
}

/** Another node could not be asked, or did not answer. */
export class ForwardError extends Error {
  /** Always `ForwardError`. */
  override readonly name = "ForwardError";
  /**
   * `not_sent`: nothing was done; `remote`: the other node refused the call; `no_servers`: a client agent knows none;
   * `canceled`: nobody waits any more; `unknown`: it may have been done.
   */
  readonly code: ForwardCode;

  constructor(message: string, code: ForwardCode) {
    super(message);
    this.code = code;
  }
}

/** See {@linkcode ForwardError.code}; `failed` is any other reason. */
export type ForwardCode = typeof FORWARD_CODES[number];

/** All of them. */
export const FORWARD_CODES = ["not_sent", "remote", "no_servers", "canceled", "unknown", "failed"] as const;

/** The other node was asked and failed: `cause` is what it threw, as if it had been thrown here. */
export class RemoteFailure extends Error {
  /** Always `RemoteFailure`. */
  override readonly name = "RemoteFailure";
  /** The failure itself. */
  override readonly cause: Error;
  /** HTTP address of the node that answered. */
  readonly servedBy: string;

  constructor(cause: Error, servedBy: string) {
    super(cause.message, { cause });
    this.cause = cause;
    this.servedBy = servedBy;
  }
}

/** The failure itself, wherever it happened. */
export function unwrapped(error: unknown): unknown {
  return error instanceof RemoteFailure ? error.cause : error;
}

/**
 * Errors of operations on the database. Each protocol has its own way to report them.
 * @module
 */

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

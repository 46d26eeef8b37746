/**
 * What can go wrong, from a program's view: what a statement did wrong, what was not done, and what is not known.
 * @module
 */

/** A request failed. */
export class MusterError extends Error {
  /** Name of the class. */
  override readonly name: string = "MusterError";
  /** Status of the answer; undefined where there was none. */
  readonly status: number | undefined;

  /** A failure with a text for people. */
  constructor(message: string, options: { readonly status?: number; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.status = options.status;
  }
}

/** SQLite refused a statement; of a transaction, nothing was done. */
export class SqlError extends MusterError {
  /** Always `SqlError`. */
  override readonly name = "SqlError";
  /** The place of the statement in the request. */
  readonly at: number;
  /** SQLite's extended result code, such as 2067 for a UNIQUE that is violated; undefined where it is not SQLite's error. */
  readonly code: number | undefined;

  /** A refusal in SQLite's words. */
  constructor(message: string, { at, code }: { readonly at: number; readonly code: number | undefined }) {
    super(message);
    this.at = at;
    this.code = code;
  }
}

/** Nobody could be asked: no node was reached that knows a leader. Nothing was done. */
export class UnavailableError extends MusterError {
  /** Always `UnavailableError`. */
  override readonly name = "UnavailableError";
}

/** A write was sent and no answer came: it may or may not have taken effect. */
export class UnknownOutcomeError extends MusterError {
  /** Always `UnknownOutcomeError`. */
  override readonly name = "UnknownOutcomeError";
}

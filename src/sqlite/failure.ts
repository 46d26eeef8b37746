/**
 * Which errors are results and which stop the node (spec/raft.md §4.3). Pure.
 *
 * A result is the same on every replica: the statement is wrong, or breaks a constraint. An environment error (disk
 * full, I/O error, damaged file) is this node's alone: recorded as the outcome of an entry it would be divergence, so it
 * leaves the state machine as an exception and ends the Worker.
 * @module
 */

/** A statement failed by muster's own rules: a result, like SQLite's own. */
export class StatementError extends Error {
  /** Always `StatementError`. */
  override readonly name = "StatementError";
}

const ERROR = 1;
const FULL = 13;
const TOOBIG = 18;
const CONSTRAINT = 19;
const MISMATCH = 20;
const MISUSE = 21;
const AUTH = 23;
const RANGE = 25;
const NOT_A_DATABASE = 26;
const READONLY = 8;
/**
 * A full-text index that disagrees with what it indexes. SQLite files it under CORRUPT, yet a client brings it about
 * with ordinary statements (deleting what was never in an external-content table), alike on every node: as an
 * environment error it would let one request stop the whole cluster for good.
 */
const CORRUPT_VIRTUAL_TABLE = 267;

/** Results by primary code. */
const RESULT_CODES: ReadonlySet<number> = new Set([ERROR, TOOBIG, CONSTRAINT, MISMATCH, AUTH, RANGE]);

/** SQLite's extended result code carried by an exception, or `null`. */
export function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error) || !("errcode" in error)) return null;
  return typeof error.errcode === "number" ? error.errcode : null;
}

/** The error text of a result, or `null` when the error is the environment's. */
export function resultMessage(error: unknown): string | null {
  if (error instanceof StatementError) return error.message;
  const code = sqliteCode(error);
  if (code === null || !(error instanceof Error)) return null;
  return RESULT_CODES.has(code & 0xff) || code === CORRUPT_VIRTUAL_TABLE ? error.message : null;
}

/** Whether a constraint was broken; a COMMIT fails with it over a deferred foreign key. */
export function isConstraint(error: unknown): boolean {
  return ((sqliteCode(error) ?? 0) & 0xff) === CONSTRAINT;
}

/** Whether the disk is full. */
export function isDiskFull(error: unknown): boolean {
  return ((sqliteCode(error) ?? 0) & 0xff) === FULL;
}

/** Whether a write was attempted on a read-only connection. */
export function isReadOnly(error: unknown): boolean {
  return ((sqliteCode(error) ?? 0) & 0xff) === READONLY;
}

/** Whether the text given to `prepare` held no statement. */
export function isMisuse(error: unknown): boolean {
  return ((sqliteCode(error) ?? 0) & 0xff) === MISUSE;
}

/** Whether the file is not an SQLite database. */
export function isNotDatabase(error: unknown): boolean {
  return ((sqliteCode(error) ?? 0) & 0xff) === NOT_A_DATABASE;
}

/**
 * Classifies errors by their cause (A13). Pure.
 *
 * *The statement's*: it is wrong, breaks a constraint, exceeds a limit that is the same everywhere. It is a result, and
 * the same on every replica. *The environment's*: this node's disk, memory or file system; recorded as the outcome of an
 * entry it would be divergence, so it leaves the state machine as an exception. *Damage*: the database is not what was
 * written. *Cancelled*: this node ended it, on its way down or because nobody waits any more.
 *
 * SQLite's code alone does not tell: SQLITE_FULL is a full disk or a full range of rowids, SQLITE_NOMEM a lack of memory
 * or a limit. What decides is whether an operation on a file failed meanwhile, or the system gave no memory, and on which
 * file ({@linkcode SqliteError.io}).
 * @module
 */

import type { Failure } from "../../core/sql/failure.ts";
import { RowTooLargeError, SqliteError } from "../libsqlite/driver.ts";

/** A statement failed by muster's own rules: a result, like SQLite's own. */
export class StatementError extends Error {
  /** Always `StatementError`. */
  override readonly name = "StatementError";
}

/** The entry must be run again, in a transaction of its own, with one statement marked as failed. */
export class RestartEntry extends Error {
  /** Always `RestartEntry`. */
  override readonly name = "RestartEntry";
  /** Number of the statement within the entry. */
  readonly statementNumber: number;
  /** What to report for it. */
  readonly failure: Failure;
  /** Whether the statement runs only where somebody waits for its result: the other replicas know nothing of it. */
  readonly isPrivate: boolean;

  /** Marks the statement as one that fails. */
  constructor(statementNumber: number, failure: Failure, isPrivate: boolean) {
    super(failure.message);
    this.statementNumber = statementNumber;
    this.failure = failure;
    this.isPrivate = isPrivate;
  }
}

/** The entry must be run in a transaction of its own; `sql` is why. */
export class IsolateEntry extends Error {
  /** Always `IsolateEntry`. */
  override readonly name = "IsolateEntry";
  /** The statement; empty where the entry as a whole is why. */
  readonly sql: string;

  /** @param sql Text of the statement. */
  constructor(sql: string) {
    super("the entry needs a transaction of its own");
    this.sql = sql;
  }
}

/** A statement has failed before in this entry. */
export class DoomedError extends StatementError {
  /** How. */
  readonly failure: Failure;

  /** @param failure How it has failed. */
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Statements known to fail, by number, with their errors. */
export type Doomed = ReadonlyMap<number, Failure>;

/** The error of a write where only reads are allowed. */
export const WRITE_IN_QUERY = "attempt to change database via query operation";

/** The cause of an error. */
export type Cause = "statement" | "environment" | "damage" | "cancelled";

/** The cause of a result code: always the same one, or the environment if that failed, else the statement. */
type Rule = Cause | "environment, where a file or the memory failed";

const IF_FAILED: Rule = "environment, where a file or the memory failed";

/** Every primary result code of SQLite (sqlite.org/rescode.html), by number. */
export const RESULT_CODES: ReadonlyMap<number, { readonly name: string; readonly rule: Rule }> = new Map([
  [1, { name: "SQLITE_ERROR", rule: "statement" }],
  [2, { name: "SQLITE_INTERNAL", rule: "statement" }],
  [3, { name: "SQLITE_PERM", rule: "environment" }],
  [4, { name: "SQLITE_ABORT", rule: "statement" }],
  [5, { name: "SQLITE_BUSY", rule: "environment" }],
  [6, { name: "SQLITE_LOCKED", rule: "statement" }],
  [7, { name: "SQLITE_NOMEM", rule: IF_FAILED }],
  [8, { name: "SQLITE_READONLY", rule: "environment" }],
  [9, { name: "SQLITE_INTERRUPT", rule: "statement" }],
  [10, { name: "SQLITE_IOERR", rule: "environment" }],
  [11, { name: "SQLITE_CORRUPT", rule: "damage" }],
  [12, { name: "SQLITE_NOTFOUND", rule: "statement" }],
  [13, { name: "SQLITE_FULL", rule: IF_FAILED }],
  [14, { name: "SQLITE_CANTOPEN", rule: IF_FAILED }],
  [15, { name: "SQLITE_PROTOCOL", rule: "environment" }],
  [16, { name: "SQLITE_EMPTY", rule: "statement" }],
  [17, { name: "SQLITE_SCHEMA", rule: "statement" }],
  [18, { name: "SQLITE_TOOBIG", rule: "statement" }],
  [19, { name: "SQLITE_CONSTRAINT", rule: "statement" }],
  [20, { name: "SQLITE_MISMATCH", rule: "statement" }],
  [21, { name: "SQLITE_MISUSE", rule: "statement" }],
  [22, { name: "SQLITE_NOLFS", rule: "environment" }],
  [23, { name: "SQLITE_AUTH", rule: "statement" }],
  [24, { name: "SQLITE_FORMAT", rule: "damage" }],
  [25, { name: "SQLITE_RANGE", rule: "statement" }],
  [26, { name: "SQLITE_NOTADB", rule: "damage" }],
  [27, { name: "SQLITE_NOTICE", rule: "statement" }],
  [28, { name: "SQLITE_WARNING", rule: "statement" }],
]);

/**
 * Extended codes that are not judged as their primary one: a full-text index that disagrees with what it indexes, and a
 * sqlite_sequence of another shape. SQLite files them under CORRUPT, yet a client brings them about with ordinary
 * statements, alike on every node. An I/O error for want of memory is judged as that.
 */
export const EXTENDED_CODES: ReadonlyMap<number, { readonly name: string; readonly rule: Rule }> = new Map([
  [11 | 1 << 8, { name: "SQLITE_CORRUPT_VTAB", rule: "statement" }],
  [11 | 2 << 8, { name: "SQLITE_CORRUPT_SEQUENCE", rule: "statement" }],
  [10 | 12 << 8, { name: "SQLITE_IOERR_NOMEM", rule: IF_FAILED }],
]);

const BUSY = 5;
const FULL = 13;
const IOERR = 10;
const PROTOCOL = 15;
const READONLY = 8;
const UNAUTHORIZED = 23;
const NOT_A_DATABASE = 26;

/** SQLite's extended result code carried by an exception, or `null`. */
export function sqliteCode(error: unknown): number | null {
  return error instanceof SqliteError ? error.code : null;
}

function primaryCode(error: unknown): number {
  return (sqliteCode(error) ?? 0) & 0xff;
}

/** The cause of an error; for errors that SQLite did not report it is the environment. */
export function causeOf(error: unknown): Cause {
  if (error instanceof StatementError || error instanceof RowTooLargeError) return "statement";
  if (!(error instanceof SqliteError)) return "environment";
  if (error.stop === "cancelled") return "cancelled";
  if (error.stop !== "none") return "statement";
  const { rule } = EXTENDED_CODES.get(error.code) ?? RESULT_CODES.get(error.code & 0xff) ?? { rule: "environment" };
  if (rule !== IF_FAILED) return rule as Cause;
  return error.io.code === 0 ? "statement" : "environment";
}

/** What a read comes to whose time is over. */
export const QUERY_TIMEOUT = "query timeout";
/** Bytes of each temporary file of a read (`-db-max-temp-size`). */
export const READ_TEMP_BYTES_DEFAULT = 1024 * 1024 * 1024;

/** The limits in force, for the messages of what exceeds them. */
export interface Limits {
  /** Steps of the virtual machine. */
  readonly steps: number;
  /** Bytes that the large values of a statement may take together. */
  readonly valueBytes: number;
  /** Bytes of a temporary file. */
  readonly tempBytes: number;
}

/** An error as a result shows it, with `message` for its text; one that stopped a statement from outside is not SQLite's. */
export function failureOf(error: unknown, message: string): Failure {
  if (!(error instanceof SqliteError) || error.stop !== "none") return { message };
  const { code: extendedCode, io } = error;
  const code = extendedCode & 0xff;
  return {
    message,
    sqlite: { code, extendedCode, ...(code === IOERR && io.errno !== 0 ? { systemErrno: io.errno } : {}) },
  };
}

/** The error text of a result, or `null` when the error is none. */
export function resultMessage(error: unknown, limits: Limits): string | null {
  if (causeOf(error) !== "statement" || !(error instanceof Error)) return null;
  if (!(error instanceof SqliteError)) return error.message;
  switch (error.stop) {
    case "steps":
      return `statement exceeded its limit of ${limits.steps} steps (-db-max-steps, db_timeout)`;
    case "time":
      return QUERY_TIMEOUT;
    case "memory":
      return `statement exceeded its limit of ${limits.valueBytes} bytes for large values`;
    case "temporary":
      return `statement exceeded its limit of ${limits.tempBytes} bytes for a temporary file (-db-max-temp-size)`;
    case "compile":
      return "statement is too complex: it exceeded the limit of the compiler; split it into smaller ones";
    default:
      return error.message;
  }
}

/** The system's number for a disk without room. */
const ENOSPC = 28;

/** Whether the disk of the database or of the temporary files is full. */
export function isDiskFull(error: unknown): boolean {
  if (error instanceof Error && "code" in error && error.code === "ENOSPC") return true; // by the runtime, not by SQLite
  // The index of the WAL, which a database that was closed does not have, is made by another call of the system.
  if (error instanceof SqliteError && primaryCode(error) === IOERR && error.io.errno === ENOSPC) return true;
  return primaryCode(error) === FULL && causeOf(error) === "environment";
}

/** Whether another process holds the database, or holds it up. */
export function isLocked(error: unknown): boolean {
  return primaryCode(error) === BUSY || primaryCode(error) === PROTOCOL;
}

/** Whether a write was attempted on a read-only connection. */
export function isReadOnly(error: unknown): boolean {
  return primaryCode(error) === READONLY;
}

/** Whether the authorizer has refused a statement. */
export function isUnauthorized(error: unknown): boolean {
  return primaryCode(error) === UNAUTHORIZED;
}

/** Whether the file is not an SQLite database. */
export function isNotDatabase(error: unknown): boolean {
  return primaryCode(error) === NOT_A_DATABASE;
}

/** Whether it was an operation on a temporary file that failed, or the memory: it concerns one statement, not the database. */
export function isAboutTemporaryFile(error: unknown): boolean {
  return error instanceof SqliteError && (error.io.file === "temporary" || error.io.file === "none");
}

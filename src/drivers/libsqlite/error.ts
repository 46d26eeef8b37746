/**
 * Errors of SQLite and of its driver.
 * @module
 */

import type { Control, FileKind, Stop } from "./control.ts";

/** An error of SQLite. */
export class SqliteError extends Error {
  /** Always `SqliteError`. */
  override readonly name = "SqliteError";
  /** Extended result code. */
  readonly code: number;
  /** Why it was stopped; `none` where it failed by itself. */
  readonly stop: Stop;
  /** The operation on a file that failed last meanwhile: SQLite's code (0: none failed), the system's, the file. */
  readonly io: { readonly code: number; readonly errno: number; readonly file: FileKind };

  /** @param control As the call has left it. */
  constructor(message: string, code: number, control: Control) {
    super(message);
    this.code = code;
    this.stop = control.stop;
    this.io = { code: control.ioCode, errno: control.ioErrno, file: control.ioFile };
  }
}

/** A row does not fit into memory. */
export class RowTooLargeError extends Error {
  /** Always `RowTooLargeError`. */
  override readonly name = "RowTooLargeError";

  /**
   * @param bytes What the row takes.
   * @param bytesMax What it may take.
   */
  constructor(bytes: number, bytesMax: number) {
    super(`a row of ${bytes} bytes exceeds the limit of ${bytesMax} bytes: select fewer columns or parts of them`);
  }
}

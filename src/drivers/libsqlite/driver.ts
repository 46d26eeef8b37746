/**
 * SQLite through our own library: connections and prepared statements, after the interface of `@db/sqlite`.
 *
 * - A JavaScript `number` binds as REAL even when whole, a `bigint` as INTEGER: just what {@linkcode SqlValue} means.
 *   Integers are exact, TEXT is whole whatever it holds; bytes that are no UTF-8 come out as U+FFFD.
 * - A statement runs under the limits of the {@linkcode Control} that it is given, the connection's own by default, which
 *   has none. It is stopped at a limit, or by another thread through the control, whatever it computes.
 * - What failed is a {@linkcode SqliteError}, with SQLite's extended code, the reason why it was stopped, and the last
 *   operation on a file that failed meanwhile.
 * - While a statement compiles, the authorizer records what it would do ({@linkcode Database.prepare}); PRAGMAs, which
 *   act when they are compiled, are refused there unless they are let through.
 * - A connection that was closed and a statement that was finalized refuse to be used.
 *
 * @module
 */

import type { EncodedValues } from "../../core/sql/command.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import { Control } from "./control.ts";
import { RowTooLargeError, SqliteError } from "./error.ts";
import { ExtensionError, LOAD_EXTENSION, loadExtension } from "./extension.ts";
import { bundledLibrary, openLibrary, type SqliteLibrary, type Symbols } from "./library.ts";
import { Packer, type Row, textOf, unpackRows } from "./packing.ts";

export { RowTooLargeError, SqliteError } from "./error.ts";
export type { Row } from "./packing.ts";

/**
 * Longest text or BLOB in bytes. Replicas must have the same, and entries of the log are applied with today's. One
 * operation on a value is not interrupted everywhere: with this limit it takes less than a second.
 */
export const VALUE_BYTES_MAX = 64 * 1024 * 1024;
/** The limit of earlier versions: what they have stored is still copied, checked and compared. V8 has no strings of 512 MiB. */
export const STORED_BYTES_MAX = 256 * 1024 * 1024;
/** A row of a result may take so many times the bytes of a value. */
const ROW_VALUES_MAX = 2;
/** Bytes that a row of a result may take. */
export const ROW_BYTES_MAX = ROW_VALUES_MAX * VALUE_BYTES_MAX;

/** Rows are fetched in pieces of so many bytes. */
const PIECE_BYTES = 64 * 1024;
/** Room for more is given back when a statement ends. */
const KEPT_PIECE_BYTES = 1024 * 1024;
/** Looks of the compiler before it gives up: some seconds' worth (COMPARISONS in library/muster.c are between two of them). */
const COMPILE_LOOKS = 2_000n;
/** Instructions of one statement: of views upon views, say. */
const INSTRUCTIONS_MAX = 2_000_000;
/** Arguments of one function, as in rqlite's build. */
const ARGUMENTS_MAX = 127;

const OK = 0;
const ROW = 100;
const DONE = 101;
/** `sqlite3_open_v2()` (sqlite.org/c3ref/c_open_autoproxy.html): read, read and write, create. */
const OPEN_READ = 0x1;
const OPEN_WRITE = 0x2 | 0x4;
/** The options of a connection that can be set. */
export const CONFIG = {
  foreignKeys: 1002,
  triggers: 1003,
  stablePlans: 1007,
  defensive: 1010,
  doubleQuotedDml: 1013,
  doubleQuotedDdl: 1014,
  trustedSchema: 1017,
} as const;
/** `sqlite3_limit()` (sqlite.org/c3ref/c_limit_attached.html). */
const LIMIT_LENGTH = 0;
const LIMIT_INSTRUCTIONS = 5;
const LIMIT_ARGUMENTS = 6;

/** A column of a result. */
export interface ResultColumn {
  /** Its name in the result. */
  readonly name: string;
  /** Table it comes from, or `null` for an expression. */
  readonly table: string | null;
  /** Declared type as written in the schema, or `null` for an expression. */
  readonly declaredType: string | null;
}

/** Effects of a write; valid until the next call with the same control. Beyond 2^53 they are bigints. */
export interface Changes {
  /** `sqlite3_changes64` after the statement. */
  readonly changes: number | bigint;
  /** `sqlite3_last_insert_rowid` after the statement. */
  readonly lastInsertRowid: number | bigint;
}

/** Something that a statement does, as SQLite's authorizer is told while it compiles (sqlite.org/c3ref/set_authorizer.html). */
export interface Action {
  /** Code of the action. */
  readonly action: number;
  /** First argument. */
  readonly first: string | null;
  /** Second argument; of a read always `null`. */
  readonly second: string | null;
  /** Database concerned, `main` or `temp`. */
  readonly database: string | null;
}

/** How to open a database. */
export interface OpenOptions {
  /** Refuses all writes. */
  readonly readOnly: boolean;
  /** Whether foreign keys are enforced. */
  readonly foreignKeys: boolean;
  /** The library, with its extensions. @default {{ path: bundledLibrary(), extensions: [] }} */
  readonly library?: SqliteLibrary;
  /** Longest text or BLOB in bytes. @default {VALUE_BYTES_MAX} */
  readonly valueBytesMax?: number;
}

const utf8Encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

function terminated(text: string): Uint8Array<ArrayBuffer> {
  return utf8Encoder.encode(`${text}\0`);
}

/** A connection. */
export class Database {
  /** Of statements that are given none: no limits. */
  readonly control = new Control();
  /** Modules of virtual tables that extensions have added, in lower case. */
  readonly extensionModules: ReadonlySet<string>;
  /** Paths of the extensions. */
  readonly extensions: readonly string[];
  readonly #symbols: Symbols;
  readonly #packer: Packer;
  /** `undefined`: closed. */
  #handle: bigint | undefined;
  #isTransaction = false;
  /** Those that were not finalized. */
  readonly #statements = new Set<Statement>();
  #hasDeferredViolations = false;
  readonly #rowBytesMax: number;
  #piece = new Uint8Array(PIECE_BYTES);
  #pieceAddress: bigint;
  /** The statement whose rows are walked. */
  #walking: Statement | null = null;

  /**
   * Opens a connection, with rqlite's settings: double-quoted text that names nothing is a string, foreign keys as asked.
   * Clients can neither write the tables behind a full-text index nor the schema as text.
   * @param path A file, or `:memory:`.
   * @throws {SqliteError} When it cannot be opened.
   * @throws {ExtensionError} When an extension cannot be loaded.
   */
  constructor(
    path: string,
    { readOnly, foreignKeys, library, valueBytesMax = VALUE_BYTES_MAX }: OpenOptions,
  ) {
    this.#rowBytesMax = ROW_VALUES_MAX * valueBytesMax;
    const { path: libraryPath, extensions } = library ?? { path: bundledLibrary(), extensions: [] };
    this.#symbols = openLibrary(libraryPath);
    this.#packer = new Packer(this.#symbols.muster_address);
    this.#pieceAddress = this.#symbols.muster_address(this.#piece);
    const out = new BigInt64Array(1);
    const temporary = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
    const code = this.#symbols.muster_open(
      terminated(path),
      readOnly ? OPEN_READ : OPEN_WRITE,
      terminated(temporary),
      this.control.bytes,
      new Uint8Array(out.buffer),
    );
    this.control.setRandom(0, 0, 0, 0);
    this.#handle = out[0] || undefined;
    if (code !== OK) {
      const error = this.isOpen ? this.#error(code) : new SqliteError("out of memory", code, this.control);
      this.close();
      throw error;
    }
    const connection = this.#symbols.muster_connection(this.handle);
    this.#symbols.sqlite3_limit(connection, LIMIT_LENGTH, valueBytesMax);
    this.#symbols.sqlite3_limit(connection, LIMIT_INSTRUCTIONS, INSTRUCTIONS_MAX);
    this.#symbols.sqlite3_limit(connection, LIMIT_ARGUMENTS, ARGUMENTS_MAX);
    this.configure("foreignKeys", foreignKeys);
    this.configure("defensive", true);
    this.extensions = extensions;
    this.extensionModules = extensions.length === 0 ? new Set() : this.#load(libraryPath);
  }

  /** Loads the extensions. @returns The modules that they have added. */
  #load(libraryPath: string): Set<string> {
    const before = moduleNames(this);
    this.#symbols.muster_config(this.handle, LOAD_EXTENSION, 1);
    for (const file of this.extensions) {
      const code = loadExtension(libraryPath, this.#symbols.muster_connection(this.handle), file);
      if (code === OK) continue;
      const { message } = this.#error(code);
      this.close();
      throw new ExtensionError(file, message);
    }
    this.#symbols.muster_config(this.handle, LOAD_EXTENSION, 0);
    return moduleNames(this).difference(before);
  }

  /** Whether a transaction is open, as of the last call. */
  get isTransaction(): boolean {
    return this.#isTransaction;
  }

  /** Whether deferred foreign keys are violated in the open transaction, as of the last call. */
  get hasDeferredViolations(): boolean {
    return this.#hasDeferredViolations;
  }

  /** Whether it was not closed. */
  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  /** Native handle of the connection. @throws {TypeError} When it was closed. */
  get handle(): bigint {
    if (this.#handle === undefined) throw new TypeError("The database connection is closed");
    return this.#handle;
  }

  /** The native functions. */
  get symbols(): Symbols {
    return this.#symbols;
  }

  /** Sets an option of the connection, whether or not a transaction is open. @returns What holds then. */
  configure(option: keyof typeof CONFIG, isOn: boolean): boolean {
    return this.#symbols.muster_config(this.handle, CONFIG[option], isOn ? 1 : 0) === 1;
  }

  /**
   * Compiles the first statement of a text.
   * @param mayPragma Whether PRAGMAs with a value may act.
   * @throws {SqliteError} When it does not compile.
   */
  prepare(sql: string, { mayPragma = true, control = this.control } = {}): Statement {
    const text = utf8Encoder.encode(sql);
    const { bytes } = control;
    const code = this.#symbols.muster_prepare(
      this.handle,
      text,
      text.length,
      mayPragma ? 1 : 0,
      COMPILE_LOOKS,
      bytes,
    );
    this.#sync(control);
    if (code !== OK || control.stop !== "none") throw this.#error(code, control);
    const statement = new Statement(this, control);
    if (!statement.isEmpty) this.#statements.add(statement);
    return statement;
  }

  /** Actions of the last compiled statement, including those attempted if it did not compile. */
  actions(): Action[] {
    const length = this.#symbols.muster_events(this.handle, new Uint8Array(0), 0);
    const bytes = new Uint8Array(length);
    this.#symbols.muster_events(this.handle, bytes, length);
    const view = new DataView(bytes.buffer);
    const actions: Action[] = [];
    for (let at = 0; at < length;) {
      const action = bytes[at];
      const present = bytes[at + 1];
      at += 2;
      const [first = null, second = null, database = null] = [0, 1, 2, 3].map((bit) => {
        if ((present & (1 << bit)) === 0) return null;
        const from = at + 4;
        at = from + view.getUint32(at, true);
        return textOf(bytes, from, at);
      });
      actions.push({ action, first, second, database });
    }
    return actions;
  }

  /** Lets the counts of all statements begin anew, those of virtual tables included: what a budget counts then is the same everywhere. */
  recount(): void {
    this.#symbols.muster_recount(this.handle);
  }

  /** Records changed rows from now on, or no more (library/muster.h); statements must be compiled anew. */
  capture(isOn: boolean): void {
    this.#symbols.muster_capture(this.handle, isOn ? 1 : 0);
  }

  /** Copies the records of changed rows to `room` where they fit; returns their bytes. */
  changes(room: Uint8Array<ArrayBuffer> = NOTHING): number {
    return this.#symbols.muster_changes(this.handle, room, room.length);
  }

  /** Drops the records behind the first `bytes`. */
  forgetChanges(bytes: number): void {
    this.#symbols.muster_forget(this.handle, bytes);
  }

  /** Begins to copy the database into that of another connection; hold a read transaction here meanwhile. */
  backup(target: Database): Backup {
    return new Backup(this, target);
  }

  /** Closes the connection and finalizes its statements. */
  close(): void {
    const handle = this.#handle;
    if (handle === undefined) return;
    for (const statement of [...this.#statements]) statement.finalize();
    this.#handle = undefined;
    this.#symbols.muster_close(handle);
  }

  /** @internal Ends a statement. */
  finalize(statement: Statement): void {
    if (!this.#statements.delete(statement)) return;
    this.#symbols.muster_finalize(this.handle, statement.handle);
  }

  /** @internal Runs a statement to its end. */
  run(statement: bigint, values: readonly SqlValue[] | EncodedValues, control: Control): void {
    this.#refuseNesting();
    const packer = this.#packer;
    const length = packer.pack(values);
    const code = this.#symbols.muster_run(this.handle, statement, packer.address, length, this.#addressOf(control));
    this.#sync(control);
    if (code !== DONE) throw this.#error(code, control);
  }

  /** @internal Gives the pieces of a statement's rows; each is valid until the next is asked for. */
  *pieces(
    owner: Statement,
    values: readonly SqlValue[],
    control: Control,
    { toTheEnd = false } = {},
  ): Generator<Uint8Array> {
    this.#refuseNesting();
    this.#walking = owner;
    let code = ROW;
    try {
      const length = this.#packer.pack(values);
      code = this.#rows(owner.handle, this.#packer.address, length, control);
      for (;;) {
        const error = code === ROW || code === DONE ? undefined : this.#error(code, control);
        // Those before an error, too: how many come at a time depends on what was read before.
        if (control.used > 0) yield this.#piece.subarray(0, control.used);
        if (error) throw error;
        if (code === DONE) return;
        if (control.needed > this.#rowBytesMax) {
          const error = new RowTooLargeError(control.needed, this.#rowBytesMax);
          if (toTheEnd) code = this.#finish(owner.handle, control);
          throw error;
        }
        this.#fit(control);
        code = this.#rows(owner.handle, 0n, -1, control);
      }
    } finally {
      this.#walking = null;
      if (this.#piece.length > KEPT_PIECE_BYTES) this.#resize(PIECE_BYTES);
      if (code === ROW && this.isOpen) {
        this.#symbols.muster_reset(this.handle, owner.handle, this.control.bytes);
      }
    }
  }

  /** Runs a statement whose rows are walked to its end; the rest of them goes nowhere. */
  #finish(statement: bigint, control: Control): number {
    const code = this.#symbols.muster_run(this.handle, statement, 0n, -1, this.#addressOf(control));
    this.#sync(control);
    if (code !== DONE) throw this.#error(code, control);
    return code;
  }

  #rows(statement: bigint, values: bigint, length: number, control: Control): number {
    const [room, roomBytes, shared] = [this.#pieceAddress, this.#piece.length, this.#addressOf(control)];
    const code = this.#symbols.muster_rows(this.handle, statement, values, length, room, roomBytes, shared);
    this.#sync(control);
    return code;
  }

  /** Makes room for the next row. */
  #fit({ needed }: Control): void {
    const length = Math.max(needed, PIECE_BYTES);
    if (this.#piece.length < needed || this.#piece.length > length * 4) this.#resize(length);
  }

  /** Frees the old buffer at once: it may be large, and garbage is collected late. */
  #resize(length: number): void {
    this.#piece.buffer.transfer(0);
    this.#piece = new Uint8Array(length);
    this.#pieceAddress = this.#symbols.muster_address(this.#piece);
  }

  /** Asked for once; whoever calls the native part with it keeps the structure. */
  #addressOf(control: Control): bigint {
    return control.address ??= this.#symbols.muster_address(control.bytes);
  }

  #refuseNesting(): void {
    if (this.#walking) throw new TypeError("Cannot run a statement while the rows of another one are walked");
  }

  #sync(control: Control): void {
    this.#isTransaction = !control.isAutocommit;
    this.#hasDeferredViolations = control.hasDeferredViolations;
  }

  /** @internal The error that the connection reports. */
  lastError(code = 1): SqliteError {
    return this.#error(code);
  }

  #error(code: number, control = this.control): SqliteError {
    let bytes = new Uint8Array(1024);
    const length = this.#symbols.muster_error(this.handle, bytes, bytes.length);
    if (length > bytes.length) {
      bytes = new Uint8Array(length);
      this.#symbols.muster_error(this.handle, bytes, bytes.length);
    }
    return new SqliteError(textOf(bytes, 4, length), code, control);
  }
}

/** A copy that is being made (sqlite.org/c3ref/backup_finish.html). */
export class Backup {
  readonly #target: Database;
  #handle: bigint;

  /** Use {@linkcode Database.backup}. */
  constructor(source: Database, target: Database) {
    this.#target = target;
    const { symbols } = target;
    this.#handle = symbols.sqlite3_backup_init(
      symbols.muster_connection(target.handle),
      terminated("main"),
      symbols.muster_connection(source.handle),
      terminated("main"),
    );
    if (this.#handle === 0n) throw target.lastError();
  }

  /**
   * Copies some pages.
   * @returns Whether there are more.
   * @throws {SqliteError} When it fails.
   */
  step(pages: number): boolean {
    if (this.#handle === 0n) throw new TypeError("The copy is finished");
    const { symbols, handle, control } = this.#target;
    const code = symbols.muster_backup_step(handle, this.#handle, pages, control.bytes);
    if (code !== OK && code !== DONE) throw this.#target.lastError(code);
    return code === OK;
  }

  /** Ends it, whole or not. @throws {SqliteError} When a page could not be copied. */
  finish(): void {
    const handle = this.#handle;
    this.#handle = 0n;
    if (handle === 0n) return;
    const code = this.#target.symbols.sqlite3_backup_finish(handle);
    if (code !== OK) throw this.#target.lastError(code);
  }
}

/** A prepared statement. */
export class Statement {
  /** Whether it changes nothing. */
  readonly isReadOnly: boolean;
  /** Number of its parameters. */
  readonly parameterCount: number;
  readonly #database: Database;
  readonly #columnCount: number;
  /** `undefined`: the text held no statement, or it was finalized. */
  #handle: bigint | undefined;
  #columns: readonly ResultColumn[] | undefined;

  /** Use {@linkcode Database.prepare}. */
  constructor(database: Database, control: Control) {
    this.#database = database;
    this.#handle = control.statement || undefined;
    this.#columnCount = control.columns;
    this.parameterCount = control.parameters;
    this.isReadOnly = control.isReadOnly;
  }

  /** Whether the text held no statement. */
  get isEmpty(): boolean {
    return this.#handle === undefined;
  }

  /** Native handle. @throws {TypeError} When it was finalized. */
  get handle(): bigint {
    if (this.#handle === undefined) throw new TypeError("The statement is finalized");
    return this.#handle;
  }

  /** Columns of its result; empty for a statement that returns none. */
  columns(): readonly ResultColumn[] {
    return this.#columns ??= this.#columnCount === 0 ? [] : this.#readColumns();
  }

  /** Runs it to its end; its rows go nowhere. */
  run(values: readonly SqlValue[] | EncodedValues = [], control: Control = this.#database.control): Changes {
    this.#database.run(this.handle, values, control);
    return control;
  }

  /** Runs it to its end and returns its rows. */
  all(values: readonly SqlValue[] = [], control: Control = this.#database.control): Row[] {
    const rows: Row[] = [];
    for (const piece of this.pieces(values, control)) rows.push(...unpackRows(piece, this.#columnCount));
    return rows;
  }

  /** Runs it row by row; nothing else may run on the connection meanwhile. */
  *iterate(values: readonly SqlValue[] = [], control: Control = this.#database.control): Generator<Row> {
    for (const piece of this.pieces(values, control)) yield* unpackRows(piece, this.#columnCount);
  }

  /**
   * Runs it and gives its rows as packed bytes, many at a time; each piece is valid until the next is asked for.
   * @param options `toTheEnd`: whether it runs to its end even where a row is too large.
   * @throws {RowTooLargeError} When a row exceeds {@linkcode ROW_BYTES_MAX}.
   */
  pieces(
    values: readonly SqlValue[] = [],
    control: Control = this.#database.control,
    options: { readonly toTheEnd?: boolean } = {},
  ): Generator<Uint8Array> {
    return this.#database.pieces(this, values, control, options);
  }

  /** Ends it; it cannot be used after that. */
  finalize(): void {
    if (this.#handle === undefined) return;
    this.#database.finalize(this);
    this.#handle = undefined;
  }

  #readColumns(): readonly ResultColumn[] {
    const { symbols } = this.#database;
    let bytes = new Uint8Array(4096);
    const length = symbols.muster_columns(this.handle, bytes, bytes.length);
    if (length > bytes.length) {
      bytes = new Uint8Array(length);
      symbols.muster_columns(this.handle, bytes, bytes.length);
    }
    return columnsOf(bytes, this.#columnCount);
  }
}

const NULL_LENGTH = 0xffff_ffff;

function columnsOf(bytes: Uint8Array, count: number): ResultColumn[] {
  const view = new DataView(bytes.buffer);
  let at = 0;
  const next = (): string | null => {
    const length = view.getUint32(at, true);
    at += 4;
    if (length === NULL_LENGTH) return null;
    at += length;
    return textOf(bytes, at - length, at);
  };
  return Array.from({ length: count }, () => ({ name: next() ?? "", table: next(), declaredType: next() }));
}

/** Runs a statement without parameters and returns its rows. */
export function runOnce(database: Database, sql: string): readonly Row[] {
  const statement = database.prepare(sql);
  try {
    return statement.all();
  } finally {
    statement.finalize();
  }
}

/** Modules of virtual tables that a connection knows, in lower case. */
function moduleNames(database: Database): Set<string> {
  return new Set(runOnce(database, "PRAGMA module_list").map(([name]) => String(name).toLowerCase()));
}

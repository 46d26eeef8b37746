/**
 * What the state machine and the readers need of an SQLite library, and its default implementation on `node:sqlite`.
 *
 * What `node:sqlite` of Deno 2.7 to 2.9 does, found by trying:
 * - A JavaScript `number` binds as REAL even when whole, a `bigint` as INTEGER: just what {@linkcode SqlValue} means.
 * - Integers are read exactly only with `setReadBigInts(true)`; it costs about a tenth and is always on.
 * - `prepare()` compiles the first statement of a text and ignores the rest. Text after a NUL is ignored too.
 * - Exceptions of prepared statements carry `errcode`; those of `exec()` do not, so `exec()` is not offered. An
 *   exception thrown in a user function arrives as it was thrown.
 * - `run()` takes one step and resets. That is all of a write, RETURNING or not, but only the first row of a read: a
 *   later row's error goes unseen.
 * - `iterate()` ends without a word where a step fails, even the first, and costs 50 µs before its first row and 2.7 µs
 *   per row; `all()` throws, and costs 0.4 µs per row. See `fetch.ts`.
 * - TEXT is read up to its first NUL character; it is bound and stored whole.
 * - Without `--allow-all` ATTACH is off, and VACUUM with it, which attaches its copy.
 * - A TEXT longer than V8's longest string (512 MiB) ends the process: the length limit is set below it where the
 *   runtime can (Deno 2.9).
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { SqlValue } from "../sql/value.ts";

declare module "node:sqlite" { // what the runtime has and its type declarations lack
  interface StatementSync {
    setReturnArrays(enabled: boolean): void;
  }
  interface DatabaseSync {
    enableDefensive?(enabled: boolean): void;
    setAuthorizer(
      callback: (action: number, first: string | null, second: string | null, database: string | null) => number,
    ): void;
  }
}

/** Longest text or BLOB in bytes; the same on every node. V8 ends the process over strings of 512 MiB. */
export const VALUE_BYTES_MAX = 256 * 1024 * 1024;

/** A row of results. */
export type Row = readonly SqlValue[];

/** Parameters in the form the driver binds. */
export interface Bindings {
  /** By full name, prefix included; `null` when the statement has no named parameters. */
  readonly named: Record<string, SqlValue> | null;
  /** The parameters without a name, in order. */
  readonly anonymous: readonly SqlValue[];
}

/** A column of a result. */
export interface ResultColumn {
  /** Its name in the result. */
  readonly name: string;
  /** Table it comes from, or `null` for an expression. */
  readonly table: string | null;
  /** Declared type as written in the schema, or `null` for an expression. */
  readonly declaredType: string | null;
}

/** What a write did. */
export interface Changes {
  /** `sqlite3_changes` after the statement. */
  readonly changes: bigint;
  /** `sqlite3_last_insert_rowid` after the statement. */
  readonly lastInsertRowid: bigint;
}

/** A prepared statement. */
export interface Statement {
  /** Columns of its result; empty for a statement that returns none. */
  columns(): readonly ResultColumn[];
  /** Runs a write to its end; of a read, only as far as its first row. */
  run(bindings: Bindings): Changes;
  /** Runs it to its end and returns its rows. */
  all(bindings: Bindings): readonly Row[];
  /**
   * Runs it row by row. Must be walked to the end or returned from before the next statement. It may end early, without
   * an error, where SQLite met one: whoever needs all rows must check.
   */
  iterate(bindings: Bindings): Iterable<Row>;
}

/** A function callable from SQL. */
export interface SqlFunction {
  /** Its name; replaces a built-in one. */
  readonly name: string;
  /** Number of arguments, or -1 for any. */
  readonly argumentCount: number;
  /** Whether SQLite may use it in indexes and generated columns and evaluate it once per statement. */
  readonly isDeterministic: boolean;
  /** Computes the value. */
  readonly call: (...args: SqlValue[]) => SqlValue;
}

/** Decides at compile time: returns whether the action is allowed (sqlite.org/c3ref/set_authorizer.html). */
export type Authorizer = (
  action: number,
  first: string | null,
  second: string | null,
  database: string | null,
) => boolean;

/** An open connection. */
export interface Database {
  /** Whether a transaction is open (not autocommit). */
  readonly isTransaction: boolean;
  /** Compiles one statement. */
  prepare(sql: string): Statement;
  /** Registers a function, replacing a built-in one of that name. */
  defineFunction(definition: SqlFunction): void;
  /** Installs the authorizer; once, as it recompiles every cached statement. */
  setAuthorizer(authorizer: Authorizer): void;
  /** Closes the connection. */
  close(): void;
}

/** How to open a database. */
export interface DriverOptions {
  /** Refuses all writes. */
  readonly readOnly: boolean;
  /** Whether foreign keys are enforced. */
  readonly foreignKeys: boolean;
}

const NO_BINDINGS: Bindings = { named: null, anonymous: [] };

function isRow(row: unknown): row is Row {
  return Array.isArray(row);
}

class NodeStatement implements Statement {
  readonly #statement: StatementSync;

  constructor(statement: StatementSync) {
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    this.#statement = statement;
  }

  columns(): readonly ResultColumn[] {
    return this.#statement.columns().map(({ name, table, type }) => ({ name, table, declaredType: type }));
  }

  run({ named, anonymous }: Bindings): Changes {
    const { changes, lastInsertRowid } = named === null
      ? this.#statement.run(...anonymous)
      : this.#statement.run(named, ...anonymous);
    return { changes: BigInt(changes), lastInsertRowid: BigInt(lastInsertRowid) };
  }

  all({ named, anonymous }: Bindings): readonly Row[] {
    const rows: readonly unknown[] = named === null
      ? this.#statement.all(...anonymous)
      : this.#statement.all(named, ...anonymous);
    if (!rows.every(isRow)) throw new TypeError("Expected rows as arrays from node:sqlite");
    return rows;
  }

  *iterate({ named, anonymous }: Bindings): Iterable<Row> {
    const rows: Iterable<unknown> = named === null
      ? this.#statement.iterate(...anonymous)
      : this.#statement.iterate(named, ...anonymous);
    for (const row of rows) {
      if (!isRow(row)) throw new TypeError("Expected rows as arrays from node:sqlite");
      yield row;
    }
  }
}

class NodeDatabase implements Database {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get isTransaction(): boolean {
    return this.#database.isTransaction;
  }

  prepare(sql: string): Statement {
    return new NodeStatement(this.#database.prepare(sql));
  }

  defineFunction({ name, argumentCount, isDeterministic, call }: SqlFunction): void {
    const options = { deterministic: isDeterministic, useBigIntArguments: true, varargs: argumentCount < 0 };
    const implementation = (...args: SqlValue[]) => call(...args);
    // node:sqlite takes the number of arguments from the function's `length`.
    Object.defineProperty(implementation, "length", { value: Math.max(argumentCount, 0) });
    this.#database.function(name, options, implementation);
  }

  setAuthorizer(authorizer: Authorizer): void {
    const allowed = 0;
    const denied = 1;
    this.#database.setAuthorizer((action, first, second, database) =>
      authorizer(action, first, second, database) ? allowed : denied
    );
  }

  close(): void {
    this.#database.close();
  }
}

/**
 * Opens a connection through `node:sqlite`, with rqlite's settings: double-quoted text that names nothing is a string,
 * foreign keys as asked.
 * @param path A file, or `:memory:`.
 */
export function openNodeSqlite(path: string, { readOnly, foreignKeys }: DriverOptions): Database {
  const options = {
    readOnly,
    enableForeignKeyConstraints: foreignKeys,
    enableDoubleQuotedStringLiterals: true,
    allowExtension: false,
    limits: { length: VALUE_BYTES_MAX }, // ignored by runtimes that do not know it
  };
  const database = new DatabaseSync(path, options);
  // Clients cannot write the tables behind a full-text index, nor the schema as text (sqlite.org/c3ref/c_dbconfig_defensive.html).
  database.enableDefensive?.(true);
  return new NodeDatabase(database);
}

/** Runs a statement without parameters and returns its rows. */
export function runOnce(database: Database, sql: string): readonly Row[] {
  return database.prepare(sql).all(NO_BINDINGS);
}

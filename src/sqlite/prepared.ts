/**
 * Prepared statements by their text, with what is worked out once for each, and the binding of a request's parameters
 * to the statements of its string.
 * @module
 */

import { type BoundStatement } from "../sql/command.ts";
import { parameterNames, type SqlPart } from "../sql/statement.ts";
import { TextCache } from "../sql/text_cache.ts";
import type { SqlValue } from "../sql/value.ts";
import type { Bindings, Database, ResultColumn, Statement } from "./driver.ts";
import { isMisuse, StatementError } from "./failure.ts";
import { type Shape, shapeOf } from "./render.ts";

/** Statements kept by a connection, in each of two generations. */
const STATEMENTS_MAX = 256;
/** Longer texts are compiled and forgotten. */
const KEPT_TEXT_LENGTH_MAX = 4096;

/** A compiled statement and what is known about it. */
export class Prepared {
  /** The statement. */
  readonly statement: Statement;
  /** Columns of its result. */
  readonly columns: readonly ResultColumn[];
  /** Names of its parameters by number; empty when none has a name. */
  readonly names: readonly (string | null)[];
  /** How `fetch.ts` reads its rows; `null` until it has looked. */
  fetching: Fetching | null = null;
  #plain: Shape | null = null;
  #qualified: Shape | null = null;

  /** Compiles `sql`, one statement. */
  constructor(database: Database, sql: string) {
    this.statement = compile(database, sql);
    this.columns = this.statement.columns();
    this.names = parameterNames(sql);
  }

  /** How to render its rows. */
  shape(qualifyColumns: boolean): Shape {
    if (qualifyColumns) return this.#qualified ??= shapeOf(this.columns, true);
    return this.#plain ??= shapeOf(this.columns, false);
  }
}

/** Way of reading rows: all at once, all of a variant with a LIMIT first, or one by one. */
export type Fetching = { readonly by: "all" | "row" } | { readonly by: "limited"; readonly variant: Statement };

function compile(database: Database, sql: string): Statement {
  // SQLite would stop reading at a NUL without a word.
  if (sql.includes("\0")) throw new StatementError("the SQL text holds a NUL character");
  try {
    return database.prepare(sql);
  } catch (error) {
    if (isMisuse(error)) throw new StatementError("the SQL text holds no statement");
    throw error;
  }
}

/** The prepared statements of a connection. */
export class PreparedCache {
  readonly #database: Database;
  readonly #cache = new TextCache<Prepared>(STATEMENTS_MAX);

  /**
   * Starts empty.
   * @param database What compiles.
   */
  constructor(database: Database) {
    this.#database = database;
  }

  /** Returns the statement for a text, compiling it if need be. */
  get(sql: string): Prepared {
    const cached = this.#cache.get(sql);
    if (cached !== undefined) return cached;
    const prepared = new Prepared(this.#database, sql);
    if (sql.length <= KEPT_TEXT_LENGTH_MAX) this.#cache.set(sql, prepared);
    return prepared;
  }

  /** Forgets all: after a change of schema, columns and plans are others. */
  clear(): void {
    this.#cache.clear();
  }
}

const STARTS_WITH_LETTER = /^\p{L}/u;

/** Hands a request element's parameters to the statements of its string, left to right. */
export class ParameterCursor {
  readonly #positional: readonly SqlValue[];
  readonly #named: Readonly<Record<string, SqlValue>> | null;
  readonly #namedCount: number;
  #next = 0;

  /**
   * Starts with the first value.
   * @throws {StatementError} When a name does not start with a letter.
   */
  constructor({ positional, named }: BoundStatement) {
    this.#positional = positional;
    this.#named = named;
    const names = named === null ? [] : Object.keys(named);
    this.#namedCount = names.length;
    for (const name of names) {
      if (!STARTS_WITH_LETTER.test(name)) throw new StatementError(`name "${name}" does not begin with a letter`);
    }
  }

  /**
   * Bindings for the next statement. Parameters with a name that was given take that value, the others take the
   * positional values in order; a name that was not given, when the count is right, is NULL.
   * @throws {StatementError} When there are too few values.
   */
  take(part: SqlPart, prepared: Prepared): Bindings {
    const wanted = part.parameterCount;
    const given = this.#positional.length - this.#next + this.#namedCount;
    if (given < wanted) {
      throw new StatementError(`not enough args to execute query: want ${wanted} got ${given}`);
    }
    if (prepared.names.length === 0) {
      const from = this.#next;
      this.#next = Math.min(from + wanted, this.#positional.length);
      if (from === 0 && this.#positional.length <= wanted) return { named: null, anonymous: this.#positional };
      return { named: null, anonymous: this.#positional.slice(from, from + wanted) };
    }
    return this.#takeNamed(prepared.names, wanted);
  }

  #takeNamed(names: readonly (string | null)[], wanted: number): Bindings {
    const named: Record<string, SqlValue> = {};
    const anonymous: SqlValue[] = [];
    for (let at = 0; at < wanted; at++) {
      const name = names[at] ?? null;
      const given = name === null ? undefined : this.#byName(name.slice(1));
      const value = given === undefined ? this.#positional[this.#next++] ?? null : given;
      if (name === null) anonymous.push(value);
      else named[name] = value;
    }
    return { named, anonymous };
  }

  #byName(name: string): SqlValue | undefined {
    return this.#named !== null && Object.hasOwn(this.#named, name) ? this.#named[name] : undefined;
  }
}

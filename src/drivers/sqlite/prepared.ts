/**
 * Prepared statements by their text, with what is worked out once for each, and the order of a request's parameters for
 * the statements of its string.
 * @module
 */

import { type BoundStatement, RepeatedStatement } from "../../core/sql/command.ts";
import { explainedPragma, SCHEMA_PRAGMAS } from "../../core/sql/pragma.ts";
import { parameterNames, type SqlPart } from "../../core/sql/statement.ts";
import { TextCache } from "../../core/sql/text_cache.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import { type Effects, effectsOf, type GuardMode, reasonAgainst, reasonAgainstName } from "./authorizer.ts";
import type { Control } from "../libsqlite/control.ts";
import type { Action, Database, ResultColumn, Statement } from "../libsqlite/driver.ts";
import { isUnauthorized, StatementError } from "./failure.ts";
import { type Shape, shapeOf } from "./render.ts";

/** Statements kept by a connection, in each of two generations. */
const STATEMENTS_MAX = 256;
/** Longer texts are compiled and forgotten. */
export const KEPT_TEXT_LENGTH_MAX = 4096;

/** A compiled statement and what is known about it. */
export class Prepared {
  /** The statement. */
  readonly statement: Statement;
  /** Columns of its result. */
  readonly columns: readonly ResultColumn[];
  /** Names of its parameters by number; empty when none has a name. */
  readonly names: readonly (string | null)[];
  /** The objects that it reads and writes. */
  readonly effects: Effects;
  /** Whether compiling it took part of a budget. */
  readonly isCostly: boolean;
  #plain: Shape | null = null;
  #qualified: Shape | null = null;

  /** Takes over a statement that was compiled and judged. */
  constructor(statement: Statement, sql: string, { effects, isCostly }: Pick<Prepared, "effects" | "isCostly">) {
    this.statement = statement;
    this.isCostly = isCostly;
    this.columns = statement.columns();
    this.names = parameterNames(sql);
    this.effects = effects;
  }

  /** How to render its rows. */
  shape(qualifyColumns: boolean): Shape {
    if (qualifyColumns) return this.#qualified ??= shapeOf(this.columns, true);
    return this.#plain ??= shapeOf(this.columns, false);
  }
}

/** The prepared statements of a connection that were compiled under the same rules. */
export class PreparedCache {
  readonly #database: Database;
  readonly #mode: GuardMode;
  readonly #control: Control;
  readonly #cache = new TextCache<Prepared>(STATEMENTS_MAX, ({ statement }) => statement.finalize());
  /** The last statement that was too long to be kept, or took part of the budget: it does so each time, on every replica. */
  #loose: Prepared | null = null;

  /** Starts empty. */
  constructor(database: Database, mode: GuardMode, control: Control) {
    this.#database = database;
    this.#mode = mode;
    this.#control = control;
  }

  /**
   * Returns the statement for a text, compiling it if need be.
   * @throws {StatementError} When it is not allowed.
   */
  get(part: SqlPart): Prepared {
    const { sql } = part;
    const cached = this.#cache.get(sql);
    if (cached !== undefined) return cached;
    const prepared = this.#compile(part);
    if (sql.length <= KEPT_TEXT_LENGTH_MAX && !prepared.isCostly) this.#cache.set(sql, prepared);
    else this.#loose = prepared;
    return prepared;
  }

  /** The statement for a text if it is kept; nothing is compiled. */
  kept({ sql }: SqlPart): Prepared | undefined {
    return this.#cache.get(sql);
  }

  /** Forgets all: after a change of schema, columns and plans are others. */
  clear(): void {
    this.#cache.clear();
    this.#dropLoose();
  }

  #dropLoose(): void {
    this.#loose?.statement.finalize();
    this.#loose = null;
  }

  #reasonAgainst(actions: readonly Action[], verb: string): string | null {
    const { extensionModules } = this.#database;
    return reasonAgainst(actions, { mode: this.#mode, verb, extensionModules });
  }

  #compile({ sql, verb }: SqlPart): Prepared {
    this.#dropLoose();
    // SQLite would stop reading at a NUL without a word.
    if (sql.includes("\0")) throw new StatementError("the SQL text holds a NUL character");
    let statement: Statement;
    const { steps } = this.#control;
    try {
      statement = this.#database.prepare(sql, { mayPragma: mayPragma(sql, verb), control: this.#control });
    } catch (error) {
      const reason = this.#reasonAgainst(this.#database.actions(), verb) ?? reasonOfPragma(error, sql);
      throw reason === null ? error : new StatementError(reason);
    }
    if (statement.isEmpty) throw new StatementError("the SQL text holds no statement");
    const actions = this.#database.actions();
    const reason = this.#reasonAgainst(actions, verb) ??
      (verb === "ALTER" && this.#mode === "replicated" ? reasonAgainstName(sql) : null);
    const isCostly = this.#mode !== "read" && this.#control.steps !== steps;
    if (reason === null) return new Prepared(statement, sql, { effects: effectsOf(actions), isCostly });
    statement.finalize();
    throw new StatementError(reason);
  }
}

/** A PRAGMA was judged by its text; behind an EXPLAIN, where it takes effect as well, it must be one that only answers. */
function mayPragma(sql: string, verb: string): boolean {
  return verb === "PRAGMA" || verb === "EXPLAIN" && SCHEMA_PRAGMAS.has(explainedPragma(sql)?.name ?? "");
}

/** Why a PRAGMA behind an EXPLAIN was not let through. */
function reasonOfPragma(error: unknown, sql: string): string | null {
  const pragma = isUnauthorized(error) ? explainedPragma(sql) : null;
  return pragma && `EXPLAIN PRAGMA ${pragma.name} is not supported: the pragma would take effect`;
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
   * Values for the parameters of the next statement, by number. Parameters with a name that was given take that value, the
   * others take the positional values in order; a name that was not given, when the count is right, is NULL.
   * @throws {StatementError} When there are too few values.
   */
  take(part: SqlPart, prepared: Prepared): readonly SqlValue[] {
    const wanted = part.parameterCount;
    const given = this.#positional.length - this.#next + this.#namedCount;
    if (given < wanted) {
      throw new StatementError(`not enough args to execute query: want ${wanted} got ${given}`);
    }
    if (prepared.names.length === 0) {
      const from = this.#next;
      this.#next = Math.min(from + wanted, this.#positional.length);
      if (from === 0 && this.#positional.length <= wanted) return this.#positional;
      return this.#positional.slice(from, from + wanted);
    }
    const values: SqlValue[] = [];
    for (let at = 0; at < wanted; at++) {
      const name = prepared.names[at] ?? null;
      const value = name === null ? undefined : this.#byName(name.slice(1));
      values.push(value === undefined ? this.#positional[this.#next++] ?? null : value);
    }
    return values;
  }

  #byName(name: string): SqlValue | undefined {
    return this.#named !== null && Object.hasOwn(this.#named, name) ? this.#named[name] : undefined;
  }
}

/** Whether the only part of an element takes all of its values in their order. */
export function takesAll(statement: BoundStatement): boolean {
  const count = statement instanceof RepeatedStatement ? statement.count : statement.positional.length;
  return statement.named === null && count === statement.parts[0].parameterCount;
}

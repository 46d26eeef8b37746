/**
 * Runs the statements of one command on the writer's connection, inside the transaction its caller has opened.
 *
 * Everything that touches the database happens alike on every replica, whether somebody waits for the results or not:
 * what is rendered, and how, changes nothing. Statements that only their asker sees (reads outside a transaction, and
 * level strong) do not run at all where nobody asks.
 *
 * (1) Without `transaction` each statement stands alone. SQLite undoes a failing statement by itself, so there is no
 *     savepoint: it would cost more than the INSERT it guards.
 * (2) With it, the first failure rolls back to the command's savepoint and ends the command.
 * (3) A read inside a transaction may fail it. Every replica takes it as far as its first row and no further, so that a
 *     read of a large table holds up no replica; an error in a later row is its asker's alone, and fails nothing.
 * (4) ON CONFLICT ROLLBACK and RAISE(ROLLBACK) destroy the caller's transaction with all that came before (A4). Then
 *     {@linkcode RestartEntry} tells the caller to begin again with that statement marked as failed: so it undoes only
 *     itself, whatever shared its transaction.
 * @module
 */

import type { BoundStatement, StampedCommand } from "../sql/command.ts";
import type { RenderOptions } from "../sql/render_options.ts";
import type { SqlPart } from "../sql/statement.ts";
import type { Digest } from "./digest.ts";
import { type Guard, isReadStatement, refusal } from "./authorizer.ts";
import type { Bindings, Changes, Database, Row, Statement } from "./driver.ts";
import { resultMessage, StatementError } from "./failure.ts";
import { fetchRows } from "./fetch.ts";
import type { Determinism } from "./functions.ts";
import { ParameterCursor, type Prepared, PreparedCache } from "./prepared.ts";
import {
  type Budget,
  newBudget,
  QueryRenderer,
  RenderError,
  renderFailure,
  renderWrite,
  type TimeText,
} from "./render.ts";

/** The entry must be run again, in a transaction of its own, with one statement marked as failed. */
export class RestartEntry extends Error {
  /** Always `RestartEntry`. */
  override readonly name = "RestartEntry";
  /** Number of the statement within the entry. */
  readonly statementNumber: number;

  /**
   * Marks the statement as one that fails.
   * @param message The error to report for the statement.
   */
  constructor(statementNumber: number, message: string) {
    super(message);
    this.statementNumber = statementNumber;
  }
}

/** Statements known to fail, by number, with their errors. */
export type Doomed = ReadonlyMap<number, string>;

/** What rqlite calls the last insert id and the rows affected: they stay until the next write sets them. */
export interface Sticky {
  /** Rowid of the last insert. */
  readonly lastInsertId: bigint;
  /** Rows changed by the last INSERT, UPDATE or DELETE. */
  readonly rowsAffected: bigint;
}

/** The error of a write where only reads are allowed. */
export const WRITE_IN_QUERY = "attempt to change database via query operation";

const LARGEST_ROWID = 9_223_372_036_854_775_807n;
const NO_BINDINGS: Bindings = { named: null, anonymous: [] };
const CHANGING_VERBS: ReadonlySet<string> = new Set(["INSERT", "REPLACE", "UPDATE", "DELETE"]);
const SCHEMA_VERBS: ReadonlySet<string> = new Set(["CREATE", "DROP", "ALTER", "ANALYZE", "REINDEX"]);

/** How the statements of one command are run. */
interface Run {
  readonly command: StampedCommand;
  /** `null` when nobody waits for the results. */
  readonly options: RenderOptions | null;
  readonly doomed: Doomed;
  readonly budget: Budget;
  /** Whether a read has compiled and now runs: its failure shows in the shape of its result. */
  isReading: boolean;
}

/** One statement of a command. */
interface Step {
  readonly part: SqlPart;
  /** Its number within the command: seeds its random numbers. */
  readonly number: number;
  /** Whether its result is the element's. */
  readonly isLast: boolean;
  /** Whether only its asker sees what it does. */
  readonly isPrivate: boolean;
}

/** Runs commands on one connection. */
export class Executor {
  /** Kept for rendering alone; SQL sees normalised values. Restored by whoever runs an entry again. */
  sticky: Sticky = { lastInsertId: 0n, rowsAffected: 0n };
  readonly #database: Database;
  readonly #guard: Guard;
  readonly #determinism: Determinism;
  readonly #digest: Digest;
  readonly #replicated: PreparedCache;
  readonly #private: PreparedCache;
  readonly #system: PreparedCache;
  readonly #savepoint: Statement;
  readonly #release: Statement;
  readonly #rollbackTo: Statement;
  readonly #counters: Statement;

  /**
   * Compiles what every entry needs.
   * @param guard Installed on `database`.
   */
  constructor(
    database: Database,
    { guard, determinism, digest }: { guard: Guard; determinism: Determinism; digest: Digest },
  ) {
    this.#digest = digest;
    this.#database = database;
    this.#guard = guard;
    this.#determinism = determinism;
    this.#replicated = new PreparedCache(database);
    this.#private = new PreparedCache(database);
    this.#system = new PreparedCache(database);
    this.#savepoint = database.prepare("SAVEPOINT entry");
    this.#release = database.prepare("RELEASE entry");
    this.#rollbackTo = database.prepare("ROLLBACK TO entry");
    this.#counters = database.prepare("SELECT changes(), last_insert_rowid()");
  }

  /** Forgets compiled statements: after a rollback or VACUUM, the schema may be another. */
  forgetStatements(): void {
    this.#replicated.clear();
    this.#private.clear();
    this.#system.clear();
  }

  /**
   * Runs a command inside the open transaction.
   * @returns The text of `results`; `[]` when nobody waits.
   * @throws {RestartEntry} When the entry must be run again. Other exceptions are the environment's: stop.
   */
  execute(command: StampedCommand, options: RenderOptions | null, doomed: Doomed): string {
    const run: Run = { command, options, doomed, budget: newBudget(), isReading: false };
    const isAtomic = command.transaction && command.kind !== "query";
    if (isAtomic) this.#savepoint.run(NO_BINDINGS);
    let texts = "";
    let number = 0;
    for (const statement of command.statements) {
      const { text, hasFailed } = this.#runElement(run, statement, number);
      number += statement.parts.length;
      if (options !== null) texts = texts === "" ? text : `${texts},${text}`;
      if (!hasFailed || !isAtomic) continue;
      this.#rollbackTo.run(NO_BINDINGS);
      this.forgetStatements();
      break;
    }
    if (isAtomic) this.#release.run(NO_BINDINGS);
    return `[${texts}]`;
  }

  #runElement(run: Run, statement: BoundStatement, firstNumber: number): { text: string; hasFailed: boolean } {
    const { kind, transaction } = run.command;
    const { parts } = statement;
    if (parts.length === 0) return { text: this.#renderNothing(run), hasFailed: false };
    let number = firstNumber;
    let isPrivate = false;
    try {
      const cursor = new ParameterCursor(statement);
      let text = "";
      for (let at = 0; at < parts.length; at++) {
        const part = parts[at];
        if (part === undefined) break;
        isPrivate = isReadStatement(part) && (kind === "query" || (!transaction && parts.length === 1));
        number = firstNumber + at;
        text = this.#runPart(run, { part, number, isLast: at === parts.length - 1, isPrivate }, cursor);
      }
      return { text, hasFailed: false };
    } catch (error) {
      return this.#fail(run, error, { number, isPrivate });
    } finally {
      this.#guard.mode = "off";
    }
  }

  #fail(
    run: Run,
    error: unknown,
    { number, isPrivate }: { number: number; isPrivate: boolean },
  ): { text: string; hasFailed: boolean } {
    if (error instanceof RestartEntry) throw error;
    const reason = this.#guard.takeReason();
    const message = error instanceof StatementError ? error.message : reason ?? resultMessage(error);
    if (message === null) throw error;
    if (!this.#database.isTransaction) throw new RestartEntry(number, message);
    if (!isPrivate) {
      this.#digest.mix(-1 - number);
      this.#digest.mixText(message);
    }
    return { text: run.options === null ? "" : renderFailure(message, showsNoRows(run)), hasFailed: true };
  }

  #runPart(run: Run, step: Step, cursor: ParameterCursor): string {
    const { part, number, isPrivate, isLast } = step;
    const { options, command } = run;
    const startedMs = options?.timings === true ? performance.now() : 0;
    run.isReading = false;
    const doom = run.doomed.get(number);
    if (doom !== undefined) throw new StatementError(doom);
    const mode = isPrivate ? "read" : "replicated";
    const refused = refusal(part, mode);
    if (refused !== null) throw new StatementError(refused);
    if (isPrivate && options === null) return "";

    this.#guard.mode = command.isSystem && !isPrivate ? "system" : mode;
    const cache = isPrivate ? this.#private : command.isSystem ? this.#system : this.#replicated;
    const prepared = cache.get(part.sql);
    if (command.kind === "query" && !isPrivate) throw new StatementError(WRITE_IN_QUERY);
    run.isReading = command.kind !== "execute" && isReadStatement(part);
    const bindings = cursor.take(part, prepared);
    this.#determinism.beginStatement(number);
    const showsRows = options !== null && isLast && prepared.columns.length > 0 &&
      !(command.kind === "execute" && isReadStatement(part));
    if (showsRows && isPrivate) return this.#renderRead(run, part, bindings, startedMs);
    if (showsRows && !isReadStatement(part)) {
      const rows = this.#noting(step, () => prepared.statement.all(bindings)); // of RETURNING
      this.#note(step, this.#readCounters());
      return this.#render(run, rows, prepared)(timeSince(startedMs));
    }
    this.#note(step, this.#noting(step, () => prepared.statement.run(bindings)));
    if (SCHEMA_VERBS.has(part.verb)) this.forgetStatements();
    if (options === null || !isLast) return "";
    if (showsRows) return this.#showRead(run, part, bindings, startedMs);
    if (command.kind !== "execute" && isReadStatement(part)) return options.associative ? `{"rows":[]}` : "{}";
    return renderWrite(this.sticky, options.associative, timeSince(startedMs));
  }

  /** Runs a statement; if it fails, what it left in SQLite's counters shows in later results, as it does in rqlite's. */
  #noting<T>({ part }: Step, run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (CHANGING_VERBS.has(part.verb)) this.#keep(this.#readCounters());
      throw error;
    }
  }

  /** Result of a text that holds no statement: a comment, white space. */
  #renderNothing({ command, options }: Run): string {
    if (options === null) return "";
    if (!options.associative) return "{}";
    return command.kind === "execute" ? `{"rows":null}` : `{"rows":[]}`;
  }

  /** Rows of a read for its asker; its errors are thrown. */
  #renderRead(run: Run, part: SqlPart, bindings: Bindings, startedMs: number): string {
    this.#guard.mode = "read";
    const prepared = this.#private.get(part.sql);
    return this.#render(run, fetchRows(this.#database, part, prepared, bindings), prepared)(timeSince(startedMs));
  }

  /** Rows of a read that has succeeded, as every replica saw it: what is amiss with showing it changes nothing. */
  #showRead(run: Run, part: SqlPart, bindings: Bindings, startedMs: number): string {
    try {
      return this.#renderRead(run, part, bindings, startedMs);
    } catch (error) {
      const message = this.#guard.takeReason() ?? resultMessage(error);
      if (message === null) throw error;
      return renderFailure(message, showsNoRows(run));
    }
  }

  /** Walks the rows; returns what gives the text, so that the time includes the walk. */
  #render(run: Run, rows: Iterable<Row>, prepared: Prepared): (time: TimeText) => string {
    const options = run.options;
    if (options === null) return () => "";
    const renderer = new QueryRenderer(prepared.shape(options.qualifyColumns), options, run.budget);
    try {
      for (const row of rows) renderer.add(row);
    } catch (error) {
      if (!(error instanceof RenderError)) throw error;
      const text = renderFailure(error.message, showsNoRows(run));
      return () => text; // what cannot be shown has still happened
    }
    return (time) => renderer.finish(time);
  }

  #readCounters(): Changes {
    const [changes, lastInsertRowid] = this.#counters.all(NO_BINDINGS)[0] ?? [];
    if (typeof changes !== "bigint" || typeof lastInsertRowid !== "bigint") {
      throw new TypeError("Expected changes() and last_insert_rowid() as integers");
    }
    return { changes, lastInsertRowid };
  }

  /** Takes over what a write did. The writer sets the rowid to 0 before each entry (A3), so 0 means: none was inserted. */
  #note({ part, number }: Step, { changes, lastInsertRowid }: Changes): void {
    if (!CHANGING_VERBS.has(part.verb)) return;
    if (lastInsertRowid === LARGEST_ROWID) {
      // After it SQLite would pick rowids at random, each replica its own.
      throw new RestartEntry(number, `rowid ${LARGEST_ROWID} is not supported in replicated statements`);
    }
    this.#digest.mix(number);
    this.#digest.mixBig(changes);
    this.#digest.mixBig(lastInsertRowid);
    this.#keep({ changes, lastInsertRowid });
  }

  #keep({ changes, lastInsertRowid }: Changes): void {
    this.sticky = {
      lastInsertId: lastInsertRowid === 0n ? this.sticky.lastInsertId : lastInsertRowid,
      rowsAffected: changes,
    };
  }
}

/** Whether a failure is shown as a read without rows. */
function showsNoRows({ command, options, isReading }: Run): boolean {
  return options?.associative === true && (command.kind === "query" || isReading);
}

/** The `time` field for what began at `startedMs`, or nothing when that is 0. */
export function timeSince(startedMs: number): TimeText {
  return startedMs === 0 ? "" : `,"time":${(performance.now() - startedMs) / 1000}`;
}

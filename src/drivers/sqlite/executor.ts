/**
 * Runs the statements of one command on the writer's connection, inside the transaction its caller has opened.
 *
 * Everything that touches the database happens alike on every replica, whether somebody waits for the results or not:
 * what is rendered, and how, changes nothing. Statements that only their asker sees (reads outside a transaction, and
 * level strong) do not run at all where nobody asks.
 *
 * (1) Without `transaction` each statement stands alone. SQLite (as scripts/sqlite/patches.ts changes it) undoes a failing
 *     statement by itself; a savepoint would cost more than the INSERT it guards. Where foreign keys are deferred, which
 *     SQLite checks at COMMIT alone, there is one, and they are checked behind each statement.
 * (2) With it, the first failure rolls back to the command's savepoint and ends the command. A read in it runs to its
 *     end on every replica, as it may fail in any row.
 * (3) A statement that is stopped at a limit, or runs out of memory, destroys the caller's transaction with all that came
 *     before (A4); one that fails while it changes the schema may leave SQLite with another one in memory than on disk.
 *     Then {@linkcode RestartEntry} tells the caller to begin again with that statement marked as failed: so it undoes
 *     only itself, whatever shared its transaction. What an entry may do is counted over all its attempts.
 * (4) What depends on where a transaction ends, or changes what a connection keeps in mind of the schema (virtual tables,
 *     the schema itself, the planner's statistics, keys whose check a request has put off), runs in a transaction of its
 *     own entry: {@linkcode IsolateEntry}.
 * (5) A bulk request repeats one text a thousand times. What was found out about a write holds for the next one with the
 *     same text: it only runs. It has no rows to show, so its way is the same on every replica.
 * @module
 */

import { renderFailure } from "../../core/sql/failure.ts";
import { type BoundStatement, RepeatedStatement, type StampedCommand } from "../../core/sql/command.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { isOn, parsePragma, REQUEST_PRAGMAS } from "../../core/sql/pragma.ts";
import type { RenderOptions } from "../../core/sql/render_options.ts";
import { type ResultText, TextBuilder } from "../../core/sql/result_text.ts";
import type { SqlPart } from "../../core/sql/statement.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import { type EntryBudget, ReadTime, type RunOptions, type Step } from "./attempt.ts";
import { type Effects, isReadStatement, refusal } from "./authorizer.ts";
import { type Control, UNLIMITED } from "../libsqlite/control.ts";
import { ChangeLog } from "../libsqlite/change_log.ts";
import { Determinism } from "./determinism.ts";
import type { Digest } from "./digest.ts";
import {
  type Changes,
  type Database,
  RowTooLargeError,
  runOnce,
  SqliteError,
  type Statement,
} from "../libsqlite/driver.ts";
import {
  causeOf,
  type Doomed,
  DoomedError,
  failureOf,
  IsolateEntry,
  type Limits,
  QUERY_TIMEOUT,
  RestartEntry,
  resultMessage,
  StatementError,
  WRITE_IN_QUERY,
} from "./failure.ts";
import { unpackRows } from "../libsqlite/packing.ts";
import { KEPT_TEXT_LENGTH_MAX, ParameterCursor, type Prepared, PreparedCache, takesAll } from "./prepared.ts";
import {
  QueryRenderer,
  RenderError,
  renderNothing,
  renderWrite,
  Room,
  type Sticky,
  timeSince,
  type TimeText,
} from "./render.ts";
import { readSchemaFacts, type SchemaFacts } from "./schema_facts.ts";
import { excusedMessage } from "./soundness.ts";

/** Bytes that the large values of one statement may take together, on every node alike. */
export const STATEMENT_VALUE_BYTES_MAX = 256 * 1024 * 1024;
const FOREIGN_KEY_FAILED = "FOREIGN KEY constraint failed";
const CHANGING_VERBS: ReadonlySet<string> = new Set(["INSERT", "REPLACE", "UPDATE", "DELETE"]);
/** Verbs that change the schema or what is known of it. */
export const SCHEMA_VERBS: ReadonlySet<string> = new Set(["CREATE", "DROP", "ALTER", "ANALYZE", "REINDEX"]);

/** How the statements of one command are run. */
interface Run {
  readonly command: StampedCommand;
  /** Whether the transaction holds no other entry. */
  readonly isSolitary: boolean;
  /** `null` when nobody waits for the results. */
  readonly options: RenderOptions | null;
  readonly doomed: Doomed;
  readonly room: Room;
  /** Whether the statement that runs is the cluster's own. */
  isSystem: boolean;
  /** Whether a read has compiled and now runs: its failure shows in the shape of its result. */
  isReading: boolean;
  /** Whether the request has put off the check of its foreign keys to its end. */
  isDeferring: boolean;
  /** Whether a statement has begun to change the schema. */
  changesSchema: boolean;
  /** The element before, where one with the same text may follow it by a shorter way (5). */
  repeated: Repeated | undefined;
}

/** A write that was looked at and has run. */
interface Repeated {
  readonly parts: BoundStatement["parts"];
  readonly prepared: Prepared;
}

/** Dependencies of an {@linkcode Executor}. */
export interface ExecutorParts {
  /** Limits, time and randomness of the replicated statements. */
  readonly control: Control;
  /** Those of the statements that only their asker sees. */
  readonly privateControl: Control;
  /** Counts the bytes of answers. */
  readonly answers: AnswerBudget;
  /** Takes in what every replica does. */
  readonly digest: Digest;
  /** Whether foreign keys are enforced, unless a request says otherwise. */
  readonly foreignKeys: boolean;
  /** Bytes of each temporary file of a statement that only its asker sees. */
  readonly tempBytesMax: number;
}

/** Runs commands on one connection. */
export class Executor {
  /** Kept for rendering alone; SQL sees normalised values. Restored by whoever runs an entry again. */
  sticky: Sticky = { lastInsertId: 0, rowsAffected: 0 };
  /** Whether what the connection has in mind may be other than what is stored: the schema must be read anew. */
  hasStaleSchema = false;
  readonly #database: Database;
  readonly #parts: ExecutorParts;
  readonly #determinism: Determinism;
  readonly #digest: Digest;
  readonly #replicated: PreparedCache;
  readonly #private: PreparedCache;
  readonly #system: PreparedCache;
  readonly #savepoint: Statement;
  readonly #release: Statement;
  readonly #rollbackTo: Statement;
  readonly #statementSavepoint: Statement;
  readonly #statementRelease: Statement;
  readonly #statementRollback: Statement;
  /** What the entry that runs has changed. */
  readonly changes: ChangeLog;
  /** Of what only the asker of the entry sees. */
  readonly readTime: ReadTime;
  /** Statements that have failed in the last command. */
  failures = 0;
  #facts: SchemaFacts | undefined;
  readonly #written = new Set<string>();
  #lastWritten: readonly string[] | undefined;
  /** Whether foreign keys are enforced now. */
  #hasForeignKeys: boolean;
  #limits: Limits;

  /** Compiles what every entry needs. */
  constructor(database: Database, parts: ExecutorParts) {
    this.#parts = parts;
    this.#hasForeignKeys = parts.foreignKeys;
    this.#limits = { steps: 0, valueBytes: STATEMENT_VALUE_BYTES_MAX, tempBytes: parts.tempBytesMax };
    this.readTime = new ReadTime(parts.privateControl);
    parts.privateControl.tempBytes = parts.tempBytesMax;
    this.#digest = parts.digest;
    this.#database = database;
    this.changes = new ChangeLog(database);
    this.#determinism = new Determinism(parts.control);
    this.#replicated = new PreparedCache(database, "replicated", parts.control);
    this.#private = new PreparedCache(database, "read", parts.privateControl);
    this.#system = new PreparedCache(database, "system", parts.control);
    this.#savepoint = database.prepare("SAVEPOINT entry");
    this.#release = database.prepare("RELEASE entry");
    this.#rollbackTo = database.prepare("ROLLBACK TO entry");
    this.#statementSavepoint = database.prepare("SAVEPOINT statement");
    this.#statementRelease = database.prepare("RELEASE statement");
    this.#statementRollback = database.prepare("ROLLBACK TO statement");
  }

  /** Notes tables that may have changed. */
  noteWritten(tables: readonly string[]): void {
    if (tables === this.#lastWritten) return; // the same statement again
    this.#lastWritten = tables;
    for (const table of tables) this.#written.add(table);
  }

  /** Tables that may have changed since the last call, in lower case; those of transactions that were undone among them. */
  takeWritten(): readonly string[] {
    if (this.#written.size === 0) return [];
    const written = [...this.#written];
    this.#written.clear();
    this.#lastWritten = undefined;
    return written;
  }

  /** Forgets compiled statements and what is known of the schema: after a rollback or VACUUM, it may be another. */
  forgetStatements(): void {
    this.#replicated.clear();
    this.#private.clear();
    this.#system.clear();
    this.#facts = undefined;
    this.changes.schemaChanged();
  }

  /** Facts about the current schema. */
  get facts(): SchemaFacts {
    return this.#facts ??= readSchemaFacts(this.#database);
  }

  /**
   * Begins an entry: its clock, its seed and its budgets, which hold for all attempts to run it.
   * @param left Steps of the budget, and the time for what only its asker sees, in milliseconds: all of it by default.
   */
  beginEntry(
    command: StampedCommand,
    timeMs: number,
    { steps, readMs = command.readTimeoutMs > 0 ? command.readTimeoutMs : Infinity }: EntryBudget,
  ): void {
    const { control, privateControl } = this.#parts;
    if (this.changes.begin(this.facts.hasChangeLog)) this.forgetStatements();
    this.#limits = { ...this.#limits, steps: command.maxSteps };
    this.#determinism.beginEntry(timeMs, command.seed);
    control.valueBytes = STATEMENT_VALUE_BYTES_MAX;
    control.steps = steps;
    control.activity.noteSteps(steps);
    privateControl.nowMs = timeMs;
    privateControl.valueBytes = STATEMENT_VALUE_BYTES_MAX;
    privateControl.steps = command.readTimeoutMs > 0 ? UNLIMITED : command.maxSteps;
    this.readTime.leftMs = readMs;
  }

  /**
   * Runs a command inside the open transaction, after {@linkcode Executor.beginEntry}.
   * @returns The text of `results`; `[]` when nobody waits.
   * @throws {RestartEntry} When the entry must be run again.
   * @throws {IsolateEntry} When it must be run alone. Other exceptions are the environment's: stop.
   */
  execute(command: StampedCommand, { options, doomed, isSolitary }: RunOptions): ResultText {
    const run: Run = {
      command,
      options,
      doomed,
      isSolitary,
      room: new Room(this.#parts.answers, { mayWait: false }),
      isSystem: false,
      isReading: false,
      isDeferring: false,
      changesSchema: false,
      repeated: undefined,
    };
    try {
      return this.#run(run);
    } catch (error) {
      run.room.dropAll();
      throw error;
    }
  }

  #run(run: Run): ResultText {
    const { command, options, isSolitary } = run;
    const isAtomic = command.transaction && command.kind !== "query";
    if (isAtomic) this.#savepoint.run();
    const texts = new TextBuilder(run.room.takeText);
    texts.add("[");
    this.failures = 0;
    let isFirst = true;
    let number = 0;
    for (const statement of command.statements) {
      const { text, hasFailed } = this.#runElement(run, statement, number);
      number += statement.parts.length;
      if (hasFailed) this.failures++;
      if (options !== null) {
        if (typeof text === "string") texts.add(isFirst ? text : `,${text}`);
        else {
          if (!isFirst) texts.add(",");
          texts.append(text);
        }
        isFirst = false;
      }
      if (!hasFailed || !isAtomic) continue;
      this.#rollbackTo.run();
      this.changes.discard();
      this.forgetStatements(); // a schema that was changed is the old one again
      break;
    }
    if (isAtomic) this.#release.run();
    // COMMIT would find the same, and undo the entries that share the transaction as well.
    if (!isSolitary && this.#database.hasDeferredViolations) throw new IsolateEntry("");
    texts.add("]");
    return texts.finish();
  }

  #runElement(run: Run, statement: BoundStatement, firstNumber: number): { text: ResultText; hasFailed: boolean } {
    const { kind, transaction } = run.command;
    const { parts } = statement;
    if (run.repeated?.parts === parts && takesAll(statement)) {
      return this.#repeat(run, run.repeated, statement, firstNumber);
    }
    run.repeated = undefined;
    if (parts.length === 0) return { text: renderNothing(run.options, run.command.kind), hasFailed: false };
    run.isSystem = run.command.isSystem === true && statement.isOfClient !== true;
    let number = firstNumber;
    let isPrivate = false;
    try {
      const cursor = new ParameterCursor(statement);
      let text: ResultText = "";
      for (let at = 0; at < parts.length; at++) {
        const part = parts[at];
        if (part === undefined) break;
        isPrivate = isReadStatement(part) &&
          (kind === "query" || (!transaction && parts.length === 1 && this.#leavesNoTrace(part)));
        number = firstNumber + at;
        const step = { part, number, isLast: at === parts.length - 1, isPrivate };
        text = isPrivate
          ? this.readTime.spend(() => this.#runPart(run, step, cursor))
          : this.#runPart(run, step, cursor);
      }
      if (run.command.statements.length > 1) run.repeated = this.#repeatable(run, parts);
      return { text, hasFailed: false };
    } catch (error) {
      return this.#fail(run, error, { number, isPrivate });
    }
  }

  /** What a write with the same text can do without (5). */
  #repeatable({ command, doomed, isDeferring }: Run, parts: BoundStatement["parts"]): Repeated | undefined {
    const [{ verb, sql }] = parts;
    if (parts.length > 1 || !CHANGING_VERBS.has(verb) || sql.length > KEPT_TEXT_LENGTH_MAX) return undefined;
    if (doomed.size > 0 || command.isSystem || command.kind === "query") return undefined;
    const { virtualTables, hasDeferredKeys } = this.facts;
    if (virtualTables.size > 0 || hasDeferredKeys && !command.transaction && !isDeferring) return undefined;
    const prepared = this.#replicated.kept(parts[0]);
    if (prepared === undefined) return undefined; // compiling it anew would take part of the budget again
    const isPlain = prepared.columns.length === 0 && prepared.names.length === 0 && !prepared.effects.writesStatistics;
    return isPlain ? { parts, prepared } : undefined;
  }

  #repeat(
    run: Run,
    { prepared: { statement } }: Repeated,
    element: BoundStatement,
    number: number,
  ): { text: string; hasFailed: boolean } {
    const { control } = this.#parts;
    const { options } = run;
    const startedMs = options?.timings === true ? performance.now() : 0;
    this.#determinism.beginStatement(number);
    try {
      statement.run(element instanceof RepeatedStatement ? element : element.positional, control);
    } catch (error) {
      run.repeated = undefined;
      this.#keep(control);
      return this.#fail(run, error, { number, isPrivate: false });
    }
    this.#noteChange(number, control);
    const text = options === null ? "" : renderWrite(this.sticky, options.associative, timeSince(startedMs));
    return { text, hasFailed: false };
  }

  /**
   * Whether a read changes nothing for the statements behind it: EXPLAIN sets changes(), and the module of a virtual table
   * remembers what it has read. Those run on every replica.
   */
  #leavesNoTrace({ verb }: SqlPart): boolean {
    return verb !== "EXPLAIN" && this.facts.virtualTables.size === 0;
  }

  #fail(
    run: Run,
    error: unknown,
    { number, isPrivate }: { number: number; isPrivate: boolean },
  ): { text: string; hasFailed: boolean } {
    if (error instanceof RestartEntry || error instanceof IsolateEntry) throw error;
    const isCancelled = isPrivate && causeOf(error) === "cancelled"; // its asker has left, or the node is on its way down
    const message = isCancelled
      ? QUERY_TIMEOUT
      : resultMessage(error, this.#limits) ?? excusedMessage(error, this.#database);
    if (message === null) throw error;
    const failure = error instanceof DoomedError ? error.failure : failureOf(error, message);
    // SQLite takes no more writes then in the transaction, its COMMIT included.
    if (causeOf(error) === "damage") throw new RestartEntry(number, failure, isPrivate);
    // A read that memory or temporary files do not suffice for undoes the transaction as well.
    if (isPrivate && !this.#database.isTransaction) throw new RestartEntry(number, failure, isPrivate);
    if (!isPrivate && run.command.kind !== "query") {
      // One that was stopped may have come to its end all the same, with a wrong value somewhere.
      const isStopped = error instanceof SqliteError && error.stop !== "none";
      // A schema statement that fails while it runs may leave in memory what is not on disk.
      if (!this.#database.isTransaction || isStopped || run.changesSchema) {
        throw new RestartEntry(number, failure, false);
      }
      this.#digest.mix(-1 - number);
      this.#digest.mixText(message);
    }
    const { options, command, isReading } = run;
    if (!options) return { text: "", hasFailed: true };
    const hasRows = options.associative && (command.kind === "query" || isReading); // none, in the shape of a read
    return { text: renderFailure(failure, { hasRows, errors: options.errors }), hasFailed: true };
  }

  #runPart(run: Run, step: Step, cursor: ParameterCursor): ResultText {
    const { part, number, isPrivate, isLast } = step;
    const { options, command } = run;
    const startedMs = options?.timings === true ? performance.now() : 0;
    run.isReading = run.changesSchema = false;
    const doom = run.doomed.get(number);
    if (doom !== undefined) throw new DoomedError(doom);
    const refused = refusal(part, isPrivate ? "read" : "replicated");
    if (refused !== null) throw new StatementError(refused);
    if (isPrivate && options === null) return "";
    if (!isPrivate && this.#setsForRequest(run, part)) {
      return options === null || !isLast ? "" : renderWrite(this.sticky, options.associative, timeSince(startedMs));
    }

    const cache = isPrivate ? this.#private : run.isSystem ? this.#system : this.#replicated;
    const prepared = cache.get(part);
    if (command.kind === "query" && !isPrivate) throw new StatementError(WRITE_IN_QUERY);
    run.isReading = command.kind !== "execute" && isReadStatement(part);
    const values = cursor.take(part, prepared);
    const showsRows = options !== null && isLast && prepared.columns.length > 0 &&
      !SCHEMA_VERBS.has(part.verb) && // ALTER looks at rows by a SELECT of SQLite's own
      !(command.kind === "execute" && isReadStatement(part));
    if (isPrivate) {
      this.#noteReads(prepared.effects);
      if (showsRows) return this.#renderRead(run, prepared, values, startedMs);
      prepared.statement.run(values, this.#parts.privateControl);
    } else {
      this.#isolate(run, part, prepared);
      this.noteWritten(prepared.effects.writes);
      this.#determinism.beginStatement(number);
      run.changesSchema = SCHEMA_VERBS.has(part.verb);
      if (run.changesSchema) this.changes.settle();
      const time = this.#noting(step, () =>
        this.#alone(run, prepared, () => {
          if (showsRows) return this.#renderRows(run, prepared, values, this.#parts.control);
          prepared.statement.run(values, this.#parts.control);
          return null;
        }));
      run.changesSchema = false;
      if (CHANGING_VERBS.has(part.verb)) this.#noteChange(number, this.#parts.control);
      if (SCHEMA_VERBS.has(part.verb)) this.forgetStatements();
      if (time !== null) return time(timeSince(startedMs));
    }
    if (options === null || !isLast) return "";
    if (command.kind !== "execute" && isReadStatement(part)) return options.associative ? `{"rows":[]}` : "{}";
    return renderWrite(this.sticky, options.associative, timeSince(startedMs));
  }

  /** Takes `PRAGMA foreign_keys` and `defer_foreign_keys`, which hold for the rest of the request. */
  #setsForRequest(run: Run, { verb, sql }: SqlPart): boolean {
    const pragma = verb === "PRAGMA" ? parsePragma(sql) : null;
    if (pragma === null || !REQUEST_PRAGMAS.has(pragma.name)) return false;
    if (!run.isSolitary) throw new IsolateEntry(sql);
    if (pragma.name === "foreign_keys") {
      this.#enforceForeignKeys(isOn(pragma.value));
    } else {
      run.isDeferring = isOn(pragma.value);
      runOnce(this.#database, `PRAGMA defer_foreign_keys = ${run.isDeferring ? "ON" : "OFF"}`);
    }
    return true;
  }

  /** Puts back what a request has set for itself; to be called when its transaction has ended. */
  endRequestPragmas(): void {
    const { foreignKeys } = this.#parts;
    if (this.#hasForeignKeys !== foreignKeys) this.#enforceForeignKeys(foreignKeys); // the other ends with the transaction
  }

  #enforceForeignKeys(isOn: boolean): void {
    this.#hasForeignKeys = isOn;
    this.#database.configure("foreignKeys", isOn);
    this.forgetStatements();
  }

  /** Refuses to run beside other entries what must not (4). */
  #isolate(run: Run, { sql, verb }: SqlPart, { effects }: Prepared): void {
    const touchesPlans = effects.writesStatistics || SCHEMA_VERBS.has(verb);
    const touchesVirtual = effects.makesVirtualTable || this.#isAboutVirtual([...effects.writes, ...effects.reads]);
    this.#noteReads(effects);
    if (!touchesPlans && !touchesVirtual) return;
    if (!run.isSolitary) throw new IsolateEntry(sql);
    this.hasStaleSchema = true;
    if (touchesVirtual) this.#database.recount();
  }

  #isAboutVirtual(tables: readonly string[]): boolean {
    const { virtualTables } = this.facts;
    return virtualTables.size > 0 && tables.some((table) => virtualTables.has(table));
  }

  /** A module counts steps, and remembers what it has read, from one statement to the next. */
  #noteReads({ reads }: Effects): void {
    if (this.#isAboutVirtual(reads)) this.hasStaleSchema = true;
  }

  /** Runs a statement so that a deferred key that it violates undoes it alone (1); any other failure is SQLite's to undo. */
  #alone<T>({ command, isDeferring }: Run, { effects: { writes } }: Prepared, work: () => T): T {
    if (command.transaction || isDeferring || !this.#mayDefer(writes)) return work();
    const { mark } = this.changes;
    this.#statementSavepoint.run();
    let result: T;
    try {
      result = work();
      if (this.#database.hasDeferredViolations) throw new StatementError(FOREIGN_KEY_FAILED);
    } catch (error) {
      if (!this.#database.isTransaction || causeOf(error) !== "statement") throw error;
      const isLeft = !this.#database.hasDeferredViolations;
      if (!isLeft) this.#statementRollback.run();
      this.#statementRelease.run();
      if (isLeft) throw error;
      this.changes.backTo(mark);
      throw new StatementError(FOREIGN_KEY_FAILED);
    }
    this.#statementRelease.run();
    return result;
  }

  /** Whether a write may violate a deferred key: virtual tables have none, nor triggers that reach other tables. */
  #mayDefer(writes: readonly string[]): boolean {
    const { hasDeferredKeys, virtualTables } = this.facts;
    if (!hasDeferredKeys || !this.#hasForeignKeys) return false;
    return writes.length === 0 || writes.some((table) => !virtualTables.has(table));
  }

  /** Runs a statement; if it fails, what it left in SQLite's counters shows in later results, as it does in rqlite's. */
  #noting<T>({ part }: Step, run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (CHANGING_VERBS.has(part.verb)) this.#keep(this.#parts.control);
      throw error;
    }
  }

  /** Rows of a read for its asker. */
  #renderRead(run: Run, prepared: Prepared, values: readonly SqlValue[], startedMs: number): ResultText {
    return this.#renderRows(run, prepared, values, this.#parts.privateControl)(timeSince(startedMs));
  }

  /**
   * Runs a statement to its end, whatever can be shown of its rows: what cannot has still happened.
   * @returns What gives the text, so that the time includes the walk.
   */
  #renderRows(
    { options, room, command }: Run,
    prepared: Prepared,
    values: readonly SqlValue[],
    control: Control,
  ): (time: TimeText) => ResultText {
    if (options === null) return () => "";
    const renderer = new QueryRenderer(prepared.shape(options.qualifyColumns), options, room);
    const isPrivate = control === this.#parts.privateControl;
    let amiss: Error | undefined;
    try {
      for (const piece of prepared.statement.pieces(values, control, { toTheEnd: !isPrivate })) {
        if (amiss) continue;
        try {
          for (const row of unpackRows(piece, prepared.columns.length)) renderer.add(row);
          if (isPrivate) this.readTime.look();
        } catch (error) {
          if (!(error instanceof RenderError)) throw error;
          amiss = error;
          if (isPrivate) break;
        }
      }
    } catch (error) {
      if (!(error instanceof RowTooLargeError)) {
        renderer.drop();
        throw error;
      }
      amiss ??= error;
    }
    const hasRows = options.associative &&
      (command.kind === "query" || command.kind === "request" && prepared.statement.isReadOnly);
    return (time) => {
      try {
        if (!amiss) return renderer.finish(time);
      } catch (error) {
        if (!(error instanceof RenderError)) throw error;
        amiss = error;
      }
      renderer.drop();
      return renderFailure(amiss, { hasRows, errors: options.errors });
    };
  }

  /** Takes over what a write did. The writer sets the rowid to 0 before each entry (A3), so 0 means: none was inserted. */
  #noteChange(number: number, { changes, lastInsertRowid: rowid }: Control): void {
    this.#digest.mix(number);
    this.#digest.mixInteger(changes);
    this.#digest.mixInteger(rowid);
    this.#keep({ changes, lastInsertRowid: rowid });
  }

  #keep({ changes, lastInsertRowid: rowid }: Changes): void {
    this.sticky = {
      lastInsertId: rowid === 0 ? this.sticky.lastInsertId : rowid,
      rowsAffected: changes,
    };
  }
}

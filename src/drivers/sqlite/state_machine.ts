/**
 * The replicated state machine: committed log entries in, one SQLite database out, the same on every node.
 *
 * The database is its own snapshot. One row, `_muster(id = 0)`, holds index, term and time of the last applied entry,
 * and is written in the transaction of the entry's effects: after any crash the entry is either applied and counted, or
 * neither (A1). With WAL and `synchronous=NORMAL` a power loss may take recent commits; the log, kept above
 * {@linkcode StateMachine.durable}, replays them.
 *
 * (1) Entries rise by one; those at or below the applied index are skipped.
 * (2) Many entries share a SQLite transaction (A2), and nothing may depend on which: the meaning of an entry is what it
 *     does in a transaction of its own. When sharing would show (a destroyed transaction, A4; virtual tables, whose
 *     modules work at COMMIT; statistics of the planner; deferred foreign keys that are violated), entries run singly.
 * (3) The row is written first in each entry, by INSERT OR REPLACE: this also sets `last_insert_rowid()` to 0 and
 *     `changes()` to 1, which would otherwise carry a connection's history into the data (A3).
 * (4) Waiters are answered after COMMIT.
 * (5) An entry's clock never runs backwards: it is the largest stamp so far, kept in the row.
 * (6) An entry always comes to a result, whatever it holds: what cannot be decoded, what fails in a way that nobody
 *     foresaw. Only the environment, damage and cancellation are thrown (A13); what failed for want of room
 *     on the disk may be tried again.
 * (7) Statements go by the schema as it is stored, never by what a connection has seen before: statistics that were dropped,
 *     the order in which tables came. It decides in which order INSERT … SELECT takes its rows and keys are checked. So the
 *     schema is read anew behind each entry that touches it, the statistics or a virtual table, whose module remembers things
 *     too, as a node that starts reads it.
 * @module
 */

import type { WriterCount } from "../../base/shared/writer_counts.ts";
import { renderFailure } from "../../core/sql/failure.ts";
import { invariant } from "../../invariant.ts";
import { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { CHANGES_TABLE } from "../../core/sql/change_log.ts";
import { decodeCommand, type StampedCommand } from "../../core/sql/command.ts";
import { type LoadStep, loadStepOf } from "../../core/sql/load_step.ts";
import { countedBytes, type ResultText } from "../../core/sql/result_text.ts";
import { TextCache } from "../../core/sql/text_cache.ts";
import type { ApplyEntry, Outcome } from "../../core/sql/exchange.ts";
import { HTTP_PORT } from "./api.ts";
import { SYSTEM_TABLE } from "./authorizer.ts";
import { Control } from "../libsqlite/control.ts";
import { type Checkpoint, checkpoint, hasCatalog, prepareDatabase, walBytes } from "./database_file.ts";
import { Digest } from "./digest.ts";
import { Database, runOnce, SqliteError, type Statement } from "../libsqlite/driver.ts";
import type { SqliteLibrary } from "../libsqlite/library.ts";
import { type Attempt, Attempts, NO_ATTEMPT, NOTHING_DOOMED } from "./attempt.ts";
import { Executor, SCHEMA_VERBS } from "./executor.ts";
import { causeOf, failureOf, isDiskFull, IsolateEntry, READ_TEMP_BYTES_DEFAULT, RestartEntry } from "./failure.ts";
import { dropParts, installParts, keepPart } from "./load.ts";
import { renderWrite, type Sticky } from "./render.ts";
import { describeWriter, identityOf } from "./status.ts";
import { DecodeError } from "../../base/codec/cursor.ts";
import { excusedMessage } from "./soundness.ts";
import { isNone, isVacuum, rewritingOf } from "../../core/sql/rewriting.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Entries in one SQLite transaction at most. */
export const BATCH_ENTRIES_MAX = 1024;
/** Bytes of payload in one SQLite transaction, beyond which no further entry joins it. */
export const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** How to open a state machine. */
export interface StateMachineOptions {
  /** The SQLite library. @default The one that belongs to this machine, without extensions. */
  readonly library?: SqliteLibrary;
  /** Lets another thread abort the running statement. @default {new Control()} */
  readonly control?: Control;
  /** The same for statements that only their asker sees. @default {new Control()} */
  readonly privateControl?: Control;
  /** Counts the bytes of answers. @default {new AnswerBudget()} */
  readonly answers?: AnswerBudget;
  /** Whether foreign keys are enforced: the same on every node. */
  readonly foreignKeys: boolean;
  /** Bytes of each temporary file of a read. @default {READ_TEMP_BYTES_DEFAULT} */
  readonly tempBytesMax?: number;
  /** Takes the outcomes for one port, in log order, after their COMMIT. */
  readonly deliver: (port: number, outcomes: readonly Outcome[]) => void;
  /** Told after each COMMIT. */
  readonly onApplied?: (index: number, term: number) => void;
  /** Told after a COMMIT that may have changed the catalog, before its outcomes. */
  readonly onCatalogChanged?: () => void;
  /** Told after a COMMIT which tables it may have changed, while somebody watches them, before its outcomes. */
  readonly onTablesChanged?: (tables: readonly string[]) => void;
  /** Told what an operator should know. */
  readonly warn?: (message: string) => void;
}

/** An entry with its payload decoded. */
interface Work {
  readonly entry: ApplyEntry;
  readonly command: StampedCommand | null;
  /** Why it could not be decoded. */
  readonly error?: string;
  /** Statements that failed when it ran. */
  failures?: number;
}

/** Bytes of long results, beyond which no further entry joins a transaction. */
const ANSWERED_BYTES_MAX = 4 * 1024 * 1024;
/** Statements, beyond which no further entry joins: while the next ones run, clients get their answers and send more. */
const ANSWERED_STATEMENTS_MAX = 500;

/** How statements are counted, and requests that are transactions. */
const COUNTED: Readonly<Record<"execute" | "query" | "request", readonly [WriterCount, WriterCount]>> = {
  execute: ["executions", "execute_transactions"],
  query: ["queries", "query_transactions"],
  request: ["requests", "request_transactions"],
};

/** The log of changes is written beside the statements. */
const CHANGE_LOG = [CHANGES_TABLE];
/** Another database has other tables. */
const ALL_TABLES = ["*"];
/** Texts that are known to need a transaction of their own. */
const SOLITARY_TEXTS_MAX = 256;

/** State that must be restored when a transaction is run again. */
interface Before {
  readonly sticky: Sticky;
  readonly timeMs: number;
  readonly digest: number;
}

/** The state machine; one per database, and the only writer of it. */
export class StateMachine {
  /** Index of the last applied entry. */
  applied = 0;
  /** Its term. */
  appliedTerm = 0;
  /** Entries up to here survive a power loss without the log (A8). */
  durable = 0;
  /** Whether the disk was full when it was opened. */
  hasNoRoom = false;
  /** Whether it held a catalog then. */
  readonly hasCatalog: boolean;
  readonly #path: string;
  readonly #options: StateMachineOptions;
  readonly #database: Database;
  /** Of the replicated statements. */
  readonly #control: Control;
  /** Of those that only their asker sees. */
  readonly #privateControl: Control;
  readonly #answers: AnswerBudget;
  readonly #executor: Executor;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #advance: Statement;
  readonly #storeDigest: Statement;
  /** Digests of what was applied (A15). */
  readonly digest = new Digest();
  #timeMs = 0;
  readonly #solitaryTexts = new TextCache<true>(SOLITARY_TEXTS_MAX);

  /** Use {@linkcode openStateMachine}. */
  constructor(path: string, options: StateMachineOptions) {
    this.#path = path;
    this.#options = options;
    const { foreignKeys, library } = options;
    this.#control = options.control ?? new Control();
    this.#privateControl = options.privateControl ?? new Control();
    this.#answers = options.answers ?? new AnswerBudget();
    this.#database = new Database(path, { readOnly: false, foreignKeys, ...(library ? { library } : {}) });
    this.#database.configure("stablePlans", true);
    prepareDatabase(this.#database, path);
    this.hasCatalog = hasCatalog(this.#database);
    this.#executor = new Executor(this.#database, {
      control: this.#control,
      privateControl: this.#privateControl,
      answers: this.#answers,
      digest: this.digest,
      foreignKeys,
      tempBytesMax: options.tempBytesMax ?? READ_TEMP_BYTES_DEFAULT,
    });
    this.#begin = this.#database.prepare("BEGIN IMMEDIATE");
    this.#commit = this.#database.prepare("COMMIT");
    this.#advance = this.#database.prepare(
      `INSERT OR REPLACE INTO ${SYSTEM_TABLE}(id, applied, term, time_ms) VALUES(0, ?, ?, ?)`,
    );
    this.#storeDigest = this.#database.prepare(`UPDATE ${SYSTEM_TABLE} SET digest = ? WHERE id = 0`);
    this.#readPosition();
    this.#checkpointAtStart();
  }

  /** What the WAL holds already may be read, and be written on within its length, also where the disk is full. */
  #checkpointAtStart(): void {
    try {
      this.checkpoint("TRUNCATE");
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.hasNoRoom = true;
    }
  }

  /**
   * Applies committed entries, in order.
   * @throws {Error} On an error of the environment: the state machine must be closed, the node stopped.
   */
  apply(entries: readonly ApplyEntry[]): void {
    const startedMs = performance.now();
    let batch: Work[] = [];
    let bytes = 0;
    let next = this.applied + 1;
    for (const entry of entries) {
      if (entry.index < next) continue;
      invariant(entry.index === next, `entry ${entry.index} follows the applied index ${next - 1}`);
      next++;
      const work = workOf(entry);
      const isSolitary = work.command !== null && this.#isSolitary(work.command);
      if (isSolitary || batch.length >= BATCH_ENTRIES_MAX || bytes > BATCH_BYTES_MAX) {
        this.#applyBatch(batch);
        batch = [];
        bytes = 0;
      }
      if (isSolitary) {
        this.#applySingly(work);
        continue;
      }
      batch.push(work);
      bytes += entry.body.length;
    }
    this.#applyBatch(batch);
    if (entries.length > 0) {
      const elapsedMs = performance.now() - startedMs;
      this.#control.activity.applications.observe(elapsedMs);
      this.#control.activity.counts.set("apply_duration_us", Math.round(elapsedMs * 1000));
    }
  }

  /** Version and options of SQLite, see {@linkcode identityOf}. */
  get sqlite(): string {
    return identityOf(this.#database);
  }

  /** The database's part of `/status`. */
  status(): Record<string, unknown> {
    return {
      ...describeWriter(this.#database, this.#path),
      applied: this.applied,
      term: this.appliedTerm,
      durable: this.durable,
    };
  }

  /** What the WAL holds, in bytes. */
  get walBytes(): number {
    return walBytes(this.#database);
  }

  /**
   * Moves WAL frames into the database file, between transactions.
   * @returns What was moved.
   */
  checkpoint(mode: "PASSIVE" | "TRUNCATE"): Checkpoint {
    const before = this.applied;
    const moved = this.#timedCheckpoint(mode);
    if (moved.isComplete) this.durable = before;
    return moved;
  }

  #timedCheckpoint(mode: "PASSIVE" | "TRUNCATE"): Checkpoint {
    const { counts } = this.#control.activity;
    const startedMs = performance.now();
    try {
      const moved = checkpoint(this.#database, mode);
      counts.add("checkpoints");
      counts.add("checkpointed_pages", Math.max(0, moved.moved));
      counts.set("checkpoint_duration_ms", Math.round(performance.now() - startedMs));
      return moved;
    } catch (error) {
      counts.add("checkpoint_errors");
      throw error;
    }
  }

  /** Closes the connections. */
  close(): void {
    this.#database.close();
  }

  /** Runs a batch in one transaction, or, when entries turn out to disturb each other, entry by entry. */
  #applyBatch(batch: readonly Work[]): void {
    const last = batch.at(-1);
    if (last === undefined) return;
    this.#control.activity.begin("entries", this.applied + 1);
    const before = this.#before();
    const answers: Outcome[] = [];
    let bytes = 0;
    let statements = 0;
    try {
      this.#begin.run();
      for (const work of batch) {
        const attempt: Attempt = { doomed: NOTHING_DOOMED, isSolitary: false, steps: work.command?.maxSteps ?? 0 };
        const outcome = this.#run(work, attempt);
        answers.push(outcome);
        bytes += countedBytes(outcome.results);
        statements += work.command?.statements.length ?? 0;
        if (bytes > ANSWERED_BYTES_MAX || statements > ANSWERED_STATEMENTS_MAX) break; // these are sent first
      }
      this.#commitWithDigest();
      this.#endEntry();
    } catch (error) {
      this.#undo(before);
      this.#answers.giveBack(bytes);
      if (isForeseen(error) && causeOf(error) !== "damage") throw error; // whose damage it is, each entry alone tells
      if (error instanceof IsolateEntry && error.sql !== "") this.#solitaryTexts.set(error.sql, true);
      const over = batch[answers.length];
      const attempts = new Attempts(over?.command ?? null);
      if (error instanceof RestartEntry) attempts.failed(error, this.#left());
      for (const work of batch) this.#applySingly(work, work === over ? attempts : undefined);
      return;
    }
    this.#finish(batch.slice(0, answers.length), answers);
    this.#applyBatch(batch.slice(answers.length));
  }

  /** What the entry that ran has left. */
  #left(): { steps: number; readMs: number } {
    return { steps: this.#control.steps, readMs: this.#executor.readTime.leftMs };
  }

  /** Runs an entry in a transaction of its own, again for each statement that destroys it. */
  #applySingly(work: Work, attempts = new Attempts(work.command)): void {
    if (work.command?.kind === "load") return this.#finish([work], [this.#load(work, work.command)]);
    const rewriting = work.command === null ? null : rewritingOf(work.command);
    if (rewriting !== null) return this.#finish([work], [this.#rewrite(work, rewriting)]);
    this.#control.activity.begin("entries", work.entry.index);
    const before = this.#before();
    for (;;) {
      let bytes = 0;
      let outcome: Outcome | undefined;
      try {
        this.#begin.run();
        outcome = this.#run(work, attempts.next);
        bytes = countedBytes(outcome.results);
        this.#commitWithDigest();
        this.#endEntry();
        return this.#finish([work], [outcome]);
      } catch (error) {
        this.#undo(before);
        if (error instanceof RestartEntry) {
          this.#answers.giveBack(bytes);
          attempts.failed(error, this.#left());
        } else {
          // COMMIT checks deferred keys, and the modules of virtual tables work in it. Whatever it is, it is the entry's.
          const message = isForeseen(error)
            ? excusedMessage(error, this.#database)
            : error instanceof SqliteError
            ? error.message
            : `internal error: ${String(error)}`;
          if (message === null) throw error;
          const refused = this.#refuse(work, message);
          // A request that came to nothing by itself says why: the module of a table that it had made does not know that it is gone.
          if (outcome && wasUndone(work)) return this.#finish([work], [{ ...outcome, ref: refused.ref }]);
          this.#answers.giveBack(bytes);
          return this.#finish([work], [refused]);
        }
      }
    }
  }

  /** Runs an entry inside the open transaction. */
  #run(work: Work, { doomed, isSolitary, ...budget }: Attempt): Outcome {
    const { entry, command, error } = work;
    if (command !== null) this.#timeMs = Math.max(this.#timeMs, command.timeMs);
    this.#advance.run([BigInt(entry.index), BigInt(entry.term), this.#timeMs]);
    let results: ResultText = "[]";
    this.digest.mix(entry.index);
    this.digest.mix(entry.term);
    if (command !== null) {
      this.#privateControl.ticket.current = ticketOf(entry);
      this.#executor.beginEntry(command, this.#timeMs, budget);
      results = this.#executor.execute(command, { options: entry.waiter?.options ?? null, doomed, isSolitary });
      work.failures = this.#executor.failures;
      if (this.#executor.changes.keep(entry.index, this.#timeMs)) this.#executor.noteWritten(CHANGE_LOG);
    }
    this.digest.keep(entry.index);
    const outcome = { ref: entry.waiter?.ref ?? 0, index: entry.index, results };
    return error === undefined ? outcome : { ...outcome, error };
  }

  /** Ends the settings of one entry and reads the connection's cached state again (7). */
  #endEntry(): void {
    this.#executor.endRequestPragmas();
    if (!this.#executor.hasStaleSchema) return;
    this.#executor.hasStaleSchema = false;
    this.#executor.forgetStatements();
    runOnce(this.#database, "PRAGMA writable_schema = RESET"); // SQLite's way to read the whole schema again
  }

  /** The digest of the last entry is part of the transaction, those of the others are in memory. */
  #commitWithDigest(): void {
    this.#storeDigest.run([BigInt(this.digest.value)]);
    this.#commit.run();
  }

  /** Counts an entry that came to nothing, without its effects. `same`: what of the error is alike on every replica. */
  #refuse(work: Work, error: string, same = error): Outcome {
    this.#begin.run();
    this.digest.mixText(same);
    const outcome = this.#run({ entry: work.entry, command: null }, NO_ATTEMPT);
    this.#commitWithDigest();
    return { ...outcome, error };
  }

  /**
   * VACUUM and `PRAGMA auto_vacuum` run outside a transaction, so the index follows in one of its own; after a crash in
   * between it runs again, which changes nothing more. What they do is bounded by the size of the database, so they have no budget.
   */
  #rewrite({ entry, command }: Work, sql: string): Outcome {
    const options = entry.waiter?.options ?? null;
    let results = renderWrite(this.#executor.sticky, options?.associative ?? false, "");
    this.#executor.forgetStatements();
    this.#control.free();
    this.#control.activity.begin("vacuum", entry.index);
    this.#control.activity.noteSteps(this.#control.steps);
    try {
      const before = runOnce(this.#database, "PRAGMA auto_vacuum")[0]?.[0];
      // What this connection was asked for earlier would take effect in a VACUUM: what the file says is the same everywhere.
      runOnce(this.#database, `PRAGMA auto_vacuum = ${before}`);
      this.#runFreely(sql);
      // From none to some and back takes a VACUUM; what the pragma asks for holds in this connection until then.
      if (!isVacuum(sql) && (before === 0n) !== isNone(sql)) this.#runFreely("VACUUM");
    } catch (error) {
      const message = causeOf(error) === "statement" ? messageOf(error) : excusedMessage(error, this.#database);
      if (message === null) throw error;
      results = renderFailure(failureOf(error, message), { hasRows: false, errors: options?.errors ?? "both" });
    }
    this.#executor.hasStaleSchema = true;
    this.#endEntry();
    this.#begin.run();
    if (command !== null) this.#timeMs = Math.max(this.#timeMs, command.timeMs);
    const outcome = this.#run({ entry, command: null }, NO_ATTEMPT);
    this.#commitWithDigest();
    return { ...outcome, results: `[${results}]` };
  }

  /** Does a step of loading a database; what is wrong with the file is the entry's result. */
  #load(work: Work, command: StampedCommand): Outcome {
    const { entry } = work;
    this.#control.activity.begin("load", entry.index);
    this.#control.free();
    const before = this.#before();
    this.#executor.forgetStatements();
    this.#executor.hasStaleSchema = true;
    try {
      const step = loadStepOf(command);
      if (step.k === "install") return this.#install(work, command, step);
      this.#begin.run();
      const outcome = this.#run({ entry, command: null }, NO_ATTEMPT);
      if (step.k === "part") keepPart(this.#database, step);
      else dropParts(this.#database, step.id);
      this.#commitWithDigest();
      this.#endEntry();
      return outcome;
    } catch (error) {
      this.#undo(before);
      if (!(error instanceof DecodeError) && causeOf(error) !== "statement") throw error;
      // In a damaged file SQLite may read past the end of a page, and report what lies there in memory.
      return this.#refuse(work, messageOf(error), "load");
    }
  }

  /** The position in the log comes with what is loaded: both take effect or neither. */
  #install({ entry }: Work, { timeMs }: StampedCommand, step: Extract<LoadStep, { k: "install" }>): Outcome {
    this.#timeMs = Math.max(this.#timeMs, timeMs);
    this.digest.mix(entry.index);
    this.digest.mix(entry.term);
    const { index, term } = entry;
    const position = { index, term, timeMs: this.#timeMs, digest: this.digest.value };
    installParts(this.#database, step, { path: this.#path, library: this.#options.library, position });
    this.digest.keep(index);
    this.#endEntry();
    this.#executor.noteWritten(ALL_TABLES);
    return { ref: entry.waiter?.ref ?? 0, index, results: "[]" };
  }

  /** Runs a statement without limits, but so that another thread can end it. */
  #runFreely(sql: string): void {
    const statement = this.#database.prepare(sql);
    try {
      statement.run([], this.#control);
    } finally {
      statement.finalize();
    }
  }

  #before(): Before {
    return { sticky: this.#executor.sticky, timeMs: this.#timeMs, digest: this.digest.value };
  }

  #undo({ sticky, timeMs, digest }: Before): void {
    if (this.#database.isTransaction) runOnce(this.#database, "ROLLBACK");
    this.#executor.sticky = sticky;
    this.#executor.changes.discard();
    this.#timeMs = timeMs;
    this.digest.value = digest;
    this.#executor.forgetStatements();
    this.#endEntry();
  }

  /** After COMMIT: moves on and answers. */
  #finish(batch: readonly Work[], outcomes: readonly Outcome[]): void {
    const last = batch.at(-1);
    if (last === undefined) return;
    this.#control.activity.end();
    for (const work of batch) this.#count(work);
    const isOfCatalog = batch.some(({ command }) => command?.isSystem || command?.kind === "load");
    if (isOfCatalog) this.#control.activity.noteCatalogChange();
    this.applied = last.entry.index;
    this.appliedTerm = last.entry.term;
    const byPort = new Map<number, Outcome[]>();
    for (let at = 0; at < batch.length; at++) {
      const port = batch[at]?.entry.waiter?.port;
      const outcome = outcomes[at];
      if (port === undefined || outcome === undefined) continue;
      const list = byPort.get(port);
      if (list === undefined) byPort.set(port, [outcome]);
      else list.push(outcome);
    }
    if (isOfCatalog) this.#options.onCatalogChanged?.(); // before whoever wrote it can ask
    this.#tellTables();
    for (const [port, list] of byPort) this.#options.deliver(port, list);
    this.#options.onApplied?.(this.applied, this.appliedTerm);
  }

  #tellTables(): void {
    const tables = this.#executor.takeWritten();
    if (tables.length > 0 && this.#control.activity.isWatched) this.#options.onTablesChanged?.(tables);
  }

  #count({ command, failures = 0 }: Work): void {
    if (command === null || command.isSystem || command.kind === "load") return;
    const { counts } = this.#control.activity;
    const [statements, transactions] = COUNTED[command.kind];
    counts.add(statements, command.statements.length);
    if (command.transaction) counts.add(transactions);
    if (command.kind !== "query") counts.add("execution_errors", failures);
  }

  /** Whether an entry is known to need a transaction of its own; others say so when they run. */
  #isSolitary(command: StampedCommand): boolean {
    if (command.kind === "load" || rewritingOf(command) !== null) return true;
    return command.statements.some(({ parts }) =>
      parts.some(({ sql, verb }) => SCHEMA_VERBS.has(verb) || this.#solitaryTexts.get(sql))
    );
  }

  #readPosition(): void {
    const [applied, term, timeMs, digest] =
      runOnce(this.#database, `SELECT applied, term, time_ms, digest FROM ${SYSTEM_TABLE} WHERE id = 0`)[0] ?? [];
    if (typeof applied !== "bigint" || typeof term !== "bigint" || typeof timeMs !== "number") return; // a new database
    this.applied = Number(applied);
    this.appliedTerm = Number(term);
    this.#timeMs = timeMs;
    if (typeof digest === "bigint") this.digest.value = Number(digest);
    this.digest.keep(this.applied);
  }
}

/** The number by which what only the asker of an entry sees may be ended: one http Worker has it. */
function ticketOf({ waiter }: ApplyEntry): number {
  return waiter?.port === HTTP_PORT ? waiter.ref : 0;
}

/** Whether a request that is all or nothing has failed, and was undone when it ran. */
function wasUndone({ command, failures = 0 }: Work): boolean {
  return command !== null && command.transaction && command.kind !== "query" && failures > 0;
}

/** An entry that cannot be decoded comes to an error, the same everywhere: it must end no node. */
function workOf(entry: ApplyEntry): Work {
  if (entry.kind !== "command") return { entry, command: null };
  try {
    return { entry, command: decodeCommand(entry.body, true) };
  } catch (error) {
    return {
      entry,
      command: null,
      error: `the entry cannot be read: ${messageOf(error)}`,
    };
  }
}

/** Whether an error is one that is dealt with by whoever drives the state machine. */
function isForeseen(error: unknown): boolean {
  return error instanceof SqliteError && causeOf(error) !== "statement";
}

/**
 * Opens the database and brings it into the state the node relies on.
 * @param path A file, or `:memory:`.
 * @throws {Error} When the file is not an SQLite database or cannot be used.
 */
export function openStateMachine(path: string, options: StateMachineOptions): StateMachine {
  return new StateMachine(path, options);
}

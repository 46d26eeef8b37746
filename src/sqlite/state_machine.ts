/**
 * The replicated state machine: committed log entries in, one SQLite database out, the same on every node.
 *
 * The database is its own snapshot. One row, `_muster(id = 0)`, holds index, term and time of the last applied entry,
 * and is written in the transaction of the entry's effects: after any crash the entry is either applied and counted, or
 * neither (spec/raft.md A1). With WAL and `synchronous=NORMAL` a power loss may take recent commits; the log, kept above
 * {@linkcode StateMachine.durable}, replays them.
 *
 * (1) Entries rise by one; those at or below the applied index are skipped.
 * (2) Many entries share a SQLite transaction (A2), and nothing may depend on which: the meaning of an entry is what it
 *     does in a transaction of its own. When sharing would show (a destroyed transaction, A4; deferred foreign keys,
 *     which are checked at COMMIT), entries run singly.
 * (3) The row is written first in each entry, by INSERT OR REPLACE: this also sets `last_insert_rowid()` to 0 and
 *     `changes()` to 1, which would otherwise carry a connection's history into the data (A3).
 * (4) Waiters are answered after COMMIT.
 * (5) An entry's clock never runs backwards: it is the largest stamp so far, kept in the row.
 * (6) Errors of the environment are thrown, and the state machine is of no further use (spec/raft.md §4.3).
 * @module
 */

import { invariant } from "../invariant.ts";
import { decodeCommand, type StampedCommand } from "../sql/command.ts";
import type { ApplyEntry, Outcome } from "../sql/exchange.ts";
import { Guard, isVacuumInto, SYSTEM_TABLE } from "./authorizer.ts";
import { type Checkpoint, checkpoint, prepareDatabase } from "./database_file.ts";
import { Digest } from "./digest.ts";
import { type Database, openNodeSqlite, runOnce, type Statement } from "./driver.ts";
import { type Doomed, Executor, RestartEntry, type Sticky } from "./executor.ts";
import { isConstraint, resultMessage } from "./failure.ts";
import { defineFunctions, Determinism } from "./functions.ts";
import { renderFailure, renderWrite } from "./render.ts";
import { describeWriter } from "./status.ts";

/** Entries in one SQLite transaction at most. */
export const BATCH_ENTRIES_MAX = 1024;
/** Bytes of payload in one SQLite transaction, beyond which no further entry joins it. */
export const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** How to open a state machine. */
export interface StateMachineOptions {
  /** Whether foreign keys are enforced: the same on every node. */
  readonly foreignKeys: boolean;
  /** Takes the outcomes for one port, in log order, after their COMMIT. */
  readonly deliver: (port: number, outcomes: readonly Outcome[]) => void;
  /** Told after each COMMIT. */
  readonly onApplied?: (index: number, term: number) => void;
  /** Told after a COMMIT in which the cluster's own statements ran. */
  readonly onSystem?: () => void;
  /** Told what an operator should know. */
  readonly warn?: (message: string) => void;
}

/** An entry with its payload decoded. */
interface Work {
  readonly entry: ApplyEntry;
  readonly command: StampedCommand | null;
}

/** VACUUM attaches its copy, which `node:sqlite` allows only with all permissions: alike on all nodes. */
const NO_VACUUM = "VACUUM is not available: the runtime withholds it from a process with scoped permissions";
const NOTHING_DOOMED: Doomed = new Map();
const NO_BINDINGS = { named: null, anonymous: [] };

/** What must be put back when a transaction is run again. */
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
  readonly #path: string;
  readonly #options: StateMachineOptions;
  readonly #database: Database;
  readonly #clockless: Database;
  readonly #guard = new Guard();
  readonly #determinism = new Determinism();
  readonly #executor: Executor;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #advance: Statement;
  readonly #storeDigest: Statement;
  /** Digests of what was applied (A15). */
  readonly digest = new Digest();
  #timeMs = 0;
  #hasDeferredKeys: boolean;

  /** Use {@linkcode openStateMachine}. */
  constructor(path: string, options: StateMachineOptions) {
    this.#path = path;
    this.#options = options;
    this.#database = openNodeSqlite(path, { readOnly: false, foreignKeys: options.foreignKeys });
    prepareDatabase(this.#database, path, options.warn ?? (() => {}));
    this.#clockless = openNodeSqlite(":memory:", { readOnly: false, foreignKeys: false });
    defineFunctions(this.#database, this.#clockless, this.#determinism);
    this.#database.setAuthorizer(this.#guard.authorize);
    this.#executor = new Executor(this.#database, {
      guard: this.#guard,
      determinism: this.#determinism,
      digest: this.digest,
    });
    this.#begin = this.#database.prepare("BEGIN IMMEDIATE");
    this.#commit = this.#database.prepare("COMMIT");
    this.#advance = this.#database.prepare(
      `INSERT OR REPLACE INTO ${SYSTEM_TABLE}(id, applied, term, time_ms) VALUES(0, ?, ?, ?)`,
    );
    this.#storeDigest = this.#database.prepare(`UPDATE ${SYSTEM_TABLE} SET digest = ? WHERE id = 0`);
    this.#readPosition();
    this.#hasDeferredKeys = this.#findDeferredKeys();
    this.checkpoint("TRUNCATE");
  }

  /**
   * Applies committed entries, in order.
   * @throws {Error} On an error of the environment: the state machine must be closed, the node stopped.
   */
  apply(entries: readonly ApplyEntry[]): void {
    let batch: Work[] = [];
    let bytes = 0;
    let next = this.applied + 1;
    for (const entry of entries) {
      if (entry.index < next) continue;
      invariant(entry.index === next, `entry ${entry.index} follows the applied index ${next - 1}`);
      next++;
      const work: Work = { entry, command: entry.kind === "command" ? decodeCommand(entry.body) : null };
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
  }

  /** What `/status` shows of the database. */
  status(): Record<string, unknown> {
    return {
      ...describeWriter(this.#database, this.#path),
      applied: this.applied,
      term: this.appliedTerm,
      durable: this.durable,
    };
  }

  /**
   * Moves WAL frames into the database file, between transactions.
   * @returns What was moved.
   */
  checkpoint(mode: "PASSIVE" | "TRUNCATE"): Checkpoint {
    const before = this.applied;
    const moved = checkpoint(this.#database, mode);
    if (moved.isComplete) this.durable = before;
    return moved;
  }

  /** Closes the connections. */
  close(): void {
    this.#database.close();
    this.#clockless.close();
  }

  /** Runs a batch in one transaction, or, when entries turn out to disturb each other, entry by entry. */
  #applyBatch(batch: readonly Work[]): void {
    const last = batch.at(-1);
    if (last === undefined) return;
    const before = this.#before();
    const answers: Outcome[] = [];
    try {
      this.#begin.run(NO_BINDINGS);
      for (const work of batch) answers.push(this.#run(work, NOTHING_DOOMED));
      this.#commitWithDigest();
    } catch (error) {
      this.#undo(before);
      // Only COMMIT lets a broken constraint through.
      if (!(error instanceof RestartEntry) && !isConstraint(error)) throw error;
      for (const work of batch) this.#applySingly(work);
      return;
    }
    this.#finish(batch, answers);
  }

  /** Runs an entry in a transaction of its own, again for each statement that destroys it. */
  #applySingly(work: Work): void {
    const vacuum = work.command === null ? null : vacuumOf(work.command);
    if (vacuum !== null) return this.#finish([work], [this.#vacuum(work, vacuum)]);
    const before = this.#before();
    const doomed = new Map<number, string>();
    for (;;) {
      try {
        this.#begin.run(NO_BINDINGS);
        const outcome = this.#run(work, doomed);
        this.#commitWithDigest();
        return this.#finish([work], [outcome]);
      } catch (error) {
        this.#undo(before);
        if (error instanceof RestartEntry) {
          invariant(!doomed.has(error.statementNumber), "a statement marked as failed has run");
          doomed.set(error.statementNumber, error.message);
        } else if (isConstraint(error)) {
          return this.#finish([work], [this.#refuse(work, resultMessage(error) ?? "constraint failed")]);
        } else {
          throw error;
        }
      }
    }
  }

  /** Runs an entry inside the open transaction. */
  #run({ entry, command }: Work, doomed: Doomed): Outcome {
    if (command !== null) this.#timeMs = Math.max(this.#timeMs, command.timeMs);
    this.#advance.run({ named: null, anonymous: [BigInt(entry.index), BigInt(entry.term), this.#timeMs] });
    let results = "[]";
    this.digest.mix(entry.index);
    this.digest.mix(entry.term);
    if (command !== null) {
      this.#determinism.beginEntry(this.#timeMs, command.seed);
      results = this.#executor.execute(command, entry.waiter?.options ?? null, doomed);
    }
    this.digest.keep(entry.index);
    return { ref: entry.waiter?.ref ?? 0, index: entry.index, results };
  }

  /** The digest of the last entry is part of the transaction, those of the others are in memory. */
  #commitWithDigest(): void {
    this.#storeDigest.run({ named: null, anonymous: [BigInt(this.digest.value)] });
    this.#commit.run(NO_BINDINGS);
  }

  /** Counts an entry whose COMMIT failed, without its effects. */
  #refuse(work: Work, error: string): Outcome {
    this.#begin.run(NO_BINDINGS);
    const outcome = this.#run({ entry: work.entry, command: null }, NOTHING_DOOMED);
    this.#commitWithDigest();
    return { ...outcome, error };
  }

  /**
   * VACUUM runs outside a transaction, so the index follows in one of its own; after a crash in between it runs again,
   * which changes nothing more.
   */
  #vacuum({ entry, command }: Work, sql: string): Outcome {
    const options = entry.waiter?.options ?? null;
    let results = renderWrite(this.#executor.sticky, options?.associative ?? false, "");
    try {
      this.#database.prepare(sql).run(NO_BINDINGS);
    } catch (error) {
      const message = resultMessage(error);
      if (message === null) throw error;
      results = renderFailure(message.startsWith("too many attached") ? NO_VACUUM : message, false);
    }
    this.#executor.forgetStatements();
    this.#begin.run(NO_BINDINGS);
    if (command !== null) this.#timeMs = Math.max(this.#timeMs, command.timeMs);
    const outcome = this.#run({ entry, command: null }, NOTHING_DOOMED);
    this.#commitWithDigest();
    return { ...outcome, results: `[${results}]` };
  }

  #before(): Before {
    return { sticky: this.#executor.sticky, timeMs: this.#timeMs, digest: this.digest.value };
  }

  #undo({ sticky, timeMs, digest }: Before): void {
    if (this.#database.isTransaction) runOnce(this.#database, "ROLLBACK");
    this.#executor.sticky = sticky;
    this.#timeMs = timeMs;
    this.digest.value = digest;
    this.#executor.forgetStatements();
  }

  /** After COMMIT: moves on and answers. */
  #finish(batch: readonly Work[], outcomes: readonly Outcome[]): void {
    const last = batch.at(-1);
    if (last === undefined) return;
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
    if (this.#options.foreignKeys && batch.length === 1) this.#hasDeferredKeys = this.#findDeferredKeys();
    for (const [port, list] of byPort) this.#options.deliver(port, list);
    if (batch.some(({ command }) => command?.isSystem)) this.#options.onSystem?.();
    this.#options.onApplied?.(this.applied, this.appliedTerm);
  }

  /** Whether an entry may share its transaction with none: VACUUM, and whatever deferred foreign keys may touch. */
  #isSolitary(command: StampedCommand): boolean {
    if (this.#hasDeferredKeys || vacuumOf(command) !== null) return true;
    if (!this.#options.foreignKeys) return false;
    return command.statements.some(({ parts }) => parts.some(({ sql }) => /deferr/i.test(sql)));
  }

  #findDeferredKeys(): boolean {
    if (!this.#options.foreignKeys) return false;
    const sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%deferr%' LIMIT 1";
    return runOnce(this.#database, sql).length > 0;
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

/** The text of a command that is a lone VACUUM of this database, or `null`. */
function vacuumOf({ statements, transaction, kind }: StampedCommand): string | null {
  const part = statements.length === 1 && statements[0]?.parts.length === 1 ? statements[0].parts[0] : undefined;
  if (part === undefined || part.verb !== "VACUUM" || transaction || kind === "query") return null;
  return isVacuumInto(part.sql) ? null : part.sql;
}

/**
 * Opens the database and brings it into the state the node relies on.
 * @param path A file, or `:memory:`.
 * @throws {Error} When the file is not an SQLite database or cannot be used.
 */
export function openStateMachine(path: string, options: StateMachineOptions): StateMachine {
  return new StateMachine(path, options);
}

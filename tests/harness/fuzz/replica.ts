/**
 * The one place where the fuzzer meets the database: a replica that applies entries to a file of its own, is closed,
 * killed, opened, copied and adopted, and says what it holds. What it is made of may change; this interface stays.
 * @module
 */

import { takeText } from "../../../src/app/database/held_answer.ts";
import { AnswerBudget } from "../../../src/base/shared/answer_budget.ts";
import { encodeCommand, stampCommand } from "../../../src/core/sql/command.ts";
import type { ApplyEntry, Outcome } from "../../../src/core/sql/exchange.ts";
import { renderFlags } from "../../../src/core/sql/render_options.ts";
import { splitStatements } from "../../../src/core/sql/statement.ts";
import { Tokenizer } from "../../../src/core/sql/tokenizer.ts";
import { contentHash } from "../../../src/drivers/sqlite/content_hash.ts";
import { Database, runOnce } from "../../../src/drivers/libsqlite/driver.ts";
import {
  beginIncoming,
  copyDatabase,
  dropCopy,
  readCopy,
  stageIncoming,
  writeIncoming,
} from "../../../src/drivers/snapshot/transfer.ts";
import { adoptStaged, snapshotPaths } from "../../../src/drivers/sqlite/snapshot_file.ts";
import { openStateMachine, type StateMachine } from "../../../src/drivers/sqlite/state_machine.ts";
import type { Item } from "./case.ts";

/** Bytes of a snapshot handed over at a time. */
const PIECE_BYTES = 1024 * 1024;

/** Steps of an entry, some seconds' worth: a case whose rows multiply from entry to entry ends, too. */
const ENTRY_STEPS_MAX = 50_000_000;

/** An entry of the log, made from an item: it stands at `index` for all replicas. */
export function makeEntry(item: Item, index: number): ApplyEntry {
  if (item.kind === "noop") return { index, term: 1, kind: "noop", body: new Uint8Array(0) };
  const { kind, transaction, isSystem = false, elements, timeMs, steps = ENTRY_STEPS_MAX, seed: [hi, lo] } = item;
  const statements = elements.map(({ sql, positional, named }) => ({ parts: splitStatements(sql), positional, named }));
  const body = encodeCommand({ kind, transaction, isSystem, statements });
  stampCommand(body, { timeMs, seed: { hi, lo }, maxSteps: steps });
  return { index, term: 1, kind: "command", body };
}

/** The statements of a string, one by one. */
export function splitText(sql: string): string[] {
  return splitStatements(sql).map((part) => part.sql);
}

/** The tokens of a string, each with a space in front where there was one. */
export function tokensOf(sql: string): string[] {
  const list: string[] = [];
  const tokens = new Tokenizer(sql);
  for (let end = 0; tokens.next(); end = tokens.end) {
    list.push(`${tokens.start > end ? " " : ""}${sql.slice(tokens.start, tokens.end)}`);
  }
  return list;
}

/** The state of a replica, to be compared. */
export interface Position {
  /** Index of the last applied entry. */
  readonly applied: number;
  /** Digest of everything applied. */
  readonly digest: number;
}

/** How to open a replica. */
export interface ReplicaOptions {
  /** Its folder, which exists. */
  readonly directory: string;
  /** Whether foreign keys are enforced. */
  readonly foreignKeys: boolean;
  /** How it renders results, as bits; `null` where nobody waits. */
  readonly waiter: number | null;
}

/** A replica. All methods throw what the database throws: the caller takes that for a failure. */
export class Replica {
  /** Results by index of their entry, since they were last taken. */
  readonly results: Map<number, string> = new Map();
  /** Whether it was ever opened on existing files: what it shows of earlier writes may differ from then on. */
  isReopened = false;
  readonly #options: ReplicaOptions;
  #directory: string;
  #machine: StateMachine;
  #view: Database | undefined;
  #lives = 0;
  /** Whether frames of the WAL may be in the file as well: then they were synced, and no power loss takes them. */
  readonly #answers = new AnswerBudget();
  #isWalSynced = false;

  /** Opens it, on whatever its folder holds. */
  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#directory = options.directory;
    this.#machine = this.#open();
  }

  /** Path of the database file. */
  get path(): string {
    return `${this.#directory}/db.sqlite`;
  }

  /** The state that the replica has reached. */
  get position(): Position {
    return { applied: this.#machine.applied, digest: this.#machine.digest.value };
  }

  /** The digest after an entry; undefined where it is not kept. */
  digestAt(index: number): number | undefined {
    return this.#machine.digest.at(index);
  }

  /** Applies entries as one batch. */
  apply(entries: readonly ApplyEntry[]): void {
    const { waiter } = this.#options;
    if (waiter === null) return this.#machine.apply(entries);
    const options = renderFlags(waiter);
    this.#machine.apply(entries.map((entry) => ({ ...entry, waiter: { port: 1, ref: entry.index, options } })));
  }

  /** Hash of everything it holds. */
  hash(): string {
    return contentHash(this.#reader());
  }

  /** The lines of `PRAGMA integrity_check`. */
  integrity(): string[] {
    this.#closeView(); // FTS5 judges by what a connection that has been open for longer remembers
    return runOnce(this.#reader(), "PRAGMA integrity_check(5)").map(([line]) => String(line));
  }

  /** Moves the WAL into the file. */
  checkpoint(mode: "PASSIVE" | "TRUNCATE"): void {
    this.#closeView();
    this.#machine.checkpoint(mode);
    this.#isWalSynced = mode === "PASSIVE";
  }

  /** Closes and opens it. */
  restart(): void {
    this.close();
    this.#machine = this.#open();
  }

  /**
   * Ends it as kill -9 does and opens what is left.
   * @param keptShare Share of the WAL that has reached the disk, where it was not synced; 1 for all of it.
   */
  crash(keptShare: number): void {
    this.#closeView();
    const next = `${this.#options.directory}/life${++this.#lives}`;
    Deno.mkdirSync(next);
    Deno.copyFileSync(this.path, `${next}/db.sqlite`);
    const share = this.#isWalSynced ? 1 : keptShare;
    const wal = Deno.readFileSync(`${this.path}-wal`);
    Deno.writeFileSync(`${next}/db.sqlite-wal`, wal.subarray(0, Math.floor(wal.length * share)));
    this.close();
    this.#directory = next;
    this.#machine = this.#open();
  }

  /** Takes the snapshot of another replica in its own place. */
  adopt(source: Replica): void {
    const from = snapshotPaths(source.path);
    const part = copyDatabase(from);
    const to = snapshotPaths(this.path);
    beginIncoming(to, part);
    for (let offset = 0; offset < part.bytes; offset += PIECE_BYTES) {
      const chunk = readCopy(from, offset, Math.min(PIECE_BYTES, part.bytes - offset));
      writeIncoming(to, part.id, { offset, chunk });
    }
    dropCopy(from);
    stageIncoming(to, part);
    this.close();
    adoptStaged(to);
    this.#machine = this.#open();
  }

  /** Closes it. */
  close(): void {
    this.#closeView();
    this.#machine.close();
  }

  #open(): StateMachine {
    const machine = openStateMachine(this.path, {
      foreignKeys: this.#options.foreignKeys,
      answers: this.#answers,
      deliver: (_port, outcomes) => outcomes.forEach((outcome) => this.#keep(outcome)),
    });
    this.isReopened ||= machine.applied > 0;
    this.#isWalSynced = false;
    return machine;
  }

  #keep({ index, results, error }: Outcome): void {
    const text = takeText(results, this.#answers);
    this.results.set(index, error === undefined ? text : `${text} ${error}`);
  }

  #reader(): Database {
    return this.#view ??= new Database(this.path, { readOnly: true, foreignKeys: false });
  }

  #closeView(): void {
    this.#view?.close();
    this.#view = undefined;
  }
}

/**
 * Entries and state machines for the tests of this folder.
 * @module
 */

import { Control } from "../../../src/drivers/libsqlite/control.ts";
import { wholeText } from "../../../src/core/sql/result_text.ts";
import {
  type BoundStatement,
  type Command,
  encodeCommand,
  MAX_STEPS_DEFAULT,
  stampCommand,
} from "../../../src/core/sql/command.ts";
import { splitStatements } from "../../../src/core/sql/statement.ts";
import type { SqlValue } from "../../../src/core/sql/value.ts";
import type { ApplyEntry, DecodedRead, Outcome } from "../../../src/core/sql/exchange.ts";
import type { RenderOptions } from "../../../src/core/sql/render_options.ts";
import { openStateMachine, type StateMachine } from "../../../src/drivers/sqlite/state_machine.ts";

/** The options of a request without parameters, but for errors: those with SQLite's codes have tests of their own. */
export const PLAIN: RenderOptions = {
  associative: false,
  timings: false,
  blobArray: false,
  qualifyColumns: false,
  errors: "v1",
};

/** A statement as text, or with its parameters: positional ones, or an object of named ones. */
export type Sql = string | readonly [string, ...(SqlValue | Record<string, SqlValue>)[]];

function isNamed(value: SqlValue | Record<string, SqlValue>): value is Record<string, SqlValue> {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}

/** Binds like the HTTP side. */
export function bind(sql: Sql): BoundStatement {
  const [text, ...values] = typeof sql === "string" ? [sql] : sql;
  const positional: SqlValue[] = [];
  const named: Record<string, SqlValue> = {};
  for (const value of values) {
    if (isNamed(value)) Object.assign(named, value);
    else positional.push(value);
  }
  return { parts: splitStatements(text), positional, named: Object.keys(named).length > 0 ? named : null };
}

/** Settings that may differ from those of a plain execute. */
export interface EntryOptions extends Partial<Omit<Command, "statements">> {
  /** The leader's time. @default {1_700_000_000_123} */
  readonly timeMs?: number;
  /** @default {MAX_STEPS_DEFAULT} */
  readonly maxSteps?: number;
}

/** A stamped, unaddressed entry. */
export function entry(index: number, statements: readonly Sql[], options: EntryOptions = {}): ApplyEntry {
  const {
    kind = "execute",
    transaction = false,
    isSystem = false,
    readTimeoutMs = 0,
    timeMs = 1_700_000_000_123,
    maxSteps = MAX_STEPS_DEFAULT,
  } = options;
  const body = encodeCommand({ kind, transaction, isSystem, readTimeoutMs, statements: statements.map(bind) });
  stampCommand(body, { timeMs, seed: { hi: 0xdead_beef, lo: index }, maxSteps });
  return { index, term: 1, kind: "command", body };
}

/** How the cluster's own statements come. */
export const SYSTEM = { kind: "request", transaction: true, isSystem: true } as const;

/** A read request. */
export function read(statements: readonly Sql[], rest: Partial<DecodedRead> = {}): DecodedRead {
  return {
    ref: 1,
    statements: statements.map(bind),
    transaction: false,
    options: PLAIN,
    timeoutMs: 0,
    onlyIfReadOnly: false,
    ...rest,
  };
}

/** A state machine with a waiter of its own. */
export class Bench implements Disposable {
  /** The machine. */
  readonly machine: StateMachine;
  /** The outcomes that were delivered, in order. */
  readonly delivered: { port: number; outcome: Outcome }[] = [];
  /** The indexes that were reported as applied. */
  readonly applied: number[] = [];
  /** Limits of its statements, and what it is at. */
  readonly control = new Control();
  /** The same for what only their asker sees. */
  readonly privateControl = new Control();

  /** @param path A file, or `:memory:`. */
  constructor(path = ":memory:", foreignKeys = false, { tempBytesMax }: { readonly tempBytesMax?: number } = {}) {
    this.machine = openStateMachine(path, {
      foreignKeys,
      ...(tempBytesMax === undefined ? {} : { tempBytesMax }),
      control: this.control,
      privateControl: this.privateControl,
      deliver: (port, outcomes) => {
        for (const outcome of outcomes) this.delivered.push({ port, outcome });
      },
      onApplied: (index) => this.applied.push(index),
    });
  }

  /** Applies one entry and returns its outcome. */
  outcome(statements: readonly Sql[], options: EntryOptions & { render?: Partial<RenderOptions> } = {}): Outcome {
    const index = this.machine.applied + 1;
    const waiter = { port: 1, ref: index, options: { ...PLAIN, ...options.render } };
    this.machine.apply([{ ...entry(index, statements, options), waiter }]);
    const last = this.delivered.at(-1);
    if (last === undefined || last.outcome.ref !== index) throw new Error("Expected an outcome");
    return last.outcome;
  }

  /** Applies one entry and returns the text of its results. */
  run(statements: readonly Sql[], options: EntryOptions & { render?: Partial<RenderOptions> } = {}): string {
    return wholeText(this.outcome(statements, options).results);
  }

  /** Rows of a strong read. */
  rows(sql: Sql): unknown {
    const [result] = JSON.parse(this.run([sql], { kind: "query" }));
    return result.error ?? result.values ?? [];
  }

  [Symbol.dispose](): void {
    this.machine.close();
  }
}

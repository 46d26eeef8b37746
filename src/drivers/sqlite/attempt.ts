/**
 * Attempts to run an entry: what it has left of its budgets, which hold for all of them, and which of its statements are
 * known to fail.
 * @module
 */

import type { StampedCommand } from "../../core/sql/command.ts";
import type { Failure } from "../../core/sql/failure.ts";
import type { RenderOptions } from "../../core/sql/render_options.ts";
import { invariant } from "../../invariant.ts";
import type { SqlPart } from "../../core/sql/statement.ts";
import { type Control, UNLIMITED } from "../libsqlite/control.ts";
import { type Doomed, QUERY_TIMEOUT, type RestartEntry, StatementError } from "./failure.ts";

/** What an entry has left. */
export interface EntryBudget {
  /** Steps of the virtual machine. */
  readonly steps: number;
  /** Milliseconds for what only its asker sees. @default All that its request gives. */
  readonly readMs?: number | undefined;
}

/** An attempt. */
export interface Attempt extends EntryBudget {
  /** Statements that are known to fail. */
  readonly doomed: Doomed;
  /** Whether the transaction holds no other entry. */
  readonly isSolitary: boolean;
}

/** How an entry is to be run. */
export interface RunOptions extends Pick<Attempt, "doomed" | "isSolitary"> {
  /** `null` when nobody waits for the results. */
  readonly options: RenderOptions | null;
}

/** One statement of a command. */
export interface Step {
  /** Its text. */
  readonly part: SqlPart;
  /** Its number within the command: seeds its random numbers. */
  readonly number: number;
  /** Whether its result is the element's. */
  readonly isLast: boolean;
  /** Whether only its asker sees what it does. */
  readonly isPrivate: boolean;
}

/** No statement is known to fail. */
export const NOTHING_DOOMED: Doomed = new Map();
/** An entry of which nothing is run. */
export const NO_ATTEMPT: Attempt = { doomed: NOTHING_DOOMED, isSolitary: true, steps: 0 };
/** Attempts at one entry; beyond, its statements that have not run yet fail. */
const ATTEMPTS_MAX = 100;
const TOO_MANY_ATTEMPTS =
  `not run: ${ATTEMPTS_MAX} statements of this request have exceeded a limit or failed to change the schema`;

/** What the attempts at an entry leave to the next one: an entry begins with all that its command gives. */
export class Attempts {
  readonly #command: StampedCommand | null;
  readonly #doomed = new Map<number, Failure>();
  #steps: number;
  #readMs: number | undefined;
  #count = 0;

  /** @param command `null` for an entry without one. */
  constructor(command: StampedCommand | null) {
    this.#command = command;
    this.#steps = command?.maxSteps ?? 0;
  }

  /** The next one, in a transaction of its own. */
  get next(): Attempt {
    return { doomed: this.#doomed, isSolitary: true, steps: this.#steps, readMs: this.#readMs };
  }

  /** Takes in how the last one has ended, alone or beside other entries: that makes no difference to an entry. */
  failed({ statementNumber, failure, isPrivate }: RestartEntry, left: { steps: number; readMs: number }): void {
    invariant(!this.#doomed.has(statementNumber), "a statement marked as failed has run");
    this.#doomed.set(statementNumber, failure);
    this.#readMs = left.readMs;
    if (isPrivate) return; // the budget and the attempts are the same on every replica
    this.#steps = Math.max(0, left.steps);
    this.#count++;
    if (this.#count >= ATTEMPTS_MAX && this.#command) this.#doomRest(this.#command, statementNumber);
  }

  /** Marks all statements behind the last one that failed. */
  #doomRest({ statements }: StampedCommand, last: number): void {
    let count = 0;
    for (const { parts } of statements) count += parts.length;
    for (let number = last + 1; number < count; number++) this.#doomed.set(number, { message: TOO_MANY_ATTEMPTS });
  }
}

/** Gives the next call the time that is left until then, on the clock of `performance`. @throws {StatementError} When it is over. */
export function limitUntil(control: Control, untilMs: number): void {
  const leftMs = untilMs - performance.now();
  if (leftMs <= 0) throw new StatementError(QUERY_TIMEOUT);
  control.timeoutMs = leftMs === Infinity ? UNLIMITED : leftMs;
}

/** The time of an entry's statements that only their asker sees, all together: all writes wait meanwhile. */
export class ReadTime {
  /** Milliseconds that are left. */
  leftMs = Infinity;
  #untilMs = Infinity;
  readonly #control: Control;

  /** @param control Limits of these statements. */
  constructor(control: Control) {
    this.#control = control;
  }

  /** Does a piece of work out of it. @throws {StatementError} When none is left. */
  spend<T>(work: () => T): T {
    const startedMs = performance.now();
    this.#untilMs = startedMs + this.leftMs;
    try {
      this.look();
      return work();
    } finally {
      this.leftMs -= performance.now() - startedMs;
    }
  }

  /** Gives the next call what is left now. @throws {StatementError} When that is nothing. */
  look(): void {
    limitUntil(this.#control, this.#untilMs);
  }
}

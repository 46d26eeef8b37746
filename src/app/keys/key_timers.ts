/**
 * Deletes keys whose time to live is over: on the leader, by an entry of the log, as soon as the time has come by its clock.
 * A key is never deleted before its time, as far as the clocks of those that led since agree; nothing is looked at while no
 * key has a time.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { Alarm } from "../../base/worker/alarm.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import { deleteExpired, NEXT_END } from "../../core/catalog/kv_history.ts";
import type { Catalog } from "../agent/catalog.ts";

/** Keys deleted by one entry of the log at most. */
const DELETED_MAX = 500;
/** Until a failure is tried again. */
const RETRY_MS = 1000;
/** Longest sleep, so that a clock that was set is noticed. */
const SLEEP_MS_MAX = 60_000;

/** Dependencies of the timers. */
export interface KeyTimersParts {
  readonly catalog: Pick<Catalog, "bringUpToDate" | "read" | "write">;
  readonly state: Pick<NodeState, "isLeader">;
  log(line: string, level?: LogLevel): void;
}

/** The times of all keys that have one, while this node leads. */
export class KeyTimers {
  readonly #parts: KeyTimersParts;
  readonly #alarm = new Alarm(() => this.#run());
  #isBusy = false;
  #isAskedAgain = false;

  constructor(parts: KeyTimersParts) {
    this.#parts = parts;
  }

  /** This node has begun to lead, or keys have got other times: looks which ends first. */
  look(): void {
    if (this.#isBusy) this.#isAskedAgain = true;
    else this.#alarm.within(0);
  }

  async #run(): Promise<void> {
    const { state, log } = this.#parts;
    this.#isBusy = true;
    this.#isAskedAgain = false;
    let sleepMs = Infinity;
    try {
      if (state.isLeader) sleepMs = await this.#deleteExpired() - Date.now();
    } catch (error) {
      sleepMs = RETRY_MS;
      if (state.isLeader) log(`keys whose time is over could not be deleted: ${messageOf(error)}`, "warn");
    }
    this.#isBusy = false;
    if (this.#isAskedAgain) sleepMs = 0;
    if (sleepMs < Infinity) this.#alarm.within(Math.min(SLEEP_MS_MAX, Math.max(0, sleepMs)));
  }

  /** Returns when the next one ends, in milliseconds since 1970; Infinity: none does. */
  async #deleteExpired(): Promise<number> {
    const { catalog } = this.#parts;
    await catalog.bringUpToDate();
    for (;;) {
      const { rows: [[found]] } = await catalog.read([{ sql: NEXT_END }]);
      const nextMs = Number(found?.next_ms ?? Infinity);
      if (nextMs > Date.now()) return nextMs;
      await catalog.write([deleteExpired(Date.now(), DELETED_MAX)]);
    }
  }
}

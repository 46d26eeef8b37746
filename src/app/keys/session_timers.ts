/**
 * Ends sessions that nobody renews (C10): on the leader, twice their time after the last renewal, so that a renewal which
 * is on its way, or waits for a new leader, is in time. A new leader begins to count anew. So a session never ends
 * before its time.
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import type { Catalog } from "../agent/catalog.ts";

/** How often the times are looked at. */
const TICK_MS = 500;
/** How often it is looked whether there are any: a session that begins meanwhile lasts longer than that. */
const IDLE_MS = 2500;
/** Times of a session before it is ended. */
const TIMES = 2;
/** Sessions ended by one entry of the log at most. */
const ENDED_MAX = 500;

/** Dependencies of the timers. */
export interface SessionTimersParts {
  readonly catalog: Pick<Catalog, "read" | "write">;
  readonly state: Pick<NodeState, "isLeader">;
  log(line: string, level?: LogLevel): void;
}

/** The times of all sessions that have one, while this node leads. */
export class SessionTimers {
  readonly #parts: SessionTimersParts;
  /** By id, on the monotonic clock. */
  readonly #endsMs = new Map<string, number>();
  /** Whether the sessions of those who led before are among them. */
  #isComplete = false;

  constructor(parts: SessionTimersParts) {
    this.#parts = parts;
  }

  /** Looks at the times from now on. */
  start(): void {
    const again = async () => {
      await this.#tick();
      setTimeout(again, this.#endsMs.size > 0 ? TICK_MS : IDLE_MS);
    };
    setTimeout(again, TICK_MS);
  }

  /** The time of a session begins anew; `ttlMs` 0: it has none. */
  renew(id: string, ttlMs: number): void {
    if (ttlMs > 0) this.#endsMs.set(id, performance.now() + TIMES * ttlMs);
  }

  /** A session has ended. */
  forget(id: string): void {
    this.#endsMs.delete(id);
  }

  async #tick(): Promise<void> {
    const { state, log } = this.#parts;
    if (!state.isLeader) {
      this.#endsMs.clear();
      this.#isComplete = false;
      return;
    }
    try {
      if (!this.#isComplete) await this.#complete();
      await this.#end();
    } catch (error) {
      // They are still there, and tried again.
      if (state.isLeader) log(`expired sessions could not be ended: ${messageOf(error)}`, "warn");
    }
  }

  /** This node has begun to lead: all times begin anew. */
  async #complete(): Promise<void> {
    const { rows: [sessions] } = await this.#parts.catalog.read([{
      sql: "SELECT id, ttl FROM _muster_sessions WHERE ttl <> ''",
    }]);
    for (const { id, ttl } of sessions) this.renew(String(id), parseDuration(String(ttl)) ?? 0);
    this.#isComplete = true;
  }

  async #end(): Promise<void> {
    const now = performance.now();
    const ended = [...this.#endsMs].filter(([, endMs]) => endMs <= now).slice(0, ENDED_MAX).map(([id]) => id);
    if (ended.length === 0) return;
    const sql = `DELETE FROM _muster_sessions WHERE id IN (${ended.map(() => "?").join(", ")})`;
    await this.#parts.catalog.write([{ sql, positional: ended }]);
    for (const id of ended) if ((this.#endsMs.get(id) ?? Infinity) <= now) this.#endsMs.delete(id);
    this.#parts.log(`ended ${ended.length} sessions that were not renewed`);
  }
}

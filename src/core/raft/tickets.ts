/**
 * Tracks which part of the log is on stable storage, from write tickets alone (O3). Pure.
 *
 * Writes are issued with rising tickets and become durable in that order. An entry counts as durable only while no
 * write still in flight can replace it: without that, the late acknowledgement of an old write would make entries that
 * replaced it look stable (the append ABA race).
 *
 *   durable <= last index of the newest acknowledged write
 *   durable <  lowest index touched by any write not yet acknowledged
 * @module
 */
import { invariant } from "../../invariant.ts";
import type { Ticket } from "./effects.ts";
import type { Index } from "./message.ts";

interface PendingWrite {
  readonly ticket: Ticket;
  /** Lowest index it writes or removes; Infinity for hard state alone. */
  readonly touched: Index;
  /** Last index of the log once it is durable. */
  readonly last: Index;
  /** Whether it carries term or vote, on which every positive answer depends. */
  readonly hard: boolean;
  /** Tick at which it was issued (P6). */
  readonly issuedAt: number;
}

/** Tracks writes from being issued to being durable. */
export class Tickets {
  readonly #pending: PendingWrite[] = [];
  #issued: Ticket = 0;
  /** Lowest index changed in memory since the newest ticket. */
  #touched: Index = Infinity;
  #durable: Index;

  /** @param last Last index on disk at boot. */
  constructor(last: Index) {
    this.#durable = last;
  }

  /** Last index that is stable and cannot be replaced by a write in flight. */
  get durable(): Index {
    return this.#durable;
  }

  /** Tick at which the oldest unacknowledged write was issued, or `undefined` when none is in flight (P6). */
  get oldestIssuedAt(): number | undefined {
    return this.#pending.length > 0 ? this.#pending[0].issuedAt : undefined;
  }

  /** Notes that the log changed from `index` on; takes effect on `durable` at once, before any ticket exists (O3). */
  touch(index: Index): void {
    if (index < this.#touched) this.#touched = index;
    if (index <= this.#durable) this.#durable = index - 1;
  }

  /**
   * Numbers the write of everything touched since the last one.
   * @param write Last index after it, whether it carries hard state, and the current tick.
   */
  issue(write: { readonly last: Index; readonly hard: boolean; readonly now: number }): Ticket {
    this.#issued++;
    this.#pending.push({
      ticket: this.#issued,
      touched: this.#touched,
      last: write.last,
      hard: write.hard,
      issuedAt: write.now,
    });
    this.#touched = Infinity;
    return this.#issued;
  }

  /** Takes the news that `ticket` and all writes before it are durable; an old ticket is no news (O6). */
  persisted(ticket: Ticket): void {
    invariant(ticket <= this.#issued, "a write was acknowledged that was never issued");
    const pending = this.#pending;
    let acknowledged = 0;
    while (acknowledged < pending.length && pending[acknowledged].ticket <= ticket) acknowledged++;
    if (acknowledged === 0) return;
    let durable = pending[acknowledged - 1].last;
    for (let at = acknowledged; at < pending.length; at++) durable = Math.min(durable, pending[at].touched - 1);
    this.#durable = Math.min(durable, this.#touched - 1);
    pending.splice(0, acknowledged);
  }

  /**
   * Ticket a message must wait for that relies on the log up to `index` and on the hard state as they are now (O2);
   * 0 when both are durable. To be called when everything touched has a ticket.
   */
  gate(index: Index): Ticket {
    for (let at = this.#pending.length - 1; at >= 0; at--) {
      const write = this.#pending[at];
      if (write.hard || write.touched <= index) return write.ticket;
    }
    return 0;
  }

  /** Ticket of the newest unacknowledged write, 0 for none: what a vote waits for (E3: its log tail included). */
  get newest(): Ticket {
    return this.#pending.length > 0 ? this.#issued : 0;
  }
}

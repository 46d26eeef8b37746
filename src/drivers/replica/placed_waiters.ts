/**
 * Those who wait for entries of the log, by the places that the leader has given to their writes (X1). An entry of another
 * term in a waiter's place means that its own was never committed.
 * @module
 */
import type { EntryId, Index, Term } from "../../core/raft/message.ts";
import type { Waiter } from "../../core/sql/exchange.ts";

interface Placed {
  readonly term: Term;
  readonly waiter: Waiter;
}

/** Waiters by index. */
export class PlacedWaiters {
  readonly #placed = new Map<Index, Placed>();
  readonly #notCommitted: (waiter: Waiter) => void;

  /** @param notCommitted Told of each whose entry certainly is not committed. */
  constructor(notCommitted: (waiter: Waiter) => void) {
    this.#notCommitted = notCommitted;
  }

  /** Has a client wait for an entry. Whoever waited there before did so for one that a later leader has replaced. */
  add(waiter: Waiter, { index, term }: EntryId): void {
    const before = this.#placed.get(index);
    this.#placed.set(index, { term, waiter });
    if (before) this.#notCommitted(before.waiter);
  }

  /** Who waits for the committed entry with this index and term. */
  take(index: Index, term: Term): Waiter | undefined {
    const placed = this.#placed.get(index);
    if (!placed) return undefined;
    this.#placed.delete(index);
    if (placed.term === term) return placed.waiter;
    this.#notCommitted(placed.waiter);
    return undefined;
  }

  /** Those up to `index` will not be told more. */
  forgetUpTo(index: Index): void {
    for (const at of this.#placed.keys()) if (at <= index) this.#placed.delete(at);
  }
}

/**
 * Those who wait for entries of the log: clients of this node, by the places that the leader has given to their writes
 * (X1), and, on the leader, other nodes whose clients do (X7).
 * @module
 */
import type { EntryId, Index, NodeId, Term } from "../../core/raft/message.ts";
import type { Waiter } from "../../core/sql/exchange.ts";

interface Placed {
  readonly term: Term;
  readonly waiter: Waiter;
}

/** Clients by index. An entry of another term in the place of one means that its own was never committed. */
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

interface Wait {
  /** No entry of the node that it was not told of stands before this one. */
  first: Index;
  last: Index;
}

/**
 * Other nodes. They would hear of the commit index with the next entries, or at the next tick (C4): for a client that is
 * alone that would be a tick for each write.
 */
export class CommitWaits {
  readonly #waits = new Map<NodeId, Wait>();

  /** A node waits for an entry. */
  add(peer: NodeId, index: Index): void {
    const wait = this.#waits.get(peer);
    if (wait === undefined) this.#waits.set(peer, { first: index, last: index });
    else wait.last = Math.max(wait.last, index);
  }

  /** The nodes that wait for an entry up to `commit`: they are to be told, and count as told. */
  due(commit: Index): NodeId[] {
    const peers: NodeId[] = [];
    for (const [peer, wait] of this.#waits) {
      if (wait.first > commit) continue;
      peers.push(peer);
      if (wait.last <= commit) this.#waits.delete(peer);
      else wait.first = commit + 1;
    }
    return peers;
  }
}

/**
 * The nodes that wait for the commit index of their clients' writes (X7). They would hear of it with the next entries, or
 * at the next tick (C4): for a client that is alone that would be a tick for each write.
 * @module
 */
import type { Index, NodeId } from "../../core/raft/message.ts";

interface Wait {
  /** No entry of the node that it was not told of stands before this one. */
  first: Index;
  last: Index;
}

/** Entries that other nodes wait for. */
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

/**
 * Another node remembers that this one acknowledged or promised what its disk does not hold: its directory is an older copy
 * of itself (B3), or its disk forgot what it had reported as durable. Who remembers what, and when it is asked: recall.ts.
 * @module
 */
import { InvariantError } from "../../invariant.ts";
import type { Log } from "./log.ts";
import type { EntryId, Index, NodeId, Term } from "./message.ts";

/** This node's promises are worth nothing: it stops before it votes or acknowledges anything again. */
export class LostEntriesError extends InvariantError {
  private constructor(what: string) {
    super(
      `${what} (L5): its data directory is an older copy of itself, or its disk lost writes. Keep the files; in a cluster, ` +
        "remove this node, empty its data directory and let it join again",
    );
  }

  /** @param index Index that was acknowledged. @param last Index where the log ends. */
  static ofEntry(index: Index, last: Index): LostEntriesError {
    return new LostEntriesError(
      `The log, which ends at index ${last}, does not hold what this node acknowledged up to index ${index}`,
    );
  }

  /** @param term Term in which the node took part. @param own Term on its disk. */
  static ofTerm(term: Term, own: Term): LostEntriesError {
    return new LostEntriesError(
      `The log, which ends in term ${own}, does not hold what this node promised in term ${term}`,
    );
  }

  /** @param vote Candidate that got the vote. @param term Term of the vote. */
  static ofVote(vote: NodeId, term: Term): LostEntriesError {
    return new LostEntriesError(`The log does not hold this node's vote for "${vote}" in term ${term}`);
  }
}

/**
 * L5, B3: what is known to have been durable here is still here.
 * @throws {LostEntriesError} When it is gone, or another entry is in its place: so is an acknowledged write.
 */
export function checkHolds(log: Log, { index, term }: EntryId): void {
  const held = log.termAt(index);
  const isOther = term > 0 && held !== undefined && held !== term;
  if (index > log.last || isOther) throw LostEntriesError.ofEntry(index, log.last);
}

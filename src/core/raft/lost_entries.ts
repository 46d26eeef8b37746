/**
 * A leader remembers that this node acknowledged what its log does not hold: its directory is an older copy of itself
 * (B3), or its disk forgot what it had reported as durable.
 * @module
 */
import { InvariantError } from "../../invariant.ts";

/** This node's promises are worth nothing: it stops before it votes or acknowledges anything again. */
export class LostEntriesError extends InvariantError {
  /** @param index What was acknowledged. @param last Where the log ends. */
  constructor(index: number, last: number) {
    super(
      `The log, which ends at index ${last}, does not hold what this node acknowledged up to index ${index} (L5): its data ` +
        "directory is an older copy of itself, or its disk lost writes. Keep the files; in a cluster, remove this node, " +
        "empty its data directory and let it join again",
    );
  }
}

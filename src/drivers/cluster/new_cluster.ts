/**
 * Which nodes without data can become part of a cluster at all. Pure: asked before a directory is made, which keeps the
 * node's id from then on, and when the node starts.
 * @module
 */

/** What a node knows of the others. */
export interface Prospects {
  /** Whether it is told where others are, or how to find them. */
  readonly hasEntry: boolean;
  readonly isVoter: boolean;
  /** Nodes that form the cluster together; 0 and 1: this one alone. */
  readonly bootstrapExpect: number;
}

/** Why it cannot, or undefined. */
export function newClusterFault({ hasEntry, isVoter, bootstrapExpect }: Prospects): string | undefined {
  if (hasEntry) return undefined;
  if (!isVoter) return "cannot create a new non-voting node without joining it to an existing cluster";
  if (bootstrapExpect <= 1) return undefined;
  return `-bootstrap-expect ${bootstrapExpect} needs -join or -disco-mode, to find the other nodes by`;
}

/**
 * What nodes say of themselves, and how it is shown. Types only.
 * @module
 */

/** The disk that holds the data of a node, in bytes. */
export interface DiskFacts {
  /** Files of the data directory. */
  readonly usedBytes: number;
  /** Free on the disk; undefined where the node may not ask. */
  readonly freeBytes?: number | undefined;
  readonly totalBytes?: number | undefined;
}

/** What a node says of itself. */
export interface NodeFacts {
  /** Name in the pool; the id, where the node is in none. */
  readonly name: string;
  readonly version: string;
  /** URL of its HTTP API; empty for none. */
  readonly apiUrl: string;
  /** Id of the leader that it knows; empty for none. */
  readonly leaderId: string;
  readonly isLeader: boolean;
  /** When it began to lead, wall clock in ms; undefined where it does not. */
  readonly leadsSinceMs?: number | undefined;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  /** Why it is not ready to answer; undefined where it is. */
  readonly fault?: string | undefined;
  /** The entry that its database works on for so long that others wait; undefined for none. */
  readonly busyWith?: { readonly index: number; readonly steps: number } | undefined;
  /** Replicas whose data differ, of a leader that has found any: see drivers/replica/divergence.ts. */
  readonly differing?: { readonly index: number; readonly nodes: readonly string[] } | undefined;
  /** Disks that were full when they were last written to. */
  readonly fullDisks: readonly string[];
  /** Its wall clock, in ms. */
  readonly nowMs: number;
  /** Start of its process. */
  readonly startedMs: number;
  readonly memoryBytes: number;
  readonly disk?: DiskFacts | undefined;
  /** When its certificates expire, RFC 3339, by what they are for. */
  readonly certificates: Readonly<Record<string, string>>;
}

/** What was heard of a server. */
export interface Heard {
  readonly id: string;
  /** Cluster address. */
  readonly addr: string;
  readonly isVoter: boolean;
  readonly facts?: NodeFacts | undefined;
  /** Why there are none. */
  readonly error?: string | undefined;
  /** Whether it answers, but runs a version that says nothing of itself. @default {false} */
  readonly isOlder?: boolean;
  /** Time until it had answered; undefined for the node itself. */
  readonly roundTripMs?: number | undefined;
  /** How far its clock is ahead of the asking node's; what the way may account for is left out. */
  readonly clockAheadMs: number;
}

/** How a node is. */
export type Health = "healthy" | "behind" | "unready" | "unreachable";

/** A server in the picture. */
export interface PictureNode extends Omit<Heard, "facts" | "error" | "isOlder"> {
  readonly name: string;
  readonly role: "leader" | "follower" | "read replica";
  readonly health: Health;
  /** Why it is not healthy; empty where it is. */
  readonly cause: string;
  readonly version: string;
  readonly apiUrl: string;
  /** Committed entries that it has not applied yet; undefined where that is not known. */
  readonly lag?: number | undefined;
  readonly appliedIndex?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly disk?: DiskFacts | undefined;
  readonly startedMs?: number | undefined;
}

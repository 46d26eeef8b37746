/**
 * Parts shared by all ways into a cluster: the surroundings, the addresses to try, waiting and giving up.
 * @module
 */
import type { ReplicaOptions } from "../replica/api.ts";
import { pause } from "../../base/worker/backoff.ts";
import type { Index } from "../../core/raft/message.ts";
import type { Cluster } from "./cluster.ts";
import type { Discovery } from "./discovery.ts";
import type { Pool } from "./pool.ts";
import type { Membership, Removal } from "./removal.ts";

/** The node cannot become part of a cluster: the process ends with this message. */
export class ClusteringError extends Error {
  /** Always `ClusteringError`. */
  override readonly name = "ClusteringError";

  constructor(message: string) {
    super(`clustering failure: ${message}`);
  }
}

/** Surroundings of the boot. */
export interface BootParts {
  readonly options: ReplicaOptions;
  readonly cluster: Cluster;
  /** Present in a mode of discovery. */
  readonly discovery: Discovery | undefined;
  /** Present in a node that gossips. */
  readonly pool: Pool | undefined;
  /** What this node knows of its cluster; without members in a new node. */
  membership(): Membership;
  readonly removal: Pick<Removal, "isOutOf" | "placed">;
  /**
   * The leader's commit index as of now.
   * @throws {Error} When no leader is known, or it does not say.
   */
  leaderCommit(timeoutMs: number): Promise<Index>;
  /** Whether a leader is known, and has this node at its present address. */
  settled(): boolean;
  /** Ends the waiting at a shutdown. */
  readonly signal: AbortSignal;
  log(line: string): void;
}

/** The cluster addresses to enter through, as of now: from the command line, DNS, or the leader's record. */
export async function entryAddresses({ options, discovery, pool }: BootParts): Promise<readonly string[]> {
  switch (options.discovery?.kind) {
    case undefined:
      return options.join;
    case "pool":
      return [...options.join, ...await pool?.serverAddrs() ?? []];
    case "addresses":
      return await discovery?.call("addresses", {}) ?? [];
    case "register": {
      const found = await discovery?.call("read", {});
      return found ? [found.record.addr] : [];
    }
  }
}

/** Whether this node is part of a cluster, or was. */
export function hasMembers(parts: Pick<BootParts, "membership">): boolean {
  return parts.membership().config.members.length > 0;
}

/** Waits until the node knows its leader, or is to stop. */
export async function untilSettled(parts: BootParts): Promise<void> {
  while (!parts.settled() && !parts.signal.aborted) await pause(5, parts.signal);
}

/** The same for at most `ms`. */
export async function untilSettledFor(parts: BootParts, ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until && !parts.settled() && !parts.signal.aborted) await pause(10, parts.signal);
}

/**
 * Parts shared by all ways into a cluster: the surroundings, the addresses to try, waiting and giving up.
 * @module
 */
import type { ReplicaOptions } from "../replica/api.ts";
import { pause } from "../../base/worker/backoff.ts";
import type { Cluster } from "./cluster.ts";
import type { Discovery } from "./discovery.ts";
import type { Pool } from "./pool.ts";

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
  /** Members of the stored configuration; 0 for a new node. */
  memberCount(): number;
  /** Whether there is no member but this node. */
  isAlone(): boolean;
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

/** Waits until the node knows its leader, or is to stop. */
export async function untilSettled(parts: BootParts): Promise<void> {
  while (!parts.settled() && !parts.signal.aborted) await pause(5, parts.signal);
}

/** The same for at most `ms`. */
export async function untilSettledFor(parts: BootParts, ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until && !parts.settled() && !parts.signal.aborted) await pause(10, parts.signal);
}

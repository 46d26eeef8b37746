/**
 * Parts of a replica's status as strings. Pure.
 * @module
 */
import { formatDuration } from "../../base/codec/duration.ts";
import type { CoreStatus } from "../../core/raft/effects.ts";
import { DEFAULT_OPTIONS } from "../../core/raft/raft.ts";
import type { ReplicaOptions } from "./api.ts";

/** Since when the leader was heard: 0 on the leader itself, `never` where none is known. */
export function lastContact(
  { role, leader, ticksSinceLeader }: CoreStatus,
  { heartbeatTimeoutMs }: ReplicaOptions,
): number | string {
  if (role === "leader") return 0;
  if (leader === null) return "never";
  return `${ticksSinceLeader * heartbeatTimeoutMs / DEFAULT_OPTIONS.electionTicks}ms`;
}

/** What the node was told: the times that govern elections, proposals and reaping, as rqlite shows them, and the cluster's name. */
export function settingsOf(
  { applyTimeoutMs, heartbeatTimeoutMs, electionTimeoutMs, reapVoterMs, reapNonVoterMs, clusterName }: ReplicaOptions,
): Record<string, string> {
  return {
    ...(clusterName !== "" && { cluster_name: clusterName }),
    apply_timeout: `${applyTimeoutMs / 1000}s`,
    heartbeat_timeout: `${heartbeatTimeoutMs / 1000}s`,
    election_timeout: `${electionTimeoutMs / 1000}s`,
    reap_timeout: formatDuration(reapVoterMs),
    reap_read_only_timeout: formatDuration(reapNonVoterMs),
  };
}

/**
 * Parts of a replica's status as strings. Pure.
 * @module
 */
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

/** The times that govern elections and proposals, as rqlite shows them. */
export function timeouts(
  { applyTimeoutMs, heartbeatTimeoutMs, electionTimeoutMs }: ReplicaOptions,
): Record<string, string> {
  return {
    apply_timeout: `${applyTimeoutMs / 1000}s`,
    heartbeat_timeout: `${heartbeatTimeoutMs / 1000}s`,
    election_timeout: `${electionTimeoutMs / 1000}s`,
  };
}

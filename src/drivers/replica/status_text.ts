/**
 * Parts of a replica's status as strings. Pure.
 * @module
 */
import type { Cluster } from "../cluster/cluster.ts";
import { formatDuration } from "../../base/codec/duration.ts";
import type { CoreStatus } from "../../core/raft/effects.ts";
import { DEFAULT_OPTIONS } from "../../core/raft/raft.ts";
import type { LogStore } from "../log/store.ts";
import type { ReplicaOptions } from "./api.ts";
import type { Replica } from "./replica.ts";
import type { Snapshots } from "./snapshots.ts";

/** Since when the leader was heard, and on the leader since when each peer was, by id, in milliseconds. */
export function contactsOf(
  status: CoreStatus,
  options: ReplicaOptions,
): { lastContact: number | string; contacts: Record<string, number> } {
  const tickMs = options.heartbeatTimeoutMs / DEFAULT_OPTIONS.electionTicks;
  const heard = status.progress.map(({ id, ticksSinceHeard }) => [id, Math.round(ticksSinceHeard * tickMs)]);
  return { lastContact: lastContact(status, options), contacts: Object.fromEntries(heard) };
}

/** 0 on the leader itself, `never` where none is known. */
function lastContact(
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

/** What is counted. */
export interface Counted {
  readonly options: ReplicaOptions;
  readonly log: Pick<LogStore, "size">;
  readonly cluster: Cluster["counters"];
  readonly snapshots: Pick<Snapshots, "status" | "taken">;
  readonly replica: Pick<Replica, "status" | "counters">;
  readonly reaped: number;
  readonly leaderChanges: number;
  /** Times that this node was told to hand leadership over. */
  readonly stepdowns: number;
  /** Index that the database held at the start; 0: there was none. */
  readonly startedAt: number;
}

/** The groups of `/debug/vars` that the replica has, with rqlite's names where it has the same. */
export function countersOf(
  { options, log, cluster, snapshots, replica, reaped, leaderChanges, stepdowns, startedAt }: Counted,
): Record<string, Record<string, number>> {
  const { num_join_req, ...joins } = cluster;
  const { sent, installed, log_cuts } = snapshots.status();
  const core = replica.status();
  const { dropped, term, commit, applied, last, config } = core;
  return {
    cluster: { num_join_req, num_stepdown_req: stepdowns },
    store: {
      ...joins,
      ...replica.counters,
      num_snapshots: snapshots.taken,
      num_log_cuts: log_cuts,
      num_snapshots_sent: sent,
      num_restores: installed,
      // The database is its own snapshot: a start goes on with it as it is.
      num_restores_start: 0,
      num_restores_start_skipped: startedAt > 0 ? 1 : 0,
      nodes_reaped_ok: reaped,
      dropped_messages: dropped,
      leader_changes: leaderChanges,
      term,
      commit_index: commit,
      applied_index: applied,
      last_index: last.index,
      servers: config.members.length,
      voters: config.members.filter(({ role }) => role === "voter").length,
    },
    log: { ...log.size },
    contact_ms: contactsOf(core, options).contacts,
  };
}

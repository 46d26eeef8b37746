/**
 * Metrics of consensus and of the log (docs/metrics.md).
 * @module
 */
import type { NodeState } from "../../base/shared/node_state.ts";
import { byLabel, counter, type Family, gauge, histogram } from "../../core/metrics/family.ts";
import type { ReplicaClient } from "../database/replica_client.ts";

/** Sources of these metrics. */
export interface RaftParts {
  readonly state: NodeState;
  readonly replica: Pick<ReplicaClient, "call" | "pending" | "times">;
}

/** What the replica publishes in shared memory. */
export function raftFamilies({ state, replica }: RaftParts, nowMs: number): Family[] {
  const { counts, full } = state;
  return [
    gauge(
      "muster_ready",
      "Whether the node has its part in the cluster and holds all that was committed before",
      state.ready,
    ),
    gauge("muster_disk_full", "Whether the disk of the log or of the database was full when it was last written to", [
      { labels: { disk: "log" }, value: Number(full.log) },
      { labels: { disk: "database" }, value: Number(full.database) },
    ]),
    gauge("muster_raft_term", "Current term", state.term),
    gauge("muster_raft_commit_index", "Highest log index that is known to be committed", state.commit),
    gauge("muster_raft_applied_index", "Highest log index that the database holds", state.applied),
    gauge("muster_raft_is_leader", "Whether this node leads", state.isLeader),
    gauge("muster_raft_leader_known", "Whether this node knows who leads", state.leaderKnown),
    gauge(
      "muster_raft_leader_contact_seconds",
      "Time since this node last held what its leader held; 0 on the leader",
      leaderContactSeconds(state, nowMs),
    ),
    gauge(
      "muster_raft_apply_wait_seconds",
      "How long the oldest committed entry has waited to be applied; 0 where none waits",
      state.waitingSinceMs === 0 ? 0 : Math.max(0, nowMs - state.waitingSinceMs) / 1000,
    ),
    counter("muster_raft_elections_total", "Elections for which this node was a candidate", counts.elections),
    counter("muster_raft_elections_won_total", "Terms in which this node led", counts.won),
    counter(
      "muster_raft_proposals_total",
      "Commands that this node, as the leader, has given a place in the log",
      counts.proposals,
    ),
    histogram(
      "muster_raft_commit_duration_seconds",
      "Time from the proposal of entries until they are committed, by batch; on the leader",
      counts.commits,
    ),
    histogram("muster_log_sync_duration_seconds", "Time of an fdatasync of the log", counts.syncs),
    gauge("muster_writes_pending", "Writes of this node's clients that wait for their result", replica.pending),
    histogram(
      "muster_write_duration_seconds",
      "Time from the proposal of a write until its result is there, on the node that the client has asked",
      replica.times,
    ),
  ];
}

function leaderContactSeconds({ isLeader, leaderContactMs }: NodeState, nowMs: number): number | undefined {
  if (isLeader) return 0;
  return leaderContactMs === 0 ? undefined : Math.max(0, nowMs - leaderContactMs) / 1000;
}

/** What the replica says when it is asked. */
export async function replicaFamilies({ replica }: Pick<RaftParts, "replica">): Promise<Family[]> {
  const { store = {}, log = {}, contact_ms: contacts = {} } = await replica.call("counters", {});
  const seconds = Object.fromEntries(Object.entries(contacts).map(([id, ms]) => [id, ms / 1000]));
  return [
    gauge("muster_raft_last_log_index", "Index of the last entry of the log", store.last_index),
    gauge("muster_raft_servers", "Servers of the configuration in force, this node included", store.servers),
    gauge("muster_raft_voters", "Servers that vote, of the configuration in force", store.voters),
    gauge(
      "muster_raft_peer_contact_seconds",
      "Time since the leader has heard a server, by its id; on the leader",
      byLabel("peer", seconds),
    ),
    counter(
      "muster_raft_leader_changes_total",
      "Times that another leader became known, or none",
      store.leader_changes,
    ),
    counter(
      "muster_raft_snapshots_sent_total",
      "Copies of the database sent to other servers",
      store.num_snapshots_sent,
    ),
    counter("muster_raft_snapshots_installed_total", "Copies of the database received and taken", store.num_restores),
    gauge("muster_log_bytes", "Bytes of all segments of the log", log.bytes),
    gauge("muster_log_segments", "Segments of the log", log.segments),
  ];
}

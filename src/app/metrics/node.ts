/**
 * The metrics of a node.
 *
 * What is counted and timed on the way of a request lies in memory that is only read here: a request costs a few additions,
 * whether anybody reads them or not. The rest is asked for at each reading: the replica, the pool, the catalog, sizes of
 * files. A part that does not answer within {@linkcode ANSWER_MS} is left out, so that a node that is stuck still shows
 * the others.
 * @module
 */
import { withTimeout } from "../../base/worker/with_timeout.ts";
import type { Family } from "../../core/metrics/family.ts";
import { agentFamilies, type AgentMetricsParts, autopilotFamilies, catalogFamilies, poolFamilies } from "./agent.ts";
import { processFamilies, type ProcessParts } from "./process.ts";
import { backupFamilies, type BackupParts } from "./backups.ts";
import { raftFamilies, type RaftParts, replicaFamilies } from "./raft.ts";
import { databaseFamilies, sqliteFamilies, type SqliteParts } from "./sqlite.ts";

/** Longest wait for a part of the node. */
const ANSWER_MS = 1000;

/** Sources of the metrics. */
export type NodeMetricsParts = RaftParts & SqliteParts & AgentMetricsParts & ProcessParts & BackupParts;

/** What is at hand: all counters and histograms, and some gauges. */
export function familiesAtHand(parts: NodeMetricsParts, nowMs: number): Family[] {
  const data = hasData(parts) ? [...raftFamilies(parts, nowMs), ...sqliteFamilies(parts)] : [];
  return [...processFamilies(parts), ...data, ...agentFamilies(parts)];
}

/** All metrics. */
export async function nodeFamilies(parts: NodeMetricsParts, nowMs: number): Promise<Family[]> {
  const { agent, state } = parts;
  const asked = [
    ...(hasData(parts) ? [replicaFamilies(parts), databaseFamilies(parts)] : []),
    ...(parts.uploader ? [backupFamilies(parts.uploader)] : []),
    ...(agent ? [poolFamilies(agent)] : []),
    ...(agent && hasData(parts) ? [catalogFamilies(parts)] : []),
    ...(agent && state.isLeader ? [autopilotFamilies(agent, parts)] : []),
  ];
  const answers = asked.map((part) => withTimeout(part, ANSWER_MS, "no answer").catch(() => []));
  return [...familiesAtHand(parts, nowMs), ...(await Promise.all(answers)).flat()];
}

/** What a node keeps of its last hours: nothing of it needs a statement to be run. */
export async function sampledFamilies(parts: NodeMetricsParts, nowMs: number): Promise<Family[]> {
  const asked = [
    ...(hasData(parts) ? [databaseFamilies(parts)] : []),
    ...(parts.agent ? [poolFamilies(parts.agent)] : []),
  ];
  const answers = asked.map((part) => withTimeout(part, ANSWER_MS, "no answer").catch(() => []));
  return [...familiesAtHand(parts, nowMs), ...(await Promise.all(answers)).flat()];
}

/** A client agent has neither log nor database. */
function hasData({ options: { agent } }: ProcessParts): boolean {
  return agent?.isServer !== false;
}

/**
 * Metrics of an agent: its services and checks, the gossip pool, the name server, and on servers the catalog and the care
 * for servers (docs/metrics.md).
 * @module
 */
import type { DnsCounts } from "../../base/shared/dns_counts.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import { CHECK_STATUSES } from "../../core/health/aggregate.ts";
import { byLabel, counter, type Family, gauge, type Point } from "../../core/metrics/family.ts";
import type { MemberRecord, MemberStatus } from "../../drivers/membership/api.ts";
import type { Agent } from "../agent/agent.ts";
import { AUTOPILOT_ENTRY, autopilotConfig, serversHealth } from "../agent/autopilot.ts";
import type { Catalog } from "../agent/catalog.ts";
import { raftHealth } from "../agent/catalog_operations.ts";
import type { ReplicaClient } from "../database/replica_client.ts";
import type { LocalState } from "../services/local_state.ts";
import type { MemberEvents } from "./member_events.ts";

/** Sources of these metrics. */
export interface AgentMetricsParts {
  readonly state: NodeState;
  readonly catalog: Pick<Catalog, "read" | "shared" | "waiting">;
  readonly replica: ReplicaClient;
  /** Present in an agent, as are the next three. */
  readonly agent: Agent | undefined;
  readonly local: LocalState | undefined;
  readonly dns: DnsCounts | undefined;
  readonly memberEvents: MemberEvents | undefined;
}

const STATUSES: readonly MemberStatus[] = ["alive", "leaving", "left", "failed"];

/** What this agent has at hand. */
export function agentFamilies({ catalog, local, dns, memberEvents }: AgentMetricsParts): Family[] {
  const checks = [...local?.checks.values() ?? []].map(({ status }) => status);
  return [
    gauge("muster_blocking_queries", "Blocking queries that wait for a change", local && catalog.waiting),
    gauge("muster_agent_services", "Services that are registered with this agent", local?.services.size),
    gauge("muster_agent_checks", "Checks that are registered with this agent, by status", local && byStatus(checks)),
    counter(
      "muster_gossip_events_total",
      "Changes of members, and user events, as this agent has heard of them",
      memberEvents && byLabel("event", memberEvents.counts),
    ),
    counter(
      "muster_dns_queries_total",
      "DNS queries by the RCODE of the answer; none: it was not answered",
      dns?.all.map(({ result, count }) => ({ labels: { rcode: result }, value: count })),
    ),
  ];
}

function byStatus(statuses: readonly string[]): Point[] {
  return CHECK_STATUSES.map((status) => ({
    labels: { status },
    value: statuses.filter((one) => one === status).length,
  }));
}

/** The gossip pool. */
export async function poolFamilies({ pool }: Agent): Promise<Family[]> {
  const [members, stats] = await Promise.all([pool.members(), pool.call("stats", {})]);
  return [
    gauge(
      "muster_gossip_members",
      "Members of the pool by status and role, as this agent sees them",
      membersOf(members),
    ),
    gauge(
      "muster_gossip_health_score",
      "How far this agent doubts its own health (Lifeguard): 0 is well, 8 the worst",
      Number(stats.health_score),
    ),
    counter(
      "muster_gossip_packets_dropped_total",
      "Packets that were not understood, or not let in",
      Number(stats.dropped),
    ),
  ];
}

function membersOf(members: readonly MemberRecord[]): Point[] {
  const roleOf = ({ tags }: MemberRecord) => tags.role === "consul" ? "server" : "client";
  return ["server", "client"].flatMap((role) =>
    STATUSES.map((status) => ({
      labels: { role, status },
      value: members.filter((one) => one.status === status && roleOf(one) === role).length,
    }))
  );
}

/** The catalog, as this server holds it. */
export async function catalogFamilies({ catalog }: Pick<AgentMetricsParts, "catalog">): Promise<Family[]> {
  const { rows: [[nodes], [services], checks] } = await catalog.shared.get("metrics", () =>
    catalog.read([
      { sql: "SELECT count(*) AS nodes FROM _muster_nodes" },
      { sql: "SELECT count(DISTINCT name) AS names, count(*) AS instances FROM _muster_services" },
      { sql: "SELECT status, count(*) AS checks FROM _muster_checks GROUP BY status" },
    ]));
  const count = (status: string) => Number(checks.find((row) => row.status === status)?.checks ?? 0);
  return [
    gauge("muster_catalog_nodes", "Nodes in the catalog", Number(nodes?.nodes ?? 0)),
    gauge("muster_catalog_services", "Services in the catalog, by name", Number(services?.names ?? 0)),
    gauge("muster_catalog_service_instances", "Instances of services in the catalog", Number(services?.instances ?? 0)),
    gauge(
      "muster_catalog_checks",
      "Checks in the catalog by status",
      CHECK_STATUSES.map((status) => ({ labels: { status }, value: count(status) })),
    ),
  ];
}

/** The health of all servers; on the leader. */
export async function autopilotFamilies(agent: Agent, parts: AgentMetricsParts): Promise<Family[]> {
  const { kind, name } = AUTOPILOT_ENTRY;
  const [{ servers }, members, { rows: [[entry]] }] = await Promise.all([
    raftHealth(parts),
    agent.pool.members(),
    parts.catalog.read([{
      sql: "SELECT body FROM _muster_config_entries WHERE kind = ? AND name = ?",
      positional: [kind, name],
    }]),
  ]);
  const config = entry ? autopilotConfig(JSON.parse(String(entry.body))) : agent.options.autopilot;
  const { isWell, tolerance } = serversHealth(servers, members, config);
  return [
    gauge("muster_autopilot_healthy", "Whether all servers are well; on the leader", isWell),
    gauge("muster_autopilot_failure_tolerance", "Voters that may fail before writes stop; on the leader", tolerance),
  ];
}

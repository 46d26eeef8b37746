/**
 * The figures of `muster info` and of `/v1/agent/self` (C3.5): sections of strings.
 * @module
 */
import type { CoreStatus } from "../../core/raft/effects.ts";
import type { MemberRecord } from "../../drivers/membership/api.ts";
import type { ConsulParts } from "./parts.ts";

/** Sources of the figures. */
export type StatsParts = Pick<ConsulParts, "agent" | "local" | "options" | "replica" | "state">;

/** Sections, each with its figures; every value is a text. */
export type Stats = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The figures of this agent. */
export async function agentStats(parts: StatsParts): Promise<Stats> {
  const { agent, options } = parts;
  if (!agent) return {};
  const [gossip, members, wan] = await Promise.all([
    agent.pool.call("stats", {}),
    agent.pool.members(),
    agent.wan?.call("stats", {}).catch(() => undefined), // its port may have been taken
  ]);
  const servers = members.filter(({ tags, status }) => tags.role === "consul" && status === "alive");
  const own = members.find(({ name }) => name === agent.options.nodeName);
  const common: Stats = {
    agent: ownServices(parts),
    build: { prerelease: "", revision: "", version: buildOf(own), version_metadata: "" },
    runtime: runtime(options.facts),
    serf_lan: gossip,
    ...(wan ? { serf_wan: wan } : {}),
  };
  const acl = agent.options.acl ? "enabled" : "disabled";
  if (!agent.options.isServer) {
    return { ...common, consul: { acl, known_servers: String(servers.length), server: "false" } };
  }
  const { leader } = parts.replica;
  return {
    ...common,
    consul: {
      acl,
      bootstrap: String(agent.options.bootstrap),
      known_datacenters: String(agent.router?.names.length ?? 1),
      leader: String(parts.state.isLeader),
      leader_addr: leader?.addr ?? "",
      server: "true",
    },
    raft: await raft(parts),
  };
}

/** The newest version of Consul whose API this is. */
const API_VERSION = "1.22.0";

/**
 * What clients compare with the version that they need (Nomad places no job with services below 1.8.0): the version of
 * Consul whose API this is, with that of the program behind it: `1.22.0+muster.0.1.0`.
 */
export function apiVersion(own: MemberRecord | undefined): string {
  return `${API_VERSION}+muster.${buildOf(own)}`;
}

/** Version of the program, as the pool shows it: `0.1.0`. Clients read it as one of semantic versioning. */
export function buildOf(own: MemberRecord | undefined): string {
  return own?.tags.build?.split(":")[0] ?? "";
}

function ownServices({ local }: StatsParts): Record<string, string> {
  const checks = [...local?.checks.values() ?? []];
  return {
    check_monitors: String(checks.filter(({ definition }) => definition.intervalMs > 0).length),
    check_ttls: String(checks.filter(({ definition }) => definition.kind.k === "ttl").length),
    checks: String(checks.length),
    services: String(local?.services.size ?? 0),
  };
}

async function raft(parts: StatsParts): Promise<Record<string, string>> {
  const status = await parts.replica.call("status", {});
  const core = status.core as CoreStatus; // the replica's own word
  const last = status.lastSnapshot as { index: number; term: number };
  const states: Readonly<Record<CoreStatus["role"], string>> = {
    leader: "Leader",
    follower: "Follower",
    candidate: "Candidate",
    precandidate: "Candidate",
  };
  return {
    applied_index: String(core.applied),
    commit_index: String(core.commit),
    fsm_pending: String(core.commit - core.applied),
    last_contact: String(status.lastContact),
    last_log_index: String(core.last.index),
    last_log_term: String(core.last.term),
    last_snapshot_index: String(last.index),
    last_snapshot_term: String(last.term),
    latest_configuration: JSON.stringify(core.config.members.map(({ id, addr, role }) => ({ id, addr, role }))),
    latest_configuration_index: String(core.config.at),
    num_peers: String(Math.max(0, core.config.members.filter(({ role }) => role === "voter").length - 1)),
    protocol_version: "3",
    protocol_version_max: "3",
    protocol_version_min: "0",
    snapshot_version_max: "1",
    snapshot_version_min: "0",
    state: states[core.role],
    term: String(core.term),
  };
}

function runtime(facts: Readonly<Record<string, unknown>>): Record<string, string> {
  const machine = facts.runtime;
  const of = (name: string) =>
    typeof machine === "object" && machine !== null && name in machine
      ? String(Object.entries(machine).find(([key]) => key === name)?.[1])
      : "";
  return {
    arch: of("GOARCH"),
    cpu_count: of("num_cpu"),
    goroutines: "0",
    max_procs: of("GOMAXPROCS"),
    os: of("GOOS"),
    version: of("version"),
  };
}

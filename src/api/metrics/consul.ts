/**
 * `GET /v1/agent/metrics` (C7.12): metrics with the names that Consul's users watch, where muster has the same thing.
 *
 * As in Consul, counters and samples are those of the last whole interval of ten seconds, and what did not happen in it is
 * not listed; gauges are as of now. Times are in ms. There is no name of the host in front of gauges, as with Consul's
 * `disable_hostname`. What each name means here is in docs/metrics.md.
 * @module
 */
import { CONTENT_TYPES, encodeFamilies } from "../../core/metrics/exposition.ts";
import type { Family, Labels, Point } from "../../core/metrics/family.ts";
import { type Grown, INTERVAL_MS, type Intervals, type Sampled } from "../../core/metrics/intervals.ts";
import type { HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { allFamilies, type MetricsParts } from "./prometheus.ts";

/** Sources of the metrics. */
export interface ConsulMetricsParts extends MetricsParts {
  readonly intervals: Pick<Intervals, "last">;
}

/** A metric of Consul, and where its figures come from. */
interface Rule {
  /** Without `consul.` in front. */
  readonly name: string;
  /** The family of muster's. */
  readonly of: string;
  /** Labels that a number of the family must have to count. @default {any} */
  readonly where?: Labels;
  /** Consul's labels; numbers with the same ones are added up. @default {none} */
  labels?(labels: Labels, datacenter: string): Labels;
}

const inDatacenter = (_: Labels, datacenter: string) => ({ datacenter });

/** Gauges. */
export const GAUGES: readonly Rule[] = [
  { name: "version", of: "muster_build_info", labels: ({ version }) => ({ version, pre_release: "" }) },
  { name: "runtime.alloc_bytes", of: "muster_http_heap_bytes" },
  { name: "runtime.sys_bytes", of: "process_resident_memory_bytes" },
  { name: "raft.applied_index", of: "muster_raft_applied_index" },
  { name: "raft.last_index", of: "muster_raft_last_log_index" },
  { name: "raft.peers", of: "muster_raft_voters" },
  { name: "server.isLeader", of: "muster_raft_is_leader" },
  { name: "autopilot.healthy", of: "muster_autopilot_healthy" },
  { name: "autopilot.failure_tolerance", of: "muster_autopilot_failure_tolerance" },
  { name: "memberlist.health.score", of: "muster_gossip_health_score" },
  ...["server", "client"].map((role) => ({
    name: `members.${role}s`,
    of: "muster_gossip_members",
    where: { role, status: "alive" },
    labels: inDatacenter,
  })),
  { name: "state.nodes", of: "muster_catalog_nodes", labels: inDatacenter },
  { name: "state.services", of: "muster_catalog_services", labels: inDatacenter },
  { name: "state.service_instances", of: "muster_catalog_service_instances", labels: inDatacenter },
];

/** Requests for the catalog by what Consul calls them. */
const CATALOG_CALLS: Readonly<Record<string, string>> = {
  "/v1/catalog/register": "catalog_register",
  "/v1/catalog/deregister": "catalog_deregister",
  "/v1/catalog/datacenters": "catalog_datacenters",
  "/v1/catalog/nodes": "catalog_nodes",
  "/v1/catalog/services": "catalog_services",
  "/v1/catalog/service/": "catalog_service_nodes",
  "/v1/catalog/node/": "catalog_node_services",
  "/v1/catalog/node-services/": "catalog_node_service_list",
};

/** What is counted. */
export const COUNTERS: readonly Rule[] = [
  { name: "raft.apply", of: "muster_raft_proposals_total" },
  { name: "raft.state.candidate", of: "muster_raft_elections_total" },
  { name: "raft.state.leader", of: "muster_raft_elections_won_total" },
  { name: "serf.events", of: "muster_gossip_events_total", where: { event: "user" } },
  { name: "serf.member.join", of: "muster_gossip_events_total", where: { event: "join" } },
  { name: "serf.member.left", of: "muster_gossip_events_total", where: { event: "leave" } },
  { name: "serf.member.failed", of: "muster_gossip_events_total", where: { event: "failed" } },
  { name: "serf.member.update", of: "muster_gossip_events_total", where: { event: "update" } },
  ...Object.entries(CATALOG_CALLS).flatMap(([endpoint, call]): Rule[] => [
    { name: `client.api.${call}`, of: "muster_http_requests_total", where: { endpoint } },
    { name: `client.api.success.${call}`, of: "muster_http_requests_total", where: { endpoint, code: "200" } },
  ]),
];

/** What is timed. */
export const SAMPLES: readonly Rule[] = [
  { name: "raft.commitTime", of: "muster_raft_commit_duration_seconds" },
  { name: "raft.fsm.apply", of: "muster_sqlite_apply_duration_seconds" },
  { name: "raft.leader.dispatchLog", of: "muster_log_sync_duration_seconds" },
  {
    name: "api.http",
    of: "muster_http_request_duration_seconds",
    labels: ({ method, endpoint }) => ({ method, path: endpoint.slice(1).replaceAll("/", "_") }),
  },
];

/** A sample of each moment when it is asked for: since when the leader has not heard each server. */
export const LAST_CONTACT: Rule = { name: "raft.leader.lastContact", of: "muster_raft_peer_contact_seconds" };

/** `GET /v1/agent/metrics`, `?format=prometheus`. */
export async function agentMetrics(request: HttpRequest, parts: ConsulMetricsParts): Promise<HttpResponse> {
  const datacenter = parts.agent?.options.datacenter ?? "";
  const families = await allFamilies(parts);
  if (request.params.get("format") === "prometheus") {
    const body = encodeFamilies([...families, ...consulFamilies(families, datacenter)], "prometheus");
    return { status: 200, body, contentType: CONTENT_TYPES.prometheus };
  }
  const { startMs, lengthMs, counters, samples } = parts.intervals.last(Date.now());
  const shown = {
    Timestamp: timestamp(startMs),
    Gauges: byName(GAUGES.flatMap((rule) => gaugeJson(rule, families, datacenter))),
    Points: [],
    Counters: byName(COUNTERS.flatMap((rule) => counterJson(rule, counters, lengthMs))),
    Samples: byName([
      ...SAMPLES.flatMap((rule) => sampleJson(rule, samples, lengthMs)),
      ...contactJson(families, lengthMs),
    ]),
  };
  const pretty = request.params.has("pretty");
  return { status: 200, body: pretty ? `${JSON.stringify(shown, null, 4)}\n` : JSON.stringify(shown) };
}

/** Consul's metrics since the start, with the names that Consul gives them for Prometheus. */
export function consulFamilies(families: readonly Family[], datacenter: string): Family[] {
  const found: Family[] = [];
  for (const { name, of, where, labels } of [...GAUGES, ...COUNTERS, ...SAMPLES]) {
    const family = families.find((one) => one.name === of);
    const head = { name: `consul_${name.replaceAll(".", "_")}`, help: `consul.${name}: see docs/metrics.md` };
    const shown = (given: Labels = {}) => labels?.(given, datacenter) ?? {};
    if (family?.kind === "histogram") {
      const points = family.points.map((point) => ({ ...point, labels: shown(point.labels) }));
      found.push({ ...head, kind: "summary", points });
    } else if (family?.kind === "gauge" || family?.kind === "counter") {
      const points = family.points.filter((point) => has(point.labels, where));
      found.push({ ...head, kind: family.kind, points: summed(points, shown) });
    }
  }
  return found;
}

function has(labels: Labels = {}, where: Labels = {}): boolean {
  return Object.entries(where).every(([label, value]) => labels[label] === value);
}

/** One number for each set of labels. */
function summed(points: readonly Point[], shown: (labels?: Labels) => Labels): Point[] {
  const sums = new Map<string, { labels: Labels; value: number }>();
  for (const { labels: given, value } of points) {
    const labels = shown(given);
    const key = JSON.stringify(labels);
    const sum = sums.get(key);
    if (sum) sum.value += value;
    else sums.set(key, { labels, value });
  }
  return [...sums.values()];
}

/** A metric in the answer. */
interface Shown {
  readonly Name: string;
  readonly Labels: Labels;
}

function byName<S extends Shown>(list: readonly S[]): S[] {
  return list.toSorted((a, b) => a.Name < b.Name ? -1 : a.Name > b.Name ? 1 : 0);
}

function gaugeJson({ name, of, where, labels }: Rule, families: readonly Family[], datacenter: string): Shown[] {
  const family = families.find((one) => one.name === of);
  if (family?.kind !== "gauge") return [];
  const points = family.points.filter((point) => has(point.labels, where));
  return summed(points, (given = {}) => labels?.(given, datacenter) ?? {}).map(({ labels: Labels = {}, value }) => ({
    Name: `consul.${name}`,
    Value: value,
    Labels,
  }));
}

function counterJson({ name, of, where }: Rule, counters: readonly Grown[], lengthMs: number): Shown[] {
  const grown = counters.filter((one) => one.name === of && has(one.labels, where));
  const count = grown.reduce((sum, one) => sum + one.count, 0);
  if (count === 0) return [];
  const one = { least: 1, greatest: 1 };
  return [aggregate(name, {}, { count, sum: count, squares: count, extremes: one }, lengthMs)];
}

function sampleJson({ name, of, labels }: Rule, samples: readonly Sampled[], lengthMs: number): Shown[] {
  return samples.filter((one) => one.name === of)
    .map((sampled) => aggregate(name, labels?.(sampled.labels, "") ?? {}, sampled, lengthMs));
}

function contactJson(families: readonly Family[], lengthMs: number): Shown[] {
  const family = families.find((one) => one.name === LAST_CONTACT.of);
  if (family?.kind !== "gauge" || family.points.length === 0) return [];
  const times = family.points.map(({ value }) => value * 1000);
  const sampled = {
    count: times.length,
    sum: times.reduce((sum, ms) => sum + ms, 0),
    squares: times.reduce((sum, ms) => sum + ms * ms, 0),
    extremes: { least: Math.min(...times), greatest: Math.max(...times) },
  };
  return [aggregate(LAST_CONTACT.name, {}, sampled, lengthMs)];
}

function aggregate(
  name: string,
  labels: Labels,
  { count, sum, squares, extremes }: Omit<Sampled, "name" | "labels">,
  lengthMs: number,
): Shown {
  const deviation = count < 2 ? 0 : Math.sqrt(Math.max(0, (count * squares - sum * sum) / (count * (count - 1))));
  const figures = {
    Count: count,
    Rate: sum / (lengthMs / 1000),
    Sum: sum,
    Min: extremes.least,
    Max: extremes.greatest,
    Mean: sum / count,
    Stddev: deviation,
  };
  return { Name: `consul.${name}`, ...figures, Labels: labels };
}

/** The beginning of an interval as Go prints it. */
function timestamp(ms: number): string {
  const at = new Date(Math.floor(ms / INTERVAL_MS) * INTERVAL_MS).toISOString();
  return `${at.slice(0, 10)} ${at.slice(11, 19)} +0000 UTC`;
}

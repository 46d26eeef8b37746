/**
 * The figures whose last hours a node keeps (history.ts): each is read from the families of `/metrics`, so that both agree.
 * Pure.
 * @module
 */
import type { Family, Labels } from "./family.ts";

/** How a figure comes about: as it is now, by the second, or as a quantile of the durations since the sample before. */
export type SeriesKind = "gauge" | "rate" | "quantile";

/** A figure. */
export interface Series {
  /** Name for clients. */
  readonly name: string;
  readonly kind: SeriesKind;
  /** UCUM; `1` is a number. */
  readonly unit: string;
  /** What it is, without a full stop. */
  readonly help: string;
  /** The family that it is read from. */
  readonly family: string;
  /** Labels that points must have. @default {all points count} */
  readonly labels?: Readonly<Record<string, RegExp>>;
  /** With the kind `quantile`, from 0 to 1. */
  readonly quantile?: number;
}

function gauge(name: string, unit: string, help: string, family: string, labels?: Series["labels"]): Series {
  return { name, kind: "gauge", unit, help, family, ...(labels ? { labels } : {}) };
}

function rate(name: string, unit: string, help: string, family: string, labels?: Series["labels"]): Series {
  return { name, kind: "rate", unit, help, family, ...(labels ? { labels } : {}) };
}

/** The median and the 99th percentile. */
function quantiles(name: string, help: string, family: string, labels?: Series["labels"]): Series[] {
  const found = labels ? { labels } : {};
  return [["p50", 0.5, "median"], ["p99", 0.99, "99th percentile"]].map(([suffix, quantile, word]) => ({
    name: `${name}_${suffix}`,
    kind: "quantile",
    unit: "s",
    help: `${help}, ${word}`,
    family,
    quantile: Number(quantile),
    ...found,
  }));
}

const PER_SECOND = "1/s";

/** All figures, by subject. */
export const SERIES: readonly Series[] = [
  rate("writes", PER_SECOND, "Statements of the log", "muster_sqlite_statements_total", { kind: /^execute$/ }),
  rate("reads", PER_SECOND, "Statements that read", "muster_sqlite_statements_total", { kind: /^query$/ }),
  rate("statement_errors", PER_SECOND, "Statements of the log that failed", "muster_sqlite_statement_errors_total"),
  ...quantiles("write", "Time of a write", "muster_write_duration_seconds"),
  ...quantiles("commit", "Time until entries are committed", "muster_raft_commit_duration_seconds"),
  ...quantiles("sync", "Time of an fdatasync of the log", "muster_log_sync_duration_seconds"),
  ...quantiles("apply", "Time to apply entries", "muster_sqlite_apply_duration_seconds"),
  gauge("writes_pending", "1", "Writes that wait for their result", "muster_writes_pending"),
  gauge("write_queue", "1", "Queued statements that are not written yet", "muster_write_queue_statements"),
  gauge("readers_busy", "1", "Readers at a read", "muster_sqlite_readers_busy"),
  gauge("reads_waiting", "1", "Reads that wait for a reader", "muster_sqlite_reads_waiting"),
  rate("http_requests", PER_SECOND, "Requests", "muster_http_requests_total"),
  rate("http_errors", PER_SECOND, "Requests answered 500 to 599", "muster_http_requests_total", { code: /^5/ }),
  ...quantiles("query", "Time of a request to /db/query", "muster_http_request_duration_seconds", {
    endpoint: /^\/db\/query$/,
  }),
  gauge("http_in_flight", "1", "Requests under way", "muster_http_requests_in_flight"),
  gauge("http_connections", "1", "Open connections", "muster_http_connections"),
  gauge("raft_term", "1", "Term", "muster_raft_term"),
  gauge("raft_commit", "1", "Commit index", "muster_raft_commit_index"),
  gauge("raft_applied", "1", "Applied index", "muster_raft_applied_index"),
  gauge("raft_apply_wait", "s", "Wait of the oldest committed entry", "muster_raft_apply_wait_seconds"),
  gauge("raft_leader_contact", "s", "Time since the leader was heard", "muster_raft_leader_contact_seconds"),
  gauge("raft_is_leader", "1", "1 while this node leads", "muster_raft_is_leader"),
  rate("raft_elections", PER_SECOND, "Elections with this node as a candidate", "muster_raft_elections_total"),
  gauge("database_bytes", "By", "Bytes of the database's file", "muster_sqlite_database_bytes"),
  gauge("wal_bytes", "By", "Bytes of the file of the WAL", "muster_sqlite_wal_bytes"),
  gauge("memory_bytes", "By", "Resident memory", "process_resident_memory_bytes"),
  rate("cpu", "1", "Processor time by the second: 1 is a core", "process_cpu_seconds_total"),
  gauge("gossip_alive", "1", "Members that are alive", "muster_gossip_members", { status: /^alive$/ }),
  gauge("gossip_failed", "1", "Members that failed", "muster_gossip_members", { status: /^failed$/ }),
  gauge("gossip_health_score", "1", "How far this agent doubts its own health", "muster_gossip_health_score"),
  rate("gossip_events", PER_SECOND, "Changes of members, and user events", "muster_gossip_events_total"),
  rate("dns_queries", PER_SECOND, "DNS queries", "muster_dns_queries_total"),
  gauge("blocking_queries", "1", "Blocking queries that wait", "muster_blocking_queries"),
];

/** What a figure is computed of: a number, or the buckets of a histogram; undefined where it is not known. */
export type Reading = number | readonly number[] | undefined;

/** Reads all figures at one time, in the order of {@linkcode SERIES}. */
export function readSeries(families: readonly Family[]): Reading[] {
  const byName = new Map(families.map((family) => [family.name, family]));
  return SERIES.map((series) => readingOf(byName.get(series.family), series.labels));
}

function readingOf(family: Family | undefined, labels: Series["labels"]): Reading {
  if (!family) return undefined;
  let sum: number | undefined;
  let buckets: number[] | undefined;
  for (const point of family.points) {
    if (labels && !hasLabels(point.labels, labels)) continue;
    if ("value" in point) {
      sum = (sum ?? 0) + point.value;
      continue;
    }
    const own = point.times.observed.buckets;
    buckets = buckets ? buckets.map((count, at) => count + own[at]) : [...own];
  }
  // Nothing with these labels was counted yet, but something else was.
  const isZero = family.kind === "counter" && family.points.length > 0;
  return buckets ?? sum ?? (isZero ? 0 : undefined);
}

function hasLabels(has: Labels = {}, wanted: NonNullable<Series["labels"]>): boolean {
  return Object.entries(wanted).every(([name, pattern]) => pattern.test(has[name] ?? ""));
}

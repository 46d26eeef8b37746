/**
 * Where a request waits: the mean times of its stages, from the histograms of `GET /metrics` before and after a load. Pure.
 * @module
 */

/** A stage of requests. */
export interface Stage {
  readonly title: string;
  readonly meanMs: number;
  readonly count: number;
}

/** Histograms, in the order in which a write passes them, with what each measures. */
const STAGES: readonly (readonly [metric: string, title: string])[] = [
  ["muster_http_request_duration_seconds", "request: head to answer"],
  ["muster_write_duration_seconds", "write: handed to the replica until applied"],
  ["muster_raft_commit_duration_seconds", "commit of a batch, leader: appended until a majority has it"],
  ["muster_log_sync_duration_seconds", "fdatasync of the log"],
  ["muster_sqlite_apply_duration_seconds", "apply of the entries handed over together"],
];

/** Sums and counts of the histograms of an exposition, over all labels. */
function totals(exposition: string): ReadonlyMap<string, { sum: number; count: number }> {
  const found = new Map<string, { sum: number; count: number }>();
  for (const line of exposition.split("\n")) {
    const [, name, kind, value] = /^(\w+)_(sum|count)(?:\{[^}]*\})? (\S+)/.exec(line) ?? [];
    if (name === undefined || kind !== "sum" && kind !== "count") continue;
    const total = found.get(name) ?? { sum: 0, count: 0 };
    total[kind] += Number(value);
    found.set(name, total);
  }
  return found;
}

/** The stages that had something to do between two expositions. */
export function stagesBetween(before: string, after: string): readonly Stage[] {
  const [first, last] = [totals(before), totals(after)];
  return STAGES.flatMap(([metric, title]) => {
    const count = (last.get(metric)?.count ?? 0) - (first.get(metric)?.count ?? 0);
    const sum = (last.get(metric)?.sum ?? 0) - (first.get(metric)?.sum ?? 0);
    return count > 0 ? [{ title, meanMs: sum / count * 1000, count }] : [];
  });
}

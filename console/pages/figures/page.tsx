/**
 * Figures of the node over the last hours, which it keeps itself.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { askJson } from "../../api.ts";
import { type Figures, figuresOf, joined } from "../../consul/history.ts";
import { pause } from "../../consul/live.ts";
import { messageOf } from "../../parts/fault.ts";
import { session } from "../../session.ts";
import { useStore } from "../../store.ts";
import { ChartCard, type Group } from "./chart.tsx";

/** Spans that can be shown; a long one is in minutes, and needs no new values every ten seconds. */
const SPANS = [
  { title: "15 min", since: "15m", ms: 900_000, pauseMs: 10_000 },
  { title: "1 h", since: "1h", ms: 3_600_000, pauseMs: 10_000 },
  { title: "24 h", since: "24h", ms: 86_400_000, pauseMs: 60_000 },
] as const;

/** What is drawn together; figures that a node does not have are left out. */
const PARTS: readonly { readonly title: string; readonly groups: readonly Group[] }[] = [
  {
    title: "Work",
    groups: [
      { title: "Statements", names: [["writes", "writes"], ["reads", "reads"], ["statement_errors", "failed"]] },
      { title: "Time of a write", names: [["write_p50", "median"], ["write_p99", "99 %"]] },
      { title: "Time of a query", names: [["query_p50", "median"], ["query_p99", "99 %"]] },
      {
        title: "At work and waiting",
        names: [
          ["writes_pending", "writes"],
          ["write_queue", "queued writes"],
          ["readers_busy", "readers busy"],
          ["reads_waiting", "reads waiting"],
        ],
      },
      {
        title: "HTTP requests",
        names: [["http_requests", "requests"], ["http_errors", "errors"], ["dns_queries", "DNS"]],
      },
      { title: "HTTP connections", names: [["http_connections", "open"], ["http_in_flight", "requests under way"]] },
    ],
  },
  {
    title: "Log and Raft",
    groups: [
      { title: "Time to commit", names: [["commit_p50", "median"], ["commit_p99", "99 %"]] },
      { title: "Time of an fdatasync", names: [["sync_p50", "median"], ["sync_p99", "99 %"]] },
      { title: "Time to apply", names: [["apply_p50", "median"], ["apply_p99", "99 %"]] },
      { title: "Entries", names: [["raft_commit", "committed"], ["raft_applied", "applied"]] },
      {
        title: "Silence of the leader",
        names: [["raft_leader_contact", "last heard"], ["raft_apply_wait", "apply waits"]],
      },
      { title: "Term and leadership", names: [["raft_term", "term"], ["raft_is_leader", "leads"]] },
      { title: "Elections", names: [["raft_elections", "elections"]] },
    ],
  },
  {
    title: "Machine and gossip",
    groups: [
      { title: "Memory", names: [["memory_bytes", "resident"]] },
      { title: "Processor", names: [["cpu", "cores"]] },
      {
        title: "Database file, without the Raft log",
        names: [["database_bytes", "database"], ["wal_bytes", "its WAL"]],
      },
      { title: "Members", names: [["gossip_alive", "alive"], ["gossip_failed", "failed"]] },
      { title: "Doubt of its own health", names: [["gossip_health_score", "score"]] },
      { title: "Events of gossip", names: [["gossip_events", "events"]] },
    ],
  },
];

/** Reads figures. @param since A span such as `15m`, or a time in ms. @throws {ApiError} */
async function readFigures(since: string, signal: AbortSignal): Promise<Figures> {
  return figuresOf(await askJson(`metrics/history?since=${since}`, { signal }));
}

/** Figures of a span, renewed while they are shown. */
function useFigures(span: (typeof SPANS)[number]): { readonly figures: Figures | undefined; readonly fault: string } {
  const [figures, setFigures] = useState<Figures | undefined>();
  const [fault, setFault] = useState("");
  useEffect(() => {
    const ending = new AbortController();
    const { signal } = ending;
    setFigures(undefined);
    (async () => {
      let known: Figures | undefined;
      while (!signal.aborted) {
        try {
          if (!document.hidden) {
            const last = known?.times.at(-1);
            // A day is in minutes, and what is newer in steps of ten seconds: the two do not go together.
            const isWhole = last === undefined || span.pauseMs > 10_000;
            const next = await readFigures(isWhole ? span.since : String(last), signal);
            known = known && !isWhole ? joined(known, next, span.ms) : next;
            if (signal.aborted) return;
            setFigures(known);
            setFault("");
          }
        } catch (error) {
          if (signal.aborted) return;
          setFault(messageOf(error));
        }
        await pause(span.pauseMs, signal);
      }
    })();
    return () => ending.abort();
  }, [span]);
  return { figures, fault };
}

/** The page. */
export function FiguresPage(): JSX.Element {
  const [span, setSpan] = useState<(typeof SPANS)[number]>(SPANS[0]);
  const { node } = useStore(session);
  const { figures, fault } = useFigures(span);
  return (
    <div class={fault === "" ? "page figures" : "page figures stale"}>
      <div class="toolbar table-head">
        <h1>Figures</h1>
        <span class="muted">
          of <bdi>{node}</bdi>, since it was started
        </span>
        <span class="spacer" />
        <div class="tabs" role="group" aria-label="Span">
          {SPANS.map((one) => (
            <button
              key={one.title}
              type="button"
              aria-pressed={one === span}
              onClick={() => setSpan(one)}
            >
              {one.title}
            </button>
          ))}
        </div>
      </div>
      {fault !== "" && <p class="note error" role="alert">Not current: {fault}. Trying again…</p>}
      {!figures && fault === "" && <p class="muted">Reading…</p>}
      {figures && figures.times.length < 2 && (
        <p class="note">The node keeps a sample every ten seconds, and has {figures.times.length} so far.</p>
      )}
      {figures && PARTS.map(({ title, groups }) => (
        <section key={title} aria-label={title}>
          <h2>{title}</h2>
          <div class="charts">
            {groups.map((group) => <ChartCard key={group.title} group={group} figures={figures} spanMs={span.ms} />)}
          </div>
        </section>
      ))}
    </div>
  );
}

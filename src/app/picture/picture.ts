/**
 * A picture of the cluster for who looks at it: who leads, how each node is, and what should be done. Pure.
 *
 * It is made of what each node says of itself ({@linkcode import("./heard.ts").NodeFacts}), as the node that was asked hears it. Figures that move
 * all the time, such as memory, keep their last value until they have moved noticeably: a cluster at rest has one picture,
 * which need not be sent again.
 * @module
 */
import type { Health, Heard, NodeFacts, PictureNode } from "./heard.ts";
import { type Warning, warningsOf } from "./warnings.ts";

/** The picture. */
export interface Picture {
  /** Id of the node that was asked. */
  readonly askedId: string;
  /** Its datacenter; empty where it is no agent. */
  readonly datacenter: string;
  readonly leader: { readonly id: string; readonly sinceMs?: number | undefined } | null;
  readonly term: number;
  readonly commitIndex: number;
  readonly nodes: readonly PictureNode[];
  /** Round trips between two nodes, as gossip estimates them. */
  readonly distances: readonly { readonly a: string; readonly b: string; readonly ms: number }[];
  readonly warnings: readonly Warning[];
}

/** What it is made of. */
export interface PictureParts {
  readonly askedId: string;
  readonly datacenter: string;
  readonly leaderId: string;
  /** Since when the asked node knows of that leader. */
  readonly leaderSinceMs: number;
  readonly heard: readonly Heard[];
  readonly distances: Picture["distances"];
  /** Wall clock. */
  readonly nowMs: number;
}

/** In the place of the version of a node that does not say it. */
const OLDER = "an older one";
/** An entry or two are on their way whenever something is written. */
const LAG_MAX = 1000;

/** Makes a picture; `before` is the last one. */
export function pictureOf(parts: PictureParts, before: Picture | undefined): Picture {
  const { askedId, datacenter, leaderId, heard, distances } = parts;
  const leader = heard.find(({ id }) => id === leaderId);
  const own = heard.find(({ id }) => id === askedId);
  const commitIndex = Math.max(0, ...heard.map(({ facts }) => facts?.commitIndex ?? 0));
  const nodes = heard.map((one) => {
    const known = before?.nodes.find(({ id }) => id === one.id);
    return nodeOf(one, { leaderId, commitIndex: leader?.facts?.commitIndex ?? commitIndex }, known);
  }).sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1);
  const { leadsSinceMs: sinceMs = parts.leaderSinceMs } = leader?.facts ?? {};
  const shown = leaderId === "" ? null : { id: leaderId, sinceMs };
  return {
    askedId,
    datacenter,
    leader: shown,
    term: own?.facts?.term ?? 0,
    commitIndex,
    nodes,
    distances,
    warnings: warningsOf({ heard, nodes, leaderId, nowMs: parts.nowMs }),
  };
}

function nodeOf(
  { facts, error, isOlder = false, ...one }: Heard,
  { leaderId, commitIndex }: { leaderId: string; commitIndex: number },
  before: PictureNode | undefined,
): PictureNode {
  const lag = facts && Math.max(0, commitIndex - facts.appliedIndex);
  const [health, cause] = isOlder ? (["healthy", ""] as const) : healthOf(facts, error, lag);
  return {
    ...one,
    roundTripMs: one.roundTripMs === undefined ? undefined : steady(before?.roundTripMs, rounded(one.roundTripMs), {
      least: 1,
      part: 0.4,
    }),
    clockAheadMs: steady(before?.clockAheadMs, Math.round(one.clockAheadMs), { least: 250, part: 0.2 }) ?? 0,
    name: facts?.name ?? before?.name ?? one.id,
    role: one.id === leaderId ? "leader" : one.isVoter ? "follower" : "read replica",
    health,
    cause,
    version: facts?.version ?? (isOlder ? OLDER : before?.version ?? ""),
    apiUrl: facts?.apiUrl ?? before?.apiUrl ?? "",
    lag,
    appliedIndex: facts?.appliedIndex,
    memoryBytes: steady(before?.memoryBytes, facts?.memoryBytes, { least: 4 * 2 ** 20, part: 0.05 }),
    disk: facts?.disk && {
      usedBytes: steady(before?.disk?.usedBytes, facts.disk.usedBytes, { least: 2 ** 20, part: 0.02 }) ?? 0,
      freeBytes: steady(before?.disk?.freeBytes, facts.disk.freeBytes, { least: 64 * 2 ** 20, part: 0.01 }),
      totalBytes: facts.disk.totalBytes,
    },
    startedMs: facts?.startedMs,
  };
}

function healthOf(
  facts: NodeFacts | undefined,
  error: string | undefined,
  lag: number | undefined,
): [health: Health, cause: string] {
  if (!facts) return ["unreachable", error ?? "it does not answer"];
  if (facts.fault !== undefined) return ["unready", facts.fault];
  if (facts.fullDisks.length > 0) {
    return ["unready", `no space left on the disk of the ${facts.fullDisks.join(" and ")}`];
  }
  if (facts.leaderId === "") return ["unready", "it knows of no leader"];
  if ((lag ?? 0) > LAG_MAX) return ["behind", `${lag} committed entries are not applied yet`];
  return ["healthy", ""];
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** The last value, until the next one differs by more than `least` and more than that part of it. */
function steady<T extends number | undefined>(
  before: number | undefined,
  next: T,
  { least, part }: { readonly least: number; readonly part: number },
): number | T {
  if (before === undefined || next === undefined) return next;
  return Math.abs(next - before) <= Math.max(least, Math.abs(before) * part) ? before : next;
}

/**
 * The picture of the cluster as the node sends it, again whenever it changes. A tab that is not seen does not follow it:
 * browsers have six connections to an address, and many people have many tabs.
 * @module
 */
import { ApiError, credentials, follow } from "./api.ts";
import { fieldOf, listOf, numberOf, textOf } from "./json.ts";
import { may, session } from "./session.ts";
import { Store } from "./store.ts";

/** A node in the picture. */
export interface ClusterNode {
  readonly id: string;
  readonly name: string;
  readonly addr: string;
  readonly apiUrl: string;
  readonly role: string;
  readonly isVoter: boolean;
  readonly health: string;
  readonly cause: string;
  readonly version: string;
  readonly lag: number | undefined;
  readonly roundTripMs: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly usedBytes: number | undefined;
  readonly freeBytes: number | undefined;
  readonly totalBytes: number | undefined;
  readonly startedMs: number | undefined;
}

/** What should be done. */
export interface Warning {
  readonly code: string;
  readonly level: string;
  readonly title: string;
  readonly cause: string;
  readonly nextStep: string;
}

/** The picture. */
export interface Picture {
  readonly askedId: string;
  readonly leaderId: string;
  readonly leaderSinceMs: number | undefined;
  readonly term: number | undefined;
  readonly commitIndex: number | undefined;
  readonly nodes: readonly ClusterNode[];
  readonly distances: readonly { readonly a: string; readonly b: string; readonly ms: number }[];
  readonly warnings: readonly Warning[];
}

/** The picture, and whether it is current. */
export interface Cluster {
  readonly picture: Picture | undefined;
  /** Why it is not; empty where it is. */
  readonly fault: string;
}

const NOTHING: Cluster = { picture: undefined, fault: "" };

/** The cluster. */
export const cluster = new Store<Cluster>(NOTHING);

const PAUSE_MS = [500, 1000, 2000, 5000];

function pictureOf(data: unknown): Picture {
  const leader = fieldOf(data, "leader");
  return {
    askedId: textOf(fieldOf(data, "askedId")),
    leaderId: textOf(fieldOf(leader, "id")),
    leaderSinceMs: numberOf(fieldOf(leader, "sinceMs")),
    term: numberOf(fieldOf(data, "term")),
    commitIndex: numberOf(fieldOf(data, "commitIndex")),
    nodes: listOf(fieldOf(data, "nodes")).map(nodeOf),
    distances: listOf(fieldOf(data, "distances")).map((one) => ({
      a: textOf(fieldOf(one, "a")),
      b: textOf(fieldOf(one, "b")),
      ms: numberOf(fieldOf(one, "ms")) ?? 0,
    })),
    warnings: listOf(fieldOf(data, "warnings")).map((one) => ({
      code: textOf(fieldOf(one, "code")),
      level: textOf(fieldOf(one, "level")),
      title: textOf(fieldOf(one, "title")),
      cause: textOf(fieldOf(one, "cause")),
      nextStep: textOf(fieldOf(one, "nextStep")),
    })),
  };
}

function nodeOf(data: unknown): ClusterNode {
  const text = (name: string) => textOf(fieldOf(data, name));
  const number = (name: string) => numberOf(fieldOf(data, name));
  const disk = fieldOf(data, "disk");
  return {
    id: text("id"),
    name: text("name"),
    addr: text("addr"),
    apiUrl: text("apiUrl"),
    role: text("role"),
    isVoter: fieldOf(data, "isVoter") === true,
    health: text("health"),
    cause: text("cause"),
    version: text("version"),
    lag: number("lag"),
    roundTripMs: number("roundTripMs"),
    memoryBytes: number("memoryBytes"),
    usedBytes: numberOf(fieldOf(disk, "usedBytes")),
    freeBytes: numberOf(fieldOf(disk, "freeBytes")),
    totalBytes: numberOf(fieldOf(disk, "totalBytes")),
    startedMs: number("startedMs"),
  };
}

let following: AbortController | undefined;

/** Follows the cluster while the tab is seen and the caller may. */
function renew(): void {
  following?.abort();
  following = undefined;
  const { state } = session.value;
  // Who may not see it (any more) is not shown the last one; a node that is away comes back.
  if (state === "refused" || (state === "ready" && !may("status"))) cluster.value = NOTHING;
  if (document.hidden || state !== "ready" || !may("status")) return;
  following = new AbortController();
  keepFollowing(following.signal);
}

async function keepFollowing(signal: AbortSignal): Promise<void> {
  for (let attempt = 0; !signal.aborted;) {
    try {
      for await (const { event, data } of follow("cluster/live?format=sse", { signal })) {
        if (signal.aborted) return;
        if (event === "error") throw new ApiError(503, textOf(fieldOf(data, "error")));
        cluster.value = { picture: pictureOf(data), fault: "" };
        attempt = 0;
      }
    } catch (error) {
      if (signal.aborted) return;
      cluster.value = { ...cluster.value, fault: error instanceof Error ? error.message : String(error) };
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS[Math.min(attempt++, PAUSE_MS.length - 1)]));
  }
}

/** Begins to follow. */
export function followCluster(): void {
  document.addEventListener("visibilitychange", renew);
  session.watch(renew);
  credentials.watch(renew);
  renew();
}

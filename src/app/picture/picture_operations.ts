/**
 * The operations by which nodes tell each other how they are, for the picture of the cluster.
 * @module
 */
import { finite, flag, listOf, mapOf, optional, record, text, whole } from "../../base/codec/shape.ts";
import type { Activity } from "../../base/shared/activity.ts";
import { APPLY_WAIT_MS_MAX, type NodeState } from "../../base/shared/node_state.ts";
import { withTimeout } from "../../base/worker/with_timeout.ts";
import { needs } from "../../core/acl/resource.ts";
import type { Agent } from "../agent/agent.ts";
import { type Implementations, jsonOperation, type OperationTable } from "../database/operation.ts";
import type { ReplicaClient } from "../database/replica_client.ts";
import type { DiskFacts, NodeFacts } from "./heard.ts";
import type { Picture } from "./picture.ts";

/** The operations. */
export interface PictureOperations {
  /** What the node says of itself. */
  readonly nodeFacts: { readonly params: Record<string, never>; readonly result: NodeFacts };
  /** The picture of the cluster, as JSON, as the node that is asked sees it: for client agents, which see none. */
  readonly picture: { readonly params: Record<string, never>; readonly result: { readonly text: string } };
}

/** What they work with. */
export interface PictureOperationsParts {
  readonly state: NodeState;
  /** The writer's; undefined where there is none. */
  readonly activity: Activity | undefined;
  readonly replica: Pick<ReplicaClient, "leader" | "leaderSinceMs" | "call">;
  /** Present in an agent. */
  readonly agent: Agent | undefined;
  /** When certificates expire, RFC 3339. */
  readonly expiry: { readonly http: string | undefined; readonly node: string | undefined };
  readonly options: {
    readonly nodeId: string;
    readonly programVersion: string;
    readonly advertisedAddr: string;
    readonly bindAddrs: readonly string[];
    readonly tlsAddrs: readonly string[];
    readonly startedMs: number;
  };
  /** The disk of the data directory. */
  disk(): Promise<DiskFacts>;
  /** The picture as this node sees it. */
  picture(): Promise<Picture>;
}

/** How long a look at the disk holds: it goes through all files. */
const DISK_MS = 15_000;
/** A replica that is busy must not have its node look as if it did not answer. */
const DIFFERING_MS = 500;
const PICTURE_LENGTH_MAX = 4 * 1024 * 1024;
const NAME_LENGTH_MAX = 1024;
const NODES_MAX = 10_000;
const READING = { needs: () => [needs("operator", "read")], isForServers: true };

const empty = record({});
const index = whole();
const facts = record({
  name: text(NAME_LENGTH_MAX),
  version: text(NAME_LENGTH_MAX),
  apiUrl: text(NAME_LENGTH_MAX),
  leaderId: text(NAME_LENGTH_MAX),
  isLeader: flag,
  leadsSinceMs: optional(finite),
  term: index,
  commitIndex: index,
  appliedIndex: index,
  fault: optional(text(NAME_LENGTH_MAX)),
  busyWith: optional(record({ index, steps: finite })),
  differing: optional(record({ index, nodes: listOf(text(NAME_LENGTH_MAX), NODES_MAX) })),
  fullDisks: listOf(text(64), 4),
  nowMs: finite,
  startedMs: finite,
  memoryBytes: finite,
  disk: optional(record({ usedBytes: finite, freeBytes: optional(finite), totalBytes: optional(finite) })),
  certificates: mapOf(text(64), 4),
});

/** The operations, and how they travel. */
export const PICTURE_OPERATIONS: OperationTable<PictureOperations> = {
  nodeFacts: { ...jsonOperation(["status"], empty, facts, READING), isForNodes: true },
  picture: jsonOperation(["status"], empty, record({ text: text(PICTURE_LENGTH_MAX) }), READING),
};

/** Does them on this node. */
export function pictureImplementations(parts: PictureOperationsParts): Implementations<PictureOperations> {
  return {
    nodeFacts: factsTeller(parts),
    picture: async () => ({ text: JSON.stringify(await parts.picture()) }),
  };
}

/** Tells what this node knows of itself. */
export function factsTeller(parts: PictureOperationsParts): () => Promise<NodeFacts> {
  let disk: { readonly atMs: number; readonly facts: Promise<DiskFacts | undefined> } | undefined;
  return async () => {
    const now = performance.now();
    if (!disk || now - disk.atMs > DISK_MS) disk = { atMs: now, facts: parts.disk().catch(() => undefined) };
    const found = await foundDiffering(parts);
    const busyWith = busyWork(parts);
    return {
      ...factsOf(parts, await disk.facts),
      ...(busyWith ? { busyWith } : {}),
      ...(found ? { differing: found } : {}),
    };
  };
}

/** Replicas whose data differ. Who does not lead compares nothing, and who cannot tell now is asked again soon. */
async function foundDiffering({ state, replica }: PictureOperationsParts): Promise<NodeFacts["differing"] | null> {
  if (!state.isLeader) return null;
  return await withTimeout(replica.call("differing", {}), DIFFERING_MS, "busy").catch(() => null);
}

function factsOf(parts: PictureOperationsParts, disk: DiskFacts | undefined): NodeFacts {
  const { state, replica, agent, expiry, options } = parts;
  const { full } = state;
  const nowMs = Date.now();
  const certificates: Record<string, string> = {};
  if (expiry.http !== undefined) certificates.HTTPS = expiry.http;
  if (expiry.node !== undefined) certificates["traffic between nodes"] = expiry.node;
  return {
    name: agent?.options.nodeName ?? options.nodeId,
    version: options.programVersion,
    apiUrl: apiUrlOf(options),
    leaderId: replica.leader?.id ?? "",
    isLeader: state.isLeader,
    leadsSinceMs: state.isLeader ? replica.leaderSinceMs : undefined,
    term: state.term,
    commitIndex: state.commit,
    appliedIndex: state.applied,
    fault: faultOf(parts, waitsMs(parts)),
    fullDisks: [...(full.log ? ["log"] : []), ...(full.database ? ["database"] : [])],
    nowMs,
    startedMs: options.startedMs,
    memoryBytes: Deno.memoryUsage().rss,
    disk,
    certificates,
  };
}

/** How long a committed entry has waited to be applied; 0: none waits. */
function waitsMs({ state: { waitingSinceMs } }: PictureOperationsParts): number {
  return waitingSinceMs === 0 ? 0 : Date.now() - waitingSinceMs;
}

/** What the database works on while others have to wait too long. */
function busyWork(parts: PictureOperationsParts): NodeFacts["busyWith"] {
  const work = parts.activity?.work;
  if (!work || !parts.state.ready || waitsMs(parts) <= APPLY_WAIT_MS_MAX) return undefined;
  return { index: work.index, steps: work.steps };
}

function faultOf({ state, activity }: PictureOperationsParts, waitedMs: number): string | undefined {
  if (!state.ready) return "it is starting, and has not applied yet what was committed before";
  if (waitedMs <= APPLY_WAIT_MS_MAX) return undefined;
  const { work } = activity ?? {};
  const busy = work ? `; the database is busy with entry ${work.index}, after ${work.steps} steps` : "";
  return `a committed entry has waited for ${Math.round(waitedMs / 1000)} s to be applied${busy}`;
}

function apiUrlOf({ advertisedAddr, bindAddrs, tlsAddrs }: PictureOperationsParts["options"]): string {
  if (bindAddrs.length + tlsAddrs.length === 0) return "";
  return `${bindAddrs.length > 0 ? "http" : "https"}://${advertisedAddr}`;
}

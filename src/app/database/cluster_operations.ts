/**
 * The operations about the cluster that nodes ask of each other: its servers, its leadership, a node's log, and backups.
 * @module
 */
import { anyObject, finite, flag, listOf, optional, record, text, whole } from "../../base/codec/shape.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { needs } from "../../core/acl/resource.ts";
import type { Member } from "../../core/raft/message.ts";
import type { NodeInfo } from "../../drivers/replica/api.ts";
import { NotLeaderError, OperationError } from "./errors.ts";
import { type Implementations, jsonCodec, jsonOperation, NOTHING, type OperationTable } from "./operation.ts";
import { type ReplicaClient, ReplicaError } from "./replica_client.ts";
import {
  BACKUP_OPERATIONS,
  backupImplementations,
  type BackupOperations,
  type BackupParts,
} from "./backup_operations.ts";

/** Who is to lead. */
export interface StepDown {
  /** Its id; undefined: any other voter. */
  readonly to?: string | undefined;
  readonly timeoutMs: number;
  /** Whether to wait until it leads. */
  readonly waits: boolean;
}

/** The operations about the cluster. */
export interface ClusterOperations extends BackupOperations {
  /** The servers, each asked now. */
  readonly nodes: { readonly params: { readonly timeoutMs: number }; readonly result: readonly NodeInfo[] };
  /** Takes a server out of the cluster. */
  readonly remove: { readonly params: { readonly id: string; readonly timeoutMs: number }; readonly result: void };
  /** Hands leadership over. */
  readonly stepDown: { readonly params: StepDown; readonly result: void };
  /** Makes what the node has applied durable and cuts its log behind it. */
  readonly snapshot: {
    readonly params: { readonly trailing: number; readonly timeoutMs: number };
    /** `done` is false where there was nothing to do. */
    readonly result: { readonly done: boolean };
  };
  /** Compares the content of all replicas. */
  readonly verify: { readonly params: Record<string, never>; readonly result: Record<string, unknown> };
  /** Nothing, but for the permission. */
  readonly reap: { readonly params: Record<string, never>; readonly result: Record<string, never> };
}

/** Servers of a cluster, at most. */
const NODES_MAX = 10_000;
const id = text(1024);
const empty = record({});

const node = record({
  id,
  apiAddr: optional(text(1024)),
  addr: text(1024),
  version: text(1024),
  voter: flag,
  reachable: flag,
  leader: flag,
  time: optional(finite),
  error: optional(text(16 * 1024)),
});

const READING = { needs: () => [needs("operator", "read")] };
const WRITING = { needs: () => [needs("operator", "write")] };

/** The operations about the cluster, and how they travel. */
export const CLUSTER_OPERATIONS: OperationTable<ClusterOperations> = {
  nodes: jsonOperation(["status"], record({ timeoutMs: finite }), listOf(node, NODES_MAX), READING),
  remove: {
    permissions: ["remove"],
    acl: WRITING,
    params: jsonCodec(record({ id, timeoutMs: finite })),
    result: NOTHING,
  },
  stepDown: {
    permissions: ["leader-ops"],
    acl: WRITING,
    params: jsonCodec(record({ to: optional(id), timeoutMs: finite, waits: flag })),
    result: NOTHING,
  },
  snapshot: jsonOperation(
    ["snapshot"],
    record({ trailing: whole(), timeoutMs: finite }),
    record({ done: flag }),
    WRITING,
  ),
  verify: jsonOperation(["snapshot"], empty, anyObject, WRITING),
  reap: jsonOperation(["snapshot"], empty, empty, WRITING),
  ...BACKUP_OPERATIONS,
};

/** What the operations about the cluster work with. */
export interface ClusterParts extends BackupParts {
  readonly replica: Pick<ReplicaClient, "call" | "leader" | "members">;
  readonly options: { readonly nodeId: string };
  log(line: string): void;
}

/** Does the operations about the cluster on this node. */
export function clusterImplementations(parts: ClusterParts): Implementations<ClusterOperations> {
  const { replica } = parts;
  return {
    nodes: ({ timeoutMs }) => replica.call("nodes", { timeoutMs }),
    remove: (params) => remove(parts, params),
    stepDown: (params) => stepDown(parts, params),
    snapshot: (params) => failing(replica.call("snapshot", params)),
    verify: () => failing(replica.call("verify", {})),
    reap: () => ({}),
    ...backupImplementations(parts),
  };
}

/** A failure of the replica is for people. */
async function failing<T>(work: Promise<T>, before = ""): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ReplicaError && error.code === "not_leader") throw new NotLeaderError();
    throw new OperationError(`${before}${messageOf(error)}`);
  }
}

/** @throws {NotLeaderError} Where another node leads, or none. */
function expectToLead({ replica, options }: Pick<ClusterParts, "replica" | "options">): void {
  if (replica.leader?.id !== options.nodeId) throw new NotLeaderError();
}

async function remove(parts: ClusterParts, params: { id: string; timeoutMs: number }): Promise<void> {
  expectToLead(parts);
  await failing(parts.replica.call("remove", params));
}

async function stepDown(parts: ClusterParts, { to, timeoutMs, waits }: StepDown): Promise<void> {
  expectToLead(parts);
  const { replica, options, log } = parts;
  if (to === options.nodeId) throw new OperationError("stepdown: cannot step down to the current Leader");
  if (to !== undefined && !isMember(replica.members, to)) {
    throw new OperationError("stepdown: node not found in cluster");
  }
  if (replica.members.filter(({ role }) => role === "voter").length < 2) {
    throw new OperationError("stepdown: cannot find peer");
  }
  const done = replica.call("transfer", { ...(to === undefined ? {} : { to }), timeoutMs });
  if (waits) await failing(done, "stepdown: ");
  else done.catch((error) => log(`stepping down failed: ${error.message}`));
}

function isMember(members: readonly Member[], wanted: string): boolean {
  return members.some(({ id }) => id === wanted);
}

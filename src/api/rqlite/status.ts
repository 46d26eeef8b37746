/**
 * `GET /status` (Q12) and `GET /debug/vars` (Q13.7): what this node knows of itself.
 * @module
 */
import type { Config, Member } from "../../core/raft/message.ts";
import type { CoreStatus } from "../../core/raft/effects.ts";
import type { Activity, Work } from "../../base/worker/activity.ts";
import { formatDuration } from "../../base/codec/duration.ts";
import { stringify } from "../http/json.ts";
import { json } from "./nodes.ts";
import type { HttpResponse } from "../http/problem.ts";
import type { TlsFacts } from "../server/api.ts";
import type { HttpRequest } from "../http/request.ts";
import type { UploaderClient } from "../../app/database/auto_restore.ts";
import type { Catalog } from "../../app/agent/catalog.ts";
import type { Counters } from "../../app/database/counters.ts";
import type { Readers } from "../../app/database/readers.ts";
import type { ReplicaClient } from "../../app/database/replica_client.ts";
import type { Users } from "../../app/users/users.ts";
import type { WriteQueue } from "../../app/database/write_queue.ts";
import type { NodeState } from "../../base/worker/node_state.ts";

/** Sources of the status. */
export interface StatusParts {
  readonly state: NodeState;
  /** The writer's current activity; undefined if there is no writer. */
  readonly activity: Activity | undefined;
  readonly replica: ReplicaClient;
  readonly readers: Readers;
  readonly queue: WriteQueue;
  readonly catalog: Catalog;
  readonly counters: Counters;
  readonly users: Users | undefined;
  readonly uploader: UploaderClient | undefined;
  readonly tls: { readonly notAfter: string } | undefined;
  readonly options: {
    readonly nodeId: string;
    readonly bindAddrs: readonly string[];
    readonly allowOrigin: string;
    readonly advertisedAddr: string;
    readonly clusterAddr: string;
    /** Present for HTTPS. */
    readonly tls?: TlsFacts;
    /** Facts that do not change while the node runs. */
    readonly facts: Readonly<Record<string, unknown>>;
    /** Start of the process, wall clock in ms. */
    readonly startedMs: number;
  };
}

type Section = Record<string, unknown>;

const STATES: Readonly<Record<CoreStatus["role"], string>> = {
  follower: "Follower",
  precandidate: "Candidate",
  candidate: "Candidate",
  leader: "Leader",
};

/** `GET /status`. */
export async function handleStatus(request: HttpRequest, parts: StatusParts): Promise<HttpResponse> {
  const status = await statusOf(parts);
  const path = request.params.get("key");
  if (path === undefined || path === "") return json(status, request);
  return { status: 200, body: stringify(pick(status, path)) };
}

/** The part that a dotted path names: `{}` for an unknown key, the value reached where the path runs past an object. */
function pick(value: unknown, path: string): unknown {
  for (const key of path.split(".")) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const found = Object.entries(value).find(([name]) => name === key);
    if (!found) return {};
    value = found[1];
  }
  return value;
}

async function statusOf(parts: StatusParts): Promise<Section> {
  const { options, counters } = parts;
  const now = Date.now();
  const replica: Section = await parts.replica.call("status", {});
  return {
    ...options.facts,
    node: {
      start_time: new Date(options.startedMs).toISOString(),
      current_time: new Date(now).toISOString(),
      uptime: formatDuration(now - options.startedMs),
    },
    http: {
      bind_addr: options.bindAddrs.join(" "),
      auth: parts.users ? "enabled" : "disabled",
      ...(options.allowOrigin === "" ? {} : { allow_origin: options.allowOrigin }),
      tls: options.tls
        ? {
          enabled: "true",
          cert_file: options.tls.certFile,
          key_file: options.tls.keyFile,
          not_after: parts.tls?.notAfter,
        }
        : { enabled: "false" },
      cluster: { timeout: formatDuration(30_000), local_node_addr: options.clusterAddr },
      counters: { ...counters },
      queue: { _default: queueOf(parts.queue) },
      readers: parts.readers.status(),
      writes_pending: parts.replica.pending,
    },
    cluster: { addr: options.clusterAddr, api_addr: options.advertisedAddr, https: String(options.tls !== undefined) },
    store: storeOf(replica, parts),
    ...(replica.disco === undefined ? {} : { disco: replica.disco }),
    ...await uploadsOf(parts),
  };
}

/** Automatic backups and the restore: counters, and rqlite's section of `/status`. */
async function uploadsOf({ uploader }: StatusParts, { withDestination = true } = {}): Promise<Section> {
  const { autoBackups, ...counters } = await uploader?.status() ?? {};
  return { ...counters, ...(autoBackups && withDestination ? { auto_backups: autoBackups } : {}) };
}

function queueOf({ options, sequence, size }: WriteQueue): Section {
  const { capacity, batchSize, timeoutMs } = options;
  return {
    max_size: capacity,
    batch_size: batchSize,
    timeout: formatDuration(timeoutMs),
    sequence_number: sequence,
    size,
  };
}

function storeOf(replica: Section, { options, state, activity, replica: client }: StatusParts): Section {
  const core = replica.core as CoreStatus;
  const leader = client.leader;
  return {
    open: true,
    node_id: options.nodeId,
    addr: options.clusterAddr,
    leader: { node_id: leader?.id ?? "", addr: leader?.addr ?? "" },
    ready: state.ready,
    nodes: core.config.members.map(({ id, addr, role }) => ({
      id,
      addr,
      suffrage: role === "voter" ? "voter" : "nonvoter",
    })),
    raft: raftOf(core, replica),
    fsm_index: state.applied,
    db_applied_index: state.applied,
    fsm_term: core.term,
    leader_appended_at_time: state.leaderAppendedMs === 0 ? "" : new Date(state.leaderAppendedMs).toISOString(),
    sqlite3: { ...replica.sqlite3 as Section, ...writingOf(activity?.work) },
    ...(replica.settings as Section),
  };
}

/** The writer's current activity, shown if it takes long enough to matter. */
function writingOf(work: Work | undefined): Section {
  if (!work) return {};
  const { kind, index, sinceMs, steps } = work;
  return { writing: { kind, index, since: new Date(sinceMs).toISOString(), steps } };
}

function raftOf(core: CoreStatus, replica: Section): Section {
  return {
    state: replica.isShutDown === true ? "Shutdown" : STATES[core.role],
    term: core.term,
    last_log_index: core.last.index,
    last_log_term: core.last.term,
    commit_index: core.commit,
    applied_index: core.applied,
    durable_index: core.durable,
    fsm_pending: core.commit - core.applied,
    num_peers: Math.max(0, core.config.members.filter(({ role }) => role === "voter").length - 1),
    last_contact: replica.lastContact,
    latest_configuration: configurationText(core.config),
    latest_configuration_index: core.config.at,
    cluster_id: core.config.clusterId,
    voter: replica.voter,
    lease_reads: replica.leaseReads,
    last_snapshot_index: core.base.index,
    last_snapshot_term: core.base.term,
    log: replica.log,
    snapshots: replica.snapshots,
    last_agreement: replica.agreement,
    peers: replica.peers,
    progress: core.progress,
    takes_part: !core.isUnsure,
    marks: core.marks,
    dropped_messages: core.dropped,
  };
}

function configurationText(config: Config): string {
  const server = ({ id, addr, role }: Member) =>
    `{Suffrage:${role === "voter" ? "Voter" : "Nonvoter"} ID:${id} Address:${addr}}`;
  return `[${config.members.map(server).join(" ")}]`;
}

/** `GET /debug/vars`. */
export async function handleVars(request: HttpRequest, parts: StatusParts): Promise<HttpResponse> {
  const { counters } = parts;
  const replica: Section = await parts.replica.call("counters", {});
  const groups: Section = {
    http: { ...counters, blocking: parts.catalog.waiting },
    readers: parts.readers.status(),
    ...replica,
    store: {
      ...replica.store as Section,
      num_auto_vacuums: counters.auto_vacuums,
      num_auto_vacuums_failed: counters.auto_vacuums_failed,
      num_auto_optimizes: counters.auto_optimizes,
      num_auto_optimizes_failed: counters.auto_optimizes_failed,
    },
    ...await uploadsOf(parts, { withDestination: false }),
  };
  const key = request.params.get("key");
  return json(key === undefined ? groups : { [key]: groups[key] ?? {} }, request);
}

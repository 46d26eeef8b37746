/**
 * `GET /status` (Q12) and `GET /debug/vars` (Q13.7): what this node knows of itself.
 * @module
 */
import type { Delivery } from "../../app/changes/delivery.ts";
import type { Config, Member } from "../../core/raft/message.ts";
import type { CoreStatus } from "../../core/raft/effects.ts";
import type { Activity, Work } from "../../base/shared/activity.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { formatDuration } from "../../base/codec/duration.ts";
import { friendlySize } from "../../base/codec/size_text.ts";
import { PLAIN_RENDERING } from "../../core/sql/render_options.ts";
import { splitStatements } from "../../core/sql/statement.ts";
import { takeText } from "../../app/database/held_answer.ts";
import { stringify } from "../http/json.ts";
import { isClientAgent } from "./leadership.ts";
import { json } from "./nodes.ts";
import type { HttpResponse } from "../http/problem.ts";
import type { HttpOptions, TlsFacts } from "../server/api.ts";
import type { HttpRequest } from "../http/request.ts";
import type { AutoRestore, UploaderClient } from "../../app/database/auto_restore.ts";
import type { Backups } from "../../app/database/backups.ts";
import type { Catalog } from "../../app/agent/catalog.ts";
import type { Counters } from "../../app/database/counters.ts";
import type { Readers } from "../../app/database/readers.ts";
import { type ReplicaClient, ReplicaError } from "../../app/database/replica_client.ts";
import type { Users } from "../../app/users/users.ts";
import type { WriteQueue } from "../../app/database/write_queue.ts";
import type { NodeState } from "../../base/shared/node_state.ts";

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
  readonly delivery: Delivery | undefined;
  readonly restore: Pick<AutoRestore, "counters"> | undefined;
  readonly backups: Pick<Backups, "made" | "lastMs">;
  /** When certificates expire, RFC 3339. */
  readonly expiry: { readonly http: string | undefined; readonly node: string | undefined };
  readonly answers: AnswerBudget;
  /** Bytes of all files in the data directory. */
  directorySize(): Promise<number>;
  readonly options: {
    readonly nodeId: string;
    readonly bindAddrs: readonly string[];
    readonly tlsAddrs: readonly string[];
    readonly allowOrigin: string;
    readonly advertisedAddr: string;
    readonly clusterAddr: string;
    /** Present in an agent. */
    readonly agent?: { readonly isServer: boolean };
    /** Present for HTTPS. */
    readonly tls?: TlsFacts;
    /** Facts that do not change while the node runs. */
    readonly facts: Readonly<Record<string, unknown>>;
    readonly storeFacts: HttpOptions["storeFacts"];
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
  counters.num_status++;
  const now = Date.now();
  const replica = await told(parts.replica.call("status", {}));
  return {
    ...options.facts,
    ...(parts.expiry.node === undefined
      ? {}
      : { mux: { ...options.facts.mux as Section, not_after: parts.expiry.node } }),
    node: {
      start_time: new Date(options.startedMs).toISOString(),
      current_time: new Date(now).toISOString(),
      uptime: formatDuration(now - options.startedMs),
    },
    http: {
      bind_addr: [...options.bindAddrs, ...options.tlsAddrs].join(" "),
      auth: parts.users ? "enabled" : "disabled",
      ...(options.allowOrigin === "" ? {} : { allow_origin: options.allowOrigin }),
      tls: options.tls
        ? {
          enabled: "true",
          cert_file: options.tls.certFile,
          key_file: options.tls.keyFile,
          not_after: parts.expiry.http,
        }
        : { enabled: "false" },
      cluster: { timeout: formatDuration(30_000), local_node_addr: options.clusterAddr },
      counters: clientsOf(parts),
      queue: { _default: queueOf(parts.queue) },
      readers: parts.readers.status(),
      writes_pending: parts.replica.pending,
    },
    cluster: {
      addr: options.clusterAddr,
      api_addr: options.advertisedAddr,
      https: String(options.bindAddrs.length === 0 && options.tlsAddrs.length > 0),
    },
    store: isClientAgent(parts) ? relayOf(replica, parts) : await storeOf(replica, parts),
    ...(replica?.disco === undefined ? {} : { disco: replica.disco }),
    ...(parts.backups.lastMs === 0 ? {} : { last_backup_time: timeText(parts.backups.lastMs) }),
    ...await uploadsOf(parts),
    ...(parts.delivery ? { cdc: parts.delivery.status } : {}),
  };
}

/** Counters of clients' requests, rqlite's two names of some included: the newer and the older. */
function clientsOf({ counters: { done: _, ...counters }, queue: { counters: queue } }: StatusParts): Section {
  return {
    ...counters,
    authOK: counters.auth_ok,
    authFail: counters.auth_fail,
    boot: counters.boots,
    queued_executions_num_stmts_rx: queue.statements_rx,
    queued_executions_num_stmts_tx: queue.statements_tx,
    queued_executions_ok: queue.batches_ok,
    queued_executions_failed: queue.batches_failed,
    queued_executions_no_leader: queue.no_leader,
    queued_executions_not_leader: queue.not_leader,
    queued_executions_unknown_outcome: queue.unknown_outcome,
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

/** What the replica says; undefined where it is not open. */
async function told<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ReplicaError && error.code === "not_open") return undefined;
    throw error;
  }
}

async function storeOf(replica: Section | undefined, parts: StatusParts): Promise<Section> {
  const { options, state, replica: client } = parts;
  const [bytes, readerPragmas] = await Promise.all([parts.directorySize(), pragmasOfReader(parts)]);
  if (replica === undefined) return closedStore(parts, bytes, readerPragmas);
  const last = replica.lastSnapshot as { index: number; term: number; ms: number };
  const core = replica.core as CoreStatus;
  const leader = client.leader;
  return {
    ...options.storeFacts.store,
    open: true,
    dir_size: bytes,
    dir_size_friendly: friendlySize(bytes),
    node_id: options.nodeId,
    addr: options.clusterAddr,
    leader: { node_id: leader?.id ?? "", addr: leader?.addr ?? "" },
    ready: state.ready,
    disk_full: state.full,
    nodes: core.config.members.map(({ id, addr, role }) => ({
      id,
      addr,
      suffrage: role === "voter" ? "voter" : "nonvoter",
    })),
    raft: { ...raftOf(core, replica), ...options.storeFacts.raft },
    fsm_index: state.applied,
    db_applied_index: state.applied,
    fsm_term: core.term,
    fsm_update_time: timeText(replica.appliedMs as number),
    leader_appended_at_time: timeText(state.leaderAppendedMs),
    // The database is its own snapshot, as of the last checkpoint.
    snapshot_store: snapshotStoreOf(last, String((replica.sqlite3 as Section).path ?? "")),
    sqlite3: sqliteOf(replica.sqlite3 as Section, readerPragmas, parts),
    ...(replica.settings as Section),
  };
}

/** A client agent has no store: it passes on what it is asked for. */
function relayOf(replica: Section | undefined, { options, replica: { leader } }: StatusParts): Section {
  return {
    open: false,
    node_id: options.nodeId,
    leader: { node_id: leader?.id ?? "", addr: leader?.addr ?? "" },
    servers: replica?.servers ?? [],
  };
}

/** Where the snapshots are: the database itself, if there is one. */
function snapshotStoreOf(last: { index: number; term: number; ms: number }, path: string): Section {
  const dir = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  if (last.index === 0) return { dir, db_path: "", snapshots: [] };
  return { dir, db_path: path, snapshots: [`${last.term}-${last.index}-${last.ms}`] };
}

/** What is known of a node whose log is not open: its database is, and is as it was when the node ended. */
function closedStore({ options, state }: StatusParts, bytes: number, readerPragmas: Section | undefined): Section {
  return {
    ...options.storeFacts.store,
    open: false,
    dir_size: bytes,
    dir_size_friendly: friendlySize(bytes),
    node_id: options.nodeId,
    addr: options.clusterAddr,
    leader: { node_id: "", addr: "" },
    ready: false,
    disk_full: state.full,
    fsm_index: state.applied,
    db_applied_index: state.applied,
    ...(readerPragmas && { sqlite3: { pragmas: { ro: readerPragmas } } }),
  };
}

/** A time of the wall clock in ms; 0: none. */
function timeText(ms: number): string {
  return ms === 0 ? "" : new Date(ms).toISOString();
}

function sqliteOf(writer: Section, readerPragmas: Section | undefined, { readers, activity }: StatusParts): Section {
  const pragmas = { ...writer.pragmas as Section, ...(readerPragmas && { ro: readerPragmas }) };
  const { readers: open, readers_max: max, busy } = readers.status();
  const writing = activity?.work ? 1 : 0;
  return {
    ...writer,
    pragmas,
    conn_pool_stats: {
      ro: {
        max_open_connections: max,
        open_connections: open,
        in_use: busy,
        idle: open - busy,
        wait_count: readers.waits.count,
        wait_duration: Math.round(readers.waits.ms * 1e6), // in ns, as rqlite has it
      },
      rw: { max_open_connections: 1, open_connections: 1, in_use: writing, idle: 1 - writing },
    },
    ...writingOf(activity?.work),
  };
}

/** Pragmas that rqlite shows of its connections. */
const PRAGMAS = ["synchronous", "journal_mode", "foreign_keys", "wal_autocheckpoint", "busy_timeout"];
/** A reader that has not answered within this time is not waited for. */
const READER_MS = 500;

/** Those of a reader, as strings; undefined where none answers in time. */
async function pragmasOfReader({ readers, answers }: StatusParts): Promise<Section | undefined> {
  if (readers.status().readers === 0) return undefined;
  const statements = PRAGMAS.map((name) => ({
    parts: splitStatements(`PRAGMA ${name}`),
    positional: [],
    named: null,
  }));
  const asked = {
    statements,
    transaction: false,
    options: PLAIN_RENDERING,
    timeoutMs: READER_MS,
    onlyIfReadOnly: false,
  };
  try {
    const found = await readers.read(asked);
    if (found === undefined) return undefined;
    const results: { values?: unknown[][] }[] = JSON.parse(takeText(found.results, answers));
    return Object.fromEntries(PRAGMAS.map((name, at) => [name, String(results[at]?.values?.[0]?.[0] ?? "")]));
  } catch {
    return undefined; // so many reads wait that this one was refused
  }
}

/** The writer's current activity, shown if it takes long enough to matter. */
function writingOf(work: Work | undefined): Section {
  if (!work) return {};
  const { kind, index, sinceMs, steps } = work;
  return { writing: { kind, index, since: new Date(sinceMs).toISOString(), steps } };
}

function raftOf(core: CoreStatus, replica: Section): Section {
  const { bytes } = replica.log as { bytes: number };
  const last = replica.lastSnapshot as { index: number; term: number };
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
    last_snapshot_index: last.index,
    last_snapshot_term: last.term,
    log_base_index: core.base.index, // the log begins behind it
    log: replica.log,
    log_size: bytes,
    log_size_friendly: friendlySize(bytes),
    snapshots: replica.snapshots,
    last_agreement: replica.agreement,
    differing: replica.differing,
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

/** Memory in bytes: `rss` of the whole process, the others of the thread that serves HTTP. */
function memoryOf({ rss, heapTotal, heapUsed, external }: Deno.MemoryUsage): Section {
  return { rss, heap_total: heapTotal, heap_used: heapUsed, external };
}

/** Until a certificate expires, below 0 when it has; undefined where there is none. */
function secondsUntil(notAfter: string | undefined): number | undefined {
  return notAfter === undefined ? undefined : Math.floor((Date.parse(notAfter) - Date.now()) / 1000);
}

/** Where none was asked for. */
const NOTHING_RESTORED = { num_auto_restores: 0, num_auto_restores_failed: 0, num_auto_restores_skipped: 0 };

/** rqlite's objects are statements. */
function queueCounters({ statements_rx, statements_tx, num_timeout }: WriteQueue["counters"]): Section {
  return { statements_rx, statements_tx, objects_rx: statements_rx, objects_tx: statements_tx, num_timeout };
}

/** Statements and checkpoints: of the writer, and of the readers as far as clients asked them. */
function databaseCounters({ activity, counters: { done: { db } } }: StatusParts): Section {
  if (activity === undefined) return { ...db };
  const { apply_duration_us: _, ...counts } = activity.counts.all;
  return {
    ...counts,
    queries: counts.queries + db.queries,
    query_transactions: counts.query_transactions + db.query_transactions,
  };
}

/** `GET /debug/vars`. */
export async function handleVars(request: HttpRequest, parts: StatusParts): Promise<HttpResponse> {
  const { counters } = parts;
  const replica: Section | undefined = await told(parts.replica.call("counters", {}));
  const groups: Section = {
    http: { ...clientsOf(parts), blocking: parts.catalog.waiting },
    readers: parts.readers.status(),
    ...replica,
    cluster: { ...replica?.cluster as Section, ...counters.done.cluster },
    db: databaseCounters(parts),
    store: {
      ...replica?.store as Section,
      leader_changes_observed: (replica?.store as Section | undefined)?.leader_changes,
      ...counters.done.store,
      fsm_apply_duration_us: parts.activity?.counts.all.apply_duration_us,
      num_backups: parts.backups.made,
      ...(parts.restore?.counters ?? NOTHING_RESTORED),
      num_auto_vacuums: counters.auto_vacuums,
      num_auto_vacuums_failed: counters.auto_vacuums_failed,
      num_auto_optimizes: counters.auto_optimizes,
      num_auto_optimizes_failed: counters.auto_optimizes_failed,
    },
    queue: queueCounters(parts.queue.counters),
    tls: { http_expires_in_s: secondsUntil(parts.expiry.http), node_expires_in_s: secondsUntil(parts.expiry.node) },
    memstats: memoryOf(Deno.memoryUsage()),
    ...await uploadsOf(parts, { withDestination: false }),
  };
  const key = request.params.get("key");
  return json(key === undefined ? groups : { [key]: groups[key] ?? {} }, request);
}

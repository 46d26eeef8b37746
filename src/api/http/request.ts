/**
 * A request as handlers see it, whether a client sent it here or another node forwarded it, and what handlers work with.
 * @module
 */
import type { AnswerBudget } from "../../base/worker/answer_budget.ts";
import type { Activity } from "../../base/worker/activity.ts";
import type { NodeState } from "../../base/worker/node_state.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { AgentOptions, HttpOptions, SupervisorTask } from "../server/api.ts";
import type { Catalog } from "../../app/agent/catalog.ts";
import type { Params } from "./params.ts";
import type { PoolClient } from "../../drivers/membership/client.ts";
import type { Readers } from "../../app/database/readers.ts";
import type { ReplicaClient } from "../../app/database/replica_client.ts";
import type { EventLog } from "../consul/events.ts";

/** One request, its body read. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query string, as sent. */
  readonly target: string;
  readonly params: Params;
  readonly contentType: string;
  readonly authorization: string;
  readonly body: Uint8Array;
  /** Another node sent it on: it is answered here or not at all. */
  readonly forwarded: boolean;
  /** When it arrived, in ms of the monotonic clock. */
  readonly startedMs: number;
  /** Resolves when waiting on is of no use: the client has left, or this node stops. Absent where no client waits. */
  readonly whenOver?: () => Promise<void>;
}

/** What handlers need of the node. */
export interface Services {
  readonly options: HttpOptions;
  readonly state: NodeState;
  /** What the writer is at; undefined where there is none. */
  readonly activity: Activity | undefined;
  readonly replica: ReplicaClient;
  readonly readers: Readers;
  /** Counts the bytes of long answers. */
  readonly answers: AnswerBudget;
  readonly catalog: Catalog;
  /** Present in an agent (`muster agent`). */
  readonly agent: Agent | undefined;
  readonly counters: Counters;
  log(line: string, level?: LogLevel): void;
}

/** What makes a node an agent: a member of a gossip pool. */
export interface Agent {
  /** What describes it may change while it runs. */
  options: AgentOptions;
  readonly pool: PoolClient;
  readonly events: EventLog;
  /** Has the supervisor do what concerns the whole process; rejects with a reason for people. */
  askSupervisor(what: SupervisorTask): Promise<void>;
}

/** Counters of a fresh start. */
export function newCounters(): Counters {
  return {
    executions: 0,
    queries: 0,
    requests: 0,
    forwarded: 0,
    served: 0,
    leader_not_found: 0,
    reads_by_lease: 0,
    leases_lost: 0,
    bad_requests: 0,
    user_snapshots: 0,
    user_reaps: 0,
    running: 0,
  };
}

/** What is counted, for `/debug/vars` and `/status`. */
export interface Counters {
  executions: number;
  queries: number;
  requests: number;
  forwarded: number;
  served: number;
  leader_not_found: number;
  /** Linearizable reads that a lease vouched for (R10). */
  reads_by_lease: number;
  /** Those whose lease was gone when they were done: repeated after a round. */
  leases_lost: number;
  bad_requests: number;
  user_snapshots: number;
  user_reaps: number;
  /** Requests under way. */
  running: number;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The body as text; what is not UTF-8 becomes U+FFFD. A byte order mark stays: it is no JSON. */
export function textOf(body: Uint8Array): string {
  return utf8.decode(body);
}

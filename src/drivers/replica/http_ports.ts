/**
 * The ports to the HTTP Workers: takes their writes, reads and questions, and lets them do operations that other nodes ask
 * for. An operation is forwarded at most one hop, to the leader, and never again once it was sent (X2).
 * @module
 */
import { RefusedError } from "../../core/raft/proposal.ts";
import type { Relay } from "./relay.ts";
import type { RefusedWhy, Replica } from "./replica.ts";
import { Callee, Caller, type DescribedError, type Methods } from "../../base/worker/channel.ts";
import type { Index } from "../../core/raft/message.ts";
import { describeFailure } from "./call_failure.ts";
import { NotSentError, outdated, RemoteError, type RpcAnswer, type RpcClient } from "../transport/rpc.ts";
import { FarClient } from "../transport/far_client.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { type Removal, REMOVED } from "../cluster/removal.ts";
import type { Divergence } from "./divergence.ts";
import { withTimeout } from "../../base/worker/with_timeout.ts";
import { freeBuffer } from "../../base/codec/free.ts";
import { movedWith, unpack } from "../../base/codec/packed.ts";
import { renderFlags } from "../../core/sql/render_options.ts";
import type {
  Confirmation,
  Forward,
  Forwarded,
  FromHttp,
  HttpMethods,
  LeaderInfo,
  Proposals,
  ReadsToConfirm,
  Refused,
  ReplicaMethods,
  ReplicaOptions,
  ToHttp,
} from "./api.ts";
import { NO_LEADER } from "./api.ts";
import type { Span } from "../../core/traces/span.ts";
import type { Waiter } from "../../core/sql/exchange.ts";
import type { FromWriter } from "../sqlite/api.ts";
import { OPERATION, type Rpc } from "../transport/wire.ts";
import { DecodeError } from "../../base/codec/cursor.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Longest wait for the writer's status. */
const WRITER_STATUS_MS = 1000;
/**
 * Operations of other nodes that an HTTP Worker does at a time. Up to 10,000 of them may be blocking queries, which last for
 * minutes (WAITING_MAX of app/agent/waits.ts): the others are for writes and registrations, which they must not keep out.
 */
const SERVED_MAX = 10_000 + 8192;

const REFUSED_CODES: Partial<Record<RefusedWhy, Refused["code"]>> = {
  not_committed: "not_committed",
  behind: "behind",
  queue_full: "queue_full",
  too_large: "too_large",
  storage_full: "storage_full",
  unknown: "unknown",
};

const REFUSED_TEXTS: Record<Refused["code"], string> = {
  not_leader: "not leader",
  not_committed: "leadership lost while committing log",
  unknown: "the leader was lost before it told what became of the write: it may or may not have taken effect",
  queue_full: "too many writes are waiting: try again later",
  behind:
    "the database is busy with an earlier write, and committed ones wait behind it: nothing was written, try again later",
  too_large: "the request is larger than a log entry may be",
  storage_full: "no space left on the disk of the leader: nothing was written; free some space",
  timeout: "timed out enqueuing operation",
};

/** Operations on the node as a whole. */
export interface NodeParts {
  /** The leader, if known. */
  leader(): LeaderInfo | null;
  /** Makes what is applied durable and cuts the log; whether there was anything to do. */
  snapshot(trailing: number): Promise<boolean>;
  /** Compares the content of all replicas. */
  verify(): Promise<Record<string, unknown>>;
  /** For `/debug/vars`, by group. */
  counters(): Record<string, Record<string, number>>;
  /** For `/status`. */
  status(): Record<string, unknown>;
  /** Has the writer tell its status. */
  askWriterStatus(): void;
}

/** Surroundings. */
export interface HttpPortsParts {
  readonly replica: Replica;
  readonly relay: Relay;
  readonly cluster: Cluster;
  readonly rpc: RpcClient;
  readonly divergence: Pick<Divergence, "differing">;
  readonly removal: Pick<Removal, "isOut">;
  readonly node: NodeParts;
  readonly options: ReplicaOptions;
}

/** One HTTP Worker. */
interface Line {
  readonly port: MessagePort;
  readonly http: Caller<HttpMethods>;
  readonly callee: Callee<ReplicaMethods>;
}

/** All HTTP Workers of this node. */
export class HttpPorts {
  /** Times that a client had this node hand leadership over. */
  stepdowns = 0;
  readonly #lines: readonly Line[];
  readonly #parts: HttpPortsParts;
  /** The way to other datacenters. */
  readonly #far: FarClient;
  readonly #refused = new Map<number, Refused[]>();
  readonly #spans: Span[] = [];
  readonly #writerStatus: ((status: Record<string, unknown>) => void)[] = [];
  /** Index of the one that gets the next operation of another node. */
  #nextServer = 0;

  /** @param ports In the order of the writer's ports 1 and up. */
  constructor(ports: readonly MessagePort[], parts: HttpPortsParts) {
    this.#parts = parts;
    this.#far = new FarClient(parts.rpc);
    this.#lines = ports.map((port) => ({
      port,
      http: new Caller<HttpMethods>(port, { callee: "HTTP", callsMax: SERVED_MAX, failure: refusal }),
      callee: new Callee(port, this.#methods(), described),
    }));
    this.#lines.forEach((line, at) => {
      line.port.onmessage = ({ data }: MessageEvent<FromHttp>) => this.#onMessage(at + 1, line, data);
    });
  }

  #post(port: number, message: ToHttp): void {
    this.#lines[port - 1]?.port.postMessage(message);
  }

  /** To every HTTP Worker. */
  broadcast(message: ToHttp): void {
    for (const { port } of this.#lines) port.postMessage(message);
  }

  /** A span of a write has ended; spans of one turn leave together. */
  span(span: Span): void {
    this.#spans.push(span);
    if (this.#spans.length > 1) return;
    queueMicrotask(() => this.#post(1, { k: "spans", spans: this.#spans.splice(0) }));
  }

  /** A write that has no result. */
  refused(waiter: Waiter, why: RefusedWhy): void {
    const code = REFUSED_CODES[why] ?? "not_leader";
    const waiting = this.#refused.get(waiter.port);
    const item = { ref: waiter.ref, code, message: REFUSED_TEXTS[code] };
    if (waiting) waiting.push(item);
    else {
      this.#refused.set(waiter.port, [item]);
      queueMicrotask(() => {
        const items = this.#refused.get(waiter.port) ?? [];
        this.#refused.delete(waiter.port);
        this.#post(waiter.port, { k: "refused", items });
      });
    }
  }

  #onMessage(port: number, { http, callee }: Line, message: FromHttp): void {
    switch (message.k) {
      case "propose":
        return this.#propose(port, message);
      case "answer":
        return http.settle(message);
      case "call":
      case "cancel":
        return callee.take(message);
    }
  }

  #propose(port: number, { refs, render, bodies, traces }: Proposals): void {
    // Copies, unless it came alone: an entry outlives its batch in memory, and must not keep the whole of it.
    const isAlone = refs.length === 1;
    const { replica, relay } = this.#parts;
    const proposals = unpack(bodies).map((body, at) => ({
      body: isAlone ? body : body.slice(),
      asker: traces?.[at] === undefined
        ? { port, ref: refs[at], options: renderFlags(render[at]) }
        : { port, ref: refs[at], options: renderFlags(render[at]), trace: replica.traces.begin(traces[at]) },
    }));
    const left = relay.forward(proposals);
    if (left.length > 0) replica.propose(left);
    if (!isAlone) freeBuffer(bodies.bytes);
  }

  /** One round confirms all reads that came together, if a lease does not. */
  async #confirm({ timeoutMs, byRound, nowMs }: ReadsToConfirm): Promise<Confirmation> {
    const { replica, options } = this.#parts;
    const aheadMs = performance.now() - nowMs;
    const byLease = await withTimeout(replica.readIndex({ byRound }), timeoutMs, "timeout waiting for fsm");
    return { byLease, ...(options.leaseReads && { aheadMs }) };
  }

  #methods(): Methods<ReplicaMethods> {
    const { cluster, node } = this.#parts;
    return {
      confirm: (params) => this.#confirm(params),
      forward: async (params, { over, transfer }) => {
        // A copy of its own, of which the connection took one.
        const forwarded = await this.#forward(params, over).finally(() => freeBuffer(params.call.body));
        transfer.push(...movedWith(forwarded.answer.body));
        return forwarded;
      },
      isThere: ({ datacenter, addr, timeoutMs }) => this.#far.isThere(datacenter, addr, timeoutMs),
      nodes: ({ timeoutMs }) => cluster.nodes(timeoutMs),
      remove: async ({ id }) => ({ removed: await cluster.remove(id) }),
      transfer: (params) => this.#transfer(params),
      snapshot: async ({ trailing, timeoutMs }) => ({
        done: await withTimeout(node.snapshot(trailing), timeoutMs, "timeout"),
      }),
      verify: () => node.verify(),
      differing: () => this.#parts.divergence.differing,
      counters: () => node.counters(),
      status: async () => ({ ...node.status(), sqlite3: await this.#askWriter() }),
      leaderReachable: (params) => this.#leaderReachable(params),
      caughtUp: (params) => this.#caughtUp(params),
    };
  }

  async #transfer({ to, timeoutMs }: ReplicaMethods["transfer"]["params"]): Promise<{ leader: string | null }> {
    this.stepdowns++;
    await withTimeout(this.#parts.replica.transfer(to), timeoutMs, "leadership transfer timeout");
    return { leader: this.#parts.node.leader()?.id ?? null };
  }

  async #askWriter(): Promise<Record<string, unknown>> {
    const status = new Promise<Record<string, unknown>>((resolve) => this.#writerStatus.push(resolve));
    if (this.#writerStatus.length === 1) this.#parts.node.askWriterStatus();
    return await withTimeout(status, WRITER_STATUS_MS, "busy").catch(() => ({ error: "the writer is busy" }));
  }

  /** The writer's answer. */
  writerStatus({ status }: Extract<FromWriter, { k: "status" }>): void {
    for (const resolve of this.#writerStatus.splice(0)) resolve(status);
  }

  async #leaderReachable({ timeoutMs }: { timeoutMs: number }): Promise<{ error?: string }> {
    const leader = this.#parts.node.leader();
    if (!leader) return { error: this.#parts.removal.isOut ? REMOVED : NO_LEADER };
    try {
      // One that leads may have been cut off, or suspended: only the others know whether it still does.
      if (leader.id !== this.#parts.options.nodeId) await this.#parts.rpc.call(leader.addr, "meta", {}, { timeoutMs });
      else await withTimeout(this.#parts.replica.confirmLeadership(), timeoutMs, "no answer from a majority");
      return {};
    } catch (error) {
      return { error: messageOf(error) };
    }
  }

  async #caughtUp({ timeoutMs }: { timeoutMs: number }): Promise<{ error?: string }> {
    try {
      const commit = await this.leaderCommit(timeoutMs);
      await withTimeout(this.#parts.replica.untilApplied(commit), timeoutMs, "timeout waiting for apply");
      return {};
    } catch (error) {
      return { error: messageOf(error) };
    }
  }

  /**
   * The leader's commit index as of now.
   * @throws {Error} When no leader is known, or it does not answer with one.
   */
  async leaderCommit(timeoutMs: number): Promise<Index> {
    const leader = this.#parts.node.leader();
    if (!leader) throw new Error(NO_LEADER);
    const { commit } = leader.id === this.#parts.options.nodeId
      ? this.#parts.replica.status()
      : (await this.#parts.rpc.call(leader.addr, "meta", {}, { timeoutMs })).head;
    if (typeof commit !== "number") throw new DecodeError(`Expected "commit" to be a number`);
    return commit;
  }

  async #forward({ call, timeoutMs, retries, to, datacenter }: Forward, over: Promise<void>): Promise<Forwarded> {
    if (datacenter !== undefined && to !== undefined) {
      const options = { timeoutMs, body: call.body, over, trace: call.trace };
      try {
        return { answer: await this.#far.ask(datacenter, to, call.head, options), from: to };
      } catch (error) {
        throw outdated(error, to);
      }
    }
    for (let attempt = 0;; attempt++) {
      const leader: LeaderInfo | null = this.#parts.node.leader();
      if (to === undefined && (!leader || leader.id === this.#parts.options.nodeId)) throw new NoLeaderError();
      const from = to ?? leader?.addr ?? "";
      try {
        const { head, body, trace } = call;
        const answer = await this.#parts.rpc.call(from, OPERATION, head, { timeoutMs, body, over, trace });
        return { answer, from };
      } catch (error) {
        if (!(error instanceof NotSentError) || attempt >= retries) throw outdated(error, from);
      }
    }
  }

  /** An operation that another node asks of this one, until nobody waits for it any more. */
  async answerCall(rpc: Rpc, over: Promise<void>): Promise<RpcAnswer> {
    if (rpc.method === OPERATION_BEFORE) throw new RemoteError(OUTDATED_CALLER);
    if (rpc.method !== OPERATION) throw new RemoteError(`unknown call "${rpc.method}": upgrade this node`);
    const { port, http } = this.#lines[this.#nextServer];
    this.#nextServer = (this.#nextServer + 1) % this.#lines.length;
    const { head, body, trace } = rpc;
    const { answer, held } = await http.call("serve", { head, body, trace }, { over, transfer: movedWith(body) });
    if (held === undefined) return answer;
    const message: ToHttp = { k: "sent", held };
    return { ...answer, onSent: () => port.postMessage(message) };
  }

  /** Whether a node may join that shows these credentials. */
  async mayJoin(params: HttpMethods["mayJoin"]["params"]): Promise<boolean> {
    return await this.#lines[0].http.call("mayJoin", params);
  }
}

/** What nodes of an earlier version call to forward a client's request. */
const OPERATION_BEFORE = "http";
const OUTDATED_CALLER = "this request was forwarded by a node of an earlier version, which the one that got it does " +
  "not understand any more: upgrade the node that was asked, or ask the leader itself";

/** No leader is known. */
export class NoLeaderError extends Error {
  /** Always `NoLeaderError`. */
  override readonly name = "NoLeaderError";

  constructor() {
    super("leader not found");
  }
}

/** The error for another node whose request was not answered here. */
function refusal(message: string, code: string): RemoteError {
  return new RemoteError(
    code === "busy" ? "too many operations of other nodes are under way: try again later" : message,
  );
}

function described(error: unknown): DescribedError {
  if (error instanceof NoLeaderError) return { error: error.message, code: "no_leader" };
  if (error instanceof RefusedError) return { error: error.message, code: error.why };
  const isLeaderless = error instanceof RemoteError && ["not leader", NO_LEADER].includes(error.message);
  return isLeaderless ? { error: error.message, code: "not_leader" } : describeFailure(error);
}

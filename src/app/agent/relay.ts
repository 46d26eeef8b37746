/**
 * Forwards a client agent's operations to the servers (C9.11). A client agent keeps no data, so it asks a server for
 * replicated data over the cluster port, and the next server if that one cannot be reached or knows no leader. While no
 * server knows a leader, as during an election, it retries. An operation that was sent and not answered is not sent
 * again (X2). For HTTP the relay has the interface of a replica.
 * @module
 */
import { joinAddress } from "../../base/codec/address.ts";
import { movedWith } from "../../base/codec/packed.ts";
import type { MemberRecord } from "../../drivers/membership/api.ts";
import type { Forward, Forwarded, FromHttp, LeaderInfo, ReplicaMethods, ToHttp } from "../../drivers/replica/api.ts";
import { Callee, type DescribedError, type Methods } from "../../base/worker/channel.ts";
import { describeFailure } from "../../drivers/replica/call_failure.ts";
import { NotSentError, outdated, RemoteError, RpcClient } from "../../drivers/transport/rpc.ts";
import { type Hello, OPERATION, PROTOCOL_VERSION } from "../../drivers/transport/wire.ts";
import { jitter, pause } from "../../base/worker/backoff.ts";
import { NodeState } from "../../base/shared/node_state.ts";
import type { NodeTls } from "../../base/net/conn.ts";
import { logger } from "../../base/worker/log.ts";
import type { ClusterSecret } from "../../drivers/transport/secret.ts";

const CONNECT_TIMEOUT_MS = 3000;
const ANSWER_BYTES_MAX = 512 * 1024 * 1024;
/** While there is no leader, a request is held for so long, and the servers are asked again with these pauses. */
const HOLD_MS = 7000;
const HOLD_PAUSE_MS = 100;
const HOLD_PAUSE_MS_MAX = 1600;
/** Another server takes over now and then, so that load follows servers that come. */
const REBALANCE_MS = 150_000;

const log = logger("agent");

const NO_REPLICA = "this is a client agent";

/** This agent's description of itself to servers. */
export interface RelayOptions {
  readonly nodeId: string;
  readonly version: string;
  readonly apiUrl: string;
  readonly secret: ClusterSecret | undefined;
  readonly tls: NodeTls | undefined;
}

/** There is no server to ask. */
class NoServerError extends Error {}

/** Only a replica can do it. */
class NoReplicaError extends Error {}

/** Hands operations to servers. */
export class Relay {
  readonly #port: MessagePort;
  readonly #state: NodeState;
  readonly #rpc: RpcClient;
  #tls: NodeTls | undefined;
  /** Cluster addresses, the one in use first. */
  #servers: string[] = [];
  readonly #callee: Callee<ReplicaMethods>;
  readonly #timer: ReturnType<typeof setInterval>;

  /** @param port Carries FromHttp in and ToHttp out. */
  constructor(port: MessagePort, state: SharedArrayBuffer, options: RelayOptions) {
    const { nodeId, version, apiUrl, secret } = options;
    this.#port = port;
    this.#tls = options.tls;
    this.#callee = new Callee(port, this.#methods(), described);
    this.#state = new NodeState(state);
    const hello: Hello = {
      protocol: PROTOCOL_VERSION,
      purpose: "rpc",
      clusterId: "",
      id: nodeId,
      storageId: "",
      addr: "",
      apiUrl,
      version,
      incarnation: crypto.randomUUID(),
    };
    const limits = { frameBytesMax: ANSWER_BYTES_MAX, connectTimeoutMs: CONNECT_TIMEOUT_MS };
    this.#rpc = new RpcClient(() => hello, { ...limits, secret, trust: () => this.#tls?.trust });
    this.#timer = setInterval(() => this.#shuffle(), REBALANCE_MS * (1 + Math.random() / 4));
    port.onmessage = ({ data }: MessageEvent<FromHttp>) => this.#onMessage(data);
  }

  /** Takes other certificates into use for new connections. */
  renew(tls: NodeTls): void {
    this.#tls = tls;
    log("new connections to servers get the new certificate");
  }

  /** The members of the pool now. */
  setMembers(members: readonly MemberRecord[]): void {
    const addrs = members.filter(({ status, tags }) => status === "alive" && tags.role === "consul").map(serverAddr);
    const kept = this.#servers.filter((addr) => addrs.includes(addr));
    const added = addrs.filter((addr) => !kept.includes(addr));
    for (const addr of added) kept.splice(Math.floor(Math.random() * (kept.length + 1)), 0, addr);
    const isChanged = (kept.length > 0) !== this.#state.ready;
    this.#servers = kept;
    this.#state.ready = kept.length > 0;
    if (isChanged) this.#tell({ k: "leader", leader: kept.length > 0 ? this.#anyServer() : null });
  }

  /** A client agent knows servers, not which of them leads. */
  #anyServer(): LeaderInfo {
    return { id: "", addr: this.#servers[0], apiUrl: "" };
  }

  #shuffle(): void {
    for (let at = this.#servers.length - 1; at > 0; at--) {
      const other = Math.floor(Math.random() * (at + 1));
      [this.#servers[at], this.#servers[other]] = [this.#servers[other], this.#servers[at]];
    }
  }

  #tell(message: ToHttp): void {
    this.#port.postMessage(message);
  }

  #onMessage(message: FromHttp): void {
    switch (message.k) {
      case "call":
      case "cancel":
        return this.#callee.take(message);
      case "propose":
        return this.#tell({
          k: "refused",
          items: message.refs.map((ref) => ({ ref, code: "not_leader", message: NO_REPLICA })),
        });
      case "answer": // nothing is asked of HTTP here
        return;
    }
  }

  #methods(): Methods<ReplicaMethods> {
    const absent = (method: keyof ReplicaMethods) => () => {
      throw new RemoteError(`a client agent has no "${method}"`);
    };
    return {
      confirm() {
        throw new NoReplicaError();
      },
      forward: async (params, { over, transfer }) => {
        const forwarded = await this.#forward(params, over);
        transfer.push(...movedWith(forwarded.answer.body));
        return forwarded;
      },
      differing: () => null,
      counters: () => ({}),
      status: () => ({ servers: this.#servers }),
      leaderReachable: (params) => this.#reachable(params),
      isThere: absent("isThere"),
      nodes: absent("nodes"),
      remove: absent("remove"),
      transfer: absent("transfer"),
      snapshot: absent("snapshot"),
      verify: absent("verify"),
      caughtUp: absent("caughtUp"),
    };
  }

  async #forward(forward: Forward, over: Promise<void>): Promise<Forwarded> {
    if (forward.to !== undefined) return await this.#ask(forward.to, forward, over);
    const hold = new AbortController();
    over.then(() => hold.abort());
    const holdUntil = performance.now() + Math.min(forward.timeoutMs, HOLD_MS);
    for (let pauseMs = HOLD_PAUSE_MS;; pauseMs = Math.min(pauseMs * 2, HOLD_PAUSE_MS_MAX)) {
      const forwarded = await this.#askEach(forward, over);
      const isLast = hold.signal.aborted || performance.now() + pauseMs > holdUntil;
      if (!isLeaderless(forwarded) || isLast) return forwarded;
      await pause(jitter(pauseMs), hold.signal);
    }
  }

  /** The answer of the first server that takes it and knows a leader, or the last one's that knows none. */
  async #askEach(forward: Forward, over: Promise<void>): Promise<Forwarded> {
    let failure: unknown = new NoServerError();
    let leaderless: Forwarded | undefined;
    for (const addr of [...this.#servers]) {
      try {
        const forwarded = await this.#ask(addr, forward, over);
        if (!isLeaderless(forwarded)) return forwarded;
        leaderless = forwarded;
      } catch (error) {
        if (!(error instanceof NotSentError)) throw error;
        failure = error;
      }
      this.#demote(addr);
    }
    if (leaderless) return leaderless;
    throw failure;
  }

  async #ask(addr: string, { call, timeoutMs }: Forward, over: Promise<void>): Promise<Forwarded> {
    const { head, body, trace } = call;
    try {
      return { answer: await this.#rpc.call(addr, OPERATION, head, { timeoutMs, body, over, trace }), from: addr };
    } catch (error) {
      throw outdated(error, addr);
    }
  }

  /** A server that could not be reached, or knows no leader, is asked last from now on. */
  #demote(addr: string): void {
    this.#servers = [...this.#servers.filter((one) => one !== addr), ...this.#servers.filter((one) => one === addr)];
  }

  async #reachable({ timeoutMs }: { timeoutMs: number }): Promise<{ error?: string }> {
    for (const addr of [...this.#servers]) {
      try {
        await this.#rpc.call(addr, "meta", {}, { timeoutMs });
        return {};
      } catch {
        this.#demote(addr);
      }
    }
    return { error: "no server answers" };
  }

  /** Ends what is under way. */
  close(): void {
    clearInterval(this.#timer);
    this.#rpc.close();
  }
}

function isLeaderless({ answer: { head } }: Forwarded): boolean {
  return head.leaderless === true;
}

function serverAddr({ addr, port, tags }: MemberRecord): string {
  return joinAddress(addr, /^\d{1,5}$/.test(tags.port ?? "") ? Number(tags.port) : port);
}

function described(error: unknown): DescribedError {
  if (error instanceof NoServerError) return { error: "no known servers", code: "no_servers" };
  return error instanceof NoReplicaError ? { error: NO_REPLICA, code: "not_leader" } : describeFailure(error);
}

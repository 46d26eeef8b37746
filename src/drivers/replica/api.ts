/**
 * The messages of the replica Worker. Types only.
 * @module
 */
import type { Member, NodeId } from "../../core/raft/message.ts";
import type { ToCallee, ToCaller } from "../../base/worker/channel.ts";
import type { NodeTls } from "../../base/net/conn.ts";
import type { SecretOptions } from "../transport/secret.ts";
import type { Span } from "../../core/traces/span.ts";
import type { Packed } from "../../base/codec/packed.ts";

/** Said where no leader is known, and nothing more. */
export const NO_LEADER = "no leader";

/** How a node is to take part in the cluster; decided by the command line. */
export interface ReplicaOptions {
  readonly nodeId: NodeId;
  readonly storageId: string;
  /** Directory of the log. */
  readonly directory: string;
  /** Cluster addresses to listen on, `host:port`. */
  readonly bindAddrs: readonly string[];
  /** Cluster address for the others. */
  readonly advertisedAddr: string;
  /** URL of the HTTP API for clients, for example `http://localhost:4001`. */
  readonly apiUrl: string;
  readonly version: string;
  readonly isVoter: boolean;
  /** Ways into a cluster. */
  readonly join: readonly string[];
  /** Credentials to show for that, as an Authorization header has them; empty for none. */
  readonly joinAuthorization: string;
  /** Whether nodes that join here need a user with the permission for it. */
  readonly checksJoins: boolean;
  readonly joinAttempts: number;
  readonly joinIntervalMs: number;
  readonly bootstrapExpect: number;
  /** Start a cluster of this node alone at the first start, without asking anybody. */
  readonly bootstrapAlone: boolean;
  readonly bootstrapTimeoutMs: number;
  /** Members through which it goes back into the cluster that it was in, its data being lost; it founds none. */
  readonly rejoin: readonly string[];
  /** Present in a mode of discovery. */
  readonly discovery: DiscoveryUse | undefined;
  readonly heartbeatTimeoutMs: number;
  readonly electionTimeoutMs: number;
  /** Take leases for reads, and promise what they need (R10). */
  readonly leaseReads: boolean;
  /** Longest wait for room to propose. */
  readonly applyTimeoutMs: number;
  /** Steps of SQLite's virtual machine that an entry may take, where this node leads. */
  readonly maxSteps: number;
  readonly connectTimeoutMs: number;
  /** Whether snapshots are compressed on their way to other nodes. */
  readonly compressSnapshots: boolean;
  /** Name of the cluster; empty for none. */
  readonly clusterName: string;
  readonly clusterSecret: SecretOptions;
  /** Present where nodes speak TLS. */
  readonly tls?: NodeTls;
  readonly stepdownOnShutdown: boolean;
  readonly removeOnShutdown: boolean;
  /** Stop Raft when this node was removed from the cluster. */
  readonly stopWhenRemoved: boolean;
  /** Time after which a voter that is not heard is removed; 0: never. */
  readonly reapVoterMs: number;
  /** The same for the others. */
  readonly reapNonVoterMs: number;
  /** Longest operation that another node may ask for. */
  readonly forwardBytesMax: number;
}

/**
 * Result of discovery: the addresses of all nodes, a key with the leader's record, or the servers of the gossip pool.
 */
export interface DiscoveryUse {
  readonly kind: "addresses" | "register" | "pool";
  /** Grace time of a dead record; 0: it is never replaced. */
  readonly deadAfterMs: number;
}

/** First message to the Worker: what it is to be, and whom it talks to. */
export interface ReplicaOpen {
  readonly k: "open";
  readonly options: ReplicaOptions;
  /** Shared memory of the node's state. */
  readonly state: SharedArrayBuffer;
  readonly writer: MessagePort;
  readonly http: readonly MessagePort[];
  readonly snapshots: MessagePort;
  /** Present with {@linkcode ReplicaOptions.discovery} of a service. */
  readonly discovery: MessagePort | undefined;
  /** The line to the membership Worker, in a node that gossips. */
  readonly pool: MessagePort | undefined;
}

/** From the supervisor, afterwards. */
export type ToReplica =
  | ReplicaOpen
  | { readonly k: "tls"; readonly tls: NodeTls }
  | { readonly k: "secret"; readonly texts: readonly string[] } // others for new connections
  | { readonly k: "shutdown"; readonly leave: boolean };

/** To the supervisor. */
export type FromReplica =
  | { readonly k: "listening" }
  | { readonly k: "wantSnapshots" } // the snapshot Worker is to be started
  | { readonly k: "clustered" } // the node is part of a cluster and knows its leader
  | { readonly k: "stopped" }
  | {
    readonly k: "failed";
    readonly message: string;
    readonly exitCode: number;
    /** Cluster addresses of other members, if its data are damaged. */
    readonly members: readonly string[];
  };

/**
 * An operation that one node asks of another, or the answer: JSON and bytes. What they mean is known to those who ask and
 * answer (app/database/operations.ts); here they are passed on.
 */
export interface PeerMessage {
  /** In an answer, `leaderless` is true where nothing was done for want of a leader: another node may be asked. */
  readonly head: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
  /** The trace that it belongs to, as a traceparent. */
  readonly trace?: string | undefined;
}

/** An operation on its way to another node. */
export interface Forward {
  readonly call: PeerMessage;
  readonly timeoutMs: number;
  /** Further attempts when it was certainly not received. */
  readonly retries: number;
  /** Cluster address of the node that is to answer, as an earlier answer had it. @default {the leader, or any server} */
  readonly to?: string | undefined;
  /** Datacenter of the node that is to answer, with its address. @default {that of this node} */
  readonly datacenter?: string | undefined;
}

/** The answer of another node. */
export interface Forwarded {
  readonly answer: PeerMessage;
  /** Cluster address of the node that answered. */
  readonly from: string;
}

/** Writes to be replicated, packed: the n-th element of each list belongs to the n-th write. */
export interface Proposals {
  readonly k: "propose";
  /** The asker's own numbers. */
  readonly refs: readonly number[];
  /** How to render the results (core/sql/render_options.ts). */
  readonly render: readonly number[];
  /** Encoded commands, not stamped yet. */
  readonly bodies: Packed;
  /** The traces that they belong to, as traceparents; missing where none is traced. */
  readonly traces?: readonly (string | undefined)[];
}

/** Methods of the replica: parameters and result. */
export interface ReplicaMethods {
  /** Waits until this node has applied everything that is committed now, for all reads of one turn. */
  confirm: { params: ReadsToConfirm; result: Confirmation };
  /** Has another node do an operation: the leader, unless the parameters say which. */
  forward: { params: Forward; result: Forwarded };
  /** Whether a server of another datacenter answers; calls that wait for one that does not end. */
  isThere: { params: { datacenter: string; addr: string; timeoutMs: number }; result: boolean };
  /** The servers with what they say of themselves, each asked now. */
  nodes: { params: { timeoutMs: number }; result: NodeInfo[] };
  /** Takes a server out of the cluster; on the leader. */
  remove: { params: { id: string; timeoutMs: number }; result: { removed: boolean } };
  /** Hands leadership over. */
  transfer: { params: { to?: string; timeoutMs: number }; result: { leader: string | null } };
  /** Makes what is applied durable and cuts the log behind it; `done` false: there was nothing to do. */
  snapshot: { params: { trailing: number; timeoutMs: number }; result: { done: boolean } };
  /** Compares the content of all replicas; see verification.ts. */
  verify: { params: Record<string, never>; result: Record<string, unknown> };
  /** Replicas whose data differ, as the leader has found out. */
  differing: { params: Record<string, never>; result: Differing | null };
  /** For `/debug/vars`, by group. */
  counters: { params: Record<string, never>; result: Record<string, Record<string, number>> };
  /** For `/status`. */
  status: { params: Record<string, never>; result: Record<string, unknown> };
  /** Whether the leader answers now. */
  leaderReachable: { params: { timeoutMs: number }; result: { error?: string } };
  /** Waits until this node has applied what the leader had committed, as of its last word. */
  caughtUp: { params: { timeoutMs: number }; result: { error?: string } };
}

/** What the leader has found out of replicas whose data differ. */
export interface Differing {
  /** After which entry they did. */
  readonly index: number;
  /** Ids of the nodes that differ from the majority; none: there is no majority. */
  readonly nodes: readonly string[];
}

/** Methods of an HTTP Worker. */
export interface HttpMethods {
  /** Does an operation that another node asks for. */
  serve: { params: PeerMessage; result: Served };
  /** Whether a node with these credentials may join; as a voter, or as another one. */
  mayJoin: { params: { readonly authorization: string; readonly isVoter: boolean }; result: boolean };
}

/** An answer for another node. */
export interface Served {
  readonly answer: PeerMessage;
  /** The answer is long: `sent` is to name this number once it has left. */
  readonly held?: number;
}

/** Reads that wait for one confirmation. */
export interface ReadsToConfirm {
  readonly timeoutMs: number;
  /** A lease is not enough: a quorum is to be asked. */
  readonly byRound: boolean;
  /** The asker's monotonic clock. */
  readonly nowMs: number;
}

/** How reads were confirmed. */
export interface Confirmation {
  /** Only by a lease: it must still hold when the transaction is open. */
  readonly byLease: boolean;
  /** With leases: this clock when the question arrived, minus the asker's clock when it asked. */
  readonly aheadMs?: number;
}

/** One server of `/nodes`. */
export interface NodeInfo {
  readonly id: string;
  readonly apiAddr?: string;
  readonly addr: string;
  readonly version: string;
  readonly voter: boolean;
  readonly reachable: boolean;
  readonly leader: boolean;
  /** Seconds that the answer took. */
  readonly time?: number;
  readonly error?: string;
}

/** From an HTTP Worker. */
export type FromHttp =
  | Proposals
  | ToCallee<ReplicaMethods>
  | ToCaller; // how `serve` ended;

/** Why a write has no result. `unknown` is the only case in which it may have taken effect (X6). */
export interface Refused {
  readonly ref: number;
  readonly code:
    | "not_leader"
    | "not_committed"
    | "unknown"
    | "queue_full"
    | "behind"
    | "too_large"
    | "storage_full"
    | "timeout";
  /** For people. */
  readonly message: string;
}

/** To an HTTP Worker. */
export type ToHttp =
  | { readonly k: "refused"; readonly items: readonly Refused[] }
  | ToCaller
  | ToCallee<HttpMethods>
  | { readonly k: "sent"; readonly held: number } // the long answer of this number has left
  | { readonly k: "databaseReplaced" } // readers have to open it again
  | { readonly k: "leader"; readonly leader: LeaderInfo | null }
  | { readonly k: "members"; readonly members: readonly Member[] }
  | { readonly k: "spans"; readonly spans: readonly Span[] }; // of writes that are traced

/** The leader. */
export interface LeaderInfo {
  readonly id: NodeId;
  /** Advertised cluster address. */
  readonly addr: string;
  /** URL of its HTTP API; empty while it has not been heard. */
  readonly apiUrl: string;
  /** Whether it takes writes from this node, which then answers its clients itself (relay.ts). @default {false} */
  readonly takesProposals?: boolean;
}

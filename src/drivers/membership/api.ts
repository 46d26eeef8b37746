/**
 * The interface of membership and the messages of its Worker: limits, and types that all survive a structured clone.
 *
 * The same calls stand as methods on the class in `membership.ts`; in another Worker they travel as {@linkcode ToMembership}
 * and {@linkcode FromMembership}. Gossip is eventually consistent: a list of members is what this node has heard.
 * @module
 */
import type { ToCallee, ToCaller } from "../../base/worker/channel.ts";

/** Status of a member (G5.3). `none` is never reported. */
export type MemberStatus = "alive" | "leaving" | "left" | "failed";

/** One member of the pool, this node included. */
export interface MemberRecord {
  readonly name: string;
  /** IP address as text, IPv4-mapped ones as dotted quad. */
  readonly addr: string;
  readonly port: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly status: MemberStatus;
  /** The six version bytes (G4.9); zeros where the member told none. */
  readonly protocolMin: number;
  readonly protocolMax: number;
  readonly protocolCur: number;
  readonly delegateMin: number;
  readonly delegateMax: number;
  readonly delegateCur: number;
}

/** The address of a node. */
export interface Endpoint {
  /** IP address as text. */
  readonly host: string;
  readonly port: number;
}

/** Result of {@linkcode MembershipMethods.join}: the node has joined if at least one address answered. */
export interface JoinResult {
  /** Addresses that answered. */
  readonly joined: number;
  /** Those of them that are not this node itself. */
  readonly others: number;
  /** One text for each address that did not. */
  readonly errors: readonly string[];
}

/** Network coordinate of a node (Vivaldi; G5.12). Seconds. */
export interface Coordinate {
  readonly vec: readonly number[];
  readonly error: number;
  readonly adjustment: number;
  readonly height: number;
}

/** Something that happened to members, or an event that a member fired. */
export type MembershipEvent =
  | {
    readonly type: "member-join" | "member-leave" | "member-failed" | "member-update" | "member-reap";
    readonly members: readonly MemberRecord[];
  }
  | {
    readonly type: "user";
    readonly name: string;
    readonly payload: Uint8Array;
    readonly ltime: bigint;
    /** The sender lets receivers drop all but the last of this name. */
    readonly coalesce: boolean;
  }
  | {
    readonly type: "query";
    /** For {@linkcode MembershipMethods.respond}. */
    readonly ref: number;
    readonly name: string;
    readonly payload: Uint8Array;
    readonly ltime: bigint;
    /** Name of the node that asks. */
    readonly from: string;
    /** Time left to answer. */
    readonly timeoutMs: number;
  }
  /** This node lost a conflict about its own name, or cannot go on: it should be shut down. */
  | { readonly type: "fatal"; readonly reason: string };

/** A query to the pool (G5.8). */
export interface QueryOptions {
  /** Must not begin with `_serf_`. */
  readonly name: string;
  readonly payload?: Uint8Array;
  /** Names of the nodes to ask. @default everybody */
  readonly nodes?: readonly string[];
  /** Patterns, by tag, that a node's tags must match, unanchored. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Also ask each node to say at once that it has the query. @default {false} */
  readonly wantAck?: boolean;
  /** Members through which each answer comes a second time. @default {0} */
  readonly relayFactor?: number;
  /** @default by the size of the pool */
  readonly timeoutMs?: number;
}

/** One answer to a query. */
export type QueryAnswer =
  | { readonly type: "ack"; readonly from: string }
  | { readonly type: "response"; readonly from: string; readonly payload: Uint8Array };

/** A key of the cluster: base64 of 16, 24 or 32 bytes. */
export type KeyText = string;

/** Result of an operation on the keys of all members. */
export interface KeyResult {
  /** Members alive when it was asked. */
  readonly members: number;
  readonly responses: number;
  /** Members that refused, or whose answer made no sense. */
  readonly failures: number;
  /** Messages of members, by name; members without a message are missing. */
  readonly messages: Readonly<Record<string, string>>;
  /** How many members have each key; of `keys-list` alone. */
  readonly keys: Readonly<Record<KeyText, number>>;
  /** How many members have each key as their primary; of `keys-list` alone. */
  readonly primaryKeys: Readonly<Record<KeyText, number>>;
}

/** Constants of a kind of network (G4.10). */
export type Profile = "lan" | "wan" | "local";

/** Times and multipliers that may differ from those of the profile. Milliseconds. */
export interface Tuning {
  readonly gossipIntervalMs?: number;
  readonly gossipNodes?: number;
  readonly gossipToTheDeadMs?: number;
  readonly probeIntervalMs?: number;
  readonly probeTimeoutMs?: number;
  readonly retransmitMult?: number;
  readonly suspicionMult?: number;
  readonly pushPullIntervalMs?: number;
  readonly streamTimeoutMs?: number;
  /** After this long dead, a name may come back at another address. 0: never. @default {0} */
  readonly deadNodeReclaimMs?: number;
  /** Lifeguard: local health, suspicion that confirmations shorten, nacks. @default {true} */
  readonly lifeguard?: boolean;
  readonly reconnectIntervalMs?: number;
  readonly reconnectTimeoutMs?: number;
  readonly tombstoneTimeoutMs?: number;
  readonly reapIntervalMs?: number;
  /** Longest wait for the own messages of a leave to be sent. @default {5000} */
  readonly broadcastTimeoutMs?: number;
  /** Time in which a node that left still answers. @default {1000} */
  readonly leavePropagateDelayMs?: number;
}

/** Which members are let in (G5.13): what Consul's merge and alive hooks decide. */
export interface AdmissionPolicy {
  /** Tags that must have this node's own value, such as `dc` and `segment`. */
  readonly sameTags?: readonly string[];
  /**
   * Tag whose value no two members may have, such as `id`. A member that appears at another address with the same value is
   * the same node: it is followed there as soon as the old address does not answer. (Memberlist itself waits until the old
   * one is dead for a while, if it ever lets a name move.)
   */
  readonly uniqueTag?: string;
  /** Tags and the values they must have, such as `role` in a pool of servers. */
  readonly requiredTags?: Readonly<Record<string, string>>;
}

/** How events of members, and user events that allow it, are gathered before they are told. Milliseconds. */
export interface Coalescing {
  /** Longest time an event is held. */
  readonly periodMs: number;
  /** An event is told when nothing followed for this long. */
  readonly quietMs: number;
}

/** How a node takes part in a pool. */
export interface MembershipConfig {
  /** Name of this node, unique in the pool. */
  readonly name: string;
  /** IP address and port of UDP, and of TCP unless {@linkcode ownListener} is false. Port 0 lets the system choose. */
  readonly bind: Endpoint;
  /** Address announced to the others. @default {bind} */
  readonly advertise?: Endpoint;
  /** Addresses of this machine: at all of them a node is reached that is bound to a wildcard. */
  readonly machine?: readonly string[];
  /** At most 512 bytes together. */
  readonly tags: Readonly<Record<string, string>>;
  /** @default {"lan"} */
  readonly profile?: Profile;
  readonly tuning?: Tuning;
  /** Version of Serf's protocol: 5 as `serf`, 4 as Consul. @default {5} */
  readonly delegateProtocol?: number;
  /** Whether to accept TCP; otherwise streams come through {@linkcode ToMembership} `stream`. @default {true} */
  readonly ownListener?: boolean;
  /** Directory of the snapshot and the keyring; none: nothing is kept. */
  readonly directory?: string;
  /** Go back even after having left. @default {false} */
  readonly rejoinAfterLeave?: boolean;
  /** First key of a new keyring; a keyring in the directory wins. None and no keyring: no encryption. */
  readonly encryptionKey?: KeyText;
  /** Keeps pools apart; peers older than Serf 0.9.6 know no labels. */
  readonly label?: string;
  /** @default {true} */
  readonly compression?: boolean;
  readonly admission?: AdmissionPolicy;
  /** Leave the pool when most of it says that this name is somebody else's. @default {true} */
  readonly resolveConflicts?: boolean;
  /** @default events are told at once */
  readonly coalesceMembers?: Coalescing;
  /** @default events are told at once */
  readonly coalesceUserEvents?: Coalescing;
  /** Whether queries of the application are told as events; otherwise nobody answers them. @default {false} */
  readonly tellQueries?: boolean;
}

/** Methods of the Worker: parameters and result. Refusals are errors with a message. */
export interface MembershipMethods {
  members: { params: Record<string, never>; result: readonly MemberRecord[] };
  /**
   * Exchanges state with each address: `host`, `host:port`, `[v6]:port`, optionally `name/` in front.
   * `replay`: tell user events from before the join, too.
   */
  join: { params: { addresses: readonly string[]; replay?: boolean }; result: JoinResult };
  /** Leaves gracefully; resolves when the others were told. The node answers pings until it is closed. */
  leave: { params: Record<string, never>; result: null };
  /** Declares a failed member left; `prune` forgets it everywhere. */
  forceLeave: { params: { name: string; prune: boolean }; result: null };
  setTags: { params: { tags: Readonly<Record<string, string>> }; result: null };
  fireEvent: { params: { name: string; payload: Uint8Array; coalesce: boolean }; result: null };
  /** Answers come as {@linkcode FromMembership} `query-answer`; the call ends when the time of the query is over. */
  query: { params: QueryOptions; result: null };
  /** Answers a query that was told as an event; only once, in time, and at most 1024 bytes. */
  respond: { params: { ref: number; payload: Uint8Array }; result: null };
  keysInstall: { params: { key: KeyText; relayFactor?: number }; result: KeyResult };
  keysUse: { params: { key: KeyText; relayFactor?: number }; result: KeyResult };
  keysRemove: { params: { key: KeyText; relayFactor?: number }; result: KeyResult };
  keysList: { params: { relayFactor?: number }; result: KeyResult };
  /** The figures of `serf info` and of `serf_lan` in `consul info`, and muster's own counters. */
  stats: { params: Record<string, never>; result: Readonly<Record<string, string>> };
  /** Of this node, or the last one heard of another; null where none is known. */
  coordinate: { params: { name?: string }; result: Coordinate | null };
  /** All that are known, by name. */
  coordinates: { params: Record<string, never>; result: Readonly<Record<string, Coordinate>> };
  /** Ends at once, without leaving. */
  close: { params: Record<string, never>; result: null };
}

/** To membership, through its port. */
export type ToMembership =
  | ToCallee<MembershipMethods>
  /** A TCP connection that begins like gossip; its bytes, the first included, come as `StreamMessage` (base/net/byte_stream.ts). */
  | { readonly k: "stream"; readonly remote: string; readonly port: MessagePort }
  /** Another Worker that may ask the same and is told the same events, through a port of its own. */
  | { readonly k: "client"; readonly port: MessagePort };

/** From membership, through its port. */
export type FromMembership =
  | { readonly k: "open"; readonly local: Endpoint }
  | ToCaller
  | { readonly k: "query-answer"; readonly ref: number; readonly answer: QueryAnswer }
  | { readonly k: "event"; readonly event: MembershipEvent };

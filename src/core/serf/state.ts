/**
 * The state of one node's Serf layer: members with tags and status, clocks, and queues of its own messages
 * (G5.1 to G5.13). The rules are functions and parts over it: `member_rules.ts`, `user_event.ts`, `query.ts`,
 * `internal_query.ts`. Pure.
 * @module
 */
import { BroadcastQueue } from "../swim/broadcast.ts";
import type { Cipher } from "../swim/cipher.ts";
import { CoordinateClient, type NetworkCoordinate } from "./coordinate.ts";
import { LamportClock } from "./lamport.ts";
import type { Keyring } from "../swim/keyring.ts";
import { type SwimNode, VSN } from "../swim/node_table.ts";
import type { SerfConfig } from "../swim/profile.ts";
import { Swim } from "../swim/swim.ts";
import type { SwimDelegate, SwimOptions, SwimState } from "../swim/swim_state.ts";

/** Status of a member (G5.3). */
export type SerfStatus = "alive" | "leaving" | "left" | "failed";

/** A member. */
export interface SerfMember {
  readonly name: string;
  addr: Uint8Array;
  port: number;
  tags: ReadonlyMap<string, string>;
  vsn: Uint8Array;
  status: SerfStatus;
  /** Stamp of the last intent that was taken. */
  statusLTime: bigint;
  /** When it left or failed. */
  goneMs: number;
}

/** A question that this node may answer. */
export interface IncomingQuery {
  readonly ref: number;
  readonly name: string;
  readonly payload: Uint8Array;
  readonly ltime: bigint;
  readonly from: string;
  readonly timeoutMs: number;
}

/** An event of Serf. Members are views: they change later. */
export type SerfEvent =
  | {
    readonly type: "member-join" | "member-leave" | "member-failed" | "member-update" | "member-reap";
    readonly member: SerfMember;
  }
  | {
    readonly type: "user";
    readonly name: string;
    readonly payload: Uint8Array;
    readonly ltime: bigint;
    readonly coalesce: boolean;
  }
  | { readonly type: "query"; readonly query: IncomingQuery }
  /** The keyring has changed. */
  | { readonly type: "keyring" }
  /** The node has begun to leave. */
  | { readonly type: "leaving" }
  | { readonly type: "fatal"; readonly reason: string };

/** State of a node before its restart (G5.12). */
export interface RestoredClocks {
  /** Last stamps seen. */
  readonly member: bigint;
  readonly event: bigint;
  readonly query: bigint;
}

/** Decides who is let in, by name, tags and address. */
export interface Admission {
  /** Why not; undefined: it is. */
  refuse(
    candidate: { name: string; tags: ReadonlyMap<string, string> },
    own: ReadonlyMap<string, string>,
    members: Iterable<SerfMember>,
  ): string | undefined;
  /** Whether two members of one name are one node, which has moved. @default {false} */
  isSame?(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean;
}

/** Options of a node. */
export interface SerfOptions {
  readonly swim: SwimOptions<SerfEvent>;
  readonly config: SerfConfig;
  readonly tags: ReadonlyMap<string, string>;
  readonly admission: Admission | undefined;
  readonly restored: RestoredClocks | undefined;
  /** Shut down when the pool says that the name is another's. */
  readonly resolveConflicts: boolean;
  /** Keeps changed keys over a restart, before the change is answered; the reason where it cannot. */
  readonly keepKeys?: ((keyring: Keyring) => string | undefined) | undefined;
}

/** An intent about a member that is not known yet. */
export interface BufferedIntent {
  readonly kind: "join" | "leave";
  readonly ltime: bigint;
  readonly heardMs: number;
}

/** Messages in each queue (G5.5). */
export const QUEUE_MAX = 4096;

/** The state. */
export class SerfState {
  readonly options: SerfOptions;
  readonly swim: Swim<SerfEvent>;
  readonly members = new Map<string, SerfMember>();
  readonly intents = new Map<string, BufferedIntent>();
  readonly clock: LamportClock;
  readonly eventClock: LamportClock;
  readonly queryClock: LamportClock;
  readonly intentQueue = new BroadcastQueue(QUEUE_MAX);
  readonly queryQueue = new BroadcastQueue(QUEUE_MAX);
  readonly eventQueue = new BroadcastQueue(QUEUE_MAX);
  readonly coordinates: CoordinateClient;
  /** Last ones heard, by member. */
  readonly coordinatesOfOthers = new Map<string, NetworkCoordinate>();
  status: "alive" | "leaving" | "left" = "alive";
  tags: ReadonlyMap<string, string>;
  /** Events of before a join are not told. */
  ignoresOldEvents = false;

  constructor(options: SerfOptions, delegate: SwimDelegate) {
    this.options = options;
    this.swim = new Swim(options.swim, delegate);
    this.tags = options.tags;
    const { member = 0n, event = 0n, query = 0n } = options.restored ?? {};
    this.clock = new LamportClock(member + 1n);
    this.eventClock = new LamportClock(event + 1n);
    this.queryClock = new LamportClock(query + 1n);
    this.coordinates = new CoordinateClient(options.swim.random);
  }

  /** Name of this node. */
  get name(): string {
    return this.options.swim.name;
  }

  /** State of the layer below. */
  get net(): SwimState<SerfEvent> {
    return this.swim.state;
  }

  /** Present where the pool is encrypted. */
  get cipher(): Cipher | undefined {
    return this.options.swim.wrapping.cipher;
  }

  tell(event: SerfEvent): void {
    this.options.swim.emit({ k: "event", event });
  }

  /** Members in none but these states. */
  count(...statuses: readonly SerfStatus[]): number {
    let count = 0;
    for (const { status } of this.members.values()) if (statuses.includes(status)) count++;
    return count;
  }

  /** Whether anybody else is there to hear. */
  get hasOthersAlive(): boolean {
    for (const { name, status } of this.members.values()) if (name !== this.name && status === "alive") return true;
    return false;
  }
}

/** Highest protocol that a member speaks. */
export function protocolMaxOf({ vsn }: Pick<SwimNode, "vsn">): number {
  return vsn[VSN.protocolMax];
}

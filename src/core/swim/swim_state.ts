/**
 * The state and the surroundings of one node's failure detector. The rules of the protocol are functions over it:
 * `membership_rules.ts`, `probe.ts`, `spread.ts`. Pure.
 * @module
 */
import { BroadcastQueue } from "./broadcast.ts";
import type { Effect, LogLevel } from "./effect.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Alive, PushNode } from "./message.ts";
import { NodeTable, type SwimNode } from "./node_table.ts";
import type { Wrapping } from "./packet.ts";
import type { SwimConfig } from "./profile.ts";
import { Awareness, type Suspicion } from "./suspicion.ts";
import { Timers } from "./timers.ts";
import type { StreamMessage } from "./stream.ts";

/** The layer above: Serf, or nothing. It is called within the turn, and must not throw. */
export interface SwimDelegate {
  /** This node's tags. */
  meta(): Uint8Array;
  /** Whether user messages wait to ride along. */
  hasBroadcasts(): boolean;
  /** User messages to ride along, each with `overhead` bytes. */
  broadcasts(room: { overhead: number; bytesMax: number; countMax: number }): Uint8Array[];
  /** A user message came; the bytes may be kept. */
  onUserMessage(message: Uint8Array): void;
  /** Data that a push/pull carries besides the nodes. */
  localState(join: boolean): Uint8Array;
  /** The same, from another node. */
  mergeState(state: Uint8Array, join: boolean): void;
  onJoin(node: SwimNode): void;
  onLeave(node: SwimNode): void;
  onUpdate(node: SwimNode): void;
  /** A live node's name is claimed from another address. */
  onConflict(existing: SwimNode, other: Alive): void;
  /**
   * Whether a claim from another address is by the same node, which has moved, rather than by another one of its name.
   * @default never
   */
  hasMoved?(existing: SwimNode, other: Alive): boolean;
  /** Rides on acks. */
  pingPayload(): Uint8Array;
  /** An ack of a direct probe came. */
  onPingAck(node: SwimNode, rttMs: number, payload: Uint8Array): void;
  /** Why a node is not let in; undefined: it is. */
  refuseAlive(alive: Alive): string | undefined;
  /** Why nothing of a push/pull is taken; undefined: all is. */
  refuseMerge(nodes: readonly PushNode[]): string | undefined;
}

/** Options of a node. */
export interface SwimOptions<E> {
  readonly name: string;
  /** Advertised address. */
  readonly addr: Uint8Array;
  /** Advertised port. */
  readonly port: number;
  readonly vsn: Uint8Array;
  readonly config: SwimConfig;
  readonly wrapping: Wrapping;
  /** From 0 to 1, without 1. */
  random(): number;
  /** Takes what is to be done. */
  emit(effect: Effect<E>): void;
}

/** Waits for the ack of a ping that was sent. */
export interface AckHandler {
  onAck(payload: Uint8Array): void;
  onNack(): void;
}

/** The result of an exchange: the answer, or why there is none. */
export type ExchangeResult =
  | StreamMessage
  /** `isRefused`: the address answered that nothing listens there. */
  | { readonly type: "failed"; readonly error: string; readonly isRefused?: boolean };

/** Broadcasts about nodes are one per node; this bounds forged names. */
const QUEUE_MAX = 1 << 16;
/** Reasons that are counted apart: some name what was sent. */
const REASONS_MAX = 256;

/** The state. */
export class SwimState<E> {
  readonly options: SwimOptions<E>;
  readonly delegate: SwimDelegate;
  readonly table: NodeTable;
  readonly timers = new Timers();
  readonly queue = new BroadcastQueue(QUEUE_MAX);
  readonly awareness: Awareness;
  readonly suspicions = new Map<string, Suspicion>();
  /** Nodes that say they have moved while their old address has not failed yet; by name, so at most one per node. */
  readonly moves = new Map<string, Alive>();
  /** Former addresses of nodes that have moved, by name. A late message from there is not a new move. */
  readonly movedFrom = new Map<string, { readonly addr: Uint8Array; readonly port: number }>();
  /** By sequence number. */
  readonly acks = new Map<number, AckHandler>();
  readonly exchanges = new Map<number, (result: ExchangeResult) => void>();
  /** Counts of dropped messages, by reason. */
  readonly dropped = new Map<string, number>();
  nowMs = 0;
  seqNo = 0;
  incarnation = 0;
  isLeaving = false;
  isProbing = false;
  exchangeRef = 0;

  constructor(options: SwimOptions<E>, delegate: SwimDelegate) {
    this.options = options;
    this.delegate = delegate;
    this.table = new NodeTable(options.random);
    this.awareness = new Awareness(options.config.lifeguard ? options.config.awarenessMaxMultiplier : 1);
  }

  /** The node itself, once it has begun. */
  get self(): SwimNode | undefined {
    return this.table.get(this.options.name);
  }

  /** The address to which other nodes answer. */
  get source(): { sourceAddr: Uint8Array; sourcePort: number; sourceNode: string } {
    const { addr, port, name } = this.options;
    return { sourceAddr: addr, sourcePort: port, sourceNode: name };
  }

  nextSeqNo(): number {
    this.seqNo = (this.seqNo + 1) >>> 0;
    return this.seqNo;
  }

  nextIncarnation(): number {
    this.incarnation = (this.incarnation + 1) >>> 0;
    return this.incarnation;
  }

  log(level: LogLevel, text: string): void {
    this.options.emit({ k: "log", level, text });
  }

  /** Counts what is dropped, and says so. */
  drop(reason: string, detail = ""): void {
    const key = this.dropped.has(reason) || this.dropped.size < REASONS_MAX ? reason : "other";
    this.dropped.set(key, (this.dropped.get(key) ?? 0) + 1);
    this.log("warn", detail === "" ? reason : `${reason}: ${detail}`);
  }

  /** Calls `action` after a random part of `everyMs()`, and then each `everyMs()`. */
  repeat(everyMs: () => number, action: () => void): void {
    const again = (afterMs: number) => {
      this.timers.at(this.nowMs + afterMs, () => {
        again(everyMs());
        action();
      });
    };
    again(this.options.random() * everyMs());
  }

  /** Asks the driver for an exchange of one request and one answer on a stream. */
  exchange(
    { to, request, timeoutMs }: { to: Endpoint; request: Uint8Array; timeoutMs: number },
    onResult: (result: ExchangeResult) => void,
  ): void {
    const ref = ++this.exchangeRef;
    this.exchanges.set(ref, onResult);
    this.options.emit({ k: "exchange", ref, to, request, timeoutMs });
  }
}

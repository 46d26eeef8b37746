/**
 * Serf over SWIM (G5.1 to G5.13): dispatch, and what the application may do. Pure, as all below it: time, randomness
 * and bytes come in, effects go out.
 *
 * Guarantees: members that can reach each other converge to the same list; a node delivers an event at most once; no
 * input from the network makes it throw or makes its memory grow without bound.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import { decodeCoordinate, encodeCoordinate } from "./coordinate.ts";
import { INTERNAL_PREFIX, InternalQueries, type KeyOperation, type KeyTally } from "./internal_query.ts";
import { META_BYTES_MAX, STATE } from "../swim/message.ts";
import {
  announceJoin,
  announceLeaveIntent,
  applyJoinIntent,
  applyLeaveIntent,
  nodeGone,
  nodeJoined,
  nodeUpdated,
  onceOnly,
  reap,
  reconnect,
  tagsOf,
} from "./member_rules.ts";
import { decode, encodeMessage } from "../swim/msgpack.ts";
import type { SwimNode } from "../swim/node_table.ts";
import { COMPOUND_HEAD_BYTES, COMPOUND_PART_BYTES, PACKET_BYTES, wrappingBytes } from "../swim/packet.ts";
import { Queries, QueryError, type QueryListener, type QueryParams } from "./query.ts";
import { encodeTags, JOIN, LEAVE, QUERY, QUERY_RESPONSE, SERF, SERF_STATE, USER_EVENT } from "./message.ts";
import { type SerfOptions, SerfState } from "./state.ts";
import type { SwimDelegate } from "../swim/swim_state.ts";
import { transmitLimit } from "../swim/broadcast.ts";
import { UserEvents } from "./user_event.ts";

/** Bytes that a user message adds to a packet. */
const RIDER_BYTES = COMPOUND_PART_BYTES + 1;

/** Tags that do not fit. */
export class TagsError extends Error {
  /** Always `TagsError`. */
  override readonly name = "TagsError";
}

/**
 * Tags as bytes.
 * @throws {TagsError} When they take more than 512 bytes.
 */
export function checkedTags(tags: ReadonlyMap<string, string>): Uint8Array {
  const bytes = encodeTags(tags);
  if (bytes.length > META_BYTES_MAX) {
    throw new TagsError(`encoded length of tags exceeds limit of ${META_BYTES_MAX} bytes`);
  }
  return bytes;
}

/** One member of a pool. */
export class Serf {
  readonly state: SerfState;
  readonly #events: UserEvents;
  readonly #queries: Queries;
  readonly #internal: InternalQueries;

  /** @throws {TagsError} When the tags are too large. */
  constructor(options: SerfOptions) {
    checkedTags(options.tags);
    this.state = new SerfState(options, this.#delegate());
    this.#events = new UserEvents(this.state);
    this.#queries = new Queries(this.state, (ref, query) => {
      if (query.name.startsWith(INTERNAL_PREFIX)) {
        this.#internal.take(ref, query);
        return this.#queries.forget(ref);
      }
      const { name, payload, ltime, sourceNode } = query;
      const timeoutMs = Number(query.timeout / 1_000_000n);
      this.state.tell({ type: "query", query: { ref, name, payload, ltime, from: sourceNode, timeoutMs } });
    });
    this.#internal = new InternalQueries(this.state, () => this.#queries);
  }

  /** Begins to live. */
  start(nowMs: number): void {
    const { swim, net, options } = this.state;
    swim.start(nowMs);
    net.repeat(() => options.config.reapIntervalMs, () => reap(this.state));
    net.repeat(() => options.config.reconnectIntervalMs, () => reconnect(this.state));
  }

  /** Callbacks for SWIM. */
  #delegate(): SwimDelegate {
    return {
      meta: () => encodeTags(this.state.tags),
      hasBroadcasts: () => {
        const { intentQueue, queryQueue, eventQueue } = this.state;
        return intentQueue.length + queryQueue.length + eventQueue.length > 0;
      },
      broadcasts: (room) => this.#broadcasts(room),
      onUserMessage: (message) => this.#onMessage(message),
      localState: () => this.#localState(),
      mergeState: (bytes, join) => this.#mergeState(bytes, join),
      onJoin: (node) => nodeJoined(this.state, node),
      onLeave: (node) => nodeGone(this.state, node),
      onUpdate: (node) => nodeUpdated(this.state, node),
      onConflict: (existing, other) => this.#internal.onConflict(existing, other),
      hasMoved: (existing, other) => {
        const of = (meta: Uint8Array) => tagsOf(this.state, meta);
        return this.state.options.admission?.isSame?.(of(existing.meta), of(other.meta)) ?? false;
      },
      pingPayload: () => encodeCoordinate(this.state.coordinates.own),
      onPingAck: (node, rttMs, payload) => this.#onPingAck(node, rttMs, payload),
      refuseAlive: ({ node, meta }) => this.#refuse(node, meta),
      refuseMerge: (nodes) => {
        for (const { name, meta, state } of nodes) {
          const refusal = state === STATE.alive ? this.#refuse(name, meta) : undefined;
          if (refusal !== undefined) return refusal;
        }
        return undefined;
      },
    };
  }

  #refuse(name: string, meta: Uint8Array): string | undefined {
    const { admission } = this.state.options;
    if (!admission || name === this.state.name) return undefined;
    const { tags, members } = this.state;
    return admission.refuse({ name, tags: tagsOf(this.state, meta) }, tags, members.values());
  }

  #broadcasts(
    { overhead, bytesMax, countMax }: { overhead: number; bytesMax: number; countMax: number },
  ): Uint8Array[] {
    const { intentQueue, queryQueue, eventQueue, members, options } = this.state;
    const limit = transmitLimit(options.swim.config.retransmitMult, members.size);
    const messages: Uint8Array[] = [];
    let left = bytesMax;
    for (const queue of [intentQueue, queryQueue, eventQueue]) {
      const taken = queue.take({ overhead, bytesMax: left, limit, countMax: countMax - messages.length });
      for (const message of taken) left -= overhead + message.length;
      messages.push(...taken);
    }
    return messages;
  }

  #onMessage(message: Uint8Array): void {
    try {
      this.#dispatch(message);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.state.net.drop(`Error decoding Serf message of type ${message[0]}`, error.message);
    }
  }

  #dispatch(message: Uint8Array): void {
    const { state } = this;
    switch (message[0]) {
      case SERF.leave:
        return this.#sendOn(message, state.intentQueue, applyLeaveIntent(state, decode(LEAVE, message, 1)));
      case SERF.join:
        return this.#sendOn(message, state.intentQueue, applyJoinIntent(state, decode(JOIN, message, 1)));
      case SERF.userEvent:
        return this.#sendOn(message, state.eventQueue, this.#events.receive(decode(USER_EVENT, message, 1)));
      case SERF.query:
        return this.#sendOn(message, state.queryQueue, this.#queries.receive(decode(QUERY, message, 1)));
      case SERF.queryResponse:
        return this.#queries.onAnswer(decode(QUERY_RESPONSE, message, 1));
      case SERF.relay:
        return this.#queries.forward(message);
      default:
        return state.net.drop("Received message of unknown type", String(message[0]));
    }
  }

  /** Messages are sent on as the bytes they came in. */
  #sendOn(message: Uint8Array, queue: SerfState["eventQueue"], isNews: boolean): void {
    if (!isNews) return;
    const wrapping = wrappingBytes(this.state.options.swim.wrapping);
    if (message.length > PACKET_BYTES - COMPOUND_HEAD_BYTES - wrapping - RIDER_BYTES) {
      return this.state.net.drop("message too large to be sent on");
    }
    queue.push(message);
  }

  #localState(): Uint8Array {
    const { clock, eventClock, queryClock, members } = this.state;
    const all = [...members.values()];
    return encodeMessage(SERF.pushPull, SERF_STATE, {
      ltime: clock.time,
      statusLTimes: new Map(all.map(({ name, statusLTime }) => [name, statusLTime])),
      leftMembers: all.filter(({ status }) => status === "left").map(({ name }) => name),
      eventLTime: eventClock.time,
      events: this.#events.buffered,
      queryLTime: queryClock.time,
    });
  }

  #mergeState(bytes: Uint8Array, join: boolean): void {
    const { state } = this;
    if (bytes[0] !== SERF.pushPull) return state.net.drop("Remote state has bad type prefix", String(bytes[0]));
    try {
      const remote = decode(SERF_STATE, bytes, 1);
      if (remote.ltime > 0n) state.clock.witness(remote.ltime - 1n);
      if (remote.eventLTime > 0n) state.eventClock.witness(remote.eventLTime - 1n);
      if (remote.queryLTime > 0n) state.queryClock.witness(remote.queryLTime - 1n);
      const left = new Set(remote.leftMembers);
      for (const node of left) {
        applyLeaveIntent(state, { ltime: (remote.statusLTimes.get(node) ?? 0n) + 1n, node, prune: false });
      }
      for (const [node, ltime] of remote.statusLTimes) if (!left.has(node)) applyJoinIntent(state, { ltime, node });
      if (join && state.ignoresOldEvents) this.#events.raiseMinimum(remote.eventLTime);
      this.#events.merge(remote);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      state.net.drop("Failed to decode remote state", error.message);
    }
  }

  #onPingAck({ name }: SwimNode, rttMs: number, payload: Uint8Array): void {
    if (payload.length === 0) return;
    const { coordinates, coordinatesOfOthers, net } = this.state;
    try {
      const coordinate = decodeCoordinate(payload);
      if (!coordinate) return net.drop("Unsupported ping version", String(payload[0]));
      if (coordinates.update(name, coordinate, rttMs / 1000)) coordinatesOfOthers.set(name, coordinate);
      else net.drop("Rejected coordinate", name);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      net.drop("Failed to decode coordinate", error.message);
    }
  }

  /** At least one address answered a join: tells the pool. */
  joined(nowMs: number): void {
    this.state.net.nowMs = nowMs;
    announceJoin(this.state);
  }

  /** Fires an event; see {@linkcode UserEvents.fire}. */
  fireEvent(event: { name: string; payload: Uint8Array; coalesce: boolean }, nowMs: number): void {
    this.state.net.nowMs = nowMs;
    this.#events.fire(event.name, event.payload, event.coalesce);
  }

  /** Asks the pool; see {@linkcode Queries.start}. */
  query(params: QueryParams, listener: QueryListener, nowMs: number): void {
    this.state.net.nowMs = nowMs;
    if (params.name.startsWith(INTERNAL_PREFIX)) {
      throw new QueryError(`Queries cannot contain the '${INTERNAL_PREFIX}' prefix`);
    }
    this.#queries.start(params, listener);
  }

  /** Answers a query; see {@linkcode Queries.respond}. */
  respond(ref: number, payload: Uint8Array, nowMs: number): void {
    this.state.net.nowMs = nowMs;
    this.#queries.respond(ref, payload);
  }

  /** Carries out an operation on the keys of all members. */
  keys(
    operation: KeyOperation,
    request: { key?: Uint8Array; relayFactor: number; onDone(tally: KeyTally): void },
    nowMs: number,
  ): void {
    this.state.net.nowMs = nowMs;
    this.#internal.keys(operation, request);
  }

  /**
   * Changes this node's tags.
   * @throws {TagsError} When they are too large.
   */
  setTags(tags: ReadonlyMap<string, string>, nowMs: number, onSent: () => void): void {
    checkedTags(tags);
    const { state } = this;
    state.net.nowMs = nowMs;
    state.tags = tags;
    const once = onceOnly(onSent);
    state.swim.update(once);
    if (state.hasOthersAlive) state.net.timers.at(nowMs + state.options.config.broadcastTimeoutMs, once);
    else once();
  }

  /** Leaves the pool: intent, then the failure detector's own word, then a while in which it still answers (G5.4). */
  leave(nowMs: number, onDone: () => void): void {
    const { state } = this;
    const { broadcastTimeoutMs, leavePropagateDelayMs } = state.options.config;
    state.net.nowMs = nowMs;
    if (state.status !== "alive") return onDone();
    state.status = "leaving";
    state.tell({ type: "leaving" });
    const after = (ms: number, action: () => void) => void state.net.timers.at(state.net.nowMs + ms, action);
    announceLeaveIntent(state, { node: state.name, prune: false }, () => {
      const finish = onceOnly(() =>
        after(leavePropagateDelayMs, () => {
          state.status = "left";
          onDone();
        })
      );
      state.swim.leave(finish);
      after(broadcastTimeoutMs, finish);
    });
  }

  /** Declares a member left; a live one objects. */
  forceLeave(member: { node: string; prune: boolean }, nowMs: number, onSent: () => void): void {
    this.state.net.nowMs = nowMs;
    announceLeaveIntent(this.state, member, onSent);
  }
}

/**
 * Queries (G5.8): a question goes to the pool by gossip, answers come straight back, if need be by way of
 * others. Pure.
 * @module
 */
import { ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import type { Endpoint } from "../swim/endpoint.ts";
import { formatIp } from "../../base/codec/ip.ts";
import { decode, encodeMessage, MsgpackReader, NO_BYTES } from "../swim/msgpack.ts";
import { endpointOf } from "../swim/node_table.ts";
import { Pattern } from "../../base/codec/pattern.ts";
import {
  FILTER,
  NODE_FILTER,
  QUERY,
  QUERY_FLAG,
  QUERY_RESPONSE,
  type QueryMessage,
  type QueryResponse,
  RELAY,
  SERF,
  TAG_FILTER,
} from "./message.ts";
import { protocolMaxOf, type SerfState } from "./state.ts";
import { sendUser } from "../swim/spread.ts";
import { PROTOCOL_WITH_CRC } from "../swim/version.ts";

/** Slots of the buffer of queries that were seen. */
const QUERY_SLOTS = 512;
const SLOT_QUERIES_MAX = 256;
/** Questions that may still be answered: beyond, the oldest cannot. */
const OPEN_MAX = 1024;
/** A question is open no longer than this, whatever it says. */
const TIMEOUT_MS_MAX = 3_600_000;
const NS_PER_MS = 1_000_000n;

/** A question to ask. */
export interface QueryParams {
  readonly name: string;
  readonly payload: Uint8Array;
  /** Names to ask; empty: everybody. */
  readonly nodes: readonly string[];
  /** Patterns by tag. */
  readonly tags: ReadonlyMap<string, string>;
  readonly wantAck: boolean;
  readonly relayFactor: number;
  /** Undefined: by the size of the pool. */
  readonly timeoutMs: number | undefined;
}

/** Whoever asked. */
export interface QueryListener {
  onAck(from: string): void;
  onResponse(from: string, payload: Uint8Array): void;
  /** The time is over. */
  onDone(): void;
}

/** A query was refused where it began. */
export class QueryError extends Error {
  /** Always `QueryError`. */
  override readonly name = "QueryError";
}

interface Running {
  readonly id: number;
  readonly listener: QueryListener;
  readonly acks: Set<string>;
  readonly responses: Set<string>;
}

interface Open {
  readonly message: QueryMessage;
  readonly deadlineMs: number;
}

/** Questions asked, seen and open. */
export class Queries {
  readonly #state: SerfState;
  readonly #seen = new Map<number, { readonly ltime: bigint; readonly ids: Set<number> }>();
  readonly #running = new Map<bigint, Running>();
  readonly #open = new Map<number, Open>();
  readonly #minTime: bigint;
  #lastRef = 0;
  readonly #deliver: (ref: number, message: QueryMessage) => void;

  /** @param deliver Takes a question that is for this node. */
  constructor(state: SerfState, deliver: (ref: number, message: QueryMessage) => void) {
    this.#state = state;
    this.#deliver = deliver;
    const restored = state.options.restored?.query ?? 0n;
    this.#minTime = restored > 0n ? restored + 1n : 0n;
  }

  /** Time that answers have, by the size of the pool. */
  get defaultTimeoutMs(): number {
    const { config, swim } = this.#state.options;
    const nodes = this.#state.count("alive", "leaving", "failed");
    return swim.config.gossipIntervalMs * config.queryTimeoutMult * Math.ceil(Math.log10(nodes + 1));
  }

  /**
   * Asks the pool.
   * @throws {QueryError} When the question is too large.
   */
  start(params: QueryParams, listener: QueryListener): void {
    const { queryClock, options, net } = this.#state;
    const timeoutMs = Math.min(params.timeoutMs ?? this.defaultTimeoutMs, TIMEOUT_MS_MAX);
    const query: QueryMessage = {
      ltime: queryClock.time,
      id: Math.floor(options.swim.random() * 0x8000_0000),
      addr: options.swim.addr,
      port: options.swim.port,
      sourceNode: this.#state.name,
      filters: encodeFilters(params),
      flags: params.wantAck ? QUERY_FLAG.ack : 0,
      relayFactor: params.relayFactor,
      timeout: BigInt(Math.round(timeoutMs)) * NS_PER_MS,
      name: params.name,
      payload: params.payload,
    };
    const message = encodeMessage(SERF.query, QUERY, query);
    const { queryBytesMax } = options.config;
    if (message.length > queryBytesMax) throw new QueryError(`query exceeds limit of ${queryBytesMax} bytes`);
    const { ltime, id } = query;
    this.#running.set(ltime, { id, listener, acks: new Set(), responses: new Set() });
    net.timers.at(net.nowMs + timeoutMs, () => {
      if (this.#running.get(ltime)?.id === id) this.#running.delete(ltime);
      listener.onDone();
    });
    this.receive(query);
    this.#state.queryQueue.push(message);
  }

  /**
   * A question came.
   * @returns Whether it is to be sent on.
   */
  receive(query: QueryMessage): boolean {
    const { queryClock, net } = this.#state;
    const { ltime, id, flags } = query;
    queryClock.witness(ltime);
    if (ltime < this.#minTime) return false;
    if (queryClock.time > QUERY_SLOTS && ltime < queryClock.time - BigInt(QUERY_SLOTS)) {
      net.drop("received old query", `${query.name} from time ${ltime}`);
      return false;
    }
    const at = Number(ltime % BigInt(QUERY_SLOTS));
    let slot = this.#seen.get(at);
    if (slot?.ltime !== ltime) this.#seen.set(at, slot = { ltime, ids: new Set() });
    if (slot.ids.has(id)) return false;
    if (slot.ids.size >= SLOT_QUERIES_MAX) {
      net.drop("too many queries of one time");
      return false;
    }
    slot.ids.add(id);
    if (this.#isForMe(query)) this.#take(query);
    return (flags & QUERY_FLAG.noBroadcast) === 0;
  }

  #isForMe({ filters }: QueryMessage): boolean {
    try {
      return filters.every((filter) => matches(filter, this.#state));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#state.net.drop("bad query filter", error.message);
      return false;
    }
  }

  #take(query: QueryMessage): void {
    const { net } = this.#state;
    if ((query.flags & QUERY_FLAG.ack) !== 0) this.#answer(query, { flags: QUERY_FLAG.ack, payload: NO_BYTES });
    const [oldest] = this.#open.keys();
    if (this.#open.size >= OPEN_MAX) this.#open.delete(oldest);
    const ref = ++this.#lastRef;
    const timeoutMs = Math.min(Number(query.timeout / NS_PER_MS), TIMEOUT_MS_MAX);
    this.#open.set(ref, { message: query, deadlineMs: net.nowMs + timeoutMs });
    this.#deliver(ref, query);
  }

  /** A question will not be answered any more. */
  forget(ref: number): void {
    this.#open.delete(ref);
  }

  /**
   * Answers a question.
   * @throws {QueryError} When it is too late, was answered before, or the answer is too large.
   */
  respond(ref: number, payload: Uint8Array): void {
    const open = this.#open.get(ref);
    const { net, options } = this.#state;
    if (!open) throw new QueryError("response already sent, or past the query deadline");
    if (net.nowMs > open.deadlineMs) throw new QueryError("response is past the deadline");
    const bytes = this.#encodeAnswer(open.message, { flags: 0, payload }).length;
    if (bytes > options.config.responseBytesMax) {
      throw new QueryError(`response exceeds limit of ${options.config.responseBytesMax} bytes`);
    }
    this.#open.delete(ref);
    this.#answer(open.message, { flags: 0, payload });
  }

  /** Whether an answer of this payload is small enough. */
  fits(ref: number, payload: Uint8Array): boolean {
    const open = this.#open.get(ref);
    return open !== undefined &&
      this.#encodeAnswer(open.message, { flags: 0, payload }).length <= this.#state.options.config.responseBytesMax;
  }

  #encodeAnswer({ ltime, id }: QueryMessage, { flags, payload }: { flags: number; payload: Uint8Array }): Uint8Array {
    return encodeMessage(SERF.queryResponse, QUERY_RESPONSE, { ltime, id, from: this.#state.name, flags, payload });
  }

  #answer(query: QueryMessage, answer: { flags: number; payload: Uint8Array }): void {
    const { addr, port, relayFactor, sourceNode } = query;
    if (addr.length !== 4 && addr.length !== 16) return this.#state.net.drop("query without an address to answer to");
    const message = this.#encodeAnswer(query, answer);
    sendUser(this.#state.net, { host: formatIp(addr), port }, message);
    if (relayFactor > 0) this.#relay(message, { relayFactor, addr, port, sourceNode });
  }

  #relay(
    message: Uint8Array,
    { relayFactor, addr, port, sourceNode }: Pick<QueryMessage, "relayFactor" | "addr" | "port" | "sourceNode">,
  ): void {
    const { members, net, name, options } = this.#state;
    if (members.size < relayFactor + 1) return;
    const writer = new ByteWriter(message.length + 64);
    writer.u8(SERF.relay);
    RELAY.write(writer, { destAddr: { ip: addr, port, zone: "" }, destName: sourceNode });
    const wrapped = writer.raw(message).copy();
    if (wrapped.length > options.config.responseBytesMax) return net.drop("relayed response too large");
    const relays = net.table.pick(relayFactor, (node) => {
      const isAlive = members.get(node.name)?.status === "alive";
      return isAlive && node.name !== name && node.name !== sourceNode && protocolMaxOf(node) >= PROTOCOL_WITH_CRC;
    });
    for (const relay of relays) sendUser(net, endpointOf(relay), wrapped);
  }

  /** Hands a wrapped answer on to whom it is for. */
  forward(message: Uint8Array): void {
    const reader = new MsgpackReader(message, 1);
    const { destAddr: { ip, port } } = RELAY.read(reader);
    const inner = message.subarray(reader.offset);
    if (inner.length === 0 || ip.length !== 4 && ip.length !== 16 || port === 0) {
      throw new DecodeError("relay of nothing");
    }
    const to: Endpoint = { host: formatIp(ip), port };
    sendUser(this.#state.net, to, inner);
  }

  /** An answer came. */
  onAnswer({ ltime, id, from, flags, payload }: QueryResponse): void {
    const running = this.#running.get(ltime);
    if (!running || running.id !== id) return this.#state.net.drop("reply for non-running query", `${ltime}, ID ${id}`);
    const isAck = (flags & QUERY_FLAG.ack) !== 0;
    const heard = isAck ? running.acks : running.responses;
    if (heard.has(from) || heard.size > this.#state.members.size + OPEN_MAX) return;
    heard.add(from);
    if (isAck) running.listener.onAck(from);
    else running.listener.onResponse(from, payload);
  }
}

function encodeFilters({ nodes, tags }: QueryParams): Uint8Array[] {
  const filters = [...tags].map(([tag, expr]) => {
    new Pattern(expr); // refused here rather than by everybody
    return encodeMessage(FILTER.tag, TAG_FILTER, { tag, expr });
  });
  return nodes.length === 0 ? filters : [encodeMessage(FILTER.nodes, NODE_FILTER, nodes), ...filters];
}

function matches(filter: Uint8Array, state: SerfState): boolean {
  if (filter.length === 0) throw new DecodeError("an empty filter");
  if (filter[0] === FILTER.nodes) return decode(NODE_FILTER, filter, 1).includes(state.name);
  if (filter[0] !== FILTER.tag) return false;
  const { tag, expr } = decode(TAG_FILTER, filter, 1);
  return new Pattern(expr).matches(state.tags.get(tag) ?? "");
}

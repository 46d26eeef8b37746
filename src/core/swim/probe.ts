/**
 * The probe cycle (G4.5; SWIM §3.1, Lifeguard LHA-Probe): ping, then ask others to ping and try a stream,
 * then suspect. And the other side: pings and requests to ping are answered. Pure.
 * @module
 */
import {
  ACCUSATION,
  encodeAck,
  encodePing,
  INDIRECT_PING,
  type IndirectPing,
  NACK,
  type Ping,
  STATE,
  TYPE,
} from "./message.ts";
import { encodeMessage, NO_BYTES } from "./msgpack.ts";
import type { Endpoint } from "./endpoint.ts";
import { formatIp } from "../../base/codec/ip.ts";
import { applySuspect } from "./membership_rules.ts";
import { endpointOf, isGone, type SwimNode, VSN } from "./node_table.ts";
import { send, sendToNode } from "./spread.ts";
import { sealStream } from "./stream.ts";
import type { SwimState } from "./swim_state.ts";
import type { Timer } from "./timers.ts";
import { PROTOCOL_WITH_NACK, PROTOCOL_WITH_STREAM_PING } from "./version.ts";

/** Pings for others under way at a time; more is no cluster but an attack. */
const RELAYED_PINGS_MAX = 1024;

/** One protocol period: probes the next node of the round, unless the last probe is still under way. */
export function probeNext<E>(state: SwimState<E>): void {
  if (state.isProbing) return;
  const { gossipToTheDeadMs } = state.options.config;
  const node = state.table.nextToProbe(
    (one) => one.name !== state.options.name && !isGone(one),
    (one) => isGone(one) && state.nowMs - one.changedMs > gossipToTheDeadMs && one.name !== state.options.name,
  );
  if (node) new Probe(state, node).start();
}

/** A probe of one node. */
class Probe<E> {
  readonly #state: SwimState<E>;
  readonly #node: SwimNode;
  readonly #seqNo: number;
  readonly #sentMs: number;
  readonly #deadlineMs: number;
  #timers: readonly Timer[] = [];
  #isDirect = true;
  #nacksWanted = 0;
  #nacks = 0;
  #reachedByStream = false;
  #isRefused = false;

  constructor(state: SwimState<E>, node: SwimNode) {
    this.#state = state;
    this.#node = node;
    this.#seqNo = state.nextSeqNo();
    this.#sentMs = state.nowMs;
    this.#deadlineMs = state.nowMs + state.options.config.probeIntervalMs * (state.awareness.score + 1);
  }

  #ping(): Uint8Array {
    return encodePing({ seqNo: this.#seqNo, node: this.#node.name, ...this.#state.source });
  }

  start(): void {
    const state = this.#state;
    const { config, name } = state.options;
    state.isProbing = true;
    state.acks.set(this.#seqNo, { onAck: (payload) => this.#succeed(payload), onNack: () => void this.#nacks++ });
    if (this.#node.state === STATE.suspect && config.lifeguard) {
      const accusation = { incarnation: this.#node.incarnation, node: this.#node.name, from: name };
      sendToNode(state, this.#node, [this.#ping(), encodeMessage(TYPE.suspect, ACCUSATION, accusation)]);
    } else send(state, endpointOf(this.#node), this.#ping());
    this.#timers = [
      state.timers.at(this.#sentMs + config.probeTimeoutMs, () => this.#askOthers()),
      state.timers.at(this.#deadlineMs, () => this.#conclude()),
    ];
  }

  #end(): boolean {
    if (!this.#state.acks.delete(this.#seqNo)) return false;
    this.#state.isProbing = false;
    for (const timer of this.#timers) this.#state.timers.cancel(timer);
    return true;
  }

  #succeed(payload: Uint8Array): void {
    const state = this.#state;
    if (!this.#end()) return;
    state.awareness.apply(-1);
    if (this.#isDirect) state.delegate.onPingAck(this.#node, state.nowMs - this.#sentMs, payload);
  }

  /** No ack in time: others are asked to ping, and a stream is tried. */
  #askOthers(): void {
    const state = this.#state;
    if (!state.acks.has(this.#seqNo)) return;
    this.#isDirect = false;
    const { config, name, wrapping } = state.options;
    const { name: node, addr: target, port } = this.#node;
    const others = state.table.pick(
      config.indirectChecks,
      (one) => one.name !== name && one.name !== node && one.state === STATE.alive,
    );
    for (const other of others) {
      const nack = config.lifeguard && other.vsn[VSN.protocolMax] >= PROTOCOL_WITH_NACK;
      if (nack) this.#nacksWanted++;
      const request = { seqNo: this.#seqNo, target, port, node, nack, ...state.source };
      send(state, endpointOf(other), encodeMessage(TYPE.indirectPing, INDIRECT_PING, request));
    }
    if (this.#node.vsn[VSN.protocolMax] < PROTOCOL_WITH_STREAM_PING) return;
    const request = sealStream(this.#ping(), wrapping, "request");
    const timeoutMs = Math.max(1, this.#deadlineMs - state.nowMs);
    state.exchange({ to: endpointOf(this.#node), request, timeoutMs }, (result) => {
      this.#reachedByStream = result.type === "ack" && result.ack.seqNo === this.#seqNo;
      this.#isRefused = result.type === "failed" && result.isRefused === true;
    });
  }

  #conclude(): void {
    const state = this.#state;
    if (!this.#end()) return;
    if (this.#reachedByStream) {
      state.log(
        "warn",
        `Was able to connect to ${this.#node.name} over TCP but UDP probes failed, network may be misconfigured`,
      );
      return state.awareness.apply(-1);
    }
    const missing = this.#nacksWanted - this.#nacks;
    state.awareness.apply(this.#nacksWanted > 0 ? Math.max(0, missing) : 1);
    state.log("info", `Suspect ${this.#node.name} has failed, no acks received`);
    const accusation = { incarnation: this.#node.incarnation, node: this.#node.name, from: state.options.name };
    applySuspect(state, accusation, this.#isRefused);
  }
}

/** The address for the answer to a ping: the source that the ping names, or else its sender. */
function sourceOf(
  { sourceAddr, sourcePort }: { sourceAddr: Uint8Array; sourcePort: number },
  from: Endpoint,
): Endpoint {
  const isNamed = (sourceAddr.length === 4 || sourceAddr.length === 16) && sourcePort > 0;
  return isNamed ? { host: formatIp(sourceAddr), port: sourcePort } : from;
}

/** Answers a ping, unless another node was meant. */
export function answerPing<E>(state: SwimState<E>, ping: Ping, from: Endpoint): void {
  if (ping.node !== "" && ping.node !== state.options.name) {
    return state.drop("Got ping for unexpected node", `'${ping.node}' from=${from.host}:${from.port}`);
  }
  send(state, sourceOf(ping, from), encodeAck({ seqNo: ping.seqNo, payload: state.delegate.pingPayload() }));
}

/** Pings for another node and tells it the result. */
export function answerIndirectPing<E>(state: SwimState<E>, request: IndirectPing, from: Endpoint): void {
  const { target, node, nack } = request;
  if (target.length !== 4 && target.length !== 16) return state.drop("indirect ping to no address");
  if (state.acks.size >= RELAYED_PINGS_MAX) return state.drop("too many indirect pings");
  const seqNo = state.nextSeqNo();
  const requester = sourceOf(request, from);
  const port = request.port === 0 ? state.options.port : request.port;
  state.acks.set(seqNo, {
    onAck() {
      state.acks.delete(seqNo);
      send(state, requester, encodeAck({ seqNo: request.seqNo, payload: NO_BYTES }));
    },
    onNack() {},
  });
  state.timers.at(state.nowMs + state.options.config.probeTimeoutMs, () => {
    if (!state.acks.delete(seqNo) || !nack) return;
    send(state, requester, encodeMessage(TYPE.nack, NACK, { seqNo: request.seqNo }));
  });
  send(state, { host: formatIp(target), port }, encodePing({ seqNo, node, ...state.source }));
}

/** The answer to a ping on a stream; undefined where another node was meant. */
export function answerStreamPing<E>(state: SwimState<E>, ping: Ping): Uint8Array | undefined {
  if (ping.node !== "" && ping.node !== state.options.name) {
    state.drop("Got ping for unexpected node", `'${ping.node}' on a stream`);
    return undefined;
  }
  const ack = encodeAck({ seqNo: ping.seqNo, payload: NO_BYTES });
  return sealStream(ack, state.options.wrapping, "reply");
}

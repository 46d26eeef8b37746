/**
 * SWIM with Lifeguard as memberlist speaks it (G4.2 to G4.10): dispatch. Pure: time, randomness and bytes come in,
 * effects go out through `emit`; nothing is waited for. The rules are in `membership_rules.ts`, `probe.ts` and
 * `spread.ts`.
 *
 * Whatever comes from the network is bounded and decoded here; what is malformed is counted by reason and dropped.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import type { Endpoint } from "./endpoint.ts";
import { ACCUSATION, ACK, decodeAlive, INDIRECT_PING, NACK, PING, TYPE } from "./message.ts";
import { announce, announceLeave, applyAlive, applyDead, applySuspect } from "./membership_rules.ts";
import { decode } from "./msgpack.ts";
import { openPacket } from "./packet.ts";
import { answerIndirectPing, answerPing, answerStreamPing, probeNext } from "./probe.ts";
import { gossip, mergePushPull, pushPullBytes, pushPullIntervalMs, pushPullRandom } from "./spread.ts";
import { encodeError, sealStream, StreamDecoder, type StreamMessage } from "./stream.ts";
import { type ExchangeResult, type SwimDelegate, type SwimOptions, SwimState } from "./swim_state.ts";

/** One node's failure detector. */
export class Swim<E> {
  /** Its state, for the rules and the layer above. */
  readonly state: SwimState<E>;
  /** When the next round of gossip is due, if there is anything to say. */
  #gossipMs = Infinity;
  /** Nothing was to be said when that was last looked at. */
  #isQuiet = false;

  constructor(options: SwimOptions<E>, delegate: SwimDelegate) {
    this.state = new SwimState(options, delegate);
  }

  /** Begins to live: alone, until it exchanges state with another. */
  start(nowMs: number): void {
    const { state } = this;
    const { gossipIntervalMs, probeIntervalMs, pushPullIntervalMs: baseMs } = state.options.config;
    state.nowMs = nowMs;
    announce(state);
    this.#gossipMs = nowMs + state.options.random() * gossipIntervalMs;
    state.repeat(() => probeIntervalMs, () => probeNext(state));
    state.repeat(() => pushPullIntervalMs(baseMs, state.table.size), () => pushPullRandom(state));
  }

  /** Does what is due; to be called at {@linkcode nextMs} or soon after. */
  tick(nowMs: number): void {
    const { state } = this;
    state.nowMs = nowMs;
    state.timers.run(nowMs);
    if (this.#nextGossipMs() > nowMs) return;
    this.#gossipMs = nowMs + state.options.config.gossipIntervalMs;
    gossip(state);
  }

  /** When {@linkcode tick} is due; to be looked at after each call. */
  get nextMs(): number | undefined {
    const nextMs = Math.min(this.state.timers.nextMs ?? Infinity, this.#nextGossipMs());
    return nextMs === Infinity ? undefined : nextMs;
  }

  /** An idle node is not woken for rounds without anything to say: they have passed when there is something again. */
  #nextGossipMs(): number {
    const { queue, delegate, nowMs, options } = this.state;
    const isQuiet = queue.length === 0 && !delegate.hasBroadcasts();
    if (this.#isQuiet && !isQuiet && this.#gossipMs < nowMs) {
      const { gossipIntervalMs } = options.config;
      this.#gossipMs += Math.ceil((nowMs - this.#gossipMs) / gossipIntervalMs) * gossipIntervalMs;
    }
    this.#isQuiet = isQuiet;
    return isQuiet ? Infinity : this.#gossipMs;
  }

  /** Takes a datagram. */
  receive(datagram: Uint8Array, from: Endpoint, nowMs: number): void {
    const { state } = this;
    state.nowMs = nowMs;
    const { messages, faults } = openPacket(datagram, state.options.wrapping);
    for (const fault of faults) state.drop(fault, `from=${from.host}:${from.port}`);
    for (const message of messages) {
      try {
        this.#dispatch(message, from);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        state.drop(`Failed to decode message of type ${message[0]}`, `${error.message} from=${from.host}:${from.port}`);
      }
    }
  }

  #dispatch(message: Uint8Array, from: Endpoint): void {
    const { state } = this;
    switch (message[0]) {
      case TYPE.ping:
        return answerPing(state, decode(PING, message, 1), from);
      case TYPE.indirectPing:
        return answerIndirectPing(state, decode(INDIRECT_PING, message, 1), from);
      case TYPE.ack: {
        const { seqNo, payload } = decode(ACK, message, 1);
        return state.acks.get(seqNo)?.onAck(payload);
      }
      case TYPE.nack:
        return state.acks.get(decode(NACK, message, 1).seqNo)?.onNack();
      case TYPE.alive:
        return applyAlive(state, decodeAlive(message, 1));
      case TYPE.suspect:
        return applySuspect(state, decode(ACCUSATION, message, 1));
      case TYPE.dead:
        return applyDead(state, decode(ACCUSATION, message, 1));
      case TYPE.user:
        return state.delegate.onUserMessage(message.slice(1));
      default:
        return state.drop(`msg type (${message[0]}) not supported`, `from=${from.host}:${from.port}`);
    }
  }

  /** A decoder for one direction of a stream. */
  decoder(role: "request" | "reply"): StreamDecoder {
    return new StreamDecoder(this.state.options.wrapping, role);
  }

  /** The answer to a request on a stream, undefined for none. What it brings is taken by {@linkcode absorb}. */
  answer(request: StreamMessage, nowMs: number): Uint8Array | undefined {
    this.state.nowMs = nowMs;
    if (request.type === "ping") return answerStreamPing(this.state, request.ping);
    return request.type === "push-pull" ? pushPullBytes(this.state, request.join, "reply") : undefined;
  }

  /** The answer to a request whose first layer cannot be read. */
  answerFault(error: string): Uint8Array {
    return sealStream(encodeError(error), this.state.options.wrapping, "reply");
  }

  /**
   * Takes in what a request brought, once it was answered.
   * @returns Why nothing was taken; undefined when all was.
   */
  absorb(request: StreamMessage, nowMs: number): string | undefined {
    this.state.nowMs = nowMs;
    if (request.type === "push-pull") return mergePushPull(this.state, request);
    if (request.type === "user" && request.bytes.length > 0) this.state.delegate.onUserMessage(request.bytes);
    return undefined;
  }

  /** An exchange has ended. */
  exchangeDone(ref: number, result: ExchangeResult, nowMs: number): void {
    const { exchanges } = this.state;
    this.state.nowMs = nowMs;
    const onResult = exchanges.get(ref);
    exchanges.delete(ref);
    onResult?.(result);
  }

  /** Tells the others what {@linkcode SwimDelegate.meta} says now. */
  update(onFinished: () => void): void {
    announce(this.state, onFinished);
  }

  /** Tells the others that this node leaves. It goes on answering. */
  leave(onFinished: () => void): void {
    announceLeave(this.state, onFinished);
  }
}

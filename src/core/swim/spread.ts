/**
 * Sending: what rides on which datagram (G4.7), and push/pull (G4.8). Pure.
 * @module
 */
import { transmitLimit } from "./broadcast.ts";
import type { Endpoint } from "./endpoint.ts";
import { STATE, TYPE } from "./message.ts";
import { allNodes, mergeNodes } from "./membership_rules.ts";
import { endpointOf, type SwimNode, VSN } from "./node_table.ts";
import {
  compound,
  COMPOUND_HEAD_BYTES,
  COMPOUND_PART_BYTES,
  PACKET_BYTES,
  sealPacket,
  wrappingBytes,
} from "./packet.ts";
import { encodePushPull, type PushPull, sealStream } from "./stream.ts";
import type { SwimState } from "./swim_state.ts";
import { PROTOCOL_WITH_CRC } from "./version.ts";

/** Messages on a datagram besides the one that carries them. */
const RIDERS_MAX = 254;

/** Transmits of a message, now. */
export function currentLimit<E>({ options, table }: SwimState<E>): number {
  return transmitLimit(options.config.retransmitMult, table.size);
}

function takeBroadcasts<E>(state: SwimState<E>, carriedBytes: number): Uint8Array[] {
  let bytesMax = PACKET_BYTES - COMPOUND_HEAD_BYTES - wrappingBytes(state.options.wrapping) - carriedBytes;
  const room = { overhead: COMPOUND_PART_BYTES, bytesMax, countMax: RIDERS_MAX };
  const messages = state.queue.take({ ...room, limit: currentLimit(state) });
  for (const { length } of messages) bytesMax -= length + COMPOUND_PART_BYTES;
  const users = state.delegate.broadcasts({
    overhead: COMPOUND_PART_BYTES + 1,
    bytesMax,
    countMax: RIDERS_MAX - messages.length,
  });
  for (const user of users) messages.push(userMessage(user));
  return messages;
}

function userMessage(payload: Uint8Array): Uint8Array {
  const message = new Uint8Array(1 + payload.length);
  message[0] = TYPE.user;
  message.set(payload, 1);
  return message;
}

/** Sends a message alone. */
export function sendAlone<E>({ options }: SwimState<E>, to: Endpoint, message: Uint8Array, crc = false): void {
  options.emit({ k: "packet", to, bytes: sealPacket(message, options.wrapping, { crc }) });
}

/** Sends a message, and broadcasts with it. */
export function send<E>(state: SwimState<E>, to: Endpoint, message: Uint8Array): void {
  const riders = takeBroadcasts(state, message.length + COMPOUND_PART_BYTES);
  sendAlone(state, to, compound([message, ...riders]));
}

/** Sends several messages together to a node, with a CRC where it knows them. */
export function sendToNode<E>(state: SwimState<E>, node: SwimNode, messages: readonly Uint8Array[]): void {
  sendAlone(state, endpointOf(node), compound(messages), node.vsn[VSN.protocolMax] >= PROTOCOL_WITH_CRC);
}

/** Sends a user message straight to an address. */
export function sendUser<E>(state: SwimState<E>, to: Endpoint, payload: Uint8Array): void {
  sendAlone(state, to, userMessage(payload));
}

/** A round of gossip: some nodes at random are told what is queued. */
export function gossip<E>(state: SwimState<E>): void {
  const { gossipNodes, gossipToTheDeadMs } = state.options.config;
  const targets = state.table.pick(gossipNodes, (node) => {
    if (node.name === state.options.name || node.state === STATE.left) return false;
    return node.state !== STATE.dead || state.nowMs - node.changedMs <= gossipToTheDeadMs;
  });
  for (const node of targets) {
    const messages = takeBroadcasts(state, 0);
    if (messages.length === 0) return;
    sendToNode(state, node, messages);
  }
}

/** Time between two push/pulls in a pool of `nodes`. */
export function pushPullIntervalMs(baseMs: number, nodes: number): number {
  return nodes <= 32 ? baseMs : baseMs * (Math.ceil(Math.log2(nodes) - 5) + 1);
}

/** All that this node knows, ready for a stream. */
export function pushPullBytes<E>(state: SwimState<E>, join: boolean, role: "request" | "reply"): Uint8Array {
  const message = encodePushPull({ join, nodes: allNodes(state), userState: state.delegate.localState(join) });
  return sealStream(message, state.options.wrapping, role);
}

/**
 * Takes a push/pull in.
 * @returns Why nothing was taken; undefined when all was.
 */
export function mergePushPull<E>(state: SwimState<E>, { nodes, userState, join }: PushPull): string | undefined {
  const refusal = mergeNodes(state, nodes);
  if (refusal === undefined && userState.length > 0) state.delegate.mergeState(userState, join);
  return refusal;
}

/** Exchanges everything with an address. */
export function pushPull<E>(
  state: SwimState<E>,
  { to, join }: { to: Endpoint; join: boolean },
  onResult: (error: string | undefined) => void,
): void {
  const timeoutMs = state.options.config.streamTimeoutMs;
  state.exchange({ to, request: pushPullBytes(state, join, "request"), timeoutMs }, (result) => {
    if (result.type === "push-pull") onResult(mergePushPull(state, result));
    else if (result.type === "error") onResult(`remote error: ${result.error}`);
    else onResult(result.type === "failed" ? result.error : `unexpected answer: ${result.type}`);
  });
}

/** A round of push/pull: with one live node at random. */
export function pushPullRandom<E>(state: SwimState<E>): void {
  const [node] = state.table.pick(1, ({ name, state: of }) => name !== state.options.name && of === STATE.alive);
  if (!node) return;
  pushPull(state, { to: endpointOf(node), join: false }, (error) => {
    if (error !== undefined) state.log("warn", `Push/Pull with ${node.name} failed: ${error}`);
  });
}

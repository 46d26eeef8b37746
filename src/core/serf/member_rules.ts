/**
 * Rules for the status of members (G5.3 to G5.6). The failure detector reports which nodes are up, intents which of
 * them mean to leave, and Lamport times order the intents. Pure.
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import { DecodeError } from "../../base/codec/cursor.ts";
import { STATE } from "../swim/message.ts";
import { encodeMessage } from "../swim/msgpack.ts";
import { endpointOf, NODES_MAX, type SwimNode } from "../swim/node_table.ts";
import { decodeTags, JOIN, type JoinIntent, LEAVE, type LeaveIntent, SERF } from "./message.ts";
import type { BufferedIntent, SerfMember, SerfState } from "./state.ts";
import { pushPull, sendUser } from "../swim/spread.ts";

/** Intents about unknown members that are kept. */
const INTENTS_MAX = 4096;
/**
 * Each push/pull raises the time of a member that left by one (G5.6), so that others may be ahead of what is
 * known here, and would take an intent with the next time for an old one.
 */
const STATUS_TIME_AHEAD = 1000n;
/** Members that are told straight that one leaves; in a larger pool gossip is repeated often enough. */
const TOLD_STRAIGHT_MAX = 32;
/** Tag by which a member asks for another {@linkcode SerfConfig.reconnectTimeoutMs}. */
const RECONNECT_TIMEOUT_TAG = "rc_tm";

/** Tags of a node; none where they cannot be read. */
export function tagsOf(state: SerfState, meta: Uint8Array): ReadonlyMap<string, string> {
  try {
    return decodeTags(meta);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    state.net.drop("Failed to decode tags", error.message);
    return new Map();
  }
}

/** The failure detector found a node. */
export function nodeJoined(state: SerfState, { name, addr, port, meta, vsn }: SwimNode): void {
  const fresh = { addr, port, vsn, tags: tagsOf(state, meta) };
  let member = state.members.get(name);
  if (member) Object.assign(member, fresh, { status: "alive", goneMs: 0 });
  else {
    if (state.members.size >= NODES_MAX) return state.net.drop("too many members", name);
    member = { name, ...fresh, status: "alive", statusLTime: 0n, goneMs: 0 };
    const intent = state.intents.get(name);
    if (intent) {
      member.statusLTime = intent.ltime;
      if (intent.kind === "leave") member.status = "leaving";
      state.intents.delete(name);
    }
    state.members.set(name, member);
  }
  state.net.log("info", `EventMemberJoin: ${name}`);
  state.tell({ type: "member-join", member });
}

/** The failure detector lost a node. Only an intent before makes it one that left. */
export function nodeGone(state: SerfState, { name }: SwimNode): void {
  const member = state.members.get(name);
  if (!member) return;
  if (member.status !== "alive" && member.status !== "leaving") {
    return state.net.log("warn", `Bad state when leave: ${member.status}`);
  }
  const isLeft = member.status === "leaving";
  member.status = isLeft ? "left" : "failed";
  member.goneMs = state.net.nowMs;
  state.net.log("info", `${isLeft ? "EventMemberLeave" : "EventMemberFailed"}: ${name}`);
  state.tell({ type: isLeft ? "member-leave" : "member-failed", member });
}

/** A node has other tags. */
export function nodeUpdated(state: SerfState, { name, addr, port, meta, vsn }: SwimNode): void {
  const member = state.members.get(name);
  if (!member) return;
  Object.assign(member, { addr, port, vsn, tags: tagsOf(state, meta) });
  state.net.log("info", `EventMemberUpdate: ${name}`);
  state.tell({ type: "member-update", member });
}

function bufferIntent(state: SerfState, name: string, intent: Omit<BufferedIntent, "heardMs">): boolean {
  const known = state.intents.get(name);
  if (known && intent.ltime <= known.ltime) return false;
  if (!known && state.intents.size >= INTENTS_MAX) return false;
  state.intents.set(name, { ...intent, heardMs: state.net.nowMs });
  return true;
}

/**
 * A member says that it is in.
 * @returns Whether it is news, to be sent on.
 */
export function applyJoinIntent(state: SerfState, { ltime, node }: JoinIntent): boolean {
  state.clock.witness(ltime);
  const member = state.members.get(node);
  if (!member) return bufferIntent(state, node, { kind: "join", ltime });
  if (ltime <= member.statusLTime) return false;
  member.statusLTime = ltime;
  if (member.status === "leaving") member.status = "alive";
  return true;
}

/**
 * Somebody says that a member leaves.
 * @returns Whether it is news, to be sent on.
 */
export function applyLeaveIntent(state: SerfState, { ltime, node, prune }: LeaveIntent): boolean {
  state.clock.witness(ltime);
  const member = state.members.get(node);
  if (!member) return bufferIntent(state, node, { kind: "leave", ltime });
  if (ltime <= member.statusLTime) return false;
  if (node === state.name && state.status === "alive") {
    state.net.log("debug", "Refuting an older leave intent");
    announceJoin(state);
    return false;
  }
  member.statusLTime = ltime;
  if (member.status === "alive") member.status = "leaving";
  else if (member.status === "failed") {
    member.status = "left";
    state.net.log("info", `EventMemberLeave: ${node}`);
    state.tell({ type: "member-leave", member });
  }
  if (prune) pruneMember(state, member);
  return true;
}

function pruneMember(state: SerfState, member: SerfMember): void {
  const { broadcastTimeoutMs, leavePropagateDelayMs } = state.options.config;
  const erase = () => {
    if (state.members.get(member.name) === member && member.status !== "alive") forget(state, member);
  };
  if (member.status !== "leaving") return erase();
  state.net.timers.at(state.net.nowMs + broadcastTimeoutMs + leavePropagateDelayMs, erase);
}

function forget(state: SerfState, member: SerfMember): void {
  state.members.delete(member.name);
  state.coordinates.forget(member.name);
  state.coordinatesOfOthers.delete(member.name);
  state.net.log("info", `EventMemberReap: ${member.name}`);
  state.tell({ type: "member-reap", member });
}

/** Tells the others that this node is in, with the time that is now. */
export function announceJoin(state: SerfState): void {
  const intent = { ltime: state.clock.time, node: state.name };
  state.clock.witness(intent.ltime);
  applyJoinIntent(state, intent);
  state.intentQueue.push(encodeMessage(SERF.join, JOIN, intent));
}

/**
 * Tells the others that a member leaves: this one, or one that is forced to.
 * @param onSent Called when it was sent often enough, or after the time for that.
 */
export function announceLeaveIntent(
  state: SerfState,
  { node, prune }: { node: string; prune: boolean },
  onSent: () => void,
): void {
  const known = state.members.get(node)?.statusLTime ?? 0n;
  if (node !== state.name) state.clock.witness(known + STATUS_TIME_AHEAD);
  const intent = { ltime: state.clock.stamp(), node, prune };
  const hasListeners = state.hasOthersAlive;
  applyLeaveIntent(state, intent);
  if (!hasListeners) return onSent();
  const once = onceOnly(onSent);
  const message = encodeMessage(SERF.leave, LEAVE, intent);
  sayStraight(state, message);
  state.intentQueue.push(message, { onFinished: once });
  state.net.timers.at(state.net.nowMs + state.options.config.broadcastTimeoutMs, once);
}

/**
 * Tells members straight that one leaves. Gossip goes to neighbours at random, dead ones among them, in a small pool each
 * message a few times only, and may pass somebody by, who would then take a leaver for failed (G5.3), or keep
 * for ever what was pruned.
 */
function sayStraight({ net, name }: SerfState, message: Uint8Array): void {
  const others = net.table.pick(TOLD_STRAIGHT_MAX, (node) => node.name !== name && node.state === STATE.alive);
  for (const other of others) sendUser(net, endpointOf(other), message);
}

/** A function that acts the first time alone. */
export function onceOnly(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}

/** Forgets members that are gone for long, and old intents. */
export function reap(state: SerfState): void {
  const { reconnectTimeoutMs, tombstoneTimeoutMs, recentIntentMs } = state.options.config;
  for (const member of [...state.members.values()]) {
    if (member.status !== "failed" && member.status !== "left") continue;
    const own = parseDuration(member.tags.get(RECONNECT_TIMEOUT_TAG) ?? "");
    const limitMs = member.status === "left" ? tombstoneTimeoutMs : own ?? reconnectTimeoutMs;
    if (state.net.nowMs - member.goneMs > limitMs) forget(state, member);
  }
  for (const [name, { heardMs }] of state.intents) {
    if (state.net.nowMs - heardMs > recentIntentMs) state.intents.delete(name);
  }
}

/** Calls on a failed member, the more likely the more of them there are. */
export function reconnect(state: SerfState): void {
  const failed = [...state.members.values()].filter(({ status }) => status === "failed");
  if (failed.length === 0) return;
  const alive = Math.max(1, state.members.size - failed.length - state.count("left"));
  const { random } = state.options.swim;
  if (random() > failed.length / alive) return;
  const member = failed[Math.floor(random() * failed.length)];
  const to = endpointOf(member);
  state.net.log("info", `attempting reconnect to ${member.name} ${to.host}:${to.port}`);
  pushPull(state.net, { to, join: true }, (error) => {
    if (error !== undefined) state.net.log("debug", `reconnect to ${member.name} failed: ${error}`);
  });
}

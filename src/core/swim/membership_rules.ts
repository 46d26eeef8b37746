/**
 * The rules by which a node is alive, suspect, dead or left: SWIM's suspicion mechanism as memberlist implements it
 * (G4.2, G4.3; SWIM §4.2). Pure.
 *
 * Of two messages about a node the one with the higher incarnation wins, and only the node itself raises its
 * incarnation. What changes nothing is not sent on.
 * @module
 */
import { formatIp } from "../../base/codec/ip.ts";
import { sameBytes } from "./keyring.ts";
import { ACCUSATION, type Accusation, ALIVE, type Alive, type PushNode, STATE, type State, TYPE } from "./message.ts";
import { encodeMessage } from "./msgpack.ts";
import { endpointOf, isGone, NODES_MAX, type SwimNode } from "./node_table.ts";
import { Suspicion, suspicionBounds } from "./suspicion.ts";
import type { SwimState } from "./swim_state.ts";
import { areVersionsSound, incompatibility } from "./version.ts";

function broadcastAlive<E>(state: SwimState<E>, key: string, alive: Alive, onFinished?: () => void): void {
  state.queue.push(encodeMessage(TYPE.alive, ALIVE, alive), { key, onFinished });
}

function broadcastAccusation<E>(
  state: SwimState<E>,
  type: typeof TYPE.suspect | typeof TYPE.dead,
  accusation: Accusation,
  onFinished?: () => void,
): void {
  state.queue.push(encodeMessage(type, ACCUSATION, accusation), { key: accusation.node, onFinished });
}

function setState<E>(state: SwimState<E>, node: SwimNode, to: State): void {
  node.state = to;
  node.changedMs = state.nowMs;
}

function cancelSuspicion<E>(state: SwimState<E>, name: string): void {
  const suspicion = state.suspicions.get(name);
  if (!suspicion) return;
  state.timers.cancel(suspicion.timer);
  state.suspicions.delete(name);
}

/** The alive message of a node about itself. */
export function ownAlive<E>(state: SwimState<E>, incarnation: number): Alive {
  const { name, addr, port, vsn } = state.options;
  return { incarnation, node: name, addr, port, meta: state.delegate.meta(), vsn };
}

/** A node says that it is there, or somebody says so for it (G4.2). */
export function applyAlive<E>(state: SwimState<E>, message: Alive): void {
  const { name, port } = state.options;
  const alive = message.port === 0 ? { ...message, port } : message;
  if (state.isLeaving && alive.node === name) return;
  if (!areVersionsSound(alive.vsn)) return state.drop("protocol version(s) are wrong", alive.node);
  const refusal = state.delegate.refuseAlive(alive);
  if (refusal !== undefined) return state.drop("ignoring alive message", refusal);
  let node = state.table.get(alive.node);
  let isReplacing = false;
  if (!node) {
    if (alive.incarnation === 0) return;
    if (state.table.size >= NODES_MAX) return state.drop("too many nodes", alive.node);
    node = newNode(alive, state.nowMs);
    state.table.add(node);
  } else if (!sameBytes(node.addr, alive.addr) || node.port !== alive.port) {
    const hasMoved = alive.node !== name && state.delegate.hasMoved?.(node, alive) === true;
    isReplacing = mayReplace(state, node) || hasMoved && node.state !== STATE.alive;
    if (hasMoved && !isReplacing) {
      if (isLateNews(state, node, alive)) return;
      if (state.moves.size >= NODES_MAX) state.moves.clear();
      state.moves.set(node.name, alive);
    }
    if (!isReplacing) return state.delegate.onConflict(node, alive);
    state.moves.delete(node.name);
    if (state.movedFrom.size >= NODES_MAX) state.movedFrom.clear(); // names come and go
    if (hasMoved) state.movedFrom.set(node.name, { addr: node.addr, port: node.port });
  }
  const isSelf = alive.node === name;
  if (!isSelf && !isReplacing && alive.incarnation <= node.incarnation) return;
  if (isSelf && alive.incarnation < node.incarnation) return;
  cancelSuspicion(state, node.name);
  if (isSelf) {
    const { incarnation, meta, vsn } = node;
    if (alive.incarnation === incarnation && sameBytes(alive.meta, meta) && sameBytes(alive.vsn, vsn)) return;
    state.log("warn", `Refuting an alive message for '${alive.node}' (incarnation ${alive.incarnation})`);
    return refute(state, node, alive.incarnation);
  }
  broadcastAlive(state, alive.node, alive);
  accept(state, node, alive);
}

function newNode({ node, addr, port, meta, vsn }: Alive, nowMs: number): SwimNode {
  return { name: node, addr, port, meta, vsn, incarnation: 0, state: STATE.dead, changedMs: nowMs };
}

/** Whether a claim is what was known of the node before it moved: some member had not heard of the move yet. */
function isLateNews<E>(state: SwimState<E>, node: SwimNode, alive: Alive): boolean {
  const before = state.movedFrom.get(node.name);
  if (!before || alive.incarnation > node.incarnation) return false;
  return sameBytes(before.addr, alive.addr) && before.port === alive.port;
}

function mayReplace<E>({ options, nowMs }: SwimState<E>, node: SwimNode): boolean {
  const { deadNodeReclaimMs } = options.config;
  return node.state === STATE.left ||
    node.state === STATE.dead && deadNodeReclaimMs > 0 && nowMs - node.changedMs > deadNodeReclaimMs;
}

function accept<E>(state: SwimState<E>, node: SwimNode, alive: Alive): void {
  const wasGone = isGone(node);
  const isNews = !sameBytes(node.meta, alive.meta) || !sameBytes(node.addr, alive.addr) || node.port !== alive.port;
  node.vsn = alive.vsn;
  node.incarnation = alive.incarnation;
  node.meta = alive.meta;
  node.addr = alive.addr;
  node.port = alive.port;
  if (node.state !== STATE.alive) setState(state, node, STATE.alive);
  if (wasGone) state.delegate.onJoin(node);
  else if (isNews) state.delegate.onUpdate(node);
}

/** The node tells of itself anew: at its start, and when its tags change. */
export function announce<E>(state: SwimState<E>, onFinished?: () => void): void {
  const alive = ownAlive(state, state.nextIncarnation());
  let node = state.self;
  if (!node) {
    node = newNode(alive, state.nowMs);
    state.table.add(node);
  }
  broadcastAlive(state, alive.node, alive, onFinished);
  accept(state, node, alive);
}

/**
 * Somebody could not reach a node (G4.3).
 * @param isRefused This node was told by the suspect's own address that nothing listens there (G4.4).
 */
export function applySuspect<E>(state: SwimState<E>, suspect: Accusation, isRefused = false): void {
  const node = state.table.get(suspect.node);
  if (!node || suspect.incarnation < node.incarnation) return;
  const running = state.suspicions.get(node.name);
  if (running) {
    if (running.confirm(suspect.from)) broadcastAccusation(state, TYPE.suspect, suspect);
    else if (!isRefused) return;
    if (isRefused) running.isRefused = true;
    return armSuspicion(state, node, running);
  }
  if (node.state !== STATE.alive) return;
  if (node.name === state.options.name) {
    state.log("warn", `Refuting a suspect message (from: ${suspect.from})`);
    return refute(state, node, suspect.incarnation);
  }
  broadcastAccusation(state, TYPE.suspect, suspect);
  node.incarnation = suspect.incarnation;
  setState(state, node, STATE.suspect);
  const bounds = suspicionBounds(state.options.config, state.table.size);
  const suspicion = new Suspicion(suspect.from, state.nowMs, bounds);
  suspicion.isRefused = isRefused;
  state.suspicions.set(node.name, suspicion);
  armSuspicion(state, node, suspicion);
  followMove(state, node);
}

/** The old address does not answer: the node is where it says that it has moved to. */
function followMove<E>(state: SwimState<E>, node: SwimNode): void {
  const moved = state.moves.get(node.name);
  if (!moved) return;
  state.moves.delete(node.name);
  applyAlive(state, moved);
}

function armSuspicion<E>(state: SwimState<E>, node: SwimNode, suspicion: Suspicion): void {
  const { timers, options } = state;
  timers.cancel(suspicion.timer);
  const { changedMs } = node;
  suspicion.timer = timers.at(suspicion.dueMs, () => {
    if (node.state !== STATE.suspect || node.changedMs !== changedMs) return;
    const { confirmations } = suspicion;
    state.log("info", `Marking ${node.name} as failed, suspect timeout reached (${confirmations} peer confirmations)`);
    applyDead(state, { incarnation: node.incarnation, node: node.name, from: options.name });
  });
}

/** A node is dead, or left: then it says so itself (G4.3). */
export function applyDead<E>(state: SwimState<E>, dead: Accusation, onFinished?: () => void): void {
  const node = state.table.get(dead.node);
  if (!node || dead.incarnation < node.incarnation) return;
  cancelSuspicion(state, node.name);
  if (isGone(node)) return;
  if (node.name === state.options.name && !state.isLeaving) {
    state.log("warn", `Refuting a dead message (from: ${dead.from})`);
    return refute(state, node, dead.incarnation);
  }
  broadcastAccusation(state, TYPE.dead, dead, onFinished);
  node.incarnation = dead.incarnation;
  setState(state, node, dead.from === dead.node ? STATE.left : STATE.dead);
  state.delegate.onLeave(node);
}

function refute<E>(state: SwimState<E>, self: SwimNode, accused: number): void {
  let incarnation = state.nextIncarnation();
  if (accused >= incarnation) incarnation = state.incarnation = (accused + 1) >>> 0;
  self.incarnation = incarnation;
  state.awareness.apply(1);
  // by address, not by name: what is queued about the node is not replaced
  broadcastAlive(state, formatIp(self.addr), ownAlive(state, incarnation));
}

/**
 * Takes in what another node knows (G4.3, G4.9). Nobody is dead by this alone: its subject may refute.
 * @returns Why nothing was taken; undefined when all was.
 */
export function mergeNodes<E>(state: SwimState<E>, nodes: readonly PushNode[]): string | undefined {
  const refusal = incompatibility(state.table.nodes, nodes) ?? state.delegate.refuseMerge(nodes);
  if (refusal !== undefined) return refusal;
  for (const { name, incarnation, ...node } of nodes) {
    const accusation = { incarnation, node: name, from: state.options.name };
    if (node.state === STATE.alive) {
      applyAlive(state, { incarnation, node: name, addr: node.addr, port: node.port, meta: node.meta, vsn: node.vsn });
    } else if (node.state === STATE.left) applyDead(state, { ...accusation, from: name });
    else applySuspect(state, accusation);
  }
  return undefined;
}

/** Everything that is known, for a push/pull: the node itself and the gone included. */
export function allNodes<E>({ table }: SwimState<E>): PushNode[] {
  return table.nodes.map(({ name, addr, port, meta, incarnation, state, vsn }) => ({
    name,
    addr,
    port,
    meta,
    incarnation,
    state,
    vsn,
  }));
}

/** Leaves: others are told by the node itself. `onFinished` is called when that was sent often enough. */
export function announceLeave<E>(state: SwimState<E>, onFinished: () => void): void {
  state.isLeaving = true;
  const { self } = state;
  if (!self) return onFinished();
  const { name, incarnation } = self;
  applyDead(state, { incarnation, node: name, from: name }, onFinished);
  if (!state.table.nodes.some((node) => node !== self && !isGone(node))) onFinished();
}

/** Text of a node for log lines. */
export function describe(node: SwimNode): string {
  const { host, port } = endpointOf(node);
  return `${node.name} ${host}:${port}`;
}

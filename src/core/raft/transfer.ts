/**
 * Leadership transfer (T1 to T6, dissertation §3.10): the leader takes no more proposals, lets the target catch
 * up, and tells it to campaign at once. The request is answered when a leader of a later term is known.
 * @module
 */
import { isVoter } from "./configuration.ts";
import type { Refusal } from "./effects.ts";
import { campaign, mayCampaign } from "./election.ts";
import type { NodeId, TimeoutNow } from "./message.ts";
import type { Progress } from "./progress.ts";
import { progressOf } from "./replication.ts";
import { isDiskInTrouble, type Leadership, leadership, type RaftState, refuse, send } from "./state.ts";

/** Whether this node leads and is handing over: no proposals, no configuration changes (T1, M2c). */
export function isTransferring(s: RaftState): boolean {
  return s.transfer !== undefined && s.part.role === "leader" && s.transfer.term === s.term;
}

/** Starts a transfer, joins one to the same target, or replaces one to another (T4). */
export function onTransfer(s: RaftState, ref: number, to: NodeId | undefined): void {
  const lead = leadership(s);
  if (lead === undefined) return refuse(s, ref, "not_leader");
  const target = to ?? bestTarget(s, lead);
  if (target === s.id) return refuse(s, ref, "is_leader");
  if (target === undefined) return refuse(s, ref, s.configs.voters.length === 1 ? "last_voter" : "not_caught_up");
  if (s.transfer?.to === target && isTransferring(s)) {
    s.transfer.refs.push(ref);
    return;
  }
  if (!isVoter(s.configs.current, target)) return refuse(s, ref, "no_such_member");
  const peer = progressOf(lead, target);
  if (peer === undefined || !isReachable(s, peer)) return refuse(s, ref, "not_caught_up");
  if (s.transfer !== undefined) abandon(s, "transferring");
  const deadline = s.timer.now + s.options.electionTicks;
  s.transfer = { to: target, term: s.term, refs: [ref], deadline, sentAt: undefined };
}

/** The voter that matches furthest, the lowest id among equals (T2). */
function bestTarget(s: RaftState, lead: Leadership): NodeId | undefined {
  let best: Progress | undefined;
  for (const peer of lead.peers) {
    if (!isVoter(s.configs.current, peer.id) || !isReachable(s, peer)) continue;
    if (best === undefined || peer.match > best.match) best = peer;
  }
  return best?.id;
}

/**
 * A leader whose disk is full, or has been silent for half an election timeout, hands over by itself (P6, D15). The target
 * may be in the same plight, which it tells by not campaigning: the next attempt goes to another one.
 */
export function handOverInTrouble(s: RaftState, lead: Leadership): void {
  if (s.transfer !== undefined || s.timer.now < lead.handOverAt) return;
  const { electionTicks } = s.options;
  if (!isDiskInTrouble(s)) return;
  const targets = lead.peers.filter((peer) => isVoter(s.configs.current, peer.id) && isReachable(s, peer));
  if (targets.length === 0) return;
  targets.sort((a, b) => b.match - a.match || (a.id < b.id ? -1 : 1));
  const to = targets[lead.handOvers++ % targets.length].id;
  lead.handOverAt = s.timer.now + 4 * electionTicks;
  s.transfer = { to, term: s.term, refs: [], deadline: s.timer.now + electionTicks, sentAt: undefined };
}

function isReachable(s: RaftState, peer: Progress): boolean {
  return peer.state !== "snapshot" && s.timer.now - peer.heardAt < s.options.electionTicks && peer.match > 0;
}

/** Tells the target to campaign once it has everything; again with every heartbeat, as the message may be lost. */
export function urgeTarget(s: RaftState, lead: Leadership): void {
  const transfer = s.transfer;
  if (transfer === undefined || !isTransferring(s)) return;
  if (progressOf(lead, transfer.to)?.match !== s.log.last) return;
  if (transfer.sentAt !== undefined && s.timer.now - transfer.sentAt < s.options.heartbeatTicks) return;
  transfer.sentAt = s.timer.now;
  // T5: it may arrive at any time from now on.
  lead.isHandedOver = true;
  send(s, { k: "timeoutNow", from: s.id, to: transfer.to, term: s.term });
}

/** Gives up after an election timeout (T4). */
export function tickTransfer(s: RaftState): void {
  if (s.transfer !== undefined && s.timer.now >= s.transfer.deadline) abandon(s, "transfer_timeout");
}

/** Answers the request once it is known who leads a later term. */
export function settleTransfer(s: RaftState): void {
  const transfer = s.transfer;
  if (transfer === undefined || s.leader === null || isTransferring(s)) return;
  if (s.leader !== transfer.to) return abandon(s, "leadership_lost");
  s.transfer = undefined;
  for (const ref of transfer.refs) s.out.answers.push({ ref, id: s.log.lastId() });
}

function abandon(s: RaftState, why: Refusal): void {
  const refs = s.transfer?.refs ?? [];
  s.transfer = undefined;
  for (const ref of refs) refuse(s, ref, why);
}

/** The leader hands over to this node: campaign without asking first (T3). */
export function onTimeoutNow(s: RaftState, m: TimeoutNow): void {
  if (m.term !== s.term || s.leader !== m.from || s.part.role !== "follower" || !mayCampaign(s)) return;
  campaign(s, true, `"${m.from}" hands over`);
}

/**
 * Replication, the leader's half: entries to its peers, their answers, the commit index (L6 to L11, C1 to C4). The
 * other half is follower.ts.
 *
 * The leader decides what to send when the driver drains, not when something is stepped: many proposals become one
 * range per peer, written to the network while the leader's own disk still works (F4).
 * @module
 */
import { invariant } from "../../invariant.ts";
import type { AppendReply, Config, Entry, EntryKind, HeartbeatReply, Index, NodeId } from "./message.ts";
import { becomeProbe, becomeReplicate, type Progress } from "./progress.ts";
import { quorumValue } from "./quorum.ts";
import { becomeFollower, commitTo, drop, type Leadership, matchMark, type RaftState, send } from "./state.ts";

/** Payload bytes a probe may carry: enough for a term's no-op and little more, since most probes may be wrong. */
const PROBE_BYTES_MAX = 65_536;

/** Appends an entry of this term to the leader's own log. */
export function appendOwn(s: RaftState, lead: Leadership, kind: EntryKind, body: Uint8Array): Entry {
  const entry: Entry = { index: s.log.last + 1, term: s.term, kind, body };
  s.log.append(entry);
  lead.uncommittedBytes += body.length;
  return entry;
}

/** Progress of a peer the leader replicates to, or `undefined`. */
export function progressOf(lead: Leadership, id: NodeId): Progress | undefined {
  for (const peer of lead.peers) if (peer.id === id) return peer;
  return undefined;
}

/** The index that a majority of voters has reached: this node is at `own`, the others are where their progress says. */
function majorityAt(
  s: RaftState,
  lead: Leadership,
  of: { readonly own: number; readonly key: "match" | "round" },
): number {
  const own = s.configs.isVoter ? of.own : 0;
  const values: number[] = [];
  for (const id of s.configs.voters) values.push(id === s.id ? own : progressOf(lead, id)?.[of.key] ?? 0);
  return quorumValue(values);
}

/** Highest read round that a majority of voters, the leader included, has echoed (R3). */
export function confirmedRound(s: RaftState, lead: Leadership): number {
  return majorityAt(s, lead, { own: lead.round, key: "round" });
}

/**
 * Moves the commit index to the largest one that a majority holds durably, if that entry is of this term (C1). The
 * leader counts itself by what is durable, like everyone else (O4).
 */
export function advanceCommit(s: RaftState, lead: Leadership): void {
  if (!lead.commitDirty) return;
  lead.commitDirty = false;
  const index = majorityAt(s, lead, { own: s.log.durable, key: "match" });
  // Entries of older terms are committed by the first one of this term behind them, never by counting (figure 8).
  if (index <= s.commit || s.log.termAt(index) !== s.term) return;
  const before = s.commit;
  commitTo(s, index);
  lead.uncommittedBytes -= s.log.bytesBetween(before + 1, index);
  const config = s.configs.current;
  if (config.at > before && config.at <= index) configCommitted(s, lead, config);
}

function configCommitted(s: RaftState, lead: Leadership, config: Config): void {
  for (const peer of lead.peers) {
    if (peer.sendMax === Infinity || peer.forgetAt !== Infinity) continue;
    // M9: now the removed node may learn of its removal, for a while.
    peer.sendMax = config.at;
    peer.forgetAt = s.timer.now + s.options.electionTicks;
  }
  // M6: an inherited configuration may have removed the leader itself.
  if (!s.configs.isVoter) becomeFollower(s, s.term, "the configuration without this node is committed");
}

/** Queues what is due to every peer. */
export function sendAppends(s: RaftState, lead: Leadership): void {
  for (const peer of lead.peers) sendAppend(s, lead, peer);
}

function sendAppend(s: RaftState, lead: Leadership, peer: Progress): void {
  if (peer.state === "snapshot") return;
  if (peer.next <= s.log.base.index) {
    // S4: one that is not heard gets none; M9: nor one that was removed.
    if (!peer.active || peer.forgetAt !== Infinity) return;
    peer.state = "snapshot";
    peer.window.clear();
    s.out.needSnapshot.push(peer.id);
    return;
  }
  const last = Math.min(s.log.last, peer.sendMax);
  if (peer.state === "probe") {
    if (peer.probing) return;
    peer.probing = true;
    peer.probedAt = s.timer.now;
    const bytesMax = Math.min(PROBE_BYTES_MAX, s.options.appendBytesMax);
    emit(s, peer, { last: s.log.fit(peer.next, last, bytesMax).last, round: lead.round });
    return;
  }
  while (peer.next <= last && !peer.window.isFull) {
    const range = s.log.fit(peer.next, last, s.options.appendBytesMax);
    // F2: a single entry may exceed the limit.
    const end = Math.max(range.last, peer.next);
    emit(s, peer, { last: end, round: lead.round });
    peer.window.push(end, range.bytes);
    peer.next = end + 1;
    peer.nudge = false;
  }
  if (peer.nudge) emit(s, peer, { last: peer.next - 1, round: lead.round });
  peer.nudge = false;
}

function emit(s: RaftState, peer: Progress, { last, round }: { last: Index; round: number }): void {
  const prev = peer.next - 1;
  const term = s.log.termAt(prev);
  invariant(term !== undefined, "an append starts outside the log");
  peer.sentSinceTick = true;
  peer.commitSent = s.commit;
  send(s, {
    k: "appendRange",
    from: s.id,
    to: peer.id,
    term: s.term,
    prev: { index: prev, term },
    last,
    commit: s.commit,
    round,
    epoch: s.log.epoch,
  });
}

/** Queues a heartbeat to every peer, with the commit index it can use (L5). */
export function sendHeartbeats(s: RaftState, lead: Leadership): void {
  lead.heartbeatElapsed = 0;
  for (const peer of lead.peers) {
    const index = Math.min(peer.match, s.commit);
    const commit = { index, term: s.log.termAt(index) ?? 0 };
    send(s, { k: "heartbeat", from: s.id, to: peer.id, term: s.term, commit, round: lead.round });
  }
}

/** Whether every peer has everything and knows that it is committed, the disk has nothing to do, and nobody is learning. */
export function isAtRest(s: RaftState, lead: Leadership): boolean {
  return s.transfer === undefined && s.log.tickets.oldestIssuedAt === undefined && s.commit === s.log.last &&
    !s.storageFull && !s.configs.current.members.some(({ role }) => role === "learner") &&
    lead.peers.every((peer) => peer.state === "replicate" && peer.match === s.commit && peer.commitSent >= s.commit);
}

/**
 * Ticks between heartbeats. A leader at rest sends half as many, since each wakes up all nodes; a follower still hears five
 * in an election timeout (L12).
 */
export function heartbeatInterval(s: RaftState, lead: Leadership): number {
  const { heartbeatTicks, electionTicks } = s.options;
  return electionTicks >= 10 * heartbeatTicks && isAtRest(s, lead) ? 2 * heartbeatTicks : heartbeatTicks;
}

/** A tick's part in replication: peers that are replicating hear of a new commit index by themselves (C4). */
export function tickPeers(s: RaftState, lead: Leadership): void {
  for (const peer of lead.peers) {
    const told = Math.min(peer.match, s.commit);
    if (peer.state === "replicate" && peer.commitSent < told && !peer.sentSinceTick) peer.nudge = true;
    peer.sentSinceTick = false;
  }
  if (lead.peers.some((peer) => s.timer.now >= peer.forgetAt)) {
    lead.peers = lead.peers.filter((peer) => s.timer.now < peer.forgetAt);
  }
}

/** Leader: a sign of life in this term. `undefined` when the sender is no peer or echoes the future. */
function heard(s: RaftState, lead: Leadership, m: AppendReply | HeartbeatReply): Progress | undefined {
  const peer = progressOf(lead, m.from);
  if (peer === undefined || m.round > lead.round) {
    drop(s);
    return undefined;
  }
  // Another disk under the same id said this: counting it would commit what is not stored (B2, L9).
  if (m.round < peer.roundMin) return undefined;
  peer.active = true;
  peer.heardAt = s.timer.now;
  if (m.round > peer.round) peer.round = m.round;
  peer.promiseMs = m.promiseMs ?? 0;
  return peer;
}

/** Leader: a peer's answer to entries. */
export function onAppendReply(s: RaftState, lead: Leadership, m: AppendReply): void {
  if (m.index > s.log.last) return drop(s);
  const peer = heard(s, lead, m);
  if (peer === undefined) return;
  if (!m.ok) return rejected(s, peer, m);
  if (m.index > peer.match) lead.commitDirty = true;
  accepted(s, peer, m.index);
}

function accepted(s: RaftState, peer: Progress, index: Index): void {
  peer.match = Math.max(peer.match, index);
  peer.next = Math.max(peer.next, peer.match + 1);
  if (peer.state === "replicate") {
    peer.window.release(peer.match);
  } else if (peer.state === "probe" || peer.match >= s.log.base.index) {
    becomeReplicate(peer);
  }
  measureCatchUp(s, peer);
}

/** Rounds of M5: each ends when the peer has what the leader had when it began. */
function measureCatchUp(s: RaftState, peer: Progress): void {
  const round = peer.catchUp;
  if (peer.match < round.target) return;
  round.caughtUp = s.timer.now - round.startedAt < s.options.electionTicks;
  if (!round.caughtUp) round.slowRounds++;
  round.target = s.log.last;
  round.startedAt = s.timer.now;
  // Nothing came meanwhile: the next round is over as it begins. Without writes there would be no other.
  if (peer.match >= round.target) round.caughtUp = true;
}

function rejected(s: RaftState, peer: Progress, m: AppendReply): void {
  if (peer.state === "replicate") {
    // L8: a rejection at or below what matches is a late one. L7: otherwise something was lost on the way.
    if (m.index > peer.match) becomeProbe(peer, peer.match + 1);
    return;
  }
  if (peer.state === "snapshot" || m.index !== peer.next - 1) return;
  // Late, or its disk lost what it acknowledged in this term (B3): it is told, and asked again after a heartbeat.
  if (peer.match > 0 && m.index === peer.match) return tellMatch(s, peer);
  // L6: both sides skip whole terms. A hint that would not move us back is a broken one, and costs one step.
  const back = s.log.lastIndexAtMost(m.hint.index, m.hint.term);
  becomeProbe(peer, Math.max(peer.match + 1, Math.min(back + 1, peer.next - 1)));
}

/** Tells a peer what it acknowledged in this term. */
function tellMatch(s: RaftState, { id, match }: Progress): void {
  const mark = matchMark(s, id, match);
  if (mark === undefined) return;
  send(s, { k: "marks", from: s.id, to: id, term: s.term, isAnswer: false, marks: [mark] });
}

/** Leader: a peer's answer to a heartbeat. */
export function onHeartbeatReply(s: RaftState, lead: Leadership, m: HeartbeatReply): void {
  const peer = heard(s, lead, m);
  if (peer === undefined) return;
  if (peer.state === "probe") {
    // L7, L11: ask again, but not more often than heartbeats go out: read rounds bring replies of their own.
    if (s.timer.now - peer.probedAt >= s.options.heartbeatTicks) peer.probing = false;
  } else if (peer.state === "replicate") {
    // L10: what was out at the last reply is not acknowledged at this one. An empty append shows whether it was lost.
    if (peer.match < peer.sentAtHeartbeat) peer.nudge = true;
    peer.sentAtHeartbeat = peer.next - 1;
  }
}

/** Leader: the stream to a peer broke, and with it whatever was on its way (L7). */
export function onLinkDown(lead: Leadership, id: NodeId): void {
  const peer = progressOf(lead, id);
  if (peer?.state !== "replicate") return;
  becomeProbe(peer, peer.match + 1);
  // The next heartbeat reply shows that it can be reached again.
  peer.probing = true;
}

/** Leader: a peer that waits for the commit index hears of it now, with the entries that are due or without (C4). */
export function onTellCommit(s: RaftState, lead: Leadership, id: NodeId): void {
  const peer = progressOf(lead, id);
  if (peer?.state === "replicate" && peer.commitSent < s.commit) peer.nudge = true;
}

/** Leader: the driver has sent a peer its snapshot, up to `index`, or could not (S11). */
export function onSnapshotSent(s: RaftState, lead: Leadership, id: NodeId, index: Index | null): void {
  const peer = progressOf(lead, id);
  if (peer?.state !== "snapshot") return;
  const next = index === null ? peer.next : Math.min(index, s.log.last) + 1;
  becomeProbe(peer, Math.max(peer.match + 1, next));
}

/**
 * Replication: a leader's entries to its peers, their answers, the commit index (spec/raft.md §2.3, §2.4).
 *
 * The leader decides what to send when the driver drains, not when something is stepped: many proposals become one
 * range per peer, written to the network while the leader's own disk still works (F4).
 * @module
 */
import { DecodeError } from "../codec/cursor.ts";
import { invariant } from "../invariant.ts";
import { decodeConfig, isVoter } from "./configuration.ts";
import type {
  AppendEntries,
  AppendReply,
  Config,
  Entry,
  EntryKind,
  Heartbeat,
  HeartbeatReply,
  Index,
  NodeId,
} from "./message.ts";
import { becomeProbe, becomeReplicate, type Progress } from "./progress.ts";
import { quorumValue } from "./quorum.ts";
import {
  becomeFollower,
  commitTo,
  drop,
  type Leadership,
  noteRole,
  type RaftState,
  restartTimer,
  send,
} from "./state.ts";

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

/** Fills `values` with one number per voter: the own one, and `of` each peer. */
function perVoter(s: RaftState, lead: Leadership, own: number, of: (peer: Progress) => number): number[] {
  const values: number[] = [];
  for (const id of s.configs.voters) {
    if (id === s.id) {
      values.push(own);
    } else {
      const peer = progressOf(lead, id);
      values.push(peer === undefined ? 0 : of(peer));
    }
  }
  return values;
}

const matchOf = (peer: Progress): number => peer.match;
const roundOf = (peer: Progress): number => peer.round;

/** Highest read round that a majority of voters, the leader included, has echoed (R3). */
export function confirmedRound(s: RaftState, lead: Leadership): number {
  return quorumValue(perVoter(s, lead, lead.round, roundOf));
}

/**
 * Moves the commit index to the largest one that a majority holds durably, if that entry is of this term (C1). The
 * leader counts itself by what is durable, like everyone else (O4).
 */
export function advanceCommit(s: RaftState, lead: Leadership): void {
  if (!lead.commitDirty) return;
  lead.commitDirty = false;
  const index = quorumValue(perVoter(s, lead, s.log.durable, matchOf));
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
  if (!isVoter(config, s.id)) becomeFollower(s, s.term, "the configuration without this node is committed");
}

/** Queues what is due to every peer. */
export function sendAppends(s: RaftState, lead: Leadership): void {
  for (const peer of lead.peers) sendAppend(s, lead, peer);
}

function sendAppend(s: RaftState, lead: Leadership, peer: Progress): void {
  if (peer.state === "snapshot") return;
  if (peer.next <= s.log.base.index) {
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
    emit(s, lead, peer, fit(s, peer.next, last, Math.min(PROBE_BYTES_MAX, s.options.appendBytesMax)).last);
    return;
  }
  while (peer.next <= last && !peer.window.isFull) {
    const range = fit(s, peer.next, last, s.options.appendBytesMax);
    // F2: a single entry may exceed the limit.
    if (range.last < peer.next) range.last = peer.next;
    emit(s, lead, peer, range.last);
    peer.window.push(range.last, range.bytes);
    peer.next = range.last + 1;
    peer.nudge = false;
  }
  if (peer.nudge) emit(s, lead, peer, peer.next - 1);
  peer.nudge = false;
}

/** The longest range from `from` within `bytesMax`; ends before `from` when its first entry is larger. */
function fit(s: RaftState, from: Index, to: Index, bytesMax: number): { last: Index; readonly bytes: number } {
  let bytes = 0;
  let last = from - 1;
  while (last < to) {
    const size = s.log.bytesAt(last + 1);
    if (bytes + size > bytesMax) return { last, bytes: last < from ? size : bytes };
    bytes += size;
    last++;
  }
  return { last, bytes };
}

function emit(s: RaftState, lead: Leadership, peer: Progress, last: Index): void {
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
    round: lead.round,
    epoch: s.log.epoch,
  });
}

/** Queues a heartbeat to every peer, with the commit index it can use (L5). */
export function sendHeartbeats(s: RaftState, lead: Leadership): void {
  lead.heartbeatElapsed = 0;
  for (const peer of lead.peers) {
    const commit = Math.min(peer.match, s.commit);
    send(s, { k: "heartbeat", from: s.id, to: peer.id, term: s.term, commit, round: lead.round });
  }
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

/** Takes what a leader of our term or a higher one says about itself (E4, E11). */
export function followLeader(s: RaftState, m: AppendEntries | Heartbeat): void {
  const isNew = m.term > s.term || s.leader !== m.from;
  if (m.term > s.term) {
    becomeFollower(s, m.term, `"${m.from}" leads a higher term`);
  } else {
    invariant(s.part.role !== "leader" && (s.leader === null || s.leader === m.from), "two leaders in one term (E11)");
    if (s.part.role !== "follower") becomeFollower(s, m.term, `"${m.from}" won the election`);
  }
  s.leader = m.from;
  s.removedAt = 0;
  s.timer.sinceLeader = 0;
  restartTimer(s);
  if (isNew) noteRole(s, `"${m.from}" leads`);
}

/** Follower: entries from the leader. */
export function onAppend(s: RaftState, m: AppendEntries): void {
  if (m.term < s.term) {
    // E12: whoever sent this can only learn of our term from an answer.
    send(s, rejection(s, m));
    return;
  }
  const configs = decodeConfigs(m.entries);
  if (configs === undefined) return drop(s);
  followLeader(s, m);
  if (m.prev.index < s.commit) return sendAccepted(s, m, s.commit);
  if (s.log.termAt(m.prev.index) !== m.prev.term) return send(s, rejection(s, m));
  takeEntries(s, m.entries, configs);
  const match = m.prev.index + m.entries.length;
  // L5: our tail behind `match` may be garbage of an old term, so the leader's commit index alone proves nothing.
  commitTo(s, Math.min(m.commit, match));
  sendAccepted(s, m, match);
}

function decodeConfigs(entries: readonly Entry[]): Config[] | undefined {
  const configs: Config[] = [];
  for (const entry of entries) {
    if (entry.kind !== "config") continue;
    try {
      configs.push(decodeConfig(entry.body, entry.index));
    } catch (error) {
      if (error instanceof DecodeError) return undefined;
      throw error;
    }
  }
  return configs;
}

/** Takes entries that follow a matching one, dropping a conflicting suffix (L3). */
function takeEntries(s: RaftState, entries: readonly Entry[], configs: readonly Config[]): void {
  let known = 0;
  while (known < entries.length && s.log.termAt(entries[known].index) === entries[known].term) known++;
  if (known === entries.length) return;
  const first = entries[known].index;
  if (first <= s.log.last) {
    invariant(first > s.commit, "the leader contradicts a committed entry (L3)");
    s.log.truncate(first);
    s.configs.truncate(first);
  }
  for (let at = known; at < entries.length; at++) s.log.append(entries[at]);
  for (const config of configs) if (config.at >= first) s.configs.push(config);
}

/** Queues a positive reply, or raises the one already queued: matches only grow while one leader is followed. */
function sendAccepted(s: RaftState, m: AppendEntries, match: Index): void {
  const queued = s.out.send;
  const last = queued.length > 0 ? queued[queued.length - 1] : undefined;
  let index = match;
  let round = m.round;
  if (last?.m.k === "appendReply" && last.m.ok && last.m.to === m.from && last.m.term === s.term) {
    index = Math.max(index, last.m.index);
    round = Math.max(round, last.m.round);
    queued.pop();
  }
  const hint = { index: 0, term: 0 };
  queued.push({
    m: { k: "appendReply", from: s.id, to: m.from, term: s.term, ok: true, index, hint, round },
    gate: "log",
    index,
  });
}

function rejection(s: RaftState, m: AppendEntries): AppendReply {
  const index = s.log.lastIndexAtMost(Math.min(m.prev.index, s.log.last), m.prev.term);
  const hint = { index, term: s.log.termAt(index) ?? 0 };
  return {
    k: "appendReply",
    from: s.id,
    to: m.from,
    term: s.term,
    ok: false,
    index: m.prev.index,
    hint,
    round: m.round,
  };
}

/** Follower: the leader lives. */
export function onHeartbeat(s: RaftState, m: Heartbeat): void {
  if (m.term >= s.term) {
    followLeader(s, m);
    // L5: what the leader knows to match here was durable here. If it is gone, so is an acknowledged write: stop.
    invariant(m.commit <= s.log.last, "acknowledged entries are missing from the log (L5)");
    commitTo(s, m.commit);
  }
  send(s, { k: "heartbeatReply", from: s.id, to: m.from, term: s.term, round: m.round });
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
  return peer;
}

/** Leader: a peer's answer to entries. */
export function onAppendReply(s: RaftState, lead: Leadership, m: AppendReply): void {
  if (m.index > s.log.last) return drop(s);
  const peer = heard(s, lead, m);
  if (peer === undefined) return;
  if (m.ok) accepted(s, lead, peer, m.index);
  else rejected(s, peer, m);
}

function accepted(s: RaftState, lead: Leadership, peer: Progress, index: Index): void {
  if (index > peer.match) {
    peer.match = index;
    lead.commitDirty = true;
    if (peer.next <= index) peer.next = index + 1;
  }
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
}

function rejected(s: RaftState, peer: Progress, m: AppendReply): void {
  if (peer.state === "replicate") {
    // L8: a rejection at or below what matches is a late one. L7: otherwise something was lost on the way.
    if (m.index > peer.match) becomeProbe(peer, peer.match + 1);
    return;
  }
  if (peer.state === "snapshot" || m.index !== peer.next - 1) return;
  // L6: both sides skip whole terms. A hint that would not move us back is a broken one, and costs one step.
  const back = s.log.lastIndexAtMost(m.hint.index, m.hint.term);
  becomeProbe(peer, Math.max(peer.match + 1, Math.min(back + 1, peer.next - 1)));
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

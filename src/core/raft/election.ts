/**
 * Elections: pre-vote, vote, becoming leader, and the checks by which a leader resigns (E1 to E12, P1 to P7).
 * @module
 */
import { invariant } from "../../invariant.ts";
import { memberOf } from "./configuration.ts";
import type { Ticket } from "./effects.ts";
import type { NodeId, PreVote, PreVoteReply, RemovedNotice, RequestVote, RequestVoteReply } from "./message.ts";
import { isBound } from "./lease.ts";
import { createProgress } from "./progress.ts";
import { majority } from "./quorum.ts";
import { appendOwn } from "./replication.ts";
import {
  becomeFollower,
  type Candidacy,
  enterTerm,
  hasLiveLeader,
  isUpToDate,
  type Leadership,
  noteRole,
  type RaftState,
  redrawTimeout,
  rememberVote,
  restartTimer,
  send,
  sendDurable,
} from "./state.ts";

const NO_BODY = new Uint8Array(0);

/** Whether this node may campaign (E6); being told of its removal stops it too (M8). */
export function mayCampaign(s: RaftState): boolean {
  if (s.storageFull || s.removedAt > 0) return false;
  return s.configs.isVoter || s.configs.votesIn(s.configs.committed(s.commit));
}

/** Whether this node is the only voter: nobody needs to be waited for. */
export function isOnlyVoter(s: RaftState): boolean {
  return s.configs.voters.length === 1 && s.configs.isVoter;
}

/** A tick of a node that does not lead. */
export function tickElection(s: RaftState): void {
  s.timer.elapsed++;
  s.timer.sinceLeader++;
  if (s.timer.elapsed < s.timer.timeout || isBound(s)) return;
  if (!mayCampaign(s)) return forgetLeader(s);
  preCampaign(s, `no leader was heard for ${s.timer.elapsed} ticks`);
}

/** A node that may not campaign, a non-voter or a removed one, does not go on naming a leader that it lost. */
function forgetLeader(s: RaftState): void {
  if (s.leader === null) return;
  s.leader = null;
  noteRole(s, `no leader was heard for ${s.timer.elapsed} ticks, and this node may not campaign`);
}

/**
 * The leader's process is gone, as its machine says: no need to wait for silence. This node stops shielding that leader
 * (P2, P4) and campaigns within a quarter of the usual time, drawn so that two nodes that hear it at once seldom collide.
 * Only patience changes here: if the leader lives after all, the others still shield it, and its next word ends this.
 */
export function onRefused(s: RaftState, peer: NodeId): void {
  if (s.part.role === "leader" || s.leader !== peer) return;
  s.timer.sinceLeader = s.options.electionTicks;
  const quarter = Math.max(1, s.options.electionTicks >> 2);
  // A node bound by a lease promise may not campaign before the promise ends (R10).
  const earliest = s.options.lease === undefined ? s.timer.elapsed : Math.max(s.timer.elapsed, s.options.electionTicks);
  s.timer.timeout = Math.min(s.timer.timeout, earliest + 1 + s.rng.u32() % quarter);
}

/** Asks whether an election could be won, before the term is raised (P1). */
export function preCampaign(s: RaftState, why: string): void {
  restartTimer(s);
  s.leader = null;
  const part: Candidacy = { role: "precandidate", votes: new Map(), ownVote: true, ownVoteTicket: 0 };
  s.part = part;
  noteRole(s, why);
  for (const to of s.configs.voters) {
    if (to !== s.id) send(s, { k: "preVote", from: s.id, to, term: s.term + 1, last: s.log.lastId() });
  }
  countVotes(s, part);
}

/** Raises the term and asks for votes; `transfer` when the leader asked for it (T3). */
export function campaign(s: RaftState, transfer: boolean, why: string): void {
  enterTerm(s, s.term + 1);
  restartTimer(s);
  s.vote = s.id;
  // E7: the own vote is worth nothing before it is durable; `ownVote` is set when everything written so far is.
  s.part = { role: "candidate", votes: new Map(), ownVote: false, ownVoteTicket: Infinity };
  noteRole(s, why);
  for (const to of s.configs.voters) {
    if (to === s.id) continue;
    sendDurable(s, { k: "requestVote", from: s.id, to, term: s.term, last: s.log.lastId(), transfer });
  }
}

/** Counts over the voters of the latest configuration; a node outside of it does not count itself (E7, E9). */
export function countVotes(s: RaftState, part: Candidacy): void {
  const voters = s.configs.voters;
  let granted = 0;
  let rejected = 0;
  for (const id of voters) {
    const vote = id === s.id ? (part.ownVote && s.configs.isVoter) || undefined : part.votes.get(id);
    if (vote === true) granted++;
    else if (vote === false) rejected++;
  }
  const needed = majority(voters.length);
  if (granted >= needed) {
    if (part.role === "precandidate") campaign(s, false, "a majority would grant its vote");
    else becomeLeader(s);
  } else if (rejected > voters.length - needed) {
    becomeFollower(s, s.term, "a majority refused its vote");
  }
}

/** The own vote counts from the moment it is durable (E7). */
export function ownVotePersisted(s: RaftState, ticket: Ticket): void {
  const part = s.part;
  if (part.role !== "candidate" || part.ownVote || ticket < part.ownVoteTicket) return;
  part.ownVote = true;
  countVotes(s, part);
}

function becomeLeader(s: RaftState): void {
  invariant(s.leader === null, "two leaders in one term (E11)");
  const start = { last: s.log.last, now: s.timer.now, roundMin: 0 };
  const window = { messages: s.options.inflightMessagesMax, bytes: s.options.inflightBytesMax };
  const peers = s.configs.current.members
    .filter((member) => member.id !== s.id)
    .map((member) => createProgress(member.id, start, window));
  const lead: Leadership = {
    role: "leader",
    firstIndex: s.log.last + 1,
    peers,
    round: 0,
    earlyReads: [],
    reads: [],
    rounds: [],
    isHandedOver: false,
    uncommittedBytes: s.log.bytesBetween(s.commit + 1, s.log.last),
    commitDirty: true,
    heartbeatElapsed: 0,
    quorumElapsed: 0,
    handOvers: 0,
    handOverAt: 0,
  };
  s.part = lead;
  s.leader = s.id;
  s.timer.sinceLeader = 0;
  redrawTimeout(s);
  noteRole(s, "won the election");
  appendOwn(s, lead, "noop", NO_BODY);
}

/** Somebody asks whether it could win (P1, P2): nothing changes here. */
export function onPreVote(s: RaftState, m: PreVote): void {
  if (noticeRemoved(s, m.from)) return;
  const granted = m.term > s.term && isUpToDate(s, m.last) && !hasLiveLeader(s) && !isBound(s);
  send(s, { k: "preVoteReply", from: s.id, to: m.from, term: granted ? m.term : s.term, granted });
}

/** An answer to our pre-vote (P3). */
export function onPreVoteReply(s: RaftState, m: PreVoteReply): void {
  if (!m.granted && m.term > s.term) return becomeFollower(s, m.term, `"${m.from}" is in a higher term`);
  if (s.part.role !== "precandidate" || m.term !== (m.granted ? s.term + 1 : s.term)) return;
  s.part.votes.set(m.from, m.granted);
  countVotes(s, s.part);
}

/** Somebody asks for a vote. */
export function onRequestVote(s: RaftState, m: RequestVote): void {
  if (noticeRemoved(s, m.from)) return;
  // P4: while a leader lives the request is not even seen, or a node that cannot hear it would depose it for ever.
  if (m.term > s.term && hasLiveLeader(s) && !m.transfer) return;
  // R10: also when the term has moved on since the promise.
  if (isBound(s) && !m.transfer) return;
  if (m.term > s.term) becomeFollower(s, m.term, `"${m.from}" campaigns in a higher term`);
  const isFree = s.vote === m.from || (s.vote === null && s.leader === null);
  const granted = m.term === s.term && isFree && isUpToDate(s, m.last);
  if (!granted) return send(s, { k: "requestVoteReply", from: s.id, to: m.from, term: s.term, granted });
  if (s.vote === null) {
    s.vote = m.from;
    s.hardDirty = true;
  }
  restartTimer(s);
  sendDurable(s, { k: "requestVoteReply", from: s.id, to: m.from, term: s.term, granted });
}

/** An answer to our request. */
export function onRequestVoteReply(s: RaftState, m: RequestVoteReply): void {
  if (m.term > s.term) return becomeFollower(s, m.term, `"${m.from}" is in a higher term`);
  if (s.part.role !== "candidate" || m.term !== s.term) return;
  s.part.votes.set(m.from, m.granted);
  if (m.granted) rememberVote(s, m.from);
  countVotes(s, s.part);
}

/** A leader tells a node that it does not know to stop campaigning (M8). True when it did. */
function noticeRemoved(s: RaftState, from: NodeId): boolean {
  if (s.part.role !== "leader") return false;
  const committed = s.configs.committed(s.commit);
  if (memberOf(committed, from) !== undefined || memberOf(s.configs.current, from) !== undefined) return false;
  send(s, { k: "removedNotice", from: s.id, to: from, term: s.term, at: committed.at });
  return true;
}

/** We were removed, says a leader (M8): advice that ends campaigns, and is forgotten when a leader reaches us again. */
export function onRemovedNotice(s: RaftState, m: RemovedNotice): void {
  if (m.at <= s.configs.current.at && memberOf(s.configs.current, s.id) !== undefined) return;
  if (s.part.role === "leader" || s.removedAt >= m.at) return;
  s.removedAt = m.at;
  const why = `"${m.from}" says that the configuration at ${m.at} is without this node`;
  becomeFollower(s, s.term, why);
}

/** Leader: resigns when a majority of voters was not heard for an election timeout (P5). */
export function checkQuorum(s: RaftState, lead: Leadership): void {
  if (++lead.quorumElapsed < s.options.electionTicks) return;
  lead.quorumElapsed = 0;
  let heard = 0;
  for (const id of s.configs.voters) {
    const isHeard = id === s.id ? s.configs.isVoter : lead.peers.some((peer) => peer.id === id && peer.active);
    if (isHeard) heard++;
  }
  for (const peer of lead.peers) peer.active = false;
  if (heard < majority(s.configs.voters.length)) becomeFollower(s, s.term, "a majority of voters is not heard");
}

/** Leader: resigns when its own disk hangs, or its heartbeats would keep a useless leader in office (P6). */
export function checkStorage(s: RaftState): void {
  const issuedAt = s.log.tickets.oldestIssuedAt;
  if (issuedAt === undefined || s.timer.now - issuedAt <= s.options.electionTicks) return;
  becomeFollower(s, s.term, "the disk does not answer");
}

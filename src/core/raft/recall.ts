/**
 * Recall: a node that starts asks the others what it promised them, before it takes part again (B3, L5).
 *
 * A data directory can be an older copy of itself: a restored image, a directory copied back or started elsewhere under the
 * same node id. Such a node lacks entries that it acknowledged, or votes that it cast, and must not go on as if it had not.
 * Its own files cannot tell. The other nodes can, for as long as one of them remembers.
 *
 * Memory. Each node tells all members its {@linkcode Mark}: term, vote, and how far its log will not change any more within
 * that term. A mark leaves after the write that makes it durable, at the next heartbeat interval after a change and once
 * per election timeout. Every node keeps the newest mark of each disk, in memory. It also keeps what it learned as leader
 * (match indexes) and as candidate (votes), so nothing waits for the interval where the leader lives on.
 *
 * Check. A node that starts with a log neither votes nor acknowledges nor campaigns, and takes no snapshot, until
 *
 * (1) it has heard from a majority of voters, itself included, or from a node that leads, and
 * (2) every other member and that leader has answered its question, or its machine said that nothing listens there, or an
 *     election timeout is over. A node of an older version does not answer, but it is heard.
 *
 * It stops with {@linkcode LostEntriesError} when a mark of its own disk names what the disk does not hold; also later, when
 * it hears of one only then, or refuses an append behind what it acknowledged to this very leader, which then tells it. (1) costs no
 * availability: without a majority there is nothing to vote for or to acknowledge. It also keeps a copy inert that runs
 * beside the living original, as answers go to the original's address. (2) makes a node wait for those that remember, but
 * not for ever for a member that is silent.
 *
 * Why comparing terms is enough. The states of one disk form a line, along which the term never falls. A mark of a higher
 * term than the disk's is thus of a later state. A mark of the same term names a vote and entries that do not change again
 * in that term; a disk without them is from before the mark. A disk of a higher term is from after the mark, and entries may
 * have been replaced since, lawfully.
 *
 * Rolling restarts do not erase the memory: an answer holds all marks that the answerer knows, and a node that hears the
 * question tells its own mark again. A single voter that is alone has nobody to ask.
 *
 * Cases that neither this nor any other protocol can detect:
 *
 * - Nobody alive remembers: the cluster has one node; or all others were down at the same time since, as marks are not
 *   written to disk; or what is missing was acknowledged to a leader that died before the next mark was sent.
 * - Whoever remembers cannot be reached, or is silent for longer than (2) waits.
 * - A single voter's directory, copied and started beside the original where no other member answers the copy.
 * @module
 */
import { checkHolds, LostEntriesError } from "./lost_entries.ts";
import { campaignIfAlone } from "./membership.ts";
import type { Mark, Marks, Message, NodeId, Recall } from "./message.ts";
import { majority } from "./quorum.ts";
import { type Check, leadership, type RaftState, rememberMatches, restartTimer, send, sendDurable } from "./state.ts";

/** State that this node does not take back within its term. The disk holds it once all current writes are durable. */
function ownMark(s: RaftState): Mark {
  // A follower's tail behind that may be garbage of an old term, which its leader replaces (L3).
  const index = leadership(s) === undefined ? Math.max(s.commit, s.acknowledged) : s.log.last;
  return {
    storageId: s.storageId,
    term: s.term,
    vote: s.vote,
    entry: { index, term: s.log.termAt(index) ?? 0 },
  };
}

/** A tick's part of a node that takes part: tells its mark. */
export function tickMark(s: RaftState): void {
  if (!s.options.recall || s.timer.now % s.options.heartbeatTicks !== 0) return;
  const mark = ownMark(s);
  if (isTold(s, mark)) return;
  s.toldMark = mark;
  for (const { id } of s.configs.current.members) if (id !== s.id) tell(s, id, mark);
}

/** Whether nobody needs to hear of a mark again in this election timeout. */
function isTold(s: RaftState, mark: Mark): boolean {
  const { electionTicks, heartbeatTicks } = s.options;
  return s.timer.now % electionTicks >= heartbeatTicks && s.toldMark !== undefined && isSame(mark, s.toldMark);
}

/** Ticks until the next one that may tell this node's mark. */
export function ticksToMark(s: RaftState): number {
  if (!s.options.recall) return Infinity;
  const interval = isTold(s, ownMark(s)) ? s.options.electionTicks : s.options.heartbeatTicks;
  return interval - s.timer.now % interval;
}

function isSame(a: Mark, b: Mark): boolean {
  return a.term === b.term && a.vote === b.vote && a.entry.index === b.entry.index;
}

function tell(s: RaftState, to: NodeId, mark: Mark): void {
  sendDurable(s, { k: "marks", from: s.id, to, term: s.term, isAnswer: false, marks: [mark] });
}

/** A node that starts asks what it promised. */
export function onRecall(s: RaftState, m: Recall): void {
  rememberMatches(s);
  send(s, { k: "marks", from: s.id, to: m.from, term: s.term, isAnswer: true, marks: s.marks.all });
  if (s.options.recall && s.check === undefined) tell(s, m.from, ownMark(s));
}

/** Handles the mark of another node, or all marks that it remembers. */
export function onMarks(s: RaftState, m: Marks): void {
  for (const mark of m.marks) {
    if (mark.storageId !== s.storageId) s.marks.add(mark);
    else checkMark(s, mark);
  }
  if (!m.isAnswer || s.check === undefined) return;
  s.check.heard.add(m.from);
  s.check.answered.add(m.from);
  settleCheck(s);
}

/** @throws {LostEntriesError} When this node's disk is older than a mark of it. */
function checkMark(s: RaftState, { term, vote, entry }: Mark): void {
  if (s.term > term) return;
  if (s.term < term) throw LostEntriesError.ofTerm(term, s.term);
  if (vote !== null && s.vote !== vote) throw LostEntriesError.ofVote(vote, term);
  checkHolds(s.log, entry);
}

/** Begins the check, unless there is nobody to ask. */
export function startCheck(s: RaftState): void {
  s.check = { heard: new Set(), answered: new Set(), gone: new Set(), leader: undefined };
  settleCheck(s);
}

/** A tick's part of a node that may be an older copy of itself: asks again. */
export function tickCheck(s: RaftState): void {
  const { check } = s;
  if (check === undefined) return;
  for (const to of asked(s, check)) if (!check.answered.has(to)) ask(s, to);
  settleCheck(s);
}

function ask(s: RaftState, to: NodeId): void {
  send(s, { k: "recall", from: s.id, to, term: s.term });
}

/** All other members, and the leader, which this node's configuration may not know yet. */
function asked(s: RaftState, { leader }: Check): ReadonlySet<NodeId> {
  const ids = new Set(s.configs.current.members.map(({ id }) => id));
  if (leader !== undefined) ids.add(leader);
  ids.delete(s.id);
  return ids;
}

/** Before the check is over, all messages but marks count as lost; it is noted who sent them, and who leads. */
export function whileChecked(s: RaftState, m: Message): void {
  const { check } = s;
  if (check === undefined) return;
  check.heard.add(m.from);
  const isLeaders = m.k === "appendEntries" || m.k === "heartbeat";
  if (isLeaders && m.term >= s.term && check.leader !== m.from) {
    check.leader = m.from;
    if (!check.answered.has(m.from)) ask(s, m.from);
  }
  settleCheck(s);
}

/** Nothing listens at a member's address: a process that starts there later cannot remember. */
export function onGone(s: RaftState, id: NodeId): void {
  s.check?.gone.add(id);
  settleCheck(s);
}

/** Ends the check when all that has to be heard was. */
function settleCheck(s: RaftState): void {
  const { check } = s;
  if (check === undefined) return;
  const { voters, isVoter } = s.configs;
  const heard = voters.filter((id) => id === s.id ? isVoter : check.heard.has(id)).length;
  const hasQuorum = check.leader !== undefined || heard >= majority(voters.length);
  const ids = asked(s, check);
  const hasAll = [...ids].every((id) => check.answered.has(id) || check.gone.has(id));
  if (ids.size > 0 && !(hasQuorum && (hasAll || s.timer.now >= s.options.electionTicks))) return;
  s.check = undefined;
  restartTimer(s);
  campaignIfAlone(s);
}

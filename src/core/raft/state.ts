/**
 * The state of the core, and what every chapter does to it: change term and role, restart timers, queue messages.
 *
 * A node is exactly one of four things, each with its own data:
 *
 *   follower ──timeout──▶ precandidate ──majority──▶ candidate ──majority──▶ leader
 *      ▲                       │                         │                     │
 *      └── higher term, leader of this term, majority of rejections, no quorum ┘
 *
 * Nothing here waits, sends or stores: effects are queued in the outbox until the next drain.
 * @module
 */
import { invariant } from "../../invariant.ts";
import { type ConfigHistory, memberOf } from "./configuration.ts";
import type { Effects, Options, Refusal, Rng, Ticket } from "./effects.ts";
import type { KnownMarks } from "./lost_entries.ts";
import type { Log } from "./log.ts";
import type { EntryId, Index, Mark, NodeId, OutgoingMessage, Term } from "./message.ts";
import type { Progress } from "./progress.ts";

/** A node that asks for (pre-)votes. */
export interface Candidacy {
  /** Which of the two rounds. */
  readonly role: "precandidate" | "candidate";
  /** Answers of the voters, the own one excluded. */
  readonly votes: Map<NodeId, boolean>;
  /** Whether the own vote counts: at once for a pre-vote, once durable for a vote (E7). */
  ownVote: boolean;
  /** Write that makes the own vote durable; Infinity before it has a number. */
  ownVoteTicket: Ticket;
}

/** A read that waits for its round. */
export interface WaitingRead {
  /** The driver's number. */
  readonly ref: number;
  /** Commit index on arrival (R2). */
  readonly index: Index;
  /** First round that confirms it. */
  readonly round: number;
}

/** A leader and what it knows of the others. */
export interface Leadership {
  /** Always this. */
  readonly role: "leader";
  /** Index of the no-op that opened the term: once it is committed the commit index is known to be current (R1, M2a). */
  readonly firstIndex: Index;
  /** Every other member in the order of ids, then those just removed (M9). */
  peers: Progress[];
  /** Newest read round started. */
  round: number;
  /** Reads that arrived before the first commit of this term (R1). */
  earlyReads: number[];
  /** Reads in order of arrival, thus in order of their rounds. */
  reads: WaitingRead[];
  /** Rounds and when they were sent, by the monotonic clock, oldest first; empty where no clock is told (rounds.ts). */
  rounds: { readonly round: number; readonly tick: number; readonly sentMs: number }[];
  /** It has told somebody to campaign: no lease any more in this term (T5). */
  isHandedOver: boolean;
  /** Payload bytes behind the commit index (F5). */
  uncommittedBytes: number;
  /** Something happened that may move the commit index (C2). */
  commitDirty: boolean;
  /** Ticks since the last heartbeat. */
  heartbeatElapsed: number;
  /** Ticks since the last CheckQuorum. */
  quorumElapsed: number;
  /** Times it tried to hand over as its own disk is in trouble, and the tick before which it does not try again. */
  handOvers: number;
  handOverAt: number;
}

/** The role of this node, with the state of that role. */
export type Part = { readonly role: "follower" } | Candidacy | Leadership;

/** A leadership transfer that is asked for (T1 to T6), or that a disk in trouble calls for; it outlives the leadership, to learn who won. */
export interface Transfer {
  /** The node that is to lead. */
  readonly to: NodeId;
  /** Term in which this node leads. */
  readonly term: Term;
  /** Requests that share its fate. */
  readonly refs: number[];
  /** Tick at which it is given up (T4). */
  readonly deadline: number;
  /** Tick of the last timeoutNow, or undefined before the first. */
  sentAt: number | undefined;
}

/** A message and what must be durable before it leaves (O2). */
export interface Queued {
  /** The message. */
  readonly m: OutgoingMessage;
  /** `free`: nothing. `log`: the log up to `index`. `all`: everything written so far. */
  readonly gate: "free" | "log" | "all";
  /** For gate `log`. */
  readonly index: Index;
}

/** Effects on their way to the next drain. */
export interface Outbox {
  /** Messages in the order of their making. */
  send: Queued[];
  /** See {@linkcode Effects.reads}. */
  reads: Effects["reads"][number][];
  /** See {@linkcode Effects.proposals}. */
  proposals: Effects["proposals"][number][];
  /** See {@linkcode Effects.answers}. */
  answers: Effects["answers"][number][];
  /** See {@linkcode Effects.needSnapshot}. */
  needSnapshot: NodeId[];
  /** Why role, term or leader changed last; undefined when none did since the last drain. */
  roleWhy: string | undefined;
}

/** Clocks of a node that does not lead, in ticks. */
export interface Timer {
  /** Ticks taken since boot. */
  now: number;
  /** Ticks since the election timer was restarted (E4). */
  elapsed: number;
  /** Ticks at which an election starts, redrawn at every restart and role change (E5). */
  timeout: number;
  /** Ticks since a leader was heard (P2, P4). */
  sinceLeader: number;
}

/** The nodes heard from by a node that asks for its own promises (recall.ts). */
export interface Check {
  /** Nodes of which anything was heard. */
  readonly heard: Set<NodeId>;
  /** Nodes that answered. */
  readonly answered: Set<NodeId>;
  /** Nodes at whose address nothing listened. */
  readonly gone: Set<NodeId>;
  /** The node that leads this node's term or a higher one, once it was heard. */
  leader: NodeId | undefined;
}

/** Everything the core remembers. */
export interface RaftState {
  /** This node. */
  readonly id: NodeId;
  /** Its disk; the node id where that alone decides. */
  readonly storageId: string;
  /** Present until it is known whether the disk is an older copy of itself: until then this node takes no part. */
  check: Check | undefined;
  /** The known contents of other nodes' disks. */
  readonly marks: KnownMarks;
  /** This node's own mark as last told. */
  toldMark: Mark | undefined;
  /** Highest index acknowledged to a leader of this term. */
  acknowledged: Index;
  /** Timing and limits. */
  readonly options: Options;
  /** Random numbers. */
  readonly rng: Rng;
  /** Metadata of the log. */
  readonly log: Log;
  /** Configurations along the log. */
  readonly configs: ConfigHistory;
  /** Effects that the driver has not taken yet. */
  readonly out: Outbox;
  /** Clocks, in ticks. */
  readonly timer: Timer;
  /** The machine's clocks as last told: the monotonic one, and what the wall clock was ahead at first (R10). */
  clock: { ms: number; readonly skewMs: number } | undefined;
  /** Until then, by the monotonic clock, a promise keeps this node from voting (R10). */
  boundUntilMs: number;
  /** Current term; never falls (E1). */
  term: Term;
  /** The node that this node voted for in this term. */
  vote: NodeId | null;
  /** Term or vote changed since the last drain. */
  hardDirty: boolean;
  /** Leader of this term as far as known. */
  leader: NodeId | null;
  /** The role of this node. */
  part: Part;
  /** Commit index; never falls, never exceeds the last index (C3). */
  commit: Index;
  /** Applied by the state machine. */
  applied: Index;
  /** Running or undecided transfer. */
  transfer: Transfer | undefined;
  /** The disk takes no more writes. */
  storageFull: boolean;
  /** Index of the configuration without this node, when the leader said so (M8); 0 when not. */
  removedAt: Index;
  /** Impossible messages (O9). */
  dropped: number;
}

/** Whether `s` leads. */
export function leadership(s: RaftState): Leadership | undefined {
  return s.part.role === "leader" ? s.part : undefined;
}

/** A timeout from [electionTicks, 2 × electionTicks) (E5). */
export function redrawTimeout(s: RaftState): void {
  const ticks = s.options.electionTicks;
  s.timer.timeout = ticks + (s.rng.u32() % ticks);
}

/** Restarts the election timer, for one of the reasons that E4 lists. */
export function restartTimer(s: RaftState): void {
  s.timer.elapsed = 0;
  redrawTimeout(s);
}

/** Whether a leader was heard within the election timeout: then nobody else is to be elected (P2, P4). */
export function hasLiveLeader(s: RaftState): boolean {
  return s.leader !== null && (s.part.role === "leader" || s.timer.sinceLeader < s.options.electionTicks);
}

/** Whether the disk is full, or has been silent for half an election timeout: the leader is to hand over (P6, D15). */
export function isDiskInTrouble(s: RaftState): boolean {
  const issuedAt = s.log.tickets.oldestIssuedAt ?? s.timer.now;
  return s.storageFull || s.timer.now - issuedAt > s.options.electionTicks / 2;
}

/** Whether (term, index) of another log is at least as new as ours, entries still being written included (E3). */
export function isUpToDate(s: RaftState, last: EntryId): boolean {
  const ownTerm = s.log.lastTerm;
  return last.term > ownTerm || (last.term === ownTerm && last.index >= s.log.last);
}

/** Raises the term, forgetting the vote and the leader of the old one (E1). */
export function enterTerm(s: RaftState, term: Term): void {
  invariant(term > s.term, "the term fell (E1)");
  s.term = term;
  s.vote = null;
  s.leader = null;
  s.acknowledged = 0;
  s.hardDirty = true;
}

/** Notes for the log line that role, term or leader changed. */
export function noteRole(s: RaftState, why: string): void {
  s.out.roleWhy = why;
}

/** Candidate: keeps that a member voted for this node. */
export function rememberVote(s: RaftState, voter: NodeId): void {
  const mark = matchMark(s, voter, 0);
  if (mark !== undefined) s.marks.add({ ...mark, vote: s.id });
}

/** The mark of a member that has acknowledged `match` in this term; undefined for a node that is not a member. */
export function matchMark(s: RaftState, id: NodeId, match: Index): Mark | undefined {
  const storageId = memberOf(s.configs.current, id)?.storageId;
  if (storageId === undefined) return undefined;
  return { storageId, term: s.term, vote: null, entry: { index: match, term: s.log.termAt(match) ?? 0 } };
}

/** Leader: keeps what its peers acknowledged in this term, as its progress is gone with its office. */
export function rememberMatches(s: RaftState): void {
  for (const { id, match } of leadership(s)?.peers ?? []) {
    const mark = match > 0 ? matchMark(s, id, match) : undefined;
    if (mark !== undefined) s.marks.add(mark);
  }
}

/** Becomes a follower of `term`, with no leader until one is heard. */
export function becomeFollower(s: RaftState, term: Term, why: string): void {
  const before = s.part;
  rememberMatches(s);
  if (term > s.term) enterTerm(s, term);
  if (before.role === "leader") {
    refuseReads(s, before, "leadership_lost");
    s.leader = null;
    restartTimer(s);
  } else if (before.role !== "follower") {
    redrawTimeout(s);
  }
  if (before.role !== "follower") s.part = { role: "follower" };
  noteRole(s, why);
}

/** Refuses every read that was not confirmed (R6). */
export function refuseReads(s: RaftState, lead: Leadership, why: Refusal): void {
  for (const ref of lead.earlyReads) s.out.reads.push({ ref, index: null, why });
  for (const { ref } of lead.reads) s.out.reads.push({ ref, index: null, why });
  lead.earlyReads = [];
  lead.reads = [];
}

/** Queues a message that depends on nothing durable. */
export function send(s: RaftState, m: OutgoingMessage): void {
  s.out.send.push({ m, gate: "free", index: 0 });
}

/** Queues a vote or a request for one: it waits for the term, the vote and the log tail (O2, E3). */
export function sendDurable(s: RaftState, m: OutgoingMessage): void {
  s.out.send.push({ m, gate: "all", index: 0 });
}

/** Counts a message that no correct node sends; it changes nothing else (O9). */
export function drop(s: RaftState): void {
  s.dropped++;
}

/** Answers a change, a bootstrap or a transfer with a refusal. */
export function refuse(s: RaftState, ref: number, why: Refusal): void {
  s.out.answers.push({ ref, id: null, why });
}

/** Moves the commit index forward, never back (C3). */
export function commitTo(s: RaftState, index: Index): boolean {
  invariant(index <= s.log.last, "commit index past the last entry (C3)");
  if (index <= s.commit) return false;
  s.commit = index;
  return true;
}

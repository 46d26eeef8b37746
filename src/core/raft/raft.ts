/**
 * The Raft core: a deterministic machine without I/O, clocks or randomness of its own (its rules: RULES.md). Inputs go into
 * `step`, which only changes memory; `drain` returns one merged account of what the driver owes since the last one.
 *
 * Guarantees, to a driver that keeps the ordering contract O1 to O9: there is at most one leader per term; a committed
 * entry is never lost or replaced as long as a majority of voters keeps its disk; a read index covers every write that
 * was acknowledged before the read arrived. Assumptions: messages may be lost, duplicated and delayed, but never
 * forged; `persisted` reports only writes on stable storage; a node that lost its disk comes back with another storage
 * id.
 *
 * The rejected alternative is to return effects from each input. It is as easy to test but costs one disk write per
 * input; draining once per turn gives group commit without a timer.
 *
 * This file dispatches; the chapters are election.ts, replication.ts and follower.ts, rounds.ts, read_index.ts and lease.ts,
 * membership.ts and transfer.ts, over the state in state.ts.
 * @module
 */
import { invariant } from "../../invariant.ts";
import { ConfigHistory } from "./configuration.ts";
import type { BootState, Core, CoreStatus, Effects, Input, Options, Rng, Ticket } from "./effects.ts";
import {
  checkQuorum,
  checkStorage,
  onPreVote,
  onPreVoteReply,
  onRefused,
  onRemovedNotice,
  onRequestVote,
  onRequestVoteReply,
  ownVotePersisted,
  tickElection,
} from "./election.ts";
import { onAppend, onHeartbeat, onSnapshotReceived } from "./follower.ts";
import { currentLease, onClock } from "./lease.ts";
import { KnownMarks } from "./lost_entries.ts";
import { Log } from "./log.ts";
import { campaignIfAlone, onBootstrap, onReconfigure, promoteLearner } from "./membership.ts";
import type { Config, Index, Message } from "./message.ts";
import { isPlausible } from "./message_check.ts";
import { takeMessages, takeWrite } from "./outbox.ts";
import { onPropose } from "./proposal.ts";
import { onRead, serveReads } from "./read_index.ts";
import { onGone, onMarks, onRecall, startCheck, tickCheck, tickMark, ticksToMark, whileChecked } from "./recall.ts";
import {
  advanceCommit,
  heartbeatInterval,
  isAtRest,
  onAppendReply,
  onHeartbeatReply,
  onLinkDown,
  onSnapshotSent,
  onTellCommit,
  sendAppends,
  sendHeartbeats,
  tickPeers,
} from "./replication.ts";
import { confirmedMs, startRound } from "./rounds.ts";
import { becomeFollower, drop, type Leadership, leadership, type RaftState, redrawTimeout } from "./state.ts";
import { handOverInTrouble, onTimeoutNow, onTransfer, settleTransfer, tickTransfer, urgeTarget } from "./transfer.ts";

/** Timing for ticks of 50 ms, and limits for nodes with some hundred MiB of memory. */
export const DEFAULT_OPTIONS: Options = {
  electionTicks: 20,
  heartbeatTicks: 2,
  inflightMessagesMax: 128,
  inflightBytesMax: 8 * 1024 * 1024,
  appendBytesMax: 1024 * 1024,
  entryBytesMax: 64 * 1024 * 1024,
  uncommittedBytesMax: 128 * 1024 * 1024,
  readsMax: 10_000,
};

/** Effects in the making. */
type Draft = { -readonly [Key in keyof Effects]: Effects[Key] };

/** Shared by every drain in which nothing of a kind happened. */
const NONE: readonly never[] = Object.freeze([]);

/**
 * A core in the state that storage found. Where this node is the only voter it campaigns at once: the first drain
 * already has something to do.
 * @throws {RangeError} When the timing options contradict each other.
 */
export function createCore(boot: BootState, options: Options, rng: Rng): Core {
  if (options.heartbeatTicks < 1 || options.electionTicks <= options.heartbeatTicks) {
    throw new RangeError(
      `Cannot start the node as electionTicks must be > heartbeatTicks > 0: current values are ` +
        `${options.electionTicks} and ${options.heartbeatTicks}`,
    );
  }
  return new RaftCore(boot, options, rng);
}

class RaftCore implements Core {
  readonly #state: RaftState;
  #reportedRole: string;
  #reportedConfig: Config;
  #reportedCommit: Index;
  /** Last index handed to the state machine. */
  #applyHanded: Index;

  constructor(boot: BootState, options: Options, rng: Rng) {
    const s = createState(boot, options, rng);
    this.#state = s;
    this.#reportedRole = roleKey(s);
    this.#reportedConfig = s.configs.current;
    this.#reportedCommit = boot.commit;
    this.#applyHanded = boot.applied;
    redrawTimeout(s);
    if (options.recall) startCheck(s);
    else campaignIfAlone(s);
  }

  step(input: Input): void {
    const s = this.#state;
    switch (input.k) {
      case "tick":
        return tick(s);
      case "clock":
        return onClock(s, input.now);
      case "message":
        return receive(s, input.m);
      case "propose":
        return onPropose(s, input.items);
      case "read":
        return onRead(s, input.ref);
      case "reconfigure":
        return onReconfigure(s, input.ref, input.change);
      case "transfer":
        return onTransfer(s, input.ref, input.to);
      case "persisted":
        return persisted(s, input.ticket);
      case "applied":
        invariant(input.index <= this.#applyHanded, "more was applied than was handed out (O5)");
        s.applied = Math.max(s.applied, input.index);
        return;
      case "compacted":
        invariant(input.index <= s.applied, "the log was cut above what is applied (S2)");
        s.log.compact(input.index);
        return s.configs.compact(input.index);
      case "snapshotReceived":
        if (s.check !== undefined) return drop(s);
        onSnapshotReceived(s, input.base, input.config);
        // The entries that it covers are not applied one by one.
        if (s.log.base.index > this.#applyHanded) this.#applyHanded = s.log.base.index;
        return;
      case "snapshotSent":
        return withLeadership(s, (lead) => onSnapshotSent(s, lead, input.peer, input.index));
      case "linkDown":
        return withLeadership(s, (lead) => onLinkDown(lead, input.peer));
      case "tellCommit":
        return withLeadership(s, (lead) => onTellCommit(s, lead, input.peer));
      case "refused":
        onGone(s, input.peer);
        return onRefused(s, input.peer);
      case "storage":
        s.storageFull = input.state === "full";
        return;
      case "bootstrap":
        return onBootstrap(s, input.ref, input.config);
    }
  }

  drain(): Effects {
    const s = this.#state;
    const { out } = s;
    settle(s);
    // Set one by one: most drains have nothing but a message or two, and spreading what is not there costs the most.
    const effects: Draft = { send: NONE, reads: NONE, proposals: NONE, answers: NONE, needSnapshot: NONE };
    const persist = takeWrite(s);
    if (persist !== undefined) effects.persist = persist;
    if (out.send.length > 0) effects.send = takeMessages(s);
    const apply = this.#takeApply();
    if (apply !== undefined) effects.apply = apply;
    s.log.trimSizes(Math.min(s.commit, s.log.durable));
    if (out.reads.length > 0) {
      effects.reads = out.reads;
      out.reads = [];
    }
    if (out.proposals.length > 0) {
      effects.proposals = out.proposals;
      out.proposals = [];
    }
    if (out.answers.length > 0) {
      effects.answers = out.answers;
      out.answers = [];
    }
    if (out.needSnapshot.length > 0) {
      effects.needSnapshot = out.needSnapshot;
      out.needSnapshot = [];
    }
    if (s.clock !== undefined) effects.confirmedMs = confirmedMs(s);
    if (s.options.lease !== undefined) effects.lease = currentLease(s);
    this.#takeChanges(effects);
    return effects;
  }

  /** Entries committed and locally durable (O5); with a truncation in flight `durable` cannot fall below the commit. */
  #takeApply(): Effects["apply"] {
    const to = Math.min(this.#state.commit, this.#state.log.durable);
    if (to <= this.#applyHanded) return undefined;
    const from = this.#applyHanded + 1;
    this.#applyHanded = to;
    return { from, to };
  }

  #takeChanges(effects: Draft): void {
    const s = this.#state;
    if (s.out.roleWhy !== undefined) {
      const key = roleKey(s);
      if (key !== this.#reportedRole) {
        effects.role = { role: s.part.role, term: s.term, leader: s.leader, why: s.out.roleWhy };
        this.#reportedRole = key;
      }
      s.out.roleWhy = undefined;
    }
    if (s.configs.current !== this.#reportedConfig) effects.config = this.#reportedConfig = s.configs.current;
    if (s.commit > this.#reportedCommit) effects.commit = this.#reportedCommit = s.commit;
  }

  get restTicks(): number {
    const s = this.#state;
    const lead = leadership(s);
    if (s.check !== undefined || lead && !isAtRest(s, lead)) return 1;
    const ticks = lead
      ? Math.min(heartbeatInterval(s, lead) - lead.heartbeatElapsed, s.options.electionTicks - lead.quorumElapsed)
      : s.timer.timeout - s.timer.elapsed;
    return Math.max(1, Math.min(ticks, ticksToMark(s)));
  }

  status(): CoreStatus {
    const s = this.#state;
    return {
      id: s.id,
      role: s.part.role,
      term: s.term,
      vote: s.vote,
      leader: s.leader,
      base: s.log.base,
      last: s.log.lastId(),
      commit: s.commit,
      applied: s.applied,
      appliedTerm: s.log.termAt(s.applied) ?? 0,
      durable: s.log.durable,
      epoch: s.log.epoch,
      config: s.configs.current,
      committedConfig: s.configs.committed(s.commit),
      isRemoved: s.removedAt > 0,
      isUnsure: s.check !== undefined,
      marks: s.marks.all,
      ticksSinceLeader: s.part.role === "leader" ? 0 : s.timer.sinceLeader,
      progress: (leadership(s)?.peers ?? []).map((peer) => ({
        id: peer.id,
        state: peer.state,
        match: peer.match,
        next: peer.next,
        active: peer.active,
        ticksSinceHeard: s.timer.now - peer.heardAt,
        inflight: peer.window.count,
      })),
      dropped: s.dropped,
    };
  }
}

function createState(boot: BootState, options: Options, rng: Rng): RaftState {
  invariant(boot.applied <= boot.last.index, "more was applied than the log holds: it lost entries (O5)");
  invariant(
    boot.commit >= boot.applied && boot.commit <= boot.last.index,
    "the commit index lies outside the log (C5)",
  );
  invariant(boot.hard.term >= boot.last.term, "the log is ahead of the term");
  return {
    id: boot.id,
    storageId: boot.storageId ?? boot.id,
    check: undefined,
    marks: new KnownMarks(),
    toldMark: undefined,
    acknowledged: 0,
    options,
    rng,
    log: new Log(boot),
    configs: new ConfigHistory(boot.configs, boot),
    out: { send: [], reads: [], proposals: [], answers: [], needSnapshot: [], roleWhy: undefined },
    // No leader was heard in this life: nothing keeps this node from granting a vote.
    timer: { now: 0, elapsed: 0, timeout: 0, sinceLeader: options.electionTicks },
    clock: undefined,
    boundUntilMs: 0,
    term: boot.hard.term,
    vote: boot.hard.vote,
    hardDirty: false,
    leader: null,
    part: { role: "follower" },
    commit: boot.commit,
    applied: boot.applied,
    transfer: undefined,
    storageFull: false,
    removedAt: 0,
    dropped: 0,
  };
}

function roleKey(s: RaftState): string {
  // `removedAt` is part of what an operator is told (M8).
  return `${s.part.role} ${s.term} ${s.removedAt} ${s.leader ?? ""}`;
}

function withLeadership(s: RaftState, act: (lead: Leadership) => void): void {
  const lead = leadership(s);
  if (lead !== undefined) act(lead);
}

function tick(s: RaftState): void {
  s.timer.now++;
  if (s.check !== undefined) return tickCheck(s);
  tickTransfer(s);
  tickMark(s);
  if (s.part.role !== "leader") return tickElection(s);
  const lead = s.part;
  handOverInTrouble(s, lead);
  checkStorage(s);
  if (leadership(s) === lead) checkQuorum(s, lead);
  if (leadership(s) !== lead) return;
  tickPeers(s, lead);
  promoteLearner(s, lead);
  if (++lead.heartbeatElapsed < heartbeatInterval(s, lead)) return;
  if (s.clock !== undefined) startRound(s, lead);
  sendHeartbeats(s, lead);
}

function persisted(s: RaftState, ticket: Ticket): void {
  // O6: true of the disk whatever the term is now.
  s.log.tickets.persisted(ticket);
  ownVotePersisted(s, ticket);
  withLeadership(s, (lead) => lead.commitDirty = true);
}

function receive(s: RaftState, m: Message): void {
  if (!isPlausible(m, { self: s.id, term: s.term })) return drop(s);
  if (m.k === "recall") return onRecall(s, m);
  if (m.k === "marks") return onMarks(s, m);
  if (s.check !== undefined) return whileChecked(s, m);
  switch (m.k) {
    case "preVote":
      return onPreVote(s, m);
    case "preVoteReply":
      return onPreVoteReply(s, m);
    case "requestVote":
      return onRequestVote(s, m);
    case "requestVoteReply":
      return onRequestVoteReply(s, m);
    case "appendEntries":
      return onAppend(s, m);
    case "heartbeat":
      return onHeartbeat(s, m);
    case "appendReply":
    case "heartbeatReply":
      if (m.term > s.term) return becomeFollower(s, m.term, `"${m.from}" is in a higher term`);
      // O6, L9: an answer to an older term of ours proves nothing in this one.
      if (m.term < s.term) return;
      return withLeadership(
        s,
        (lead) => m.k === "appendReply" ? onAppendReply(s, lead, m) : onHeartbeatReply(s, lead, m),
      );
    case "timeoutNow":
      return onTimeoutNow(s, m);
    case "removedNotice":
      return onRemovedNotice(s, m);
  }
}

/** Does what waits for the end of a turn: commit, reads, transfer, and the appends that tell of them. */
function settle(s: RaftState): void {
  const lead = leadership(s);
  if (lead !== undefined) {
    advanceCommit(s, lead);
    if (leadership(s) === lead) {
      serveReads(s, lead);
      urgeTarget(s, lead);
      sendAppends(s, lead);
    }
  }
  settleTransfer(s);
}

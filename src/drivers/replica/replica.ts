/**
 * Drives the Raft core: carries its effects out under the ordering contract O1 to O9, and nothing
 * else decides when a byte leaves this node.
 *
 * One turn: all waiting inputs are stepped, the core is drained once, then — messages that need no disk go out, the
 * write is handed to the log, what is committed goes to the writer, whoever waits is answered. Proposals that arrive
 * while the disk is busy wait for it and form one batch (F3); everything else is stepped at once.
 *
 * A waiter is told one of three things (X6): the result, when its entry is applied here; `not_committed`,
 * when another entry is applied in its place; nothing more, when neither happens before its time runs out — then the
 * asker says that the outcome is unknown.
 * @module
 */
import { invariant } from "../../invariant.ts";
import type { ConfigChange, Core, Effects, Input, Refusal } from "../../core/raft/effects.ts";
import { LostEntriesError } from "../../core/raft/lost_entries.ts";
import type { Config, Entry, EntryId, Index, Message, NodeId, OutgoingMessage, Term } from "../../core/raft/message.ts";
import { RefusedError } from "../../core/raft/proposal.ts";
import { stampCommand } from "../../core/sql/command.ts";
import { buffersOf } from "../../base/codec/packed.ts";
import { type ApplyEntry, packEntries, type Waiter } from "../../core/sql/exchange.ts";
import type { FromWriter, ToWriter } from "../sqlite/api.ts";
import { EntryTraces, type WriteTrace } from "../../core/traces/entry_traces.ts";
import type { Span } from "../../core/traces/span.ts";
import { ApplyLag, CommitTimes } from "./apply_lag.ts";
import { CommitWaits, PlacedWaiters } from "./waiters.ts";
import { LeaderContact } from "./leader_contact.ts";
import type { LogStore } from "../log/store.ts";
import { readClocks, SpanSource } from "../../base/worker/clock.ts";
import { leaseHolds, NO_LEASE } from "../../base/shared/lease.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import type { Ticker } from "../../base/worker/ticker.ts";

/** Writes are refused while a committed entry has waited for longer than this to be applied. */
const BEHIND_MS = 5000;
/** Payload bytes that may wait to be proposed (F5). */
export const PROPOSAL_BYTES_MAX = 64 * 1024 * 1024;
/** Entries handed to the writer and not yet applied. */
export const APPLY_ENTRIES_MAX = 4096;
/** Payload bytes handed to the writer and not yet applied. */
export const APPLY_BYTES_MAX = 16 * 1024 * 1024;
/** Longest time without a tick. A longer one means that the process was suspended (leader_contact.ts). */
const REST_TICKS_MAX = 4;
/** Entries committed and not yet applied, above which proposals are refused (F5). */
export const UNAPPLIED_ENTRIES_MAX = 20_000;

/** Another node that took a write from a client (relay.ts). */
export interface RemoteAsker {
  readonly peer: NodeId;
  /** Its own number for the write. */
  readonly ref: number;
  /** Present where the write is traced. */
  readonly trace?: WriteTrace | undefined;
}

/** A client of this node. */
export interface LocalAsker extends Waiter {
  /** Present where the write is traced. */
  readonly trace?: WriteTrace | undefined;
}

/** Who wants to know what becomes of a write: a client of this node, or of another one. */
export type Asker = LocalAsker | RemoteAsker;

/** A write that wants its result. */
export interface WaitingProposal<A extends Asker = Asker> {
  readonly body: Uint8Array;
  readonly asker: A;
  /** Present where another node says that the write is traced. */
  readonly traceparent?: string | undefined;
}

/** Why a write has no result; `unknown` is the only case in which it may have happened (X6). */
export type RefusedWhy = Refusal | "not_committed" | "behind" | "unknown";

/** Callbacks of the replica to its surroundings. */
export interface ReplicaEvents {
  /** Sends a message to another node, or drops it. */
  send(message: OutgoingMessage, entries: readonly Entry[]): void;
  /** A write that has no result, and why. */
  refused(asker: Asker, why: RefusedWhy): void;
  /** Writes of other nodes have their places in the log; called before their entries leave. */
  placed(term: Term, places: readonly { readonly asker: RemoteAsker; readonly index: Index }[]): void;
  /** A span of a write that is traced has ended. @default {it is dropped} */
  span?(span: Span): void;
  onRole(role: NonNullable<Effects["role"]>): void;
  onConfig(config: Config): void;
  /** A peer needs entries that the log no longer has. */
  needSnapshot(peer: NodeId): void;
  /** Ticks have passed. */
  ticked(): void;
  /** This node must not go on. */
  fatal(error: Error): void;
  log(line: string): void;
}

/** Entries on their way to the writer. */
interface Post {
  readonly last: Index;
  readonly bytes: number;
  /** The newest command, if there is one: its index, and the leader's clock at it. */
  readonly command: { readonly index: Index; readonly stampMs: number } | undefined;
}

/** The loop around the core. */
export class Replica {
  #isStorageFull = false;
  readonly #maxSteps: number;
  readonly #core: Core;
  readonly #log: LogStore;
  readonly #writer: MessagePort;
  readonly #state: NodeState;
  readonly #events: ReplicaEvents;
  readonly #ticker: Pick<Ticker, "take" | "wakeAfter">;
  #inputs: Input[] = [];
  #turnDue = false;
  #proposals: WaitingProposal[] = [];
  #proposalBytes = 0;
  /** Proposals of the last batch: more than one means that several clients write at once. */
  #lastProposals = 0;
  readonly #asked = new Map<number, Asker>();
  readonly #placed = new PlacedWaiters((waiter) => this.#events.refused(waiter, "not_committed"));
  readonly #commitWaits = new CommitWaits();
  readonly #answers = new Map<number, { resolve(index: Index): void; reject(error: Error): void }>();
  readonly #indexWaits: { readonly index: Index; readonly kind: "commit" | "applied"; resolve(): void }[] = [];
  #gated: { readonly after: number; readonly m: OutgoingMessage }[] = [];
  #nextRef = 1;
  /** Newest ticket that the log has made durable. */
  #persisted = 0;
  #commit: Index;
  #applyTo: Index;
  #posted: Index;
  #applied: Index;
  #postedBytes = 0;
  /** Nothing behind this is handed to the writer. */
  #holdAt: Index = Infinity;
  /** A snapshot is about to take the database's place: nothing is handed to it until then. */
  isInstalling = false;
  #posts: Post[] = [];
  /** Writes that are traced. */
  readonly traces: EntryTraces;
  readonly #lag: ApplyLag;
  readonly #commitTimes: CommitTimes;
  /** When the last batch was proposed, by the monotonic clock. */
  #proposedMs = 0;
  readonly #contact: LeaderContact;
  #stopped = false;
  /** What happened in this life of the node, for `/debug/vars` and `/status`. */
  readonly counters = { num_verify_leader: 0, num_verify_leader_failed: 0 };
  /** When the writer last applied something, wall clock in ms; 0: not in this life. */
  appliedMs = 0;

  /** @param applied Index that the database holds. */
  constructor(
    parts: {
      core: Core;
      log: LogStore;
      writer: MessagePort;
      state: NodeState;
      applied: Index;
      events: ReplicaEvents;
      maxSteps: number;
      ticker: Pick<Ticker, "take" | "wakeAfter">;
      /** Time between two ticks. */
      tickMs: number;
    },
  ) {
    this.#maxSteps = parts.maxSteps;
    this.#core = parts.core;
    this.#log = parts.log;
    this.#writer = parts.writer;
    this.#state = parts.state;
    this.#events = parts.events;
    this.#ticker = parts.ticker;
    this.traces = new EntryTraces(new SpanSource(), (span) => this.#events.span?.(span));
    this.#applied = this.#posted = this.#applyTo = parts.applied;
    const { commit, appliedTerm } = this.#core.status();
    this.#commit = commit;
    this.#state.applied = this.#state.changed = parts.applied;
    this.#state.appliedTerm = appliedTerm;
    this.#state.commit = commit;
    this.#lag = new ApplyLag(parts.applied);
    this.#commitTimes = new CommitTimes(parts.state.counts);
    this.#contact = new LeaderContact(parts.tickMs, Date.now());
    this.#noteCommit();
    this.#schedule(); // a node that is the only voter has something to do before any input comes
  }

  /** The core's picture of itself. */
  status(): ReturnType<Core["status"]> {
    return this.#core.status();
  }

  /** Index that the database holds. */
  get applied(): Index {
    return this.#applied;
  }

  /** Takes an input; the turn comes when the current event is done. */
  input(input: Input): void {
    if (input.k === "storage") this.#isStorageFull = input.state === "full"; // which is refused for that
    this.#inputs.push(input);
    this.#schedule();
  }

  /** Takes messages of one stream, in order; none: the ticks that have passed are stepped. */
  receive(messages: readonly Message[]): void {
    this.#contact.heard(messages, Date.now());
    for (const m of messages) this.#inputs.push({ k: "message", m });
    this.#schedule();
  }

  /** Takes writes; those beyond the limits are refused at once. */
  propose(proposals: readonly WaitingProposal[]): void {
    const unapplied = this.#commit - this.#applied;
    // That nothing was done is a better answer than unknown, which is what would come of waiting.
    const { sinceMs } = this.#lag;
    const isBehind = sinceMs > 0 && Date.now() - sinceMs > BEHIND_MS && !this.#isStorageFull;
    for (const proposal of proposals) {
      if (this.#proposalBytes > PROPOSAL_BYTES_MAX || unapplied > UNAPPLIED_ENTRIES_MAX) {
        this.#events.refused(proposal.asker, "queue_full");
        continue;
      }
      if (isBehind) {
        this.#events.refused(proposal.asker, "behind");
        continue;
      }
      this.#proposals.push(proposal.traceparent === undefined ? proposal : traced(this.traces, proposal));
      this.#proposalBytes += proposal.body.length;
    }
    // Under load the messages that wait behind this one belong into the same batch: they are heard first.
    this.#schedule({ afterOthers: this.#lastProposals > 1 });
  }

  /**
   * Waits for a read index that is applied here; throws the refusal's name.
   * @returns Whether a lease alone vouches for it, which must still hold when the transaction is open (R10).
   */
  async readIndex({ byRound }: { byRound: boolean }): Promise<boolean> {
    const byLease = !byRound && this.hasLease;
    await this.#reached("applied", byLease ? this.#commit : await this.#ask((ref) => ({ k: "read", ref })));
    return byLease;
  }

  /** Has a majority confirm that this node leads; throws the refusal's name. */
  async confirmLeadership(): Promise<void> {
    this.counters.num_verify_leader++;
    try {
      await this.#ask((ref) => ({ k: "read", ref }));
    } catch (error) {
      this.counters.num_verify_leader_failed++;
      throw error;
    }
  }

  /** Whether this node leads by a lease that holds. */
  get hasLease(): boolean {
    return leaseHolds(this.#state.lease, readClocks());
  }

  /** Changes the configuration and waits until the change is committed. */
  async reconfigure(change: ConfigChange): Promise<void> {
    const index = await this.#ask((ref) => ({ k: "reconfigure", ref, change }));
    await this.#reached("commit", index);
  }

  /** Starts a cluster with `config`. */
  async bootstrap(config: Config): Promise<void> {
    await this.#ask((ref) => ({ k: "bootstrap", ref, config }));
  }

  /** Hands leadership over and waits until it is done. */
  async transfer(to?: NodeId): Promise<void> {
    await this.#ask((ref) => to === undefined ? { k: "transfer", ref } : { k: "transfer", ref, to });
  }

  /** Resolves when the database holds `index`. */
  async untilApplied(index: Index): Promise<void> {
    await this.#reached("applied", index);
  }

  #ask(input: (ref: number) => Input): Promise<Index> {
    return new Promise((resolve, reject) => {
      const ref = this.#nextRef++;
      this.#answers.set(ref, { resolve, reject });
      this.input(input(ref));
    });
  }

  #reached(kind: "commit" | "applied", index: Index): Promise<void> {
    const now = kind === "commit" ? this.#commit : this.#applied;
    return now >= index ? Promise.resolve() : new Promise((resolve) => this.#indexWaits.push({ index, kind, resolve }));
  }

  #wake(kind: "commit" | "applied", index: Index): void {
    for (let i = this.#indexWaits.length - 1; i >= 0; i--) {
      const wait = this.#indexWaits[i];
      if (wait.kind !== kind || wait.index > index) continue;
      this.#indexWaits.splice(i, 1);
      wait.resolve();
    }
  }

  #schedule({ afterOthers } = { afterOthers: false }): void {
    if (this.#turnDue) return;
    this.#turnDue = true;
    if (afterOthers) setImmediate(() => this.#turn());
    else queueMicrotask(() => this.#turn());
  }

  #turn(): void {
    this.#turnDue = false;
    if (this.#stopped) return;
    const inputs = this.#inputs;
    this.#inputs = [];
    const ticks = this.#ticker.take();
    if (ticks > 0) this.#contact.ticked(Date.now());
    try {
      // After the inputs were taken: none of them arrived later than this.
      this.#core.step({ k: "clock", now: readClocks() });
      for (let count = 0; count < ticks; count++) this.#core.step({ k: "tick" });
      for (const input of inputs) this.#core.step(input);
    } catch (error) {
      if (!(error instanceof LostEntriesError)) throw error;
      this.#stopped = true; // nothing more leaves this node
      return this.#events.fatal(error);
    }
    if (this.#proposals.length > 0 && !this.#log.busy) this.#stepProposals();
    this.#carryOut(this.#core.drain());
    if (ticks > 0) this.#events.ticked();
    this.#ticker.wakeAfter(this.#log.isAtRest ? Math.min(this.#core.restTicks, REST_TICKS_MAX) : 1);
  }

  #stepProposals(): void {
    const now = Date.now();
    this.#proposedMs = performance.now();
    this.#lastProposals = this.#proposals.length;
    const items = this.#proposals.map(({ body, asker }) => {
      const ref = this.#nextRef++;
      this.#asked.set(ref, asker);
      if (asker.trace) this.traces.proposed(asker.trace);
      stampCommand(body, { timeMs: now, seed: { hi: randomWord(), lo: randomWord() }, maxSteps: this.#maxSteps });
      return { ref, body };
    });
    this.#proposals = [];
    this.#proposalBytes = 0;
    this.#core.step({ k: "propose", items });
  }

  #carryOut(effects: Effects): void {
    if (effects.commit !== undefined) {
      this.#commit = effects.commit;
      this.#state.commit = effects.commit;
      this.#noteCommit();
      if (this.#commitTimes.isDue(effects.commit)) this.#commitTimes.committed(effects.commit, performance.now());
      this.#wake("commit", effects.commit);
      for (const peer of this.#commitWaits.due(effects.commit)) this.input({ k: "tellCommit", peer });
    }
    this.#state.confirmedMs = effects.confirmedMs ?? 0;
    if (effects.lease) this.#state.lease = effects.lease;
    if (effects.config) {
      this.#log.setConfig(effects.config);
      this.#events.onConfig(effects.config);
    }
    if (effects.persist?.install) {
      invariant(!this.isInstalling, "one snapshot takes the database's place at a time");
      this.isInstalling = true;
    }
    if (effects.persist) this.#log.persist(effects.persist); // entries are in the log's memory from here on
    if (effects.proposals.length > 0) this.#placeAll(effects.proposals);
    if (!this.traces.isIdle) traceEffects(this.traces, effects);
    for (const { m, after } of effects.send) {
      if (after === 0) this.#send(m);
      else this.#gated.push({ after, m });
    }
    for (const answer of [...effects.answers, ...effects.reads]) this.#answer(answer);
    if (effects.role) this.#setRole(effects.role);
    const contactMs = this.#contact.committed(this.#state.term, this.#commit);
    if (contactMs !== undefined) this.#state.leaderContactMs = contactMs;
    for (const peer of effects.needSnapshot) this.#events.needSnapshot(peer);
    if (effects.apply) {
      const { from, to } = effects.apply;
      invariant(from === this.#applyTo + 1, `entries ${from} to ${to} are applied behind entry ${this.#applyTo}`);
      invariant(to <= this.#commit, `entry ${to} is applied only once it is committed (${this.#commit})`);
      this.#applyTo = to;
      this.#pumpApply();
    }
  }

  #noteCommit(): void {
    this.#lag.committed(this.#commit, Date.now());
    this.#state.waitingSinceMs = this.#lag.sinceMs;
  }

  #noteApplied(): void {
    if (!this.traces.isIdle) this.traces.applied(this.#applied);
    this.#state.applied = this.#applied;
    this.#lag.applied(this.#applied);
    this.#state.waitingSinceMs = this.#lag.sinceMs;
  }

  #send(m: OutgoingMessage): void {
    if (m.k !== "appendRange" || m.last <= m.prev.index) return this.#events.send(m, []);
    const entries = this.#log.read(m.prev.index + 1, m.last, Infinity);
    this.#events.send(m, entries);
  }

  #placeAll(proposals: Effects["proposals"]): void {
    const places: { asker: RemoteAsker; index: Index }[] = [];
    let term = 0;
    let last = 0;
    let placed = 0;
    for (const { ref, id, why } of proposals) {
      if (id) last = id.index;
      if (id) placed++;
      const asker = this.#asked.get(ref);
      this.#asked.delete(ref);
      if (!asker) continue;
      if (!id) this.#events.refused(asker, why ?? "not_leader");
      else if ("peer" in asker) {
        if (asker.trace) this.traces.placed(asker.trace, id.index, id.term);
        places.push({ asker, index: id.index });
        this.#commitWaits.add(asker.peer, id.index);
        term = id.term;
      } else this.place(asker, id);
    }
    if (placed > 0) this.#commitTimes.proposed(placed, last, this.#proposedMs);
    if (places.length === 0) return;
    // Set before anybody can hear of it: who reads here then waits for it (app/database/freshness.ts).
    this.#state.placedElsewhere = places[places.length - 1].index;
    this.#events.placed(term, places);
  }

  /** The entry with a client's write has a place: its result is that of the entry, when it is applied. */
  place(waiter: LocalAsker, id: EntryId): void {
    if (waiter.trace) this.traces.placed(waiter.trace, id.index, id.term);
    if (id.index <= this.#posted) this.#events.refused(waiter, "unknown"); // it came with a snapshot
    else this.#placed.add(waiter, id);
  }

  #answer(
    answer:
      & { readonly ref: number; readonly why?: Refusal }
      & ({ readonly id: { index: Index } | null } | { readonly index: Index | null }),
  ): void {
    const waiting = this.#answers.get(answer.ref);
    this.#answers.delete(answer.ref);
    const index = "id" in answer ? answer.id?.index : answer.index;
    if (answer.why !== undefined) waiting?.reject(new RefusedError(answer.why));
    else waiting?.resolve(index ?? 0);
  }

  #setRole(role: NonNullable<Effects["role"]>): void {
    const isNew = role.role !== this.#state.role || role.term !== this.#state.term;
    if (role.role === "candidate" && isNew) this.#state.counts.noteElection();
    if (role.role === "leader" && isNew) this.#state.counts.noteWon();
    if (role.role !== "leader") this.#commitTimes.clear();
    this.#state.role = role.role;
    this.#state.term = role.term;
    this.#state.leaderKnown = role.leader !== null;
    this.#events.onRole(role);
  }

  /** The log's word that a ticket is durable. */
  persisted(ticket: number): void {
    invariant(ticket >= this.#persisted, `write ${ticket} is not durable before write ${this.#persisted}`);
    this.#persisted = ticket;
    if (!this.traces.isIdle) this.traces.persisted(ticket);
    const due = this.#gated.filter((message) => message.after <= ticket);
    if (due.length > 0) {
      this.#gated = this.#gated.filter((message) => message.after > ticket);
      for (const { m } of due) this.#send(m);
    }
    this.input({ k: "persisted", ticket });
  }

  /**
   * Hands nothing behind `index` to the writer until {@linkcode Replica.release}.
   * @returns false when the writer has more than that already.
   */
  hold(index: Index): boolean {
    if (this.#posted > index) return false;
    this.#holdAt = index;
    return true;
  }

  /** Ends a hold. */
  release(): void {
    this.#holdAt = Infinity;
    this.#pumpApply();
  }

  /** Hands committed entries to the writer, as many as may be under way. */
  #pumpApply(): void {
    const end = Math.min(this.#applyTo, this.#holdAt);
    while (
      !this.isInstalling && this.#posted < end && this.#posted - this.#applied < APPLY_ENTRIES_MAX &&
      this.#postedBytes < APPLY_BYTES_MAX
    ) {
      const from = this.#posted + 1;
      const to = Math.min(end, this.#applied + APPLY_ENTRIES_MAX);
      const entries = this.#log.read(from, to, APPLY_BYTES_MAX);
      let bytes = 0;
      const out: ApplyEntry[] = entries.map(({ index, term, kind, body }) => {
        bytes += body.length;
        const waiter = this.#placed.take(index, term);
        return waiter ? { index, term, kind, body, waiter } : { index, term, kind, body };
      });
      this.#posted = entries[entries.length - 1].index;
      const stamped = entries.findLast((entry) => entry.kind === "command");
      const command = stamped && { index: stamped.index, stampMs: stampOf(stamped.body) };
      this.#posts.push({ last: this.#posted, bytes, command });
      this.#postedBytes += bytes;
      const message: ToWriter = { k: "apply", entries: packEntries(out) };
      this.#writer.postMessage(message, buffersOf(message.entries.bodies));
    }
  }

  /** A question that is not part of the log. */
  askWriter(question: Exclude<ToWriter, { k: "apply" }>): void {
    this.#writer.postMessage(question);
  }

  /** The writer's word that a COMMIT is done. */
  appliedByWriter({ index, term }: Extract<FromWriter, { k: "applied" }>): void {
    if (index < this.#applied) return; // said before a snapshot took the database's place
    invariant(index <= this.#posted, `the writer applies no more than it was handed: ${index} of ${this.#posted}`);
    this.#applied = index;
    this.appliedMs = Date.now();
    this.#noteApplied();
    this.#state.appliedTerm = term;
    while (this.#posts.length > 0 && this.#posts[0].last <= index) this.#settle(this.#posts.shift());
    this.#core.step({ k: "applied", index });
    this.#wake("applied", index);
    this.#pumpApply();
  }

  #settle(post: Post | undefined): void {
    if (post === undefined) return;
    this.#postedBytes -= post.bytes;
    if (post.command === undefined) return;
    this.#state.leaderAppendedMs = post.command.stampMs;
    this.#state.changed = post.command.index;
  }

  /** A snapshot has taken the database's place: it holds `index`. What waited for entries below will not be told more. */
  installed(index: Index): void {
    this.isInstalling = false;
    this.#applied = this.#posted = this.#state.changed = index;
    this.#applyTo = Math.max(this.#applyTo, index);
    this.#posts = [];
    this.#postedBytes = 0;
    this.#noteApplied();
    this.#state.appliedTerm = this.#core.status().appliedTerm;
    this.#placed.forgetUpTo(index);
    this.#wake("applied", index);
    this.#pumpApply();
  }

  /** Nothing is carried out any more. */
  stop(): void {
    this.#stopped = true;
    this.#state.lease = NO_LEASE;
    this.#state.role = "follower";
  }
}

/** What is written now was placed before, here or by the leader. */
function traceEffects(traces: EntryTraces, { persist, commit }: Effects): void {
  const last = persist?.append.at(-1);
  if (persist && last) traces.written(last.index, persist.ticket);
  if (commit !== undefined) traces.committed(commit);
}

function traced(traces: EntryTraces, { body, asker, traceparent }: WaitingProposal): WaitingProposal {
  return { body, asker: { ...asker, trace: traces.begin(traceparent) } };
}

function randomWord(): number {
  return Math.random() * 0x1_0000_0000 >>> 0;
}

/** The leader's clock, in ms, at the front of a stamped command. */
function stampOf(body: Uint8Array): number {
  return body.length < 8 ? 0 : new DataView(body.buffer, body.byteOffset, 8).getFloat64(0);
}

/**
 * A simulated node: a real core, and the driver of O1 to O9 over a simulated disk.
 * @module
 */
import { decodeConfig, EMPTY_CONFIG } from "../../src/core/raft/configuration.ts";
import type { BootState, Core, Effects, Input, LeaseOptions, Options } from "../../src/core/raft/effects.ts";
import type { Config, Entry, Index, Message, NodeId, OutgoingMessage, Term } from "../../src/core/raft/message.ts";
import { LostEntriesError } from "../../src/core/raft/lost_entries.ts";
import { createCore } from "../../src/core/raft/raft.ts";
import { type Lease, NO_LEASE } from "../../src/base/shared/lease.ts";
import { type Checker, SimFailure } from "./checker.ts";
import type { Clocks } from "./clocks.ts";
import type { Coverage } from "./coverage.ts";
import { applyWrite, type Disk, type Snapshot, type Write } from "./disk.ts";
import { DiskError, type DiskWorld, SimDisk } from "./files.ts";
import type { Machine } from "./machine.ts";
import { type LogSizes, NodeLog, Stopped, stopReason } from "./node_log.ts";
import type { Random } from "../harness/random.ts";
import type { Reads } from "./reads.ts";

/** The parts of the world around a node that it uses. */
export interface World {
  /** Counts rare situations. */
  readonly coverage: Coverage;
  /** The reads of clients. */
  readonly reads: Reads;
  /** Tells the time. */
  readonly clocks: Clocks;
  /** Takes a message off the node's hands. */
  send(from: SimNode, m: Message): void;
  /** Starts a write; the world calls {@linkcode SimNode.written} when it is durable. */
  write(node: SimNode): void;
  /** Entries were handed to the state machine; the world calls {@linkcode SimNode.appliedTo}. */
  apply(node: SimNode, to: Index): void;
  /** A change or transfer was answered. */
  answered(node: SimNode, answer: Effects["answers"][number]): void;
  /** A peer needs a snapshot; the world answers with a `snapshotSent` input. */
  snapshot(from: SimNode, to: NodeId): void;
  /** Something for the core of a node. */
  input(node: SimNode, input: Input): void;
  /** Whether the state machines are the real ones. */
  readonly isSqlite: boolean;
  /** An empty state machine. */
  machine(): Machine;
  /** Time for the disk of a node that has the real log. */
  diskWorld(node: SimNode): DiskWorld;
  /** A node is sure of its disk: it takes part from now on. */
  accepted(node: SimNode): void;
  /** The process of a node ends by itself: its disk failed, or holds damage. */
  ends(node: SimNode, error: DiskError | Stopped): void;
  /** One line for a person. */
  note(node: SimNode, text: () => string): void;
}

/** One node; survives its crashes as its disk does. */
export class SimNode {
  /** Process starts so far: what a later one must not see of an earlier one carries this number (O8). */
  incarnation = 0;
  /** The running core. */
  core: Core | undefined;
  /** The log in memory: what the core believes, durable or not. */
  log: Entry[] = [];
  /** Configuration in force. */
  config: Config = EMPTY_CONFIG;
  /** Role and term of the last report. */
  role: NonNullable<Effects["role"]> | undefined;
  /** Last commit index reported. */
  commit: Index = 0;
  /** Lease as last reported. */
  lease: Lease = NO_LEASE;
  /** The promise of this process (R10). */
  promise: LeaseOptions | undefined;
  /** Inputs that wait for the next turn. */
  inbox: Input[] = [];
  /** A turn is scheduled. */
  turnDue = false;
  /** Last index the state machine has. */
  applied: Index = 0;
  /** It stands still: inputs gather, and what the disk answers waits. */
  isFrozen = false;
  /** The calls that wait. */
  readonly late: (() => void)[] = [];
  /** The state machine that entries are applied to. */
  #machine: Machine | undefined;
  /** Newest incarnation of each sender that was heard. */
  readonly heard = new Map<NodeId, number>();
  /** Storage id under which each node is known here: connections end at a disk, not at a name (B2). */
  readonly storageIds = new Map<NodeId, string>();
  /** Snapshots being sent: their logs must go on where they end (S6). */
  readonly pins = new Map<NodeId, Index>();
  /** Members of which this process was told that nothing listens at their address. */
  readonly refused = new Set<NodeId>();
  /** Processes that took part when this one started, by node. */
  readonly witnesses = new Map<NodeId, number>();
  /** Virtual time at which it was last proposed as a member. */
  addedAt = 0;
  /** The real log, where the disk has files. */
  #files: NodeLog | undefined;
  /** The log has a snapshot that the state machine has not yet. */
  #isInstalling = false;
  /** It asks what it promised, and takes no part yet. */
  #isUnsure = false;
  #gated: { readonly m: OutgoingMessage; readonly after: number }[] = [];
  #waiting = new Map<Index, Term>();
  /** Ticks until the next one that may have work to do, as the core said. */
  #restTicks = 1;

  constructor(
    readonly id: NodeId,
    public disk: Disk,
    private readonly world: World,
    private readonly checker: Checker,
  ) {}

  /**
   * Starts the process from what the disk holds.
   * @throws {Stopped} When that is damaged, as it may be.
   */
  boot(options: Options, random: Random, sizes: LogSizes | undefined): void {
    const disk = this.disk;
    this.incarnation++;
    this.applied = disk.applied;
    this.#files = this.#openLog(sizes, random);
    this.log = disk.entries.slice();
    if (this.applied !== disk.applied) this.#dropMachine(); // an installation was finished
    this.applied = disk.applied;
    this.#isInstalling = false;
    if (this.#machine === undefined) {
      this.#machine = this.world.machine();
      this.#machine.apply(this.log.slice(0, disk.applied), this.#onDigest);
    }
    const boot = this.#files?.bootState(this.id) ?? bootState(this.id, disk, this.log);
    this.pins.clear();
    this.storageIds.clear();
    this.heard.clear();
    this.refused.clear();
    this.#configure(boot.configs.at(-1) ?? EMPTY_CONFIG);
    this.commit = boot.commit;
    this.role = undefined;
    this.promise = options.lease;
    this.core = createCore(boot, options, random);
    this.#restTicks = 1;
    this.#isUnsure = true;
    this.#noteSure();
  }

  #noteSure(): void {
    if (!this.#isUnsure || this.core?.status().isUnsure) return;
    this.#isUnsure = false;
    this.world.accepted(this);
  }

  #dropMachine(): void {
    this.#machine?.close();
    this.#machine = undefined;
  }

  /** An empty disk takes the place of what the node had; it must not run. */
  replaceDisk(disk: Disk): void {
    this.disk = disk;
    this.#dropMachine();
  }

  /** An older content takes the place of what its disk holds; it must not run. */
  restoreDisk(image: Disk): void {
    this.disk.restore(image);
    this.#dropMachine();
  }

  /** I15. */
  readonly #onDigest = (index: Index, digest: number): void => this.checker.digested(this.id, index, digest);

  #openLog(sizes: LogSizes | undefined, random: Random): NodeLog | undefined {
    const { files } = this.disk;
    if (files === undefined || sizes === undefined) return undefined;
    const { world } = this;
    const disk = new SimDisk(files, world.diskWorld(this), random);
    const log = new NodeLog(this.id, this.disk, {
      disk,
      sizes,
      events: {
        onPersisted: (ticket) => this.#persisted(ticket),
        onSpace: (state) => {
          if (state === "full") world.coverage.hit("log out of space");
          // Not within the turn in which it is found out.
          world.diskWorld(this).pause(0, () => world.input(this, { k: "storage", state }));
        },
        onInstall: (base) => ({
          then: (done) => {
            world.diskWorld(this).later(() => {
              this.#adopt(base.index);
              done();
            });
          },
        }),
        onFatal: (error) => {
          if (error.message.includes("reading it once more")) {
            world.coverage.hit("damage found by reading the log again");
          }
          if (!(error instanceof DiskError)) return world.ends(this, stopReason(error, files));
          world.coverage.hit(error.during === "sync" ? "node ended by a failed sync" : "node ended by a failed write");
          world.ends(this, error);
        },
        log: (line) => {
          if (line.startsWith("cut ")) world.coverage.hit("torn tail cut");
          world.note(this, () => line);
        },
      },
    });
    const pending = this.disk.pending.slice();
    const kept = log.reconcile(() => this.#complete());
    world.coverage.crashed(this, pending, kept);
    this.disk.pending.length = 0;
    return log;
  }

  /** Kills the process. A prefix of the writes under way reaches the disk, the rest is lost; of files, see there. */
  crash(random: Random, { isPowerLost = true } = {}): void {
    this.core = undefined;
    this.lease = NO_LEASE;
    const { disk } = this;
    if (disk.files !== undefined) {
      if (isPowerLost) this.world.coverage.lostPower(disk.files.losePower(random));
    } else {
      const kept = random.below(disk.pending.length + 1);
      this.world.coverage.crashed(this, disk.pending, kept);
      for (let count = 0; count < kept; count++) this.#complete();
      disk.pending.length = 0;
    }
    this.#files = undefined;
    this.isFrozen = false;
    this.late.length = 0;
    // The state machine syncs lazily: any suffix may be gone (O5 keeps it within the log).
    this.disk.applied = random.between(this.disk.applied, Math.max(this.disk.applied, this.applied));
    // To apply a log anew takes the real state machine long.
    if (this.world.isSqlite && random.chance(0.7)) this.disk.applied = this.applied;
    if (this.disk.applied !== this.applied) this.#dropMachine();
    if (this.disk.applied < this.applied) this.world.coverage.hit("applied entries lost at crash");
    this.inbox = [];
    this.turnDue = false;
    this.#gated = [];
    this.#waiting.clear();
  }

  #complete(): Write | undefined {
    const before = this.disk.hard;
    const write = this.disk.complete();
    this.checker.hardWritten(this.id, before, this.disk.hard);
    return write;
  }

  /** A tick of the process's clock: the log hears of it first, then the core. */
  tick(): Input {
    if (this.#files?.tick()) this.world.coverage.hit("last batch sealed");
    return { k: "tick" };
  }

  /** Steps what has gathered and carries out one drain. */
  turn(): void {
    const core = this.core;
    if (core === undefined) return;
    const inbox = this.inbox;
    this.inbox = [];
    this.turnDue = false;
    if (this.promise !== undefined) core.step({ k: "clock", now: this.world.clocks.read(this) });
    for (const input of inbox) {
      if (!this.#step(core, input)) return;
      if (input.k === "persisted") this.#release(input.ticket);
    }
    this.#noteSure();
    const effects = core.drain();
    if (inbox.length > 0 && inbox.length < this.#restTicks && inbox.every(({ k }) => k === "tick")) {
      this.#restTicks -= inbox.length;
      this.checker.rested(this.id, effects);
    } else this.#restTicks = core.restTicks;
    this.world.coverage.drained(this, effects);
    this.#carryOut(effects);
  }

  /** @returns Whether the core goes on: one that finds out that its disk is an old one does not (B3, I16). */
  #step(core: Core, input: Input): boolean {
    if (input.k === "refused") this.refused.add(input.peer);
    try {
      core.step(input);
      return true;
    } catch (error) {
      if (!(error instanceof LostEntriesError) || !this.disk.isRestored) throw error;
      this.world.coverage.hit("restored old disk noticed");
      this.world.ends(this, new Stopped(error.message));
      return false;
    }
  }

  #carryOut(effects: Effects): void {
    const { persist, apply, role, config, commit, needSnapshot } = effects;
    const before = this.role;
    const previousConfig = this.config.at;
    this.lease = effects.lease ?? NO_LEASE;
    if (config !== undefined) this.#files?.setConfig(config);
    if (persist !== undefined) this.#persist(persist);
    if (config !== undefined) this.#configure(config);
    if (role !== undefined) {
      this.role = role;
      this.world.note(this, () => `${role.role} term ${role.term} leader ${role.leader}: ${role.why}`);
      if (role.role === "leader") {
        this.checker.elected(this.id, role.term, this.log);
        this.world.reads.elected(this, role.term);
      }
    }
    if (commit !== undefined) {
      const led = role === undefined && before?.role === "leader" ? before : undefined;
      const leader = led && { term: led.term, config: this.config };
      this.checker.committed({ id: this.id, log: this.log }, { from: this.commit + 1, to: commit }, leader);
      this.commit = commit;
      this.world.note(this, () => `commit ${commit}`);
    }
    if (persist !== undefined && role === undefined && before?.role === "leader") {
      for (const entry of persist.append) {
        if (entry.kind !== "config") continue;
        this.checker.reconfigured(this, { entry, previous: previousConfig, commit: this.commit });
      }
    }
    if (apply !== undefined) this.world.apply(this, apply.to);
    if (needSnapshot.length > 0) { for (const peer of needSnapshot) this.world.snapshot(this, peer); }
    if (effects.send.length > 0) this.#sendAll(effects.send);
    if (effects.proposals.length + effects.reads.length + effects.answers.length > 0) this.#answer(effects);
  }

  #sendAll(messages: Effects["send"]): void {
    for (const { m, after } of messages) {
      if (after === 0) this.#emit(m);
      else this.#gated.push({ m, after });
    }
  }

  #answer({ proposals, reads, answers }: Effects): void {
    for (const { id } of proposals) if (id !== null) this.#waiting.set(id.index, id.term);
    for (const { ref, index } of reads) this.world.reads.done(this, ref, index);
    for (const answer of answers) this.world.answered(this, answer);
  }

  /** A member that is removed keeps its entry: the leader still talks to it for a while (M9). */
  #configure(config: Config): void {
    this.config = config;
    for (const { id, storageId } of config.members) this.storageIds.set(id, storageId);
  }

  #persist(effect: NonNullable<Effects["persist"]>): void {
    const base = effect.install?.base;
    const snapshot = base && this.disk.staged.findLast((one) => one.base.index === base.index);
    const write: Write = snapshot ? { ...effect, snapshot } : effect;
    if (snapshot) this.checker.installed(this.id, snapshot);
    applyWrite(this.log, write);
    this.checker.appended(this.id, this.log, write.append);
    this.disk.pending.push(write);
    if (snapshot) this.#isInstalling = true;
    if (this.#files === undefined) return this.world.write(this);
    this.#files.persist(write);
  }

  /** The oldest write is durable; a snapshot takes the place of the state machine with it. */
  written(): Input | undefined {
    const write = this.#complete();
    if (write?.snapshot) this.#adopt(write.snapshot.base.index);
    return write && { k: "persisted", ticket: write.ticket };
  }

  /** The real log's word. */
  #persisted(ticket: number): void {
    const { pending } = this.disk;
    while (pending.length > 0 && pending[0].ticket <= ticket) this.#complete();
    this.world.input(this, { k: "persisted", ticket });
  }

  /** A snapshot takes the place of the state machine. */
  #adopt(index: Index): void {
    const snapshot = this.disk.staged.findLast(({ base }) => base.index === index);
    if (snapshot === undefined) throw new SimFailure(`S8: ${this.id} has no copy of ${index} to install`);
    // Its log begins anew: what it was sending in an earlier term does not lead up to it.
    this.pins.clear();
    this.#isInstalling = false;
    this.applied = this.disk.applied = index;
    this.#machine?.close();
    this.#machine = snapshot.restore();
    this.disk.staged = this.disk.staged.filter(({ base }) => base.index > index);
    for (const at of this.#waiting.keys()) if (at <= index) this.#waiting.delete(at);
  }

  /** A copy of what is applied, with the configuration in force there (S1, A18). */
  copy(): Snapshot {
    const prefix = this.log.slice(0, this.applied);
    const entry = prefix.findLast(({ kind }) => kind === "config");
    const config = entry ? decodeConfig(entry.body, entry.index) : EMPTY_CONFIG;
    if (!this.#isInstalling) {
      const at = this.#files?.configAt(this.applied).at ?? config.at;
      if (at !== config.at) {
        throw new SimFailure(`S1: the log of ${this.id} names the configuration of ${at} instead of ${config.at}`);
      }
    }
    const base = { index: this.applied, term: prefix.at(-1)?.term ?? 0 };
    const machine = this.#machine ?? this.world.machine();
    return { base, config, restore: machine.freeze(prefix), prefix };
  }

  /** A snapshot has arrived whole. */
  stage(snapshot: Snapshot): Input {
    this.disk.staged.push(snapshot);
    return { k: "snapshotReceived", base: snapshot.base, config: snapshot.config };
  }

  /** A checkpoint, and the log cut behind it, `trailing` entries short of it (S2), or at the next whole segment. */
  compact(trailing: number, { isRotating }: { isRotating: boolean }): void {
    this.disk.applied = Math.max(this.disk.applied, this.applied);
    const wanted = this.disk.applied - trailing;
    if (!isRotating || this.#files === undefined) return this.#cut(wanted);
    this.#files.rotate(() => this.#cut(wanted));
  }

  #cut(wanted: Index): void {
    const { disk } = this;
    const index = Math.min(wanted, ...this.pins.values());
    if (index <= disk.base.index) return;
    const base = this.#files === undefined ? { index, term: disk.entries[index - 1].term } : this.#files.cut(index);
    if (base === undefined) return;
    this.checker.compacted(this.id, disk, base.index);
    disk.base = base;
    this.world.input(this, { k: "compacted", index: base.index });
    this.world.note(this, () => `cuts its log at ${base.index}`);
  }

  #release(ticket: number): void {
    const waiting = this.#gated;
    let count = 0;
    while (count < waiting.length && waiting[count].after <= ticket) this.#emit(waiting[count++].m);
    if (count > 0) this.#gated = waiting.slice(count);
  }

  #emit(m: OutgoingMessage): void {
    this.checker.leaving(this.disk, m);
    if (m.k !== "appendRange") return this.world.send(this, this.#withPromise(m));
    // The driver does the same: a range of an older epoch may name replaced entries, so it is lost.
    if (this.core?.status().epoch !== m.epoch) return;
    const { from, to, term, prev, commit, round } = m;
    this.checker.sending(this.id, this.disk, prev.index);
    const entries = this.#read(prev.index + 1, m.last);
    if (entries === undefined) return;
    this.world.send(this, { k: "appendEntries", from, to, term, prev, entries, commit, round });
  }

  /** A process's promise is part of its replies, whichever way it was told. */
  #withPromise(m: Exclude<OutgoingMessage, { k: "appendRange" }>): Message {
    const isReply = m.k === "appendReply" || m.k === "heartbeatReply";
    return isReply && this.promise !== undefined ? { ...m, promiseMs: this.promise.promiseMs } : m;
  }

  /** Something for its core. */
  input(input: Input): void {
    this.world.input(this, input);
  }

  /** Entries `from … to`; undefined where the node ends, as they are damaged. */
  #read(from: Index, to: Index): readonly Entry[] | undefined {
    if (this.#files === undefined || from > to) return this.log.slice(from - 1, to);
    try {
      return this.#files.read(from, to);
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      this.world.ends(this, error);
      return undefined;
    }
  }

  /** The state machine has applied up to `to`. */
  appliedTo(to: Index): void {
    // Handed out before a snapshot took its place.
    if (to > this.log.length || this.#isInstalling && this.#files !== undefined) return;
    const entries = this.#read(this.applied + 1, to) ?? [];
    for (const entry of entries) {
      this.checker.applied(this.id, this.disk, entry, this.applied);
      this.applied = entry.index;
      const term = this.#waiting.get(entry.index);
      if (term === undefined) continue;
      this.#waiting.delete(entry.index);
      // X1: the same term means that it is the very entry that was proposed here.
      if (term === entry.term) this.checker.acknowledged(entry);
    }
    this.#machine?.apply(entries, this.#onDigest);
  }

  /** It goes on with what has gathered. */
  thaw(): void {
    this.isFrozen = false;
    for (const then of this.late.splice(0)) then();
    if (this.inbox.length > 0) this.turn();
  }
}

function bootState(id: NodeId, disk: Disk, log: readonly Entry[]): BootState {
  const terms: { first: Index; term: Term }[] = [];
  const configs: Config[] = [];
  for (const entry of disk.entries) {
    if (entry.kind === "config") {
      if (entry.index <= disk.base.index) configs.length = 0;
      configs.push(decodeConfig(entry.body, entry.index));
    }
    if (entry.index <= disk.base.index) continue;
    if (terms.at(-1)?.term !== entry.term) terms.push({ first: entry.index, term: entry.term });
  }
  return {
    id,
    storageId: disk.storageId,
    hard: disk.hard,
    base: disk.base,
    last: { index: disk.entries.length, term: disk.entries.at(-1)?.term ?? 0 },
    terms,
    bytesOf: (index) => log[index - 1].body.length,
    configs,
    commit: Math.max(disk.applied, disk.commit),
    applied: disk.applied,
  };
}

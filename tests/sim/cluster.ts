/**
 * A whole cluster in virtual time: network, disks, crashes, members and clients around real cores, all drawn from one
 * seed. A run has two phases (as TigerBeetle's VOPR): in the first anything may fail and only safety is checked; then
 * everything is healed, and the cluster must elect, commit and agree within a bounded time.
 * @module
 */
import type { Effects, Input } from "../../src/core/raft/effects.ts";
import type { Index, Member, Message, NodeId } from "../../src/core/raft/message.ts";
import { MAX_STEPS_DEFAULT, stampCommand } from "../../src/core/sql/command.ts";
import { Checker, SimFailure } from "./checker.ts";
import { Clocks } from "./clocks.ts";
import { Coverage, type Mark } from "./coverage.ts";
import { Disk } from "./disk.ts";
import { DiskFaults } from "./disk_faults.ts";
import { RunFailure } from "./failure.ts";
import { type DiskError, type DiskWorld, SimFiles } from "./files.ts";
import { DigestMachine, type Machine, SqliteMachine, Statements } from "./machine.ts";
import { member, Members } from "./members.ts";
import { Network } from "./network.ts";
import { SimNode, type World } from "./node.ts";
import type { Stopped } from "./node_log.ts";
import { Processes } from "./processes.ts";
import { drawProfile, healed, type Profile, type ProfileName } from "./profile.ts";
import { Random } from "../harness/random.ts";
import { Reads } from "./reads.ts";
import { checkAccepted, isHeardByAll, noteWitnesses } from "./restored.ts";
import { Schedule } from "./schedule.ts";

const MILLISECOND = 1000;
const SECOND = 1_000_000;

/** How long a run takes, in virtual seconds, and whether it tells what it does. */
export interface RunOptions {
  /** Seconds in which anything may fail. @default {60} */
  readonly safetySeconds?: number;
  /** Seconds within which a healed cluster must work. @default {40} */
  readonly livenessSeconds?: number;
  /** Which faults. @default {"swarm"} */
  readonly profile?: ProfileName;
  /** Ends the run after this many events. */
  readonly until?: number;
  /** Called with a line per event. */
  readonly trace?: (line: string) => void;
}

/** The result of a run. */
export interface RunResult {
  /** Events carried out. */
  readonly events: number;
  /** Virtual seconds times the nodes of one cluster: one. */
  readonly seconds: number;
  /** Hash over all events: equal for equal seeds. */
  readonly hash: number;
  /** Entries committed. */
  readonly committed: number;
  /** Writes acknowledged to clients. */
  readonly acked: number;
  /** Reads granted. */
  readonly reads: number;
  /** Terms begun. */
  readonly terms: number;
  /** Configuration entries taken into a leader's log on request. */
  readonly changes: number;
  /** Logs cut behind a checkpoint. */
  readonly compactions: number;
  /** Snapshots installed. */
  readonly installs: number;
  /** How often rare situations came up. */
  readonly marks: ReadonlyMap<Mark, number>;
}

/** Runs one seed. @throws {RunFailure} When an invariant breaks; any other error of a core is one too. */
export function runSeed(seed: number, options: RunOptions = {}): RunResult {
  return new Cluster(seed, options).run();
}

class Cluster implements World {
  readonly coverage = new Coverage();
  readonly clocks: Clocks;
  readonly reads: Reads;
  readonly #seed: number;
  readonly #options: RunOptions;
  readonly #schedule = new Schedule();
  readonly #checker = new Checker();
  readonly #network: Network;
  readonly #members: Members;
  readonly #faults: Random;
  readonly #clients: Random;
  readonly #disks: Random;
  readonly #cores: Random;
  readonly #snapshots: Random;
  readonly #files: Random;
  readonly #processes: Processes;
  readonly #diskFaults: DiskFaults;
  readonly #statements = new Statements();
  readonly #nodes: SimNode[] = [];
  readonly #founders: Member[] = [];
  #profile: Profile;
  #ref = 0;
  #events = 0;
  #hash = 0x811c9dc5;
  #disksMade = 0;
  #changes = 0;

  constructor(seed: number, options: RunOptions) {
    this.#seed = seed;
    this.#options = options;
    this.#profile = drawProfile(seed, options.profile);
    this.#faults = new Random(seed, 3);
    this.#clients = new Random(seed, 4);
    this.#disks = new Random(seed, 5);
    this.#cores = new Random(seed, 6);
    this.#snapshots = new Random(seed, 7);
    this.#files = new Random(seed, 9);
    const [coverage, schedule] = [this.coverage, this.#schedule];
    this.#network = new Network({
      schedule,
      coverage,
      random: new Random(seed, 2),
      faults: this.#faults,
      profile: () => this.#profile,
      nodes: () => this.#nodes,
      arrived: (node, m) => this.#arrived(node, m),
    });
    this.clocks = new Clocks({
      schedule,
      coverage,
      random: new Random(seed, 11),
      faults: () => this.#profile.clocks,
      areTrusted: () => this.#profile.leases !== undefined,
      tick: (node) => this.input(node, node.tick()),
      note: (node, text) => this.note(node, text),
    });
    this.reads = new Reads({
      schedule,
      coverage,
      random: new Random(seed, 13),
      checker: this.#checker,
      clocks: this.clocks,
      leases: () => this.#profile.leases,
      nodes: () => this.#nodes,
      nextRef: () => ++this.#ref,
    });
    this.#members = new Members({
      schedule,
      coverage,
      random: this.#faults,
      nodes: () => this.#nodes,
      target: () => this.#target(this.#faults),
      makeNode: (id) => this.#makeNode(id),
      makeDisk: (id) => this.#makeDisk(id),
      boot: (node) => this.#processes.boot(node),
      input: (node, input) => this.input(node, input),
      nextRef: () => ++this.#ref,
    });
    this.#processes = new Processes({
      schedule,
      coverage,
      clocks: this.clocks,
      cores: this.#cores,
      files: this.#files,
      profile: () => this.#profile,
      founders: () => this.#founders,
      input: (node, input) => this.input(node, input),
      note: (node, text) => this.note(node, text),
      promiseOf: (node) => this.reads.promiseOf(node),
      starting: (node) => this.#diskFaults.starting(node),
      // A node that starts behind a cut link hears nobody, and may go on with the first word after it is healed.
      noteWitnesses: (node) => noteWitnesses(node, isHeardByAll(this.#profile) ? this.#nodes : []),
      repair: (node) => this.#members.rejoin(node, () => this.#diskFaults.repaired(node)),
    });
    this.#diskFaults = new DiskFaults({
      schedule,
      coverage,
      random: this.#files,
      nodes: () => this.#nodes,
      committed: () => this.#checker.committedCount,
      crash: (node) => this.#processes.crash(node),
      restart: (node) => this.#processes.restart(node),
      note: (node, text) => this.note(node, text),
    });
  }

  run(): RunResult {
    try {
      this.#start();
      this.#runUntil((this.#options.safetySeconds ?? 60) * SECOND);
      if (!this.#isOver) this.#heal();
      if (!this.#isOver) this.#awaitAgreement();
    } catch (error) {
      const at = { seed: this.#seed, event: this.#events, seconds: this.#schedule.now / SECOND };
      throw new RunFailure({ ...at, faults: JSON.stringify(this.#profile) }, error);
    }
    return {
      events: this.#events,
      seconds: this.#schedule.now / SECOND,
      hash: this.#hash,
      committed: this.#checker.committedCount,
      acked: this.#checker.acked,
      reads: this.#checker.readsGranted,
      terms: Math.max(...this.#nodes.map((node) => node.disk.hard.term)),
      changes: this.#changes,
      compactions: this.#checker.compactions,
      installs: this.#checker.installs,
      marks: this.coverage.counts,
    };
  }

  get #isOver(): boolean {
    return this.#events >= (this.#options.until ?? Infinity);
  }

  #runUntil(time: number): void {
    for (let event = this.#schedule.next(time); event !== undefined; event = this.#schedule.next(time)) {
      this.#events++;
      this.#mix(event.at);
      event.run();
      if (this.#isOver) return;
    }
  }

  #mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193) >>> 0;
  }

  // The start, and the clock of every node.

  #start(): void {
    const count = this.#profile.nodes;
    for (let at = 1; at <= count; at++) {
      const { id, disk } = this.#makeNode(`n${at}`);
      this.#founders.push(member(id, disk, "voter"));
    }
    for (const node of this.#nodes) this.#processes.boot(node);
    this.#repeat(() => this.#profile.clientEvery, this.#clients, () => this.#clientOperation());
    this.#repeat(() => this.#profile.partitionEvery, this.#faults, () => this.#network.partition());
    this.#repeat(() => this.#profile.crashEvery, this.#faults, () => this.#crashOne());
    this.#repeat(() => this.#profile.memberEvery, this.#faults, () => this.#members.change());
    this.#repeat(() => this.#profile.transferEvery, this.#faults, () => this.#transfer());
    this.#repeat(() => this.#profile.stallEvery, this.#faults, () => this.#stallDisk());
    this.#repeat(() => this.#profile.compactEvery, this.#snapshots, () => this.#compact());
    const anyone = () => this.#files.pick(this.#alive());
    this.#repeat(() => this.#profile.clocks.freezeEvery, this.#files, () => this.clocks.freeze(anyone()));
    this.#repeat(() => this.#profile.clocks.jumpEvery, this.#files, () => this.clocks.jump(anyone()));
    const log = () => this.#profile.log;
    this.#repeat(() => log()?.failEvery ?? 0, this.#files, () => this.#diskFaults.fail());
    this.#repeat(() => log()?.fullEvery ?? 0, this.#files, () => this.#diskFaults.fill());
    this.#repeat(() => log()?.stuckEvery ?? 0, this.#files, () => this.#diskFaults.stick());
    // If members change, a damaged one may be all that is left.
    if (this.#profile.memberEvery > 0 || count < 3) return;
    this.#repeat(() => log()?.damageEvery ?? 0, this.#files, () => this.#diskFaults.damage());
    this.#repeat(() => this.#profile.restoreEvery, this.#files, () => this.#diskFaults.turnBack());
  }

  #repeat(every: () => number, random: Random, act: () => void): void {
    const mean = every();
    if (mean === 0) return;
    this.#schedule.after(random.exponential(mean) + 1, () => {
      if (every() === 0) return;
      act();
      this.#repeat(every, random, act);
    });
  }

  #makeNode(id: NodeId): SimNode {
    const disk = this.#makeDisk(id);
    const node = new SimNode(id, disk, this, this.#checker);
    this.#nodes.push(node);
    return node;
  }

  /** An empty disk. */
  #makeDisk(id: NodeId): Disk {
    const disk = new Disk(`${id}-${++this.#disksMade}`, this.#profile.log && new SimFiles());
    this.#checker.addDisk(disk);
    return disk;
  }

  get isSqlite(): boolean {
    return this.#profile.isSqlite;
  }

  machine(): Machine {
    if (!this.isSqlite) return new DigestMachine();
    this.coverage.hit("real state machine");
    return new SqliteMachine();
  }

  diskWorld(node: SimNode): DiskWorld {
    const { incarnation } = node;
    const after = (delay: number, then: () => void) =>
      this.#schedule.after(delay, () => {
        if (node.incarnation !== incarnation || node.core === undefined) return;
        if (node.isFrozen) node.late.push(then);
        else then();
      });
    return {
      nowMs: () => this.#schedule.now / MILLISECOND,
      later: (then) => after(this.#writeTime(node), then),
      pause: (ms, then) => after(ms * MILLISECOND, then),
    };
  }

  accepted(node: SimNode): void {
    if (node.disk.isRestored) checkAccepted(node, this.#nodes);
  }

  ends(node: SimNode, error: DiskError | Stopped): void {
    this.#processes.ends(node, error);
  }

  input(node: SimNode, input: Input | undefined): void {
    if (node.core === undefined) return;
    if (input !== undefined) node.inbox.push(input);
    if (node.isFrozen || node.turnDue) return;
    if (this.#profile.turnMax === 0) return node.turn();
    node.turnDue = true;
    const incarnation = node.incarnation;
    this.#schedule.after(this.#disks.below(this.#profile.turnMax), () => {
      if (node.incarnation === incarnation && !node.isFrozen) node.turn();
    });
  }

  // Actions of nodes on the world.

  send(from: SimNode, m: Message): void {
    this.#network.send(from, m);
  }

  #arrived(node: SimNode, m: Message): void {
    this.#mix(m.term);
    this.#mix(m.k.length);
    this.coverage.delivered(node, m);
    this.reads.arrived(node, m);
    if (this.#options.trace !== undefined) this.#noteMessage(node, m);
    this.input(node, { k: "message", m });
  }

  #noteMessage(node: SimNode, m: Message): void {
    this.note(node, () => `<- ${JSON.stringify(m, (key, value) => key === "body" ? undefined : value)}`);
  }

  write(node: SimNode): void {
    const incarnation = node.incarnation;
    this.#schedule.after(this.#writeTime(node), () => {
      if (node.incarnation !== incarnation || node.core === undefined) return;
      const input = node.written();
      if (input !== undefined) this.input(node, input);
    });
  }

  /** Time until a write that begins now is done: one after the other. */
  #writeTime({ disk }: SimNode): number {
    const now = this.#schedule.now;
    disk.busyUntil = Math.max(now, disk.busyUntil) + 20 + this.#disks.exponential(this.#profile.writeMean);
    return disk.busyUntil - now;
  }

  apply(node: SimNode, to: Index): void {
    const incarnation = node.incarnation;
    this.#schedule.after(this.#disks.exponential(this.#profile.applyMean), () => {
      if (node.incarnation !== incarnation || node.core === undefined || to <= node.applied) return;
      node.appliedTo(to);
      this.input(node, { k: "applied", index: to });
    });
  }

  /** Copied and sent in one go; on its way it may be lost, and either end may crash. */
  snapshot(from: SimNode, to: NodeId): void {
    const snapshot = from.copy();
    const { incarnation } = from;
    from.pins.set(to, snapshot.base.index);
    const wanted = from.storageIds.get(to);
    const isLost = this.#snapshots.chance(this.#profile.loss);
    const done = (index: Index | null) => {
      if (from.core === undefined || from.incarnation !== incarnation) return;
      if (index !== null && from.pins.get(to) === index) this.#checker.continued(from.id, from.disk, index);
      from.pins.delete(to);
      this.input(from, { k: "snapshotSent", peer: to, index });
    };
    this.#schedule.after(1 + this.#snapshots.exponential(this.#profile.snapshotMean), () => {
      const node = this.#node(to);
      const isReached = node?.core !== undefined && node.disk.storageId === wanted && !isLost &&
        !this.#network.isCut(from.id, to) && from.core !== undefined && from.incarnation === incarnation;
      if (!isReached) return done(null);
      this.note(node, () => `receives a snapshot of ${snapshot.base.index} from ${from.id}`);
      this.input(node, node.stage(snapshot));
      this.#schedule.after(1 + this.#snapshots.below(5 * MILLISECOND), () => done(snapshot.base.index));
    });
  }

  #compact(): void {
    const node = this.#snapshots.pick(this.#alive());
    if (node === undefined) return;
    const isRotating = this.#profile.log !== undefined && this.#files.chance(0.5);
    node.compact(this.#snapshots.below(8), { isRotating });
  }

  answered(node: SimNode, answer: Effects["answers"][number]): void {
    if (answer.ref > 0 && answer.id !== null) this.#changes++;
    this.note(node, () => `answers ${JSON.stringify(answer)}`);
  }

  note(node: SimNode, text: () => string): void {
    const trace = this.#options.trace;
    if (trace !== undefined) trace(`${(this.#schedule.now / SECOND).toFixed(6)} ${node.id} ${text()}`);
  }

  // Actions of the world on nodes.

  #node(id: NodeId): SimNode | undefined {
    return this.#nodes.find((node) => node.id === id);
  }

  #alive(): SimNode[] {
    return this.#nodes.filter((node) => node.core !== undefined);
  }

  /** Somebody who believes to lead, sometimes anybody. */
  #target(random: Random): SimNode | undefined {
    const alive = this.#alive();
    const leaders = alive.filter((node) => node.role?.role === "leader");
    return leaders.length > 0 && random.chance(0.9) ? random.pick(leaders) : random.pick(alive);
  }

  #clientOperation(): void {
    const node = this.#target(this.#clients);
    if (node === undefined) return;
    if (this.#clients.chance(0.4)) return this.reads.ask(node);
    const count = this.#clients.chance(0.1) ? this.#clients.between(5, 40) : this.#clients.between(1, 3);
    const items = Array.from({ length: count }, () => ({ ref: ++this.#ref, body: this.#body(node, this.#ref) }));
    this.input(node, { k: "propose", items });
  }

  /** Unique, and sometimes larger than the limits. */
  #body(node: SimNode, ref: number): Uint8Array {
    if (this.#profile.isSqlite) {
      const command = this.#statements.draw(this.#clients, ref);
      stampCommand(command, {
        timeMs: this.clocks.stampMs(node),
        seed: { hi: this.#clients.u32(), lo: this.#clients.u32() },
        maxSteps: MAX_STEPS_DEFAULT,
      });
      return command;
    }
    const body = new Uint8Array(4 + this.#clients.below(8));
    for (let at = 0; at < 4; at++) body[at] = ref >>> (24 - 8 * at);
    return body;
  }

  /** Some of the others hear at once that its process is gone; one that is not may be told so, too. */
  #tellRefused(gone: SimNode): void {
    const peer = (this.#faults.chance(0.2) ? this.#faults.pick(this.#nodes)?.id : undefined) ?? gone.id;
    for (const node of this.#nodes) {
      if (node.core !== undefined && node.id !== peer && this.#faults.chance(0.5)) {
        this.input(node, { k: "refused", peer });
      }
    }
  }

  #crashOne(): void {
    // Now and then the whole room loses power: only what is on disks survives.
    const victims = this.#faults.chance(0.1) ? this.#alive() : [this.#faults.pick(this.#alive())];
    for (const node of victims) {
      if (node === undefined) continue;
      node.crash(this.#faults, { isPowerLost: this.#files.chance(this.#profile.log?.powerLoss ?? 1) });
      this.note(node, () => "crashes");
      this.#tellRefused(node);
      this.#processes.bootLater(node, this.#faults);
    }
  }

  #stallDisk(): void {
    const disk = this.#faults.pick(this.#nodes)?.disk;
    if (disk) disk.busyUntil = Math.max(disk.busyUntil, this.#schedule.now) + this.#faults.exponential(2 * SECOND);
  }

  #transfer(): void {
    const node = this.#target(this.#faults);
    const to = this.#faults.pick(node?.config.members ?? [])?.id;
    if (node === undefined) return;
    const isOpen = this.#faults.chance(0.5);
    this.input(node, { k: "transfer", ref: ++this.#ref, ...(!isOpen && to !== undefined && { to }) });
  }

  // The end: a healed cluster must work.

  #heal(): void {
    const isStable = this.#profile.memberEvery === 0;
    this.#profile = healed(this.#profile);
    this.#network.heal();
    for (const node of this.#alive()) this.clocks.thaw(node);
    this.#diskFaults.heal(this.#nodes);
    if (isStable && this.#diskFaults.checkWhole() && this.#nodes.length >= 4 && this.#faults.chance(0.5)) {
      this.#breakMinority();
    }
    for (const node of this.#nodes) {
      node.disk.busyUntil = Math.min(node.disk.busyUntil, this.#schedule.now);
      if (node.core === undefined) this.#processes.boot(node);
    }
  }

  /**
   * Leaves a minority broken for good: one node reaches a single other one, the rest are dead. If that node leads, its
   * heartbeats keep the other one from voting, and only CheckQuorum makes it resign (P7).
   */
  #breakMinority(): void {
    const order = this.#nodes.map((node) => ({ node, key: this.#faults.u32() })).sort((a, b) => a.key - b.key);
    // A node that leads is the interesting one to be cut off.
    order.sort((a, b) => Number(a.node.role?.role === "leader") - Number(b.node.role?.role === "leader"));
    const healthy = Math.floor(order.length / 2) + 1;
    const half = order[order.length - 1].node;
    for (const { node } of order.slice(healthy)) {
      this.#processes.broken.add(node);
      if (node !== half && node.core !== undefined) node.crash(this.#faults);
    }
    for (const { node } of order.slice(1)) {
      if (node !== half) this.#network.separate(half.id, node.id);
    }
  }

  #awaitAgreement(): void {
    const start = this.#checker.ackedMax;
    const reads = this.#checker.readsGranted;
    const limit = (this.#options.livenessSeconds ?? 40) * SECOND;
    let deadline = this.#schedule.now + limit;
    let stopped = false;
    let applied = 0;
    while (this.#schedule.now < deadline) {
      this.#runUntil(this.#schedule.now + SECOND / 2);
      if (this.#isOver) return;
      // New writes and reads must be answered first; then the load ends, so that equality can be asked for.
      if (!stopped && this.#checker.ackedMax > start + 5 && this.#checker.readsGranted > reads + 2) {
        stopped = true;
        this.#profile = { ...this.#profile, clientEvery: 0 };
      }
      if (stopped && this.#isAgreed()) return;
      // With a window of one small message a learner needs a while: slow is not stuck, as the log grows no more.
      const sum = this.#nodes.reduce((total, node) => total + node.applied, 0);
      if (stopped && sum > applied) deadline = Math.max(deadline, this.#schedule.now + 10 * SECOND);
      applied = sum;
      // A node that is found damaged only now has to be set up anew first.
      deadline = Math.max(deadline, this.#processes.stoppedAt + limit);
      // Time passes even when nothing is scheduled.
      this.#schedule.after(SECOND / 2, () => {});
    }
    const states = this.#nodes.map(({ core }) => JSON.stringify(core?.status())).join("\n");
    throw new SimFailure(
      `liveness: ${stopped ? "the nodes do not agree" : "nothing new is committed or read"}\n${states}`,
    );
  }

  #isAgreed(): boolean {
    const leader = this.#nodes.findLast((node) => node.role?.role === "leader" && !this.#processes.broken.has(node));
    const status = leader?.core?.status();
    if (leader === undefined || status === undefined) return false;
    if (status.committedConfig.at !== status.config.at || status.applied < status.last.index) return false;
    return status.config.members.every(({ id }) => {
      const node = this.#node(id);
      if (node !== undefined && this.#processes.broken.has(node)) return true;
      return node?.applied === leader.applied; // and so its contents are the same (I15)
    });
  }
}

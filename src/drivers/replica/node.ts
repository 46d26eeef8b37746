/**
 * One replica, put together: the log, the core and its loop, the streams to the other nodes, membership, and the ports
 * to the HTTP Workers and the writer. What each part guarantees stands in its own file; here is only who talks to whom.
 * @module
 */
import { COMMAND_VERSION } from "../../core/sql/command.ts";
import { Acquaintances, RecentNodes } from "../transport/acquaintances.ts";
import { WriterDigests } from "./writer_digests.ts";
import { createCore, DEFAULT_OPTIONS } from "../../core/raft/raft.ts";
import type { Effects, LeaseOptions } from "../../core/raft/effects.ts";
import type { Config, Entry, Member, Message, NodeId, OutgoingMessage } from "../../core/raft/message.ts";
import { isForAnyDisk, isReply } from "../../core/raft/message_check.ts";
import type { FromWriter } from "../sqlite/api.ts";
import type { LeaderInfo, ReplicaOpen, ReplicaOptions } from "./api.ts";
import { pause } from "../../base/worker/backoff.ts";
import type { Connection } from "../transport/connection.ts";
import { boot } from "../cluster/boot.ts";
import { Cluster } from "../cluster/cluster.ts";
import { writerFailure } from "./damage.ts";
import { Discovery } from "../cluster/discovery.ts";
import { Divergence } from "./divergence.ts";
import type { NodeTls } from "../../base/net/conn.ts";
import { answerMembership } from "./join_guard.ts";
import { HttpPorts, NoLeaderError } from "./http_ports.ts";
import { bridgeGossip } from "../transport/gossip_bridge.ts";
import { KnownLeader } from "../cluster/known_leader.ts";
import { leaveCluster, type LeavingParts } from "../cluster/leaving.ts";
import { Listener } from "../transport/listener.ts";
import { FileDisk } from "../log/files.ts";
import { LogStore } from "../log/store.ts";
import { MemberFile } from "../cluster/member_file.ts";
import { NodeState } from "../../base/shared/node_state.ts";
import { Pool } from "../cluster/pool.ts";
import { Peers } from "./peers.ts";
import { Relay } from "./relay.ts";
import { ClusterSecret } from "../transport/secret.ts";
import { keepPromise } from "./promise.ts";
import { Reaper } from "../cluster/reaper.ts";
import { Removal, REMOVED } from "../cluster/removal.ts";
import { Replica } from "./replica.ts";
import { RpcClient } from "../transport/rpc.ts";
import { Ticker } from "../../base/worker/ticker.ts";
import { SnapshotClient } from "./snapshot_client.ts";
import { Snapshots } from "./snapshots.ts";
import { contactsOf, countersOf, settingsOf } from "./status_text.ts";
import { Verification, VERIFY_TIMEOUT_MS } from "./verification.ts";
import { type Hello, PROTOCOL_VERSION } from "../transport/wire.ts";

/** Ticks of an election timeout; no more are made up after a longer pause of this process (E13). */
const ELECTION_TICKS = DEFAULT_OPTIONS.electionTicks;
/** A writer in the middle of a long statement is not waited for longer: the log has what it has not applied. */
const WRITER_CLOSE_MS = 5000;
/** Longest answer to a piece of a snapshot. */
const BULK_ANSWER_BYTES_MAX = 1024 * 1024;

/** Tells the supervisor. */
export interface NodeEvents {
  /** The snapshot Worker is needed from now on. */
  wantSnapshots(): void;
  fatal(error: Error): void;
  log(line: string): void;
}

/** The replica of this node. */
export class ReplicaNode {
  readonly #options: ReplicaOptions;
  readonly #sqlite: string;
  readonly #events: NodeEvents;
  readonly #state: NodeState;
  readonly #log: LogStore;
  readonly #replica: Replica;
  readonly #cluster: Cluster;
  readonly #lease: LeaseOptions | undefined;
  readonly #rpc: RpcClient;
  readonly #http: HttpPorts;
  readonly #discovery: Discovery | undefined;
  /** As it is now: certificates are renewed. */
  #tls: NodeTls | undefined;
  #listener: Listener | undefined;
  readonly #peers: Peers;
  readonly #relay: Relay;
  readonly #incarnation = crypto.randomUUID();
  /** The secret of the cluster, which may be renewed. */
  readonly secret: ClusterSecret | undefined;
  /** Descriptions that nodes sent when a stream opened. */
  readonly #met: Acquaintances;
  /** Disks by the newest configuration that named the node. */
  readonly #disks = new Map<NodeId, string>();
  /** Disks behind the Raft streams that came in last. */
  readonly #callers = new RecentNodes<string>();
  readonly #stopping = new AbortController();
  readonly #snapshots: Snapshots;
  readonly #reaper: Reaper;
  readonly #divergence: Divergence;
  readonly #verification: Verification;
  readonly #pool: Pool | undefined;
  readonly #memberFile: MemberFile;
  readonly #digests = new WriterDigests((message) => this.#replica.askWriter(message));
  /** The parts that the disk has no room for. */
  readonly #full = new Set<"log" | "database">();
  readonly #leader: KnownLeader;
  readonly #removal: Removal;
  #isShutDown = false;
  /** Index that the database held at the start. */
  readonly #startedAt: number;
  #onWriterClosed: (() => void) | undefined;
  readonly #ticker: Ticker;

  /**
   * @param sqlite Version and options of this node's SQLite.
   * @param applied Index that the writer's database holds.
   */
  constructor(
    { options, state, writer, http, discovery, snapshots, pool, sqlite }: ReplicaOpen & { sqlite: string },
    applied: number,
    events: NodeEvents,
  ) {
    this.#options = options;
    this.#startedAt = applied;
    this.secret = ClusterSecret.of(options.clusterSecret);
    this.#sqlite = sqlite;
    this.#met = new Acquaintances(sqlite, events.log);
    this.#events = events;
    this.#state = new NodeState(state);
    const identity = { nodeId: options.nodeId, storageId: options.storageId };
    this.#removal = new Removal(identity);
    this.#leader = new KnownLeader({
      self: { id: options.nodeId, addr: options.advertisedAddr, apiUrl: options.apiUrl },
      addrOf: (id) => this.#addrOf(id) ?? this.#met.get(id)?.addr,
      apiUrlOf: (id) => this.#met.get(id)?.apiUrl,
      takesProposals: (id) => this.#met.get(id)?.takesProposals ?? false,
      tell: (leader) => this.#http.broadcast({ k: "leader", leader }),
    });
    this.#discovery = discovery && new Discovery(discovery);
    this.#log = LogStore.open(new FileDisk(options.directory, this.#state.counts.syncs), { identity, applied }, {
      onPersisted: (ticket) => this.#replica.persisted(ticket),
      onSpace: (space) => this.noteSpace("log", space),
      onInstall: (base) => this.#snapshots.adopt(base.index),
      onFatal: (error) => events.fatal(error),
      log: events.log,
    });
    this.#lease = keepPromise(options.directory, options.leaseReads ? Math.floor(options.heartbeatTimeoutMs) : 0);
    const tickMs = options.heartbeatTimeoutMs / ELECTION_TICKS;
    this.#ticker = new Ticker({ tickMs, ticksMax: ELECTION_TICKS, onDue: () => this.#replica.receive([]) });
    this.#replica = this.#makeReplica(writer, applied);
    this.#peers = this.#makePeers();
    this.#relay = this.#makeRelay();
    this.#rpc = this.#client(options.forwardBytesMax * 2 + 1024 * 1024);
    const snapshotClient = new SnapshotClient(snapshots, events.wantSnapshots);
    this.#snapshots = this.#makeSnapshots(snapshotClient);
    const told = { fatal: events.fatal, log: events.log };
    this.#verification = new Verification({
      nodeId: options.nodeId,
      replica: this.#replica,
      snapshots: snapshotClient,
      rpc: this.#rpc,
      status: () => this.#replica.status(),
      ...told,
    });
    this.#cluster = new Cluster({
      options,
      replica: this.#replica,
      rpc: this.#rpc,
      incarnation: this.#incarnation,
      electionTicks: ELECTION_TICKS,
      addrOf: (id) => this.#addrOf(id),
      leader: () => this.leader(),
      log: events.log,
    });
    this.#divergence = new Divergence({
      nodeId: options.nodeId,
      status: () => this.#replica.status(),
      applied: () => this.#replica.applied,
      own: (index) => this.#digests.at(index),
      rpc: this.#rpc,
      ...told,
    });
    this.#reaper = new Reaper({
      voterMs: options.reapVoterMs,
      nonVoterMs: options.reapNonVoterMs,
      tickMs: options.heartbeatTimeoutMs / ELECTION_TICKS,
      status: () => this.#replica.status(),
      remove: (id) => this.#cluster.remove(id),
      log: events.log,
    });
    this.#http = new HttpPorts(http, {
      replica: this.#replica,
      relay: this.#relay,
      cluster: this.#cluster,
      rpc: this.#rpc,
      divergence: this.#divergence,
      removal: this.#removal,
      node: this,
      options,
    });
    writer.onmessage = ({ data }: MessageEvent<FromWriter>) => this.#fromWriter(data);
    this.#pool = pool && this.#makePool(pool);
    this.#memberFile = new MemberFile(options.directory, events.log);
    this.#tls = options.tls;
    this.#onConfig(this.#replica.status().config);
  }

  #makeReplica(writer: MessagePort, applied: number): Replica {
    const { hard, last, terms, configs, commit } = this.#log.recovered;
    const core = createCore(
      {
        id: this.#options.nodeId,
        storageId: this.#options.storageId,
        hard,
        base: this.#log.base,
        last,
        terms,
        configs,
        bytesOf: (index) => this.#log.bytesOf(index),
        commit: Math.max(commit, applied),
        applied,
      },
      { ...DEFAULT_OPTIONS, recall: true, lease: this.#lease },
      { u32: () => crypto.getRandomValues(new Uint32Array(1))[0] },
    );
    return new Replica({
      core,
      log: this.#log,
      writer,
      maxSteps: this.#options.maxSteps,
      ticker: this.#ticker,
      tickMs: this.#options.heartbeatTimeoutMs / ELECTION_TICKS,
      state: this.#state,
      applied,
      events: {
        ticked: () => this.#ticked(),
        send: (message, entries) => this.#send(message, entries),
        refused: (asker, why) => "peer" in asker ? this.#relay.refuse(asker, why) : this.#http.refused(asker, why),
        placed: (term, places) => this.#relay.placed(term, places),
        span: (span) => this.#http.span(span),
        onRole: (role) => this.#onRole(role),
        onConfig: (config) => this.#onConfig(config),
        fatal: (error) => this.#events.fatal(error),
        needSnapshot: (peer) => void this.#snapshots.send(peer),
        log: this.#events.log,
      },
    });
  }

  #client(frameBytesMax: number): RpcClient {
    const { connectTimeoutMs } = this.#options;
    const shared = { secret: this.secret, trust: () => this.#tls?.trust };
    return new RpcClient(() => this.#hello("rpc"), { frameBytesMax, connectTimeoutMs, ...shared });
  }

  #makeSnapshots(snapshots: SnapshotClient): Snapshots {
    return new Snapshots({
      snapshots,
      log: this.#log,
      replica: this.#replica,
      startedAt: this.#startedAt,
      rpc: this.#client(BULK_ANSWER_BYTES_MAX),
      compress: this.#options.compressSnapshots,
      leader: () => this.#leader.id,
      addrOf: (peer) => this.#addrOf(peer),
      onReplaced: () => this.#http.broadcast({ k: "databaseReplaced" }),
      note: this.#events.log,
      fatal: this.#events.fatal,
    });
  }

  #makePool(port: MessagePort): Pool {
    return new Pool({
      port,
      nodeId: this.#options.nodeId,
      bootstrapExpect: this.#options.bootstrapExpect,
      status: () => this.#replica.status(),
      remove: (id) => this.#cluster.remove(id),
      readdress: (id, addr) => this.#cluster.readdress(id, addr),
      onMoved: () => this.#onConfig(this.#replica.status().config),
      log: this.#events.log,
    });
  }

  /** Takes note of a disk: writes are taken only while there is room for both the log and the database. */
  noteSpace(of: "log" | "database", state: "ok" | "full"): void {
    if (state === "full") this.#full.add(of);
    else this.#full.delete(of);
    this.#state.full = { log: this.#full.has("log"), database: this.#full.has("database") };
    this.#replica.input({ k: "storage", state: this.#full.size > 0 ? "full" : "ok" });
  }

  /** `POST /snapshot`; see {@linkcode Snapshots.take}. */
  async snapshot(trailing: number): Promise<boolean> {
    return await this.#snapshots.take(trailing);
  }

  /**
   * Compares the content of all replicas; see {@linkcode Verification.run}.
   * @throws {Error} When no leader is known, or it could not be done.
   */
  async verify(): Promise<Record<string, unknown>> {
    const leader = this.leader();
    if (!leader) throw new NoLeaderError();
    if (leader.id === this.#options.nodeId) return await this.#verification.run();
    return (await this.#rpc.call(leader.addr, "verify", {}, { timeoutMs: VERIFY_TIMEOUT_MS })).head;
  }

  /** Opens the cluster port. @throws {Error} Naming its address, when it cannot. */
  async listen(): Promise<void> {
    this.#listener = await Listener.open(this.#options.bindAddrs, {
      hello: () => this.#hello("rpc"),
      secret: this.secret,
      tls: this.#tls,
      refuse: (caller) => this.#cluster.foreign(caller.clusterId),
      onHello: (caller) => this.#meet(caller),
      ...(this.#pool ? { onGossip: (connection, first) => this.#onGossip(connection, first) } : {}),
      onMessages: (messages, caller) => this.#onMessages(messages, caller),
      relay: this.#relay,
      onCall: (rpc, caller, over) =>
        this.#snapshots.answer(rpc, caller.id) ?? this.#divergence.answer(rpc, caller.id) ??
          this.#verification.answer(rpc, caller.id) ??
          answerMembership(rpc, { options: this.#options, cluster: this.#cluster, http: this.#http }) ??
          this.#http.answerCall(rpc, over),
      log: this.#events.log,
    });
  }

  async #onGossip(connection: Connection, first: Uint8Array): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    this.#pool?.handOver(connection.remote, port2);
    await bridgeGossip(connection, first, port1);
  }

  /**
   * Messages go from disk to disk, not from name to name (B2). A reply counts only from the disk that the configuration
   * names; a request is taken from any, as a node that lags may not know yet that the sender's disk was replaced.
   */
  #onMessages(messages: readonly Message[], caller: Hello): void {
    this.#callers.set(caller.id, caller.storageId);
    const isKnownDisk = caller.storageId === this.#disks.get(caller.id);
    this.#replica.receive(isKnownDisk ? messages : messages.filter((m) => !isReply(m)));
  }

  #hello(purpose: Hello["purpose"]): Hello {
    const { nodeId, storageId, advertisedAddr, apiUrl, version } = this.#options;
    return {
      protocol: PROTOCOL_VERSION,
      purpose,
      clusterId: this.#replica.status().config.clusterId,
      id: nodeId,
      storageId,
      addr: advertisedAddr,
      apiUrl,
      version,
      sqlite: this.#sqlite,
      incarnation: this.#incarnation,
      commandVersion: COMMAND_VERSION,
      ...(this.#lease && { promiseMs: this.#lease.promiseMs }),
      ...(this.#options.checksJoins ? {} : { takesProposals: true }),
    };
  }

  /** A stranger under a member's id does not take its place here: the configuration says whose disk it is. */
  #meet(hello: Hello): void {
    const disk = this.#disks.get(hello.id);
    if (disk !== hello.storageId && disk !== undefined && disk === this.#met.get(hello.id)?.storageId) return;
    this.#met.meet(hello);
    this.#leader.update();
  }

  #member(id: NodeId): Member | undefined {
    return this.#replica.status().config.members.find((member) => member.id === id);
  }

  /** A request goes to the disk that the configuration names, a reply to the one that asked; what names disks itself, to any. */
  #send(message: OutgoingMessage, entries: readonly Entry[]): void {
    const stream = this.#peers.to(message.to);
    const disk = isReply(message) ? this.#callers.get(message.to) : this.#disks.get(message.to);
    if (stream && (stream.storageId === disk || isForAnyDisk(message))) stream.send(message, entries);
  }

  /** A member's address according to gossip: it may have moved while there was no leader to record it. */
  #addrOf(id: NodeId): string | undefined {
    const member = this.#member(id);
    return member && (this.#pool?.addrOf(id) ?? member.addr);
  }

  #makePeers(): Peers {
    const { nodeId, electionTimeoutMs, connectTimeoutMs } = this.#options;
    return new Peers({
      self: nodeId,
      addrOf: ({ id, addr }) => this.#pool?.addrOf(id) ?? addr,
      find: (id) => this.#addrOf(id) ?? this.#met.get(id)?.addr,
      isNeeded: (id) => this.#member(id) !== undefined || this.#leader.id === id,
      options: (id) => ({
        id,
        hello: () => this.#hello("raft"),
        secret: this.secret,
        trust: () => this.#tls?.trust,
        backoffMsMax: electionTimeoutMs / 2,
        timeoutMs: Math.min(connectTimeoutMs, electionTimeoutMs),
      }),
      events: (id) => ({
        onDown: () => {
          this.#relay.lost(id);
          this.#replica.input({ k: "linkDown", peer: id });
        },
        onRefused: () => this.#replica.input({ k: "refused", peer: id }),
        onHello: (hello) => this.#meet(hello),
        log: this.#events.log,
      }),
    });
  }

  #makeRelay(): Relay {
    return new Relay({
      takesProposals: !this.#options.checksJoins,
      isMember: ({ id, storageId }) => this.#member(id)?.storageId === storageId,
      leader: () => this.leader()?.takesProposals ? this.#leader.id ?? undefined : undefined,
      send: (to, frame) => this.#peers.to(to)?.sendRelayed(frame) ?? false,
      propose: (proposals) => this.#replica.propose(proposals),
      place: (waiter, id) => this.#replica.place(waiter, id),
      refused: (waiter, why) => this.#http.refused(waiter, why),
    });
  }

  #onConfig(config: Config): void {
    for (const { id, storageId } of config.members) this.#disks.set(id, storageId);
    this.#peers.follow(config.members);
    this.#memberFile.write(config);
    this.#http.broadcast({ k: "members", members: config.members });
    this.#leader.update();
  }

  #onRole({ role, term, leader, why }: NonNullable<Effects["role"]>): void {
    const changed = this.#leader.set(leader);
    if (changed) this.#relay.leaderChanged(leader);
    const { nodeId, advertisedAddr, apiUrl } = this.#options;
    this.#discovery?.lead(role === "leader" ? { id: nodeId, apiAddr: apiUrl, addr: advertisedAddr } : null);
    if (role === "leader") {
      this.#events.log(`this node (ID=${nodeId}, addr=${advertisedAddr}) is now Leader of term ${term}: ${why}`);
    } else if (changed && leader !== null) {
      this.#events.log(`node ${leader} at ${this.leader()?.addr ?? "?"} is now Leader of term ${term}`);
    } else if (changed) this.#events.log(`Leader is now unknown: ${why} (${role}, term ${term})`);
    else this.#events.log(`this node is ${role} in term ${term}: ${why}`);
  }

  /** The leader as this node knows it. */
  leader(): LeaderInfo | null {
    return this.#leader.info;
  }

  #fromWriter(message: FromWriter): void {
    if (message.k === "applied") {
      this.#replica.appliedByWriter(message);
      this.#snapshots.fromWriter(message);
      this.#checkReady();
    } else if (message.k === "ready" || message.k === "checkpointed") this.#snapshots.fromWriter(message);
    else if (message.k === "status") this.#http.writerStatus(message);
    else if (message.k === "space") this.noteSpace("database", message.state);
    else if (message.k === "digest") this.#digests.take(message);
    else if (message.k === "closed") this.#onWriterClosed?.();
    else if (message.k === "failed") this.#events.fatal(writerFailure(message));
  }

  /**
   * Ready: it knows the leader, holds everything that was committed before this one led, and has its part in the cluster; one
   * that is to vote does.
   */
  #checkReady(): void {
    if (this.#state.ready || !this.#state.leaderKnown || this.#state.appliedTerm !== this.#state.term) return;
    const self = this.#member(this.#options.nodeId);
    if (self && self.role !== "learner") this.#state.ready = true;
  }

  #ticked(): void {
    this.#log.tick();
    this.#checkReady();
    this.#divergence.look();
    if (this.#removal.isNew(this.#replica.status())) this.#onRemoved();
  }

  /** With `-raft-remove-shutdown` a node that was taken out takes no part any more; HTTP goes on answering. */
  #onRemoved(): void {
    if (!this.#options.stopWhenRemoved) return this.#events.log(REMOVED);
    this.#events.log("this node was removed from its cluster: Raft is shut down, as -raft-remove-shutdown says");
    this.#isShutDown = true;
    this.#ticker.stop();
    this.#replica.stop();
    this.#state.leaderKnown = false;
    this.#peers.close();
  }

  /** Becomes part of a cluster; see {@linkcode boot}. */
  async boot(): Promise<void> {
    const options = this.#options;
    await boot({
      options,
      cluster: this.#cluster,
      discovery: this.#discovery,
      pool: this.#pool,
      membership: () => this.#replica.status(),
      removal: this.#removal,
      leaderCommit: (timeoutMs) => this.#http.leaderCommit(timeoutMs),
      settled: () => this.leader() !== null && this.#member(options.nodeId)?.addr === options.advertisedAddr,
      signal: this.#stopping.signal,
      log: this.#events.log,
    });
  }

  /** Asks the writer for its status; the answer comes as a message. */
  askWriterStatus(): void {
    this.#replica.askWriter({ k: "status", ref: 0 });
  }

  /** For `/debug/vars`: what happened in this life of the node. */
  counters(): Record<string, Record<string, number>> {
    return countersOf({
      options: this.#options,
      log: this.#log,
      cluster: this.#cluster.counters,
      snapshots: this.#snapshots,
      replica: this.#replica,
      reaped: this.#reaper.reaped,
      leaderChanges: this.#leader.changes,
      stepdowns: this.#http.stepdowns,
      startedAt: this.#startedAt,
    });
  }

  /** For `/status`. */
  status(): Record<string, unknown> {
    const core = this.#replica.status();
    return {
      core,
      isShutDown: this.#isShutDown,
      leader: this.leader(),
      ...contactsOf(core, this.#options),
      voter: this.#member(this.#options.nodeId)?.role === "voter",
      leaseReads: this.#options.leaseReads ? this.#replica.hasLease ? "lease held" : "on" : "off",
      settings: settingsOf(this.#options),
      log: { persisted: this.#log.persisted, bytes: this.#log.size.bytes, scrubs: this.#log.scrubs },
      snapshots: this.#snapshots.status(),
      lastSnapshot: this.#snapshots.last,
      appliedMs: this.#replica.appliedMs,
      ...this.#divergence.status,
      nodes_reaped_ok: this.#reaper.reaped,
      outdated: this.#met.outdated(core.config.members, this.#options.nodeId, COMMAND_VERSION),
      ...(this.#discovery ? { disco: this.#discovery.status } : {}),
      peers: this.#peers.status(),
    };
  }

  /**
   * Leaves office and stops, in the order of Q15.9.
   * @throws {Error} When the node was to leave the cluster and could not; it has stopped all the same.
   */
  async shutdown({ leave }: { leave: boolean }): Promise<void> {
    this.#stopping.abort();
    this.#discovery?.lead(null);
    const { members } = this.#replica.status().config;
    const alone = members.length <= 1;
    let failure: Error | undefined;
    if ((leave || this.#options.removeOnShutdown) && !alone) failure = await leaveCluster(this.#leaving());
    else if (this.#options.stepdownOnShutdown && !alone && this.#replica.status().role === "leader") {
      await Promise.race([
        this.#replica.transfer().catch((error) => this.#events.log(`stepping down failed: ${error.message}`)),
        new Promise((resolve) => setTimeout(resolve, this.#options.electionTimeoutMs * 2)),
      ]);
    }
    this.#ticker.stop();
    this.#replica.stop();
    this.#pool?.close();
    this.#listener?.close();
    for (const part of [this.#peers, this.#snapshots, this.#reaper, this.#divergence, this.#rpc]) part.close();
    await Promise.all([this.#log.close(), this.#memberFile.flush()]);
    await this.#closeWriter();
    if (failure) throw failure;
  }

  #leaving(): LeavingParts {
    return {
      nodeId: this.#options.nodeId,
      cluster: this.#cluster,
      rpc: this.#rpc,
      leader: () => this.leader(),
      log: this.#events.log,
    };
  }

  /** Has new connections of other nodes get another certificate. */
  renew(tls: NodeTls): void {
    this.#listener?.renew(tls);
    this.#tls = tls;
  }

  /** The writer finishes its batch and closes the database: a clean file needs no recovery by whoever opens it next. */
  async #closeWriter(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#onWriterClosed = resolve);
    this.#replica.askWriter({ k: "close" });
    await Promise.race([closed, pause(WRITER_CLOSE_MS)]);
  }
}

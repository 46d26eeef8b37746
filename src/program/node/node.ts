/**
 * One node: opens the data directory, starts the Workers with their permissions, connects them, and stops them in order
 * (Q15.9). A Worker that dies ends the process with a message and a non-zero code; nothing is restarted
 * here, systemd does that.
 *
 * A client agent (`muster agent` without `-server`) keeps no data: it has HTTP, the name server, and gossip, which is also its
 * way to the servers, all in this thread.
 *
 * Start: the writer first, as the log may not be cut or replayed without knowing what the database holds; HTTP; the
 * replica, which waits for the writer's word; and when that has come, the readers, which need the writer's file. When all
 * listeners are open, HTTP and the name server begin to answer: `/readyz` does so while the node waits for its cluster. The
 * snapshot Worker starts when the replica first needs it.
 * @module
 */
import type { DiscoveryOptions, OpenDiscovery } from "../../drivers/discovery/api.ts";
import type { FromHttpWorker, OpenHttp, SupervisorMethods, ToHttpWorker } from "../../api/server/api.ts";
import type { FromReplica, ToReplica } from "../../drivers/replica/api.ts";
import type { User } from "../../app/users/user.ts";
import { discoveryUse } from "../../drivers/discovery/use.ts";
import { load } from "../../root.ts";
import { Callee } from "../../base/worker/channel.ts";
import { NODE_STATE_BYTES, NodeState } from "../../base/shared/node_state.ts";
import { type OpenReader, type OpenSnapshot, type OpenWriter, readersMaxOf } from "../../drivers/sqlite/api.ts";
import { AnswerBudget } from "../../base/shared/answer_budget.ts";
import type { OpenBackups } from "../../drivers/backup/api.ts";
import { ACTIVITY, Control } from "../../drivers/libsqlite/control.ts";
import type { SqliteLibrary } from "../../drivers/libsqlite/library.ts";
import { type LogLevel, setLogLevel } from "../../base/worker/log.ts";
import type { AgentParts } from "./agent.ts";
import { notAfterOf } from "./certificates.ts";
import { type AgentConfig, apiUrlOf, type NodeConfig } from "../config/config.ts";
import { noteDamage } from "./damage.ts";
import { type DataDirectory, openDataDirectory } from "./data_directory.ts";
import { installExtensions, usableLibrary } from "./extensions.ts";
import { DATABASE, describeTask, fileTasks } from "./facts.ts";
import { httpOptions } from "./http_options.ts";
import { DefinitionFiles } from "./kept_definitions.ts";
import { openPortWarning, secretsOf } from "./cluster_secret.ts";
import { type Part, runHere } from "./here.ts";
import {
  anyHost,
  discoveryAddrs,
  revokeSpentRights,
  runsHandlers,
  runsScripts,
  type Scope,
  sinkReach,
} from "./permissions.ts";
import { type NodeInputs, type ReadInputs, readInputs, withHttpsAddresses } from "./inputs.ts";
import { NodeFailure, orFail } from "./node_failure.ts";
import { ServiceManager } from "../service_manager/service_manager.ts";
import { lineTo, type SinkLines, sinkLines, spawn } from "./spawn.ts";
import { UploaderParts } from "./uploader.ts";
import { API_VERSION, VERSION } from "./version.ts";
import type { NodeTls } from "../../base/net/conn.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Room in a forwarded request for what is not body. */
const FORWARD_OVERHEAD_BYTES = 64 * 1024;
/** A statement that the writer is at gets this long at a shutdown; then it is ended, and comes again at the next start. */
const WRITER_GRACE_MS = 2000;
/** A shutdown that takes longer is cut short: what was acknowledged is on disk in any case. */
const SHUTDOWN_MS = 15_000;

export { NodeFailure };

type Inputs = ReadInputs & { readonly agentModule: typeof import("./agent.ts") | undefined };

/** A running node. */
export class Node {
  readonly #config: NodeConfig;
  readonly #directory: DataDirectory;
  readonly #scope: Scope;
  /** What the SQLite Workers load. */
  readonly #library: SqliteLibrary;
  readonly #log: (line: string) => void;
  readonly #startedMs = Date.now();
  readonly #inputs: Inputs;
  readonly #manager: ServiceManager;
  readonly #failed = Promise.withResolvers<never>();
  readonly #left = Promise.withResolvers<void>();
  readonly #clustered = Promise.withResolvers<void>();
  readonly #listening = { replica: Promise.withResolvers<void>(), http: Promise.withResolvers<void>() };
  readonly #stopped = {
    replica: Promise.withResolvers<void>(),
    http: Promise.withResolvers<void>(),
    writer: Promise.withResolvers<void>(),
  };
  /** Present unless this is a client agent. */
  readonly #replica: Worker | undefined;
  readonly #http: Part;
  readonly #agent: AgentParts | undefined;
  /** Present with automatic backups, or a restore that is to come. */
  readonly #uploader: UploaderParts | undefined;
  readonly #sinks: SinkLines;
  /** Of Workers to come. */
  #logLevel: LogLevel | undefined;
  #isLeaving = false;
  #newestGossipKeys: readonly Uint8Array[] = [];
  /** Whether the Worker of checks is still to start. */
  #keepsChecks: boolean;
  readonly #definitions: DefinitionFiles;
  readonly #writerControl = new Control();
  /** Of what runs on the writer and only its asker sees. */
  readonly #privateControl = new Control();
  readonly #readerControls: Control[] = [];
  readonly #answers = new AnswerBudget();
  /** Whether the snapshot Worker is still to start. */
  #startsSnapshots = true;
  /** The backup Worker, once it has started. */
  #backups: Worker | undefined;
  readonly #writerToReplica = new MessageChannel();
  readonly #snapshotLine = new MessageChannel();

  /**
   * Starts everything.
   * @throws {import("./data_directory.ts").DataDirectoryError} When the data directory cannot be used.
   * @throws {NodeFailure} When a certificate, the cluster's secret or the SQLite library cannot be used.
   */
  static async start(config: NodeConfig, inputs: NodeInputs, log: (line: string) => void): Promise<Node> {
    const read = await readInputs(config, inputs, log);
    const agentModule = config.agent && await load<typeof import("./agent.ts")>("src/program/node/agent");
    return new Node(await withHttpsAddresses(config), { ...read, agentModule }, log);
  }

  private constructor(config: NodeConfig, inputs: Inputs, log: (line: string) => void) {
    const { discovery, users, uploads, sinks, extensions = [] } = inputs;
    this.#config = config;
    this.#inputs = inputs;
    this.#logLevel = config.agent?.logLevel;
    this.#log = log;
    this.#failed.promise.catch(() => {}); // whoever waits for the node hears of it
    const isServer = config.agent?.isServer ?? true;
    const nodeId = config.nodeId || (config.agent ? "" : config.clusterAdvertisedAddr);
    const { dataDirectory, rejoinsDamaged } = config;
    const library = isServer ? orFail(() => usableLibrary(config.sqliteLibrary)) : "";
    inputs.certificates.watch({
      onHttp: (tls) => this.#tellHttp({ k: "tls", tls }),
      onNode: (tls) => this.#onNodeTls(tls),
    });
    this.#keepsChecks = config.agent !== undefined;
    this.#manager = new ServiceManager(log);
    this.#directory = openDataDirectory(dataDirectory, nodeId, { rejoinsDamaged });
    this.#definitions = new DefinitionFiles(this.#directory.path);
    const warning = openPortWarning(config, inputs.secret);
    if (warning !== undefined) log(warning);
    this.#library = {
      path: library,
      extensions: orFail(() => installExtensions(extensions, this.#directory.extensions)),
    };
    this.#scope = {
      raftDirectory: this.#directory.raft,
      sqliteDirectory: this.#directory.sqlite,
      httpAddrs: config.httpAddrs.map(anyHost),
      httpsAddrs: config.httpsAddrs.map(anyHost),
      discoveryAddrs: discovery ? discoveryAddrs(discovery) : [],
      gossipDirectory: this.#directory.gossip,
      sqliteLibrary: library,
      uploads: uploads?.reach ?? { net: [], directories: [] },
      cdc: sinkReach(sinks?.cdc?.sink),
      otlp: sinkReach(sinks?.otlp?.sink),
      serviceManager: this.#manager.reach,
      runsScripts: orFail(() => runsScripts(config.agent)),
      runsHandlers: orFail(() => runsHandlers(config.agent)),
    };
    const state = new SharedArrayBuffer(NODE_STATE_BYTES);
    const writerToHttp = new MessageChannel();
    const httpToReplica = new MessageChannel();
    this.#agent = config.agent && this.#startAgent(config.agent, state, httpToReplica.port2);
    // Starting a Worker holds this thread up: first those that the others wait for, the one with most to load before all.
    if (isServer) this.#replica = this.#startReplica({ state, http: httpToReplica.port2 }, inputs);
    if (isServer) this.#startWriter(writerToHttp.port1);
    this.#uploader = uploads && UploaderParts.start(uploads, {
      state,
      directory: this.#directory,
      spawn: () => this.#spawn("uploader"),
      connectBackups: () => this.#connectBackups(),
      log,
    });
    this.#sinks = sinkLines(sinks, (role) => this.#spawn(role));
    this.#http = this.#startHttp({ state, replica: httpToReplica.port1, writer: writerToHttp.port2, users });
    if (!isServer) this.#listening.replica.resolve();
    this.#manager.open(new NodeState(state), isServer ? () => this.#spawn("notifier") : undefined);
    revokeSpentRights(this.#rights());
    this.#serveWhenOpen();
  }

  /** Clients are answered when everything listens: what they ask next must find it (a join, a question to the name server). */
  async #serveWhenOpen(): Promise<void> {
    const { replica, http } = this.#listening;
    await Promise.all([replica.promise, http.promise, this.#agent?.listening()]);
    this.#tellHttp({ k: "serve" });
    this.#agent?.serve();
    this.#manager.tellReady();
  }

  #onNodeTls(tls: NodeTls): void {
    if (this.#replica) this.#tellReplica({ k: "tls", tls });
    else this.#agent?.setTls(tls);
    this.#tellHttp({ k: "nodeTls", notAfter: notAfterOf(tls) });
  }

  /** A secret in a file stays. */
  async #onGossipKeys(keys: readonly Uint8Array[]): Promise<void> {
    if (this.#config.clusterSecretFile !== "") return;
    this.#newestGossipKeys = keys;
    const texts = await secretsOf(keys);
    if (this.#newestGossipKeys !== keys) return; // newer ones have come meanwhile
    if (this.#replica) this.#tellReplica({ k: "secret", texts });
    else this.#agent?.setSecrets(texts);
  }

  #startAgent(agent: AgentConfig, state: SharedArrayBuffer, http: MessagePort): AgentParts | undefined {
    return this.#inputs.agentModule && new this.#inputs.agentModule.AgentParts({
      config: this.#config,
      agent,
      directory: this.#directory,
      relay: agent.isServer ? undefined : {
        port: http,
        state,
        apiUrl: apiUrlOf(this.#config),
        version: VERSION,
        clusterSecret: this.#inputs.secret,
        tls: this.#inputs.certificates.node,
      },
      spawn: (role) => role === "membership" ? this.#start(role) : this.#spawn(role),
      onKeys: (keys) => this.#onGossipKeys(keys),
      fail: (message) => this.#fail(new NodeFailure(message)),
      log: this.#log,
    });
  }

  #spawn(role: Parameters<typeof spawn>[0]): Worker {
    const worker = spawn(role, this.#scope, (message) => this.#fail(new NodeFailure(message)), this.#logLevel);
    this.#manager.watch(role, worker, this.#writerControl.activity);
    return worker;
  }

  /** In a Worker, or in this thread. */
  #start(role: "http" | "membership"): Part {
    const isClient = this.#config.agent?.isServer === false;
    return isClient ? runHere(role, (message) => this.#fail(new NodeFailure(message))) : this.#spawn(role);
  }

  #fail(error: NodeFailure): void {
    this.#failed.reject(error);
  }

  #startWriter(http: MessagePort): void {
    const writer = this.#spawn("sqlite");
    const { port1 } = this.#writerToReplica;
    const open: OpenWriter = {
      k: "open",
      path: `${this.#directory.sqlite}/${DATABASE}`,
      foreignKeys: this.#config.foreignKeys,
      library: this.#library,
      control: this.#writerControl.shared,
      privateControl: this.#privateControl.shared,
      answers: this.#answers.shared,
      checkpoint: {
        entries: this.#config.snapshotEntries,
        walBytes: this.#config.snapshotWalBytes,
        intervalMs: this.#config.snapshotIntervalMs,
      },
      tempBytesMax: this.#config.tempBytesMax,
      replica: port1,
      http: [http],
    };
    writer.postMessage(open, [port1, http]);
  }

  /** Starts a reader and hands HTTP the line to it. It is asked for by a read, and finds a database once the replica listens. */
  async #addReader(): Promise<void> {
    await this.#listening.replica.promise;
    const { port1, port2 } = new MessageChannel();
    const control = new Control();
    this.#readerControls.push(control);
    const open: OpenReader = {
      k: "open",
      path: `${this.#directory.sqlite}/${DATABASE}`,
      foreignKeys: this.#config.foreignKeys,
      library: this.#library,
      control: control.shared,
      answers: this.#answers.shared,
      tempBytesMax: this.#config.tempBytesMax,
      port: port1,
    };
    this.#spawn("reader").postMessage(open, [port1]);
    this.#revokeLibrary();
    this.#tellHttp({ k: "reader", line: { port: port2, ticket: control.ticketPlace } });
  }

  #startHttp(
    { state, replica, writer, users }: Pick<OpenHttp, "state" | "replica" | "writer" | "users">,
  ): Part {
    const config = this.#config;
    const worker = this.#start("http");
    const tasks = new Callee<SupervisorMethods>(worker, {
      leave: () => this.leave(),
      reload: () => this.onReload(),
      ...fileTasks(this.#directory),
      ...this.#definitions.tasks(this.#log),
    }, describeTask);
    worker.addEventListener("message", ({ data }: MessageEvent<FromHttpWorker>) => {
      if (data.k === "failed") this.#fail(new NodeFailure(data.message));
      else if (data.k === "listening") this.#listening.http.resolve();
      else if (data.k === "stopped") this.#stopped.http.resolve();
      else if (data.k === "wantReader") this.#addReader();
      else if (data.k === "wantBackups") this.#tellHttp({ k: "backups", port: this.#connectBackups() });
      else if (data.k === "wantParser") this.#tellHttp({ k: "parser", port: lineTo(this.#spawn("parser")) });
      else if (data.k === "wantChecks") this.#startChecks();
      else if (data.k === "restored") this.#uploader?.noteRestored();
      else tasks.take(data);
    });
    const open: ToHttpWorker = {
      k: "open",
      state,
      answers: this.#answers.shared,
      replica,
      writer,
      ...(users ? { users } : {}),
      ...(this.#replica
        ? {
          activity: { shared: this.#writerControl.shared, at: ACTIVITY },
          ticket: this.#privateControl.ticketPlace,
        }
        : {}),
      ...this.#agent?.forHttp,
      ...this.#uploader?.forHttp,
      ...this.#sinks,
      options: httpOptions({
        config,
        directory: this.#directory,
        scope: this.#scope,
        certificates: this.#inputs.certificates,
        extensions: this.#library.extensions,
        startedMs: this.#startedMs,
        acl: config.agent?.acl && this.#definitions.acl.withKept(config.agent.acl, this.#log),
      }),
      ...(config.agent ? { local: { ...config.agent.local, kept: this.#definitions.read(this.#log) } } : {}),
    };
    const lines = [open.membership, open.wan, open.uploader, open.cdc?.port, open.otlp?.port];
    const optional = lines.filter((port) => port !== undefined);
    worker.postMessage(open, [replica, writer, ...optional]);
    const { port1, port2 } = new MessageChannel();
    const lookups: ToHttpWorker = { k: "lookups", port: port1 };
    if (this.#agent) worker.postMessage(lookups, [port1]);
    this.#agent?.startNameServer(port2, worker);
    return worker;
  }

  /** The Worker of checks: the last to get the right to the network, and to run programs. */
  #startChecks(): void {
    this.#tellHttp({ k: "checks", port: lineTo(this.#spawn("checks")) });
    this.#keepsChecks = false;
    revokeSpentRights(this.#rights());
  }

  #rights(): Parameters<typeof revokeSpentRights>[0] {
    const isClient = this.#config.agent?.isServer === false;
    return {
      isClient,
      keepsNet: isClient || this.#keepsChecks,
      keepsRun: this.#scope.runsScripts && this.#keepsChecks,
    };
  }

  #tellHttp(message: ToHttpWorker): void {
    const ports = message.k === "reader" ? [message.line.port] : "port" in message ? [message.port] : [];
    this.#http.postMessage(message, ports);
  }

  /** The other end of the line to the discovery Worker. */
  #startDiscovery(options: DiscoveryOptions): MessagePort {
    const { port1, port2 } = new MessageChannel();
    const open: OpenDiscovery = { k: "open", options, replica: port1 };
    this.#spawn("discovery").postMessage(open, [port1]);
    return port2;
  }

  /** Starts the snapshot Worker. Messages sent before that wait in its port. */
  #startSnapshots(): void {
    const { port1: replica } = this.#snapshotLine;
    const library = this.#library;
    const open: OpenSnapshot = { path: `${this.#directory.sqlite}/${DATABASE}`, library, replica };
    this.#spawn("snapshot").postMessage(open, [replica]);
    this.#startsSnapshots = false;
    this.#revokeLibrary();
  }

  /** A line to the backup Worker, which is started for the first one. */
  #connectBackups(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    const open: OpenBackups = {
      path: `${this.#directory.sqlite}/${DATABASE}`,
      library: this.#library,
      port: port1,
    };
    this.#backups ??= this.#spawn("backup");
    this.#backups.postMessage(open, [port1]);
    this.#revokeLibrary();
    return port2;
  }

  /** Takes the right to the SQLite library from this thread, when no further Worker is to have it. */
  #revokeLibrary(): void {
    if (
      this.#readerControls.length === readersMaxOf(this.#config.readersMax) && !this.#startsSnapshots && this.#backups
    ) {
      Deno.permissions.revokeSync({ name: "ffi" });
    }
  }

  #startReplica(
    { state, http }: { state: SharedArrayBuffer; http: MessagePort },
    { discovery, users, joinAuthorization = "" }: NodeInputs,
  ): Worker {
    const config = this.#config;
    const worker = this.#spawn("replica");
    worker.addEventListener("message", ({ data }: MessageEvent<FromReplica>) => {
      if (data.k === "failed") this.#onReplicaFailed(data);
      else if (data.k === "listening") this.#listening.replica.resolve();
      else if (data.k === "wantSnapshots") this.#startSnapshots();
      else if (data.k === "clustered") this.#clustered.resolve();
      else if (data.k === "stopped") this.#stopped.replica.resolve();
    });
    const { port2: writer } = this.#writerToReplica;
    const { port2: snapshots } = this.#snapshotLine;
    const discoveryPort = discovery && this.#startDiscovery(discovery);
    const open: ToReplica = {
      k: "open",
      state,
      writer,
      http: [http],
      snapshots,
      discovery: discoveryPort,
      pool: this.#agent?.lines.replica,
      options: {
        nodeId: this.#directory.nodeId,
        storageId: this.#directory.storageId,
        directory: this.#directory.raft,
        bindAddrs: [config.clusterAddr, ...config.agent?.serverAddr ? [config.agent.serverAddr] : []],
        advertisedAddr: config.clusterAdvertisedAddr,
        apiUrl: apiUrlOf(config),
        version: API_VERSION,
        isVoter: config.isVoter,
        join: config.join,
        joinAuthorization,
        checksJoins: users !== undefined && !config.agent, // agents meet in the pool, which has a key of its own
        joinAttempts: config.joinAttempts,
        joinIntervalMs: config.joinIntervalMs,
        bootstrapExpect: config.bootstrapExpect,
        bootstrapAlone: config.agent?.bootstrap ?? false,
        bootstrapTimeoutMs: config.bootstrapTimeoutMs,
        rejoin: this.#directory.rejoin,
        discovery: config.agent ? { kind: "pool", deadAfterMs: 0 } : discovery && discoveryUse(discovery),
        heartbeatTimeoutMs: config.heartbeatTimeoutMs,
        electionTimeoutMs: config.electionTimeoutMs,
        leaseReads: config.leaseReads,
        applyTimeoutMs: config.applyTimeoutMs,
        maxSteps: config.maxSteps,
        connectTimeoutMs: config.connectTimeoutMs,
        compressSnapshots: config.compressSnapshots,
        clusterName: config.clusterName,
        clusterSecret: this.#inputs.secret,
        ...(this.#inputs.certificates.node ? { tls: this.#inputs.certificates.node } : {}),
        stopWhenRemoved: config.stopWhenRemoved,
        reapVoterMs: config.reapVoterMs,
        reapNonVoterMs: config.reapNonVoterMs,
        stepdownOnShutdown: config.stepdownOnShutdown,
        removeOnShutdown: config.removeOnShutdown,
        forwardBytesMax: config.httpBodyBytesMax + FORWARD_OVERHEAD_BYTES,
      },
    };
    const optional = [open.discovery, open.pool].filter((port) => port !== undefined);
    worker.postMessage(open, [writer, http, snapshots, ...optional]);
    return worker;
  }

  #tellReplica(message: ToReplica): void {
    this.#replica?.postMessage(message);
  }

  /** Damage ends the process for good, unless the next start may heal it: the code tells systemd which. */
  #onReplicaFailed({ message, exitCode, members }: Extract<FromReplica, { k: "failed" }>): void {
    const { path, nodeId } = this.#directory;
    let healing: string | undefined;
    try {
      if (this.#config.rejoinsDamaged) healing = noteDamage(path, { nodeId, reason: message, members });
    } catch (error) {
      this.#log(`could not note the damage in ${path}: ${messageOf(error)}`);
    }
    if (healing === undefined) this.#fail(new NodeFailure(message, exitCode));
    else this.#fail(new NodeFailure(`${message}\n${healing}`));
  }

  /** Resolves when the node is part of a cluster and knows its leader; rejects with a {@linkcode NodeFailure}. */
  clustered(): Promise<void> {
    return Promise.race([this.#clustered.promise, this.#failed.promise]);
  }

  /** Never resolves; rejects with a {@linkcode NodeFailure} when the node cannot go on. */
  failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** HTTP first, so that requests under way finish; then leadership and the log; the writer ends with its last batch. */
  async shutdown(): Promise<void> {
    const inTime = new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#log(`the shutdown took longer than ${SHUTDOWN_MS / 1000} s and was cut short`);
        resolve();
      }, SHUTDOWN_MS);
      Deno.unrefTimer(Number(timer));
    });
    await Promise.race([this.#shutdown(), inTime, this.#failed.promise]);
    this.#directory.release();
  }

  async #shutdown(): Promise<void> {
    this.#manager.tellStopping();
    this.#tellHttp({ k: "shutdown" });
    this.#endStatements();
    await Promise.all([this.#stopped.http.promise, this.#uploader?.shutdown()]);
    await this.#agent?.close();
    await this.#stopReplica({ leave: false });
  }

  /** Reads end at once, a write that runs a little later: it comes again at the next start. */
  #endStatements(): void {
    for (const control of [this.#privateControl, ...this.#readerControls]) control.ticket.cancelAll();
    Deno.unrefTimer(Number(setTimeout(() => this.#writerControl.ticket.cancelAll(), WRITER_GRACE_MS)));
  }

  /** Once: whoever asks again waits for the first. */
  async #stopReplica({ leave }: { leave: boolean }): Promise<void> {
    if (!this.#replica) return;
    if (!this.#isLeaving) this.#tellReplica({ k: "shutdown", leave });
    if (!leave) this.#endStatements(); // one that leaves still has to apply that it was removed
    await this.#stopped.replica.promise;
  }

  /** Joins the pool as the configuration says; rejects when that is given up. */
  async join(): Promise<void> {
    await this.#agent?.join();
  }

  /** Leaves pool and cluster gracefully (C9.2); the node is still to be shut down. */
  async leave(): Promise<void> {
    this.#log("Gracefully shutting down agent...");
    await this.#agent?.leave();
    const stopped = this.#stopReplica({ leave: true });
    this.#isLeaving = true;
    await stopped;
    this.#left.resolve();
  }

  /** Resolves when a client had this node leave. */
  left(): Promise<void> {
    return this.#left.promise;
  }

  /** Id of this node. */
  get id(): string {
    return this.#directory.nodeId;
  }

  /** Action of `/v1/agent/reload` and SIGHUP; set by the command. */
  onReload: () => Promise<void> = () => Promise.resolve();

  /** Takes into use what may change while an agent runs. */
  reload({ dns, logLevel, meta, local, watches, acl }: AgentConfig): void {
    this.#logLevel = logLevel;
    setLogLevel(logLevel);
    this.#agent?.setDns(dns);
    this.#agent?.setWatches(watches);
    this.#tellHttp({ k: "agent", meta, files: local.files, tokens: this.#definitions.acl.tokensOf(acl, this.#log) });
  }

  /** Takes another state of the auth file into use; only in a node that was started with one. */
  setUsers(users: readonly User[]): void {
    this.#tellHttp({ k: "users", users });
  }
}

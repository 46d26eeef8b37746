/**
 * HTTP for its supervisor, which opens it, informs it of changes and shuts it down by messages. It runs in a Worker of
 * its own or, in a client agent, in the process's only thread; there it also starts the name server.
 * @module
 */
import type { TlsServer } from "../../base/net/conn.ts";
import { optimizeIfLeader, type Skipped } from "../../app/database/auto_optimize.ts";
import { repeatEvery, vacuumIfLeader } from "../../app/database/maintenance.ts";
import { Activity } from "../../base/shared/activity.ts";
import { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { DnsCounts } from "../../base/shared/dns_counts.ts";
import { NodeState } from "../../base/shared/node_state.ts";
import type { WorkerScope } from "../../base/worker/worker_scope.ts";
import { Caller, CallError, type ToCaller } from "../../base/worker/channel.ts";
import { DISK_FULL } from "../../base/worker/files.ts";
import { BusyError } from "../../app/database/errors.ts";
import type { AgentTasks } from "./agent_tasks.ts";
import type { FromHttpWorker, OpenHttp, SupervisorMethods, ToHttpWorker } from "./api.ts";
import { Catalog } from "../../app/agent/catalog.ts";
import { Readers } from "../../app/database/readers.ts";
import { ReplicaClient } from "../../app/database/replica_client.ts";
import { logger } from "../../base/worker/log.ts";
import { Delivery, type DeliveryParts } from "../../app/changes/delivery.ts";
import type { SinkMethods } from "../../drivers/sink/api.ts";
import { ConsolePage } from "../console/page.ts";
import { LivePicture } from "../../app/picture/live_picture.ts";
import { LiveQueries } from "../../app/changes/live_queries.ts";
import { ChangeFeed } from "../../app/changes/change_feed.ts";
import { TableWatches } from "../../app/changes/table_watches.ts";
import { SlowStatements } from "../../app/database/slow_statements.ts";
import { Tracer } from "../../app/traces/tracer.ts";
import { History } from "../../core/metrics/history.ts";
import { keepHistory } from "../../app/metrics/history_sampler.ts";
import { MetricsPush } from "../../app/metrics/push.ts";
import { KeyTimers, type KeyTimersParts } from "../../app/keys/key_timers.ts";
import { SessionTimers } from "../../app/keys/session_timers.ts";
import { nodeAccess, warnIfOpen } from "./access.ts";
import { nodeOperations } from "../../app/services/node_operations.ts";
import { mayJoin, Users } from "../../app/users/users.ts";
import { AutoRestore, hasTables, UploaderClient } from "../../app/database/auto_restore.ts";
import { Backups } from "../../app/database/backups.ts";
import { writeBatch } from "../../app/database/data_operations.ts";
import { WriteQueue } from "../../app/database/write_queue.ts";
import { newCounters } from "../../app/database/counters.ts";
import { Database } from "../../app/database/database.ts";
import { Intervals } from "../../core/metrics/intervals.ts";
import { RequestCounts } from "../http/request_counts.ts";
import { allFamilies, countedFamilies, historyFamilies } from "../metrics/prometheus.ts";
import { type HttpServer, serveHttp } from "../http/server.ts";
import { isClientAgent } from "../rqlite/leadership.ts";
import { endpointOf, loadV1, route } from "./router.ts";
import { LargeBodies } from "../rqlite/large_bodies.ts";
import type { Services } from "./services.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** After so long it is known what the cluster keeps. */
const WARN_MS = 10_000;
/** In-flight requests get this long at a shutdown. */
const SHUTDOWN_MS = 5000;
/** The collector gets this long then for the last spans. */
const TRACES_MS = 1000;

/** The line to the supervisor; there is one HTTP in a thread. */
let scope: Pick<WorkerScope<ToHttpWorker, FromHttpWorker>, "postMessage"> = { postMessage() {} };
let services: Services | undefined;
/** What an agent does beside. */
let tasks: AgentTasks | undefined;
let server: HttpServer | undefined;

const log = logger("http");

async function open(message: OpenHttp, agentTasks?: typeof AgentTasks): Promise<void> {
  const { options } = message;
  const answers = new AnswerBudget(message.answers);
  const readers = new Readers(() => scope.postMessage({ k: "wantReader" }), answers, options.readersMax);
  const users = message.users && new Users(message.users);
  const replica = new ReplicaClient(message, {
    serve: (call, over) => operations.serve(call, over),
    mayJoin: (shown) => mayJoin(users, shown),
  }, answers);
  const otlp = message.otlp && { ...message.otlp, deliver: deliverer(message.otlp.port) };
  const parts = {
    options,
    state: new NodeState(message.state),
    activity: message.activity && new Activity(message.activity.shared, message.activity.at),
    replica,
    readers,
    answers,
    backups: new Backups(() => scope.postMessage({ k: "wantBackups" })),
    largeBodies: isClientAgent(message) ? undefined : new LargeBodies(() => scope.postMessage({ k: "wantParser" })),
    counters: newCounters(),
    slow: new SlowStatements(options.slowMs, logger("slow")),
    requests: new RequestCounts(),
    tracer: tracerOf(message, otlp?.deliver),
    dns: message.dns && new DnsCounts(message.dns),
    users,
    log,
  };
  const catalog = new Catalog(parts);
  tasks = tasksOf(message, replica, agentTasks);
  const agent = tasks?.agent;
  const database = new Database(parts);
  const queue = new WriteQueue(options.writeQueue, (...batch) => writeBatch(operations, ...batch), log);
  const clocks = timersOf({ catalog, state: parts.state, log });
  const access = nodeAccess({ ...parts, agent, catalog, operations: () => operations });
  const control = { access, takeBootstrapReset };
  const picture = new LivePicture({ replica, agent, options, log, operations: () => operations });
  const expiry = { http: options.tls?.notAfter, node: options.nodeNotAfter };
  const seen = { expiry, disk, picture: () => picture.picture() };
  const operations = nodeOperations({ ...parts, catalog, agent, database, queue, ...clocks, ...control, ...seen });
  const uploader = message.uploader && new UploaderClient(message.uploader);
  const restore = uploader && restoreOf(message, { ...parts, database, uploader });
  const data = { ...parts, database, uploader, restore };
  const local = tasks?.prepareServices({ operations, tokens: access?.tokens });
  const history = new History();
  const made: Services = {
    ...data,
    operations,
    queue,
    catalog,
    ...followingOf(message, { ...parts, catalog }),
    agent,
    access,
    memberEvents: tasks?.memberEvents,
    intervals: new Intervals(() => countedFamilies(made), Date.now()),
    history,
    local,
    expiry,
    picture,
    ...asked,
  };
  replica.isOpen = () => isClientAgent(message) || parts.state.isOpen;
  follow(message, made, otlp?.deliver);
  tasks?.start(made, clocks);
  if (restore) runRestore(restore);
  tidyUp(made);
  services = made;
  await listen(made);
  keepHistory(history, (nowMs) => historyFamilies(made, nowMs));
}

function runRestore(restore: AutoRestore): void {
  restore.run().then(
    () => restore.isOver && scope.postMessage({ k: "restored" }),
    (error) => scope.postMessage({ k: "failed", message: messageOf(error) }),
  );
}

/** Looks after the database now and then, where this node leads. */
function tidyUp(made: Services): void {
  const { autoVacuumMs, autoOptimizeMs } = made.options;
  repeatEvery(autoVacuumMs, () => vacuumIfLeader(made));
  const skipped: Skipped = new Set();
  repeatEvery(autoOptimizeMs, () => optimizeIfLeader(made, skipped));
}

/** What the supervisor does for handlers. */
const asked: Pick<Services, "console" | "directorySize" | "databaseSizes" | "keepTokens"> = {
  console: new ConsolePage(() => supervisor.call("consoleFiles", {})),
  directorySize: () => supervisor.call("directorySize", {}),
  databaseSizes: () => supervisor.call("databaseSizes", {}),
  keepTokens: (text) => supervisor.call("keepTokens", { text }),
};
const disk = () => supervisor.call("disk", {});
const takeBootstrapReset = () => supervisor.call("takeBootstrapReset", {});

function timersOf(parts: KeyTimersParts): { readonly timers: SessionTimers; readonly keyTimers: KeyTimers } {
  return { timers: new SessionTimers(parts), keyTimers: new KeyTimers(parts) };
}

/** What follows the tables of this node. */
function followingOf(
  message: OpenHttp,
  parts: Pick<Services, "activity" | "state" | "readers" | "answers"> & { readonly catalog: Catalog },
): Pick<Services, "watches" | "changes" | "live" | "delivery"> {
  const watches = new TableWatches(parts.activity);
  const changes = new ChangeFeed({ catalog: parts.catalog, watches });
  const live = new LiveQueries({ ...parts, watches });
  return { watches, changes, live, delivery: deliveryOf(message, { ...parts, changes }) };
}

/** Hands a body to a sink; `what` it is, where the sink takes several kinds. */
type Deliver = (body: string, timeoutMs: number, what?: "traces") => Promise<void>;

/** What hands bodies to a sink. */
function deliverer(port: MessagePort): Deliver {
  const caller = new Caller<SinkMethods>(port, { callee: "the Worker that delivers" });
  port.onmessage = ({ data }: MessageEvent<ToCaller>) => caller.settle(data);
  return (body, timeoutMs, what) => caller.call("deliver", { body, timeoutMs, ...(what ? { what } : {}) });
}

function deliveryOf(
  { cdc, options: { nodeId } }: OpenHttp,
  parts: Pick<DeliveryParts, "catalog" | "state" | "changes">,
): Delivery | undefined {
  if (!cdc) return undefined;
  const { catalog, state, changes } = parts;
  const deliver = deliverer(cdc.port);
  return new Delivery({ options: cdc.options, nodeId, catalog, state, changes, deliver, log: logger("cdc") });
}

/** This node, as a collector knows it. */
function resourceOf({ nodeId, programVersion }: OpenHttp["options"]): Readonly<Record<string, string>> {
  return { "service.name": "muster", "service.version": programVersion, "service.instance.id": nodeId };
}

/** Has traces go to the collector, where there is one. */
function tracerOf({ otlp, options }: OpenHttp, deliver: Deliver | undefined): Tracer | undefined {
  if (!otlp || !deliver) return undefined;
  const { endpoint, traceRatio, showsSql } = otlp.options;
  return new Tracer({
    ratio: traceRatio,
    showsSql,
    endpoint,
    resource: resourceOf(options),
    version: options.programVersion,
    deliver: (body, timeoutMs) => deliver(body, timeoutMs, "traces"),
    log: logger("otlp"),
  });
}

/** Has metrics pushed, where they are. */
function pushMetrics({ otlp, options }: OpenHttp, made: Services, deliver: Deliver | undefined): void {
  if (!otlp || !deliver) return;
  const { programVersion, startedMs } = options;
  const context = { resource: resourceOf(options), version: programVersion, startMs: startedMs };
  const families = () => allFamilies(made);
  new MetricsPush({ options: otlp.options, context, families, deliver, log: logger("otlp") }).start();
}

/** Has those that watch hear of what the replica and the writer tell; deliveries begin. */
function follow(message: OpenHttp, made: Services, deliver: Deliver | undefined): void {
  const { replica, readers, catalog, watches, delivery, tracer } = made;
  if (tracer) replica.onSpans = (spans) => spans.forEach((span) => tracer.take(span));
  replica.onDatabaseReplaced = () => (readers.reopen(), catalog.replaced(), watches.allChanged());
  replica.onMakeWay = () => readers.makeWay();
  replica.onGoOn = () => readers.goOn();
  replica.onCatalogChanged = () => catalog.changed();
  replica.onTablesChanged = (tables) => watches.changed(tables);
  delivery?.run();
  pushMetrics(message, made, deliver);
  if (!isClientAgent(made)) Deno.unrefTimer(Number(setTimeout(() => warnIfOpen(made), WARN_MS)));
}

function restoreOf(
  { restore }: OpenHttp,
  parts: Pick<Services, "state" | "readers" | "answers" | "database"> & { readonly uploader: UploaderClient },
): AutoRestore | undefined {
  return restore && new AutoRestore({
    ...restore,
    state: parts.state,
    hasTables: () => hasTables(parts),
    load: (step, timeoutMs) => parts.database.load(step, timeoutMs),
    download: () => parts.uploader.download(),
    log: logger("downloader"),
  });
}

async function listen(made: Services): Promise<void> {
  const { bindAddrs, tlsAddrs } = made.options;
  if (bindAddrs.length + tlsAddrs.length === 0) return scope.postMessage({ k: "listening", port: 0 }); // -http-port=-1
  try {
    server = await serveHttp({
      ...made,
      endpointOf: (head) => endpointOf(head, made.requests),
      noteRefused: (status) => made.requests.noteRefused(status),
      route: (request) => route(request, made),
    });
    for (const addr of bindAddrs) log(`service listening on ${addr}`);
    for (const addr of tlsAddrs) log(`service listening on ${addr} (HTTPS)`);
    scope.postMessage({ k: "listening", port: server.port });
  } catch (error) {
    const why = messageOf(error);
    scope.postMessage({ k: "failed", message: why });
  }
}

const supervisor = new Caller<SupervisorMethods>(
  { postMessage: (message) => scope.postMessage(message) },
  {
    callee: "the supervisor",
    failure: (message, code) => code === DISK_FULL ? new BusyError(message) : new CallError(message, code),
  },
);

function tasksOf(
  message: OpenHttp,
  replica: ReplicaClient,
  Tasks: typeof AgentTasks | undefined,
): AgentTasks | undefined {
  const { options: { agent }, membership } = message;
  const wantChecks = () => scope.postMessage({ k: "wantChecks" });
  return Tasks && agent && membership &&
    new Tasks(agent, { ...message, membership }, { replica, supervisor, wantChecks, log });
}

/** Takes a new certificate into use. */
function renew(tls: TlsServer): void {
  try {
    server?.renew(tls);
    if (services) services.expiry.http = tls.notAfter;
    log("new connections of HTTPS get the new certificate");
  } catch (error) {
    log(`the new certificate of HTTPS cannot be used, the one before stays: ${messageOf(error)}`, "error");
  }
}

/** Loaded where it is wanted, in client agents alone. */
async function startNameServer(port: MessagePort): Promise<void> {
  const { serveNames } = await import("../nameserver/service.ts");
  serveNames(port);
}

async function shutdown(): Promise<void> {
  services?.delivery?.stop();
  services?.restore?.stop();
  await services?.queue.close(SHUTDOWN_MS / 2);
  await Promise.race([server?.shutdown(), new Promise((resolve) => setTimeout(resolve, SHUTDOWN_MS))]);
  await services?.tracer?.close(TRACES_MS);
  tasks?.close();
  services?.readers.close();
  services?.largeBodies?.close();
  scope.postMessage({ k: "stopped" });
}

/** What an agent needs beside the database, loaded before anything else is done. */
async function loadAgent(): Promise<typeof AgentTasks> {
  const [{ AgentTasks }] = await Promise.all([import("./agent_tasks.ts"), loadV1()]);
  return AgentTasks;
}

function take(data: Exclude<ToHttpWorker, { k: "open" }>): void {
  if (data.k === "serve") server?.start();
  else if (data.k === "tls") renew(data.tls);
  else if (data.k === "nodeTls") { if (services) services.expiry.node = data.notAfter; }
  else if (data.k === "reader") services?.readers.add(data.line);
  else if (data.k === "backups") services?.backups.connect(data.port);
  else if (data.k === "parser") services?.largeBodies?.connect(data.port);
  else if (data.k === "lookups") tasks?.answerLookups(data.port);
  else if (data.k === "names") startNameServer(data.port);
  else if (data.k === "users") services?.users?.replace(data.users);
  else if (data.k === "agent") tasks?.renew(data);
  else if (data.k === "checks") tasks?.connectChecks(data.port);
  else if (data.k === "answer") supervisor.settle(data);
  else shutdown();
}

/** Does what the line says, in order: in an agent, once its tasks are loaded. */
export function serve(line: WorkerScope<ToHttpWorker, FromHttpWorker>): void {
  scope = line;
  let loaded: Promise<typeof AgentTasks> | undefined;
  line.onmessage = ({ data }) => {
    if (data.k === "open") {
      if (data.options.agent) loaded = loadAgent();
      if (loaded) loaded.then((agentTasks) => open(data, agentTasks));
      else open(data);
    } else if (loaded) loaded.then(() => take(data));
    else take(data);
  };
}

/**
 * HTTP as its supervisor sees it: opened, told of what comes and goes, and shut down by messages, in a Worker of its own or, in
 * a client agent, in the process's only thread; there it starts the name server, too.
 * @module
 */
import { Activity } from "../../base/worker/activity.ts";
import { AnswerBudget } from "../../base/worker/answer_budget.ts";
import { NodeState } from "../../base/worker/node_state.ts";
import type { WorkerScope } from "../../base/worker/worker_scope.ts";
import type { FromHttpWorker, Lookup, LookupAnswer, OpenHttp, ToHttpWorker } from "./api.ts";
import { AntiEntropy } from "../../app/agent/anti_entropy.ts";
import { Catalog } from "../../app/agent/catalog.ts";
import { PoolClient } from "../../drivers/membership/client.ts";
import { Readers } from "../../app/database/readers.ts";
import { ReplicaClient } from "../../app/database/replica_client.ts";
import { logger } from "../../base/worker/log.ts";
import { Reconciler } from "../../app/agent/reconciler.ts";
import { type Agent, newCounters, type Services } from "../http/request.ts";
import { route } from "../rqlite/router.ts";
import { type HttpServer, serveForwarded, serveHttp } from "../http/server.ts";
import { EventLog } from "../consul/events.ts";

/** In-flight requests get this long at a shutdown. */
const SHUTDOWN_MS = 5000;

/** A request of the name server. */
const LOOKUP = { method: "GET", contentType: "", authorization: "", body: new Uint8Array(0), forwarded: false };

/** The line to the supervisor; there is one HTTP in a thread. */
let scope: Pick<WorkerScope<ToHttpWorker, FromHttpWorker>, "postMessage"> = { postMessage() {} };
let services: Services | undefined;
let antiEntropy: AntiEntropy | undefined;
let server: HttpServer | undefined;

const log = logger("http");

function open(message: OpenHttp): void {
  const answers = new AnswerBudget(message.answers);
  const readers = new Readers(() => scope.postMessage({ k: "wantReader" }), answers);
  const catalog: Catalog = new Catalog(() => made);
  const made: Services = {
    options: message.options,
    state: new NodeState(message.state),
    activity: message.activity && new Activity(message.activity.shared, message.activity.at),
    replica: new ReplicaClient(message, (request, over) => serveForwarded(request, made, over), answers),
    readers,
    answers,
    counters: newCounters(),
    catalog,
    agent: agentOf(message),
    log,
  };
  made.replica.onDatabaseReplaced = () => (readers.reopen(), catalog.changed());
  made.replica.onCatalogChanged = () => catalog.changed();
  if (made.agent?.options.isServer) {
    const reconciler = new Reconciler(made);
    made.replica.onLeader = () => (reconciler.soon(), catalog.changed());
  }
  if (made.agent) antiEntropy = new AntiEntropy(made);
  services = made;
  const { bindAddrs } = message.options;
  if (bindAddrs.length === 0) return scope.postMessage({ k: "listening", port: 0 }); // -http-port=-1
  try {
    server = serveHttp(made);
    for (const addr of bindAddrs) log(`service listening on ${addr}`);
    scope.postMessage({ k: "listening", port: server.port });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    scope.postMessage({ k: "failed", message: why });
  }
}

/** Tasks of the supervisor that are waited for. */
const asked = new Map<number, PromiseWithResolvers<void>>();

function agentOf({ options, membership }: OpenHttp): Agent | undefined {
  if (!options.agent || !membership) return undefined;
  const pool = new PoolClient(membership);
  const events = new EventLog(options.agent.nodeName);
  pool.onEvent((event) => events.take(event));
  return {
    options: options.agent,
    pool,
    events,
    askSupervisor: async (task) => {
      const ref = asked.size === 0 ? 1 : Math.max(...asked.keys()) + 1;
      const waiting = Promise.withResolvers<void>();
      asked.set(ref, waiting);
      scope.postMessage({ k: "ask", ref, task });
      await waiting.promise;
    },
  };
}

/** Metadata of this node, anew: the catalog is to say so, too. */
function setMeta(meta: Readonly<Record<string, string>>): void {
  const agent = services?.agent;
  if (!agent) return;
  agent.options = { ...agent.options, meta };
  antiEntropy?.soon();
}

function onDone({ ref, error }: Extract<ToHttpWorker, { k: "done" }>): void {
  const waiting = asked.get(ref);
  asked.delete(ref);
  if (error === undefined) waiting?.resolve();
  else waiting?.reject(new Error(error));
}

/** The name server asks as a client would, by the paths of the API. */
function answerLookups(port: MessagePort): void {
  port.onmessage = async ({ data: { ref, target } }: MessageEvent<Lookup>) => {
    if (!services) return;
    const startedMs = performance.now();
    const { status, body } = await route({ ...LOOKUP, target, startedMs }, services);
    const answer: LookupAnswer = {
      ref,
      status,
      body: typeof body === "string" ? body : new TextDecoder().decode(body),
    };
    port.postMessage(answer);
  };
}

/** Loaded where it is wanted, in client agents alone. */
async function startNameServer(port: MessagePort): Promise<void> {
  const { serveNames } = await import("../nameserver/service.ts");
  serveNames(port);
}

async function shutdown(): Promise<void> {
  await Promise.race([server?.shutdown(), new Promise((resolve) => setTimeout(resolve, SHUTDOWN_MS))]);
  services?.readers.close();
  scope.postMessage({ k: "stopped" });
}

/** Does what the line says. */
export function serve(line: WorkerScope<ToHttpWorker, FromHttpWorker>): void {
  scope = line;
  line.onmessage = ({ data }) => {
    if (data.k === "open") open(data);
    else if (data.k === "reader") services?.readers.add(data.line);
    else if (data.k === "lookups") answerLookups(data.port);
    else if (data.k === "names") startNameServer(data.port);
    else if (data.k === "meta") setMeta(data.meta);
    else if (data.k === "done") onDone(data);
    else shutdown();
  };
}

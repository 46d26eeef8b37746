/**
 * The HTTP Worker: the API for clients. It may listen on its own address and nothing else.
 * @module
 */
import { NodeState } from "../rpc/node_state.ts";
import { workerScope } from "../rpc/worker_scope.ts";
import type { FromHttpWorker, OpenHttp, ToHttpWorker } from "./api.ts";
import { Readers } from "./readers.ts";
import { ReplicaClient } from "./replica_client.ts";
import { logger } from "../rpc/log.ts";
import { newCounters, type Services } from "./request.ts";
import { type HttpServer, serveForwarded, serveHttp } from "./server.ts";

const scope = workerScope<ToHttpWorker, FromHttpWorker>();
/** In-flight requests get this long at a shutdown. */
const SHUTDOWN_MS = 5000;

let services: Services | undefined;
let server: HttpServer | undefined;

const log = logger("http");

function open(message: OpenHttp): void {
  const readers = new Readers(() => scope.postMessage({ k: "replaceReader" }));
  const made: Services = {
    options: message.options,
    state: new NodeState(message.state),
    replica: new ReplicaClient(message, (request) => serveForwarded(request, made)),
    readers,
    counters: newCounters(),
    log,
  };
  made.replica.onDatabaseReplaced = () => readers.reopen();
  services = made;
  try {
    server = serveHttp(made);
    log(`service listening on ${message.options.bindAddr}`);
    scope.postMessage({ k: "listening", port: server.port });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    scope.postMessage({ k: "failed", message: `cannot listen on HTTP address ${message.options.bindAddr}: ${why}` });
  }
}

async function shutdown(): Promise<void> {
  await Promise.race([server?.shutdown(), new Promise((resolve) => setTimeout(resolve, SHUTDOWN_MS))]);
  services?.readers.close();
  scope.postMessage({ k: "stopped" });
}

scope.onmessage = ({ data }) => {
  if (data.k === "open") open(data);
  else if (data.k === "reader") services?.readers.add(data.port);
  else shutdown();
};

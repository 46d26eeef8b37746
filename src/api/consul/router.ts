/**
 * The paths of `/v1` (C7.1 to C7.8). What concerns this agent is answered by it; what is replicated, by a server: a
 * client agent hands such a request on.
 * @module
 */
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import * as agent from "./agent.ts";
import * as catalog from "./catalog.ts";
import * as events from "./events.ts";
import * as operator from "./operator.ts";
import * as register from "./register.ts";
import { blockingMs, forward, v1Problem } from "./respond.ts";
import type { ConsulParts } from "./parts.ts";

/** Answers one kind of request; `rest` is the path behind the route's, percent-decoded. */
type Handler = (request: HttpRequest, parts: ConsulParts, rest: string) => HttpResponse | Promise<HttpResponse>;

interface Route {
  /** Ends in `/` where a name follows. */
  readonly path: string;
  readonly methods: readonly string[];
  readonly handler: Handler;
  /** Whether any agent answers, rather than a server. */
  readonly isLocal: boolean;
}

const local = (path: string, methods: readonly string[], handler: Handler): Route => ({
  path,
  methods,
  handler,
  isLocal: true,
});
const replicated = (path: string, methods: readonly string[], handler: Handler): Route => ({
  path,
  methods,
  handler,
  isLocal: false,
});
const GET = ["GET", "HEAD"];
const PUT = ["PUT"];

const ROUTES: readonly Route[] = [
  local("/v1/agent/self", GET, agent.self),
  local("/v1/agent/members", GET, agent.members),
  local("/v1/agent/join/", PUT, agent.join),
  local("/v1/agent/leave", PUT, agent.leave),
  local("/v1/agent/force-leave/", PUT, agent.forceLeave),
  local("/v1/agent/reload", PUT, agent.reload),
  local("/v1/agent/monitor", GET, agent.monitor),
  local("/v1/event/fire/", PUT, events.fire),
  local("/v1/event/list", GET, events.list),
  local("/v1/operator/keyring", ["GET", "POST", "PUT", "DELETE"], operator.keyring),
  local("/v1/catalog/datacenters", GET, catalog.datacenters),
  replicated("/v1/catalog/nodes", GET, catalog.nodes),
  replicated("/v1/catalog/node/", GET, catalog.node),
  replicated("/v1/catalog/node-services/", GET, catalog.nodeServices),
  replicated("/v1/catalog/services", GET, catalog.serviceNames),
  replicated("/v1/catalog/service/", GET, catalog.service),
  replicated("/v1/catalog/register", PUT, register.register),
  replicated("/v1/catalog/deregister", PUT, register.deregister),
  replicated("/v1/health/node/", GET, catalog.nodeChecks),
  replicated("/v1/health/state/", GET, catalog.checksInState),
  replicated("/v1/status/leader", GET, operator.statusLeader),
  replicated("/v1/status/peers", GET, operator.statusPeers),
  replicated("/v1/operator/raft/configuration", GET, operator.raftConfiguration),
  replicated("/v1/operator/raft/peer", ["DELETE"], operator.raftRemovePeer),
  replicated("/v1/operator/raft/transfer-leader", ["POST", "PUT"], operator.raftTransfer),
];

/** Routes that take a filter. */
const FILTERED: readonly string[] = [
  "/v1/agent/members",
  "/v1/catalog/nodes",
  "/v1/catalog/node/",
  "/v1/catalog/node-services/",
  "/v1/catalog/services",
  "/v1/catalog/service/",
  "/v1/health/node/",
  "/v1/health/state/",
];

/** Answers a request below `/v1/`; never throws. */
export async function routeV1(request: HttpRequest, parts: ConsulParts): Promise<HttpResponse> {
  try {
    const { options } = agent.agentOf(parts);
    const asked = request.target.split("?", 1)[0];
    const route = ROUTES.find(({ path }) => path.endsWith("/") ? asked.startsWith(path) : asked === path);
    if (!route) throw new HttpError(404, "");
    if (request.method === "OPTIONS") {
      return { status: 200, body: "", headers: { Allow: ["OPTIONS", ...route.methods].join(",") } };
    }
    if (!route.methods.includes(request.method)) {
      const response = v1Problem(new HttpError(405, `method ${request.method} not allowed`), parts.log);
      return { ...response, headers: { Allow: route.methods.join(",") } };
    }
    checkDatacenter(request, options.datacenter);
    // What cannot be filtered must not look as if it had been.
    if (request.params.get("filter") && !FILTERED.includes(route.path)) {
      throw new HttpError(501, "filter expressions are not supported here");
    }
    if (!route.isLocal && !options.isServer) return await forward(request, parts, blockingMs(request, parts));
    return await route.handler(request, parts, decoded(asked.slice(route.path.length)));
  } catch (error) {
    return v1Problem(agent.poolProblem(error), parts.log);
  }
}

function checkDatacenter({ params }: HttpRequest, own: string): void {
  const asked = params.get("dc");
  if (asked !== undefined && asked !== "" && asked.toLowerCase() !== own) {
    throw new HttpError(500, "No path to datacenter");
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HttpError(400, `Expected percent-encoding in the path: ${text}`);
  }
}

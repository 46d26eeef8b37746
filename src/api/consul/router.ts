/**
 * The paths of `/v1` (C7.1 to C7.8). An agent answers requests about itself; a server answers requests for replicated
 * data. A client agent forwards those to a server.
 * @module
 */
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { type Handler, laterText, type Refusal, refusalOf, type Route, routeOf } from "../http/route.ts";
import type { Permission } from "../../app/users/permission.ts";
import * as agent from "./agent.ts";
import * as catalog from "./catalog.ts";
import * as events from "./events.ts";
import * as operator from "./operator.ts";
import * as register from "./register.ts";
import { blockingMs, forward, v1Problem } from "./respond.ts";
import type { ConsulParts } from "./parts.ts";

/** A route of this API. */
interface V1Route extends Route<ConsulParts> {
  /** Whether it takes `filter`. */
  readonly isFiltered?: boolean;
}

/** A path; where it ends in `/` a name follows. */
const route = (path: string, methods: readonly string[], permission: Permission, handler: Handler<ConsulParts>) => ({
  path,
  isPrefix: path.endsWith("/"),
  methods,
  permissions: [permission],
  handler,
});
/** Any agent answers. */
const local = (...args: Parameters<typeof route>): V1Route => ({ ...route(...args), isLocal: true });
/** A server answers. */
const replicated = (...args: Parameters<typeof route>): V1Route => ({ ...route(...args), isLocal: false });
const filtered = (one: V1Route): V1Route => ({ ...one, isFiltered: true });
const GET = ["GET", "HEAD"];
const PUT = ["PUT"];
const ANY_KEY = ["GET", "POST", "PUT", "DELETE"];

/** All paths with their permissions (C6.6). */
export const ROUTES: readonly V1Route[] = [
  local("/v1/agent/self", GET, "agent-read", agent.self),
  filtered(local("/v1/agent/members", GET, "agent-read", agent.members)),
  local("/v1/agent/join/", PUT, "agent-write", agent.join),
  local("/v1/agent/leave", PUT, "agent-write", agent.leave),
  local("/v1/agent/force-leave/", PUT, "operator-write", agent.forceLeave),
  local("/v1/agent/reload", PUT, "agent-write", agent.reload),
  local("/v1/agent/monitor", GET, "agent-read", agent.monitor),
  local("/v1/event/fire/", PUT, "event-write", events.fire),
  local("/v1/event/list", GET, "event-read", events.list),
  local("/v1/operator/keyring", ANY_KEY, "keyring", operator.keyring),
  local("/v1/catalog/datacenters", GET, "catalog-read", catalog.datacenters),
  filtered(replicated("/v1/catalog/nodes", GET, "catalog-read", catalog.nodes)),
  filtered(replicated("/v1/catalog/node/", GET, "catalog-read", catalog.node)),
  filtered(replicated("/v1/catalog/node-services/", GET, "catalog-read", catalog.nodeServices)),
  filtered(replicated("/v1/catalog/services", GET, "catalog-read", catalog.serviceNames)),
  filtered(replicated("/v1/catalog/service/", GET, "catalog-read", catalog.service)),
  replicated("/v1/catalog/register", PUT, "catalog-write", register.register),
  replicated("/v1/catalog/deregister", PUT, "catalog-write", register.deregister),
  filtered(replicated("/v1/health/node/", GET, "catalog-read", catalog.nodeChecks)),
  filtered(replicated("/v1/health/state/", GET, "catalog-read", catalog.checksInState)),
  replicated("/v1/status/leader", GET, "status", operator.statusLeader),
  replicated("/v1/status/peers", GET, "status", operator.statusPeers),
  replicated("/v1/operator/raft/configuration", GET, "operator-read", operator.raftConfiguration),
  replicated("/v1/operator/raft/peer", ["DELETE"], "operator-write", operator.raftRemovePeer),
  replicated("/v1/operator/raft/transfer-leader", ["POST", "PUT"], "operator-write", operator.raftTransfer),
];

/** Answers a request below `/v1/`; never throws. */
export async function routeV1(request: HttpRequest, parts: ConsulParts): Promise<HttpResponse> {
  try {
    const { options } = agent.agentOf(parts);
    const asked = request.target.split("?", 1)[0];
    const route = routeOf(ROUTES, asked);
    if (!route) throw new HttpError(404, "");
    if (request.method === "OPTIONS") {
      return { status: 200, body: "", headers: { Allow: ["OPTIONS", ...route.methods].join(",") } };
    }
    const refusal = await refusalOf(route, request, parts);
    if (refusal) throw refused(refusal);
    if (!route.methods.includes(request.method)) {
      const response = v1Problem(new HttpError(405, `method ${request.method} not allowed`), parts.log);
      return { ...response, headers: { Allow: route.methods.join(",") } };
    }
    checkDatacenter(request, options.datacenter);
    // An answer without support for filters must not look as if it had been filtered.
    if (request.params.get("filter") && !route.isFiltered) {
      throw new HttpError(501, "filter expressions are not supported here");
    }
    if (!route.isLocal && !options.isServer) return await forward(request, parts, blockingMs(request, parts));
    return await route.handler(request, parts, decoded(asked.slice(route.path.length)));
  } catch (error) {
    return v1Problem(agent.poolProblem(error), parts.log);
  }
}

/** As in Consul, who is known and lacks a permission gets 403. */
function refused(refusal: Refusal): HttpError {
  if (refusal.k === "later") return new HttpError(429, laterText(refusal), { retryAfter: refusal.seconds });
  if (refusal.k === "unknown") return new HttpError(401, "Permission denied: no valid token or password");
  return new HttpError(403, `Permission denied: user '${refusal.username}' lacks permission '${refusal.permission}'`);
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

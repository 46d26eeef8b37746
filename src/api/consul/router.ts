/**
 * The paths of `/v1` (C7.1 to C7.8). An agent answers requests about itself; a server answers requests for replicated
 * data, and a client agent asks a server for them.
 * @module
 */
import { RefusedError } from "../../app/database/errors.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { type Handler, refusalOf, type Route, routeOf } from "../http/route.ts";
import type { Permission } from "../../app/users/permission.ts";
import * as agent from "./agent.ts";
import * as catalog from "./catalog.ts";
import * as events from "./events.ts";
import * as operator from "./operator.ts";
import * as register from "./register.ts";
import { v1Problem } from "./respond.ts";
import type { ConsulParts } from "./parts.ts";

/** A route of this API. */
interface V1Route extends Route<ConsulParts> {
  /** Whether it takes `filter`. */
  readonly isFiltered?: boolean;
}

/** A path; where it ends in `/` a name follows. */
const route = (
  path: string,
  methods: readonly string[],
  permission: Permission,
  handler: Handler<ConsulParts>,
): V1Route => ({
  path,
  isPrefix: path.endsWith("/"),
  methods,
  permissions: [permission],
  handler,
});
const filtered = (one: V1Route): V1Route => ({ ...one, isFiltered: true });
const GET = ["GET", "HEAD"];
const PUT = ["PUT"];
const ANY_KEY = ["GET", "POST", "PUT", "DELETE"];

/** All paths with their permissions (C6.6). */
export const ROUTES: readonly V1Route[] = [
  route("/v1/agent/self", GET, "agent-read", agent.self),
  filtered(route("/v1/agent/members", GET, "agent-read", agent.members)),
  route("/v1/agent/join/", PUT, "agent-write", agent.join),
  route("/v1/agent/leave", PUT, "agent-write", agent.leave),
  route("/v1/agent/force-leave/", PUT, "operator-write", agent.forceLeave),
  route("/v1/agent/reload", PUT, "agent-write", agent.reload),
  route("/v1/agent/monitor", GET, "agent-read", agent.monitor),
  route("/v1/event/fire/", PUT, "event-write", events.fire),
  route("/v1/event/list", GET, "event-read", events.list),
  route("/v1/operator/keyring", ANY_KEY, "keyring", operator.keyring),
  route("/v1/catalog/datacenters", GET, "catalog-read", catalog.datacenters),
  filtered(route("/v1/catalog/nodes", GET, "catalog-read", catalog.nodes)),
  filtered(route("/v1/catalog/node/", GET, "catalog-read", catalog.node)),
  filtered(route("/v1/catalog/node-services/", GET, "catalog-read", catalog.nodeServices)),
  filtered(route("/v1/catalog/services", GET, "catalog-read", catalog.serviceNames)),
  filtered(route("/v1/catalog/service/", GET, "catalog-read", catalog.service)),
  route("/v1/catalog/register", PUT, "catalog-write", register.register),
  route("/v1/catalog/deregister", PUT, "catalog-write", register.deregister),
  filtered(route("/v1/health/node/", GET, "catalog-read", catalog.nodeChecks)),
  filtered(route("/v1/health/state/", GET, "catalog-read", catalog.checksInState)),
  route("/v1/status/leader", GET, "status", operator.statusLeader),
  route("/v1/status/peers", GET, "status", operator.statusPeers),
  route("/v1/operator/raft/configuration", GET, "operator-read", operator.raftConfiguration),
  route("/v1/operator/raft/peer", ["DELETE"], "operator-write", operator.raftRemovePeer),
  route("/v1/operator/raft/transfer-leader", ["POST", "PUT"], "operator-write", operator.raftTransfer),
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
    const checking = refusalOf(route, request, parts);
    const refusal = checking && await checking;
    if (refusal) throw new RefusedError(refusal);
    if (!route.methods.includes(request.method)) {
      const response = v1Problem(new HttpError(405, `method ${request.method} not allowed`), parts.log);
      return { ...response, headers: { Allow: route.methods.join(",") } };
    }
    checkDatacenter(request, options.datacenter);
    // An answer without support for filters must not look as if it had been filtered.
    if (request.params.get("filter") && !route.isFiltered) {
      throw new HttpError(501, "filter expressions are not supported here");
    }
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

/**
 * The paths of `/v1` (C7.1 to C7.8). An agent answers requests about itself; a server answers requests for replicated
 * data, and a client agent asks a server for them.
 * @module
 */
import { RefusedError, unwrapped } from "../../app/database/errors.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { type Handler, refusalOf, type Route, routeOf } from "../http/route.ts";
import type { Permission } from "../../app/users/permission.ts";
import * as acl from "../acl/acl.ts";
import {
  onAgent,
  onCheckBody,
  onCheckId,
  onCluster,
  onEvent,
  onKeyring,
  onNode,
  onServiceBody,
  onServiceId,
  onServiceName,
  type RouteAcl,
} from "../acl/allowed.ts";
import { defaultPolicyHeader } from "../acl/filtered.ts";
import * as agent from "./agent.ts";
import * as checks from "./agent_checks.ts";
import * as services from "./agent_services.ts";
import * as catalog from "./catalog.ts";
import * as events from "./events.ts";
import * as operator from "./operator.ts";
import * as health from "./health.ts";
import * as kv from "./kv.ts";
import * as sessions from "./sessions.ts";
import * as register from "./register.ts";
import * as config from "./config.ts";
import * as near from "./near.ts";
import * as query from "./query.ts";
import * as snapshot from "./snapshot.ts";
import { agentMetrics, type ConsulMetricsParts } from "../metrics/consul.ts";
import { txn } from "./txn.ts";
import { v1Json, v1Problem } from "./respond.ts";
import { agentOf, type ConsulParts } from "./parts.ts";

/** Dependencies of all handlers of this API. */
export type V1Parts = ConsulParts & ConsulMetricsParts;

/** A route of this API. */
interface V1Route extends Route<V1Parts> {
  /** What it does about tokens, where access control is on. */
  readonly acl: RouteAcl<V1Parts>;
  /** Whether it takes `filter`. */
  readonly isFiltered?: boolean;
}

/** A path; where it ends in `/` a name follows. */
const route = (
  path: string,
  methods: readonly string[],
  permission: Permission,
  acl: RouteAcl<V1Parts>,
  handler: Handler<V1Parts>,
): V1Route => ({
  path,
  isPrefix: path.endsWith("/"),
  methods,
  permissions: [permission],
  acl,
  handler,
});
const filtered = (one: V1Route): V1Route => ({ ...one, isFiltered: true });
const GET = ["GET", "HEAD"];
const PUT = ["PUT"];
const ANY_KEY = ["GET", "POST", "PUT", "DELETE"];

/** All paths with their permissions (C6.6), and what a token needs for them; one path may stand there again for other methods. */
export const ROUTES: readonly V1Route[] = [
  route("/v1/agent/self", GET, "agent-read", onAgent("read"), agent.self),
  route("/v1/agent/version", GET, "agent-read", onAgent("read"), agent.version),
  route("/v1/agent/connect/", [...GET, "PUT", "POST"], "agent-read", "open", agent.mesh),
  route("/v1/connect/", [...GET, "PUT", "POST", "DELETE"], "operator-read", "open", agent.mesh),
  route("/v1/discovery-chain/", [...GET, "POST"], "catalog-read", "open", agent.mesh),
  route("/v1/acl/bootstrap", PUT, "operator-write", "server", acl.bootstrap),
  route("/v1/acl/replication", GET, "status", "open", acl.replication),
  route("/v1/acl/tokens", GET, "operator-read", "server", acl.tokens),
  route("/v1/acl/token", PUT, "operator-write", "server", (request, parts) => acl.putToken(request, parts, "")),
  route("/v1/acl/token/", GET, "operator-read", "server", acl.token),
  route("/v1/acl/token/", PUT, "operator-write", "server", acl.putToken),
  route("/v1/acl/token/", ["DELETE"], "operator-write", "server", acl.removeToken),
  route("/v1/acl/user/password", PUT, "operator-read", "server", acl.putPassword),
  route("/v1/acl/policies", GET, "operator-read", "server", acl.policies),
  route("/v1/acl/policy", PUT, "operator-write", "server", (request, parts) => acl.putPolicy(request, parts, "")),
  route("/v1/acl/policy/", GET, "operator-read", "server", acl.policy),
  route("/v1/acl/policy/", PUT, "operator-write", "server", acl.putPolicy),
  route("/v1/acl/policy/", ["DELETE"], "operator-write", "server", acl.removePolicy),
  route("/v1/acl/roles", GET, "operator-read", "server", acl.roles),
  route("/v1/acl/role", PUT, "operator-write", "server", (request, parts) => acl.putRole(request, parts, "")),
  route("/v1/acl/role/", GET, "operator-read", "server", acl.role),
  route("/v1/acl/role/", PUT, "operator-write", "server", acl.putRole),
  route("/v1/acl/role/", ["DELETE"], "operator-write", "server", acl.removeRole),
  route("/v1/acl/", [...GET, "PUT", "POST", "DELETE"], "operator-read", "open", acl.absent),
  route("/v1/internal/acl/authorize", ["POST", "PUT"], "operator-read", "open", acl.authorize),
  route("/v1/agent/token/", PUT, "agent-write", onAgent("write"), acl.agentToken),
  filtered(route("/v1/agent/members", GET, "agent-read", "filtered", agent.members)),
  route("/v1/agent/join/", PUT, "agent-write", onAgent("write"), agent.join),
  route("/v1/agent/leave", PUT, "agent-write", onAgent("write"), agent.leave),
  route("/v1/agent/force-leave/", PUT, "operator-write", onCluster("write"), agent.forceLeave),
  route("/v1/agent/reload", PUT, "agent-write", onAgent("write"), agent.reload),
  route("/v1/agent/metrics", GET, "agent-read", onAgent("read"), agentMetrics),
  route("/v1/agent/monitor", GET, "agent-read", onAgent("read"), agent.monitor),
  filtered(route("/v1/agent/services", GET, "agent-read", "filtered", services.services)),
  route("/v1/agent/service/register", PUT, "service-write", onServiceBody, services.register),
  route("/v1/agent/service/deregister/", PUT, "service-write", onServiceId("write"), services.deregister),
  route("/v1/agent/service/maintenance/", PUT, "service-write", onServiceId("write"), services.serviceMaintenance),
  route("/v1/agent/service/", GET, "agent-read", onServiceId("read"), services.service),
  route("/v1/agent/maintenance", PUT, "service-write", onNode, services.nodeMaintenance),
  route("/v1/agent/health/service/id/", GET, "agent-read", onServiceId("read"), services.healthById),
  route("/v1/agent/health/service/name/", GET, "agent-read", onServiceName, services.healthByName),
  filtered(route("/v1/agent/checks", GET, "agent-read", "filtered", checks.checks)),
  route("/v1/agent/check/register", PUT, "service-write", onCheckBody, checks.register),
  route("/v1/agent/check/deregister/", PUT, "service-write", onCheckId, checks.deregister),
  route("/v1/agent/check/pass/", PUT, "service-write", onCheckId, checks.updateTo("passing")),
  route("/v1/agent/check/warn/", PUT, "service-write", onCheckId, checks.updateTo("warning")),
  route("/v1/agent/check/fail/", PUT, "service-write", onCheckId, checks.updateTo("critical")),
  route("/v1/agent/check/update/", PUT, "service-write", onCheckId, checks.update),
  route("/v1/event/fire/", PUT, "event-write", onEvent, events.fire),
  route("/v1/event/list", GET, "event-read", "filtered", events.list),
  route("/v1/operator/keyring", ANY_KEY, "keyring", onKeyring, operator.keyring),
  route("/v1/catalog/datacenters", GET, "catalog-read", "open", catalog.datacenters),
  filtered(route("/v1/catalog/nodes", GET, "catalog-read", "server", catalog.nodes)),
  filtered(route("/v1/catalog/node/", GET, "catalog-read", "server", catalog.node)),
  filtered(route("/v1/catalog/node-services/", GET, "catalog-read", "server", catalog.nodeServices)),
  filtered(route("/v1/catalog/services", GET, "catalog-read", "server", catalog.serviceNames)),
  filtered(route("/v1/catalog/service/", GET, "catalog-read", "server", catalog.service)),
  route("/v1/catalog/register", PUT, "catalog-write", "server", register.register),
  route("/v1/catalog/deregister", PUT, "catalog-write", "server", register.deregister),
  filtered(route("/v1/health/node/", GET, "catalog-read", "server", health.ofNode)),
  filtered(route("/v1/health/checks/", GET, "catalog-read", "server", health.ofService)),
  filtered(route("/v1/health/state/", GET, "catalog-read", "server", health.inState)),
  filtered(route("/v1/health/connect/", GET, "catalog-read", "open", (request) => v1Json([], request))),
  filtered(route("/v1/health/ingress/", GET, "catalog-read", "open", (request) => v1Json([], request))),
  filtered(route("/v1/catalog/connect/", GET, "catalog-read", "open", (request) => v1Json([], request))),
  filtered(route("/v1/health/service/", GET, "catalog-read", "server", health.service)),
  route("/v1/kv/", GET, "kv-read", "server", kv.read),
  route("/v1/kv/", PUT, "kv-write", "server", kv.write),
  route("/v1/kv/", ["DELETE"], "kv-write", "server", kv.remove),
  route("/v1/snapshot", GET, "operator-write", "server", snapshot.save),
  route("/v1/snapshot", PUT, "operator-write", "server", snapshot.restore),
  route("/v1/query", GET, "query-read", "server", query.list),
  route("/v1/query", ["POST"], "query-write", "server", query.create),
  route("/v1/query/", GET, "query-read", "server", query.read),
  route("/v1/query/", PUT, "query-write", "server", query.update),
  route("/v1/query/", ["DELETE"], "query-write", "server", query.remove),
  route("/v1/config", PUT, "operator-write", "server", config.write),
  route("/v1/config/", GET, "operator-read", "server", config.read),
  route("/v1/config/", ["DELETE"], "operator-write", "server", config.remove),
  route("/v1/coordinate/datacenters", GET, "catalog-read", "open", near.datacenters),
  route(
    "/v1/coordinate/nodes",
    GET,
    "catalog-read",
    "filtered",
    (request, parts) => near.coordinates(request, parts, ""),
  ),
  route("/v1/coordinate/node/", GET, "catalog-read", "filtered", near.coordinates),
  route("/v1/txn", PUT, "kv-write", "server", txn),
  route("/v1/session/create", PUT, "session-write", "server", sessions.create),
  route("/v1/session/destroy/", PUT, "session-write", "server", sessions.destroy),
  route("/v1/session/renew/", PUT, "session-write", "server", sessions.renew),
  route("/v1/session/info/", GET, "session-read", "server", sessions.info),
  route("/v1/session/node/", GET, "session-read", "server", sessions.ofNode),
  route("/v1/session/list", GET, "session-read", "server", sessions.list),
  route("/v1/status/leader", GET, "status", "server", operator.statusLeader),
  route("/v1/status/peers", GET, "status", "server", operator.statusPeers),
  route("/v1/operator/autopilot/configuration", GET, "operator-read", "server", operator.autopilotConfiguration),
  route("/v1/operator/autopilot/configuration", PUT, "operator-write", "server", operator.setAutopilotConfiguration),
  route("/v1/operator/autopilot/health", GET, "operator-read", "server", operator.autopilotHealth),
  route("/v1/operator/raft/configuration", GET, "operator-read", "server", operator.raftConfiguration),
  route("/v1/operator/raft/peer", ["DELETE"], "operator-write", "server", operator.raftRemovePeer),
  route("/v1/operator/raft/transfer-leader", ["POST", "PUT"], "operator-write", "server", operator.raftTransfer),
];

const OF_ACL = /^\/v1\/(internal\/)?acl\//;

/** Answers a request below `/v1/`; never throws. */
export async function routeV1(request: HttpRequest, parts: V1Parts): Promise<HttpResponse> {
  const context = { method: request.method, log: parts.log };
  try {
    const asked = request.target.split("?", 1)[0];
    // Tokens and users are for a database without agents as well.
    if (!parts.access || !OF_ACL.test(asked)) agentOf(parts);
    const clean = cleanPath(asked);
    if (clean !== asked) return { status: 301, body: "", location: clean + request.target.slice(asked.length) };
    const first = routeOf(ROUTES, asked);
    if (!first) throw new HttpError(404, "no such path: docs/consul.md lists those below /v1/");
    const all = ROUTES.filter(({ path }) => path === first.path);
    const methods = all.flatMap(({ methods }) => methods);
    if (request.method === "OPTIONS") {
      return { status: 200, body: "", headers: { Allow: ["OPTIONS", ...methods].join(",") } };
    }
    const route = all.find(({ methods }) => methods.includes(request.method)) ?? first;
    const checking = refusalOf(route, request, parts);
    const refusal = checking && await checking;
    if (refusal) throw new RefusedError(refusal);
    if (!route.methods.includes(request.method)) {
      const response = v1Problem(new HttpError(405, `method ${request.method} not allowed`), context);
      return { ...response, headers: { Allow: methods.join(",") } };
    }
    // An answer without support for filters must not look as if it had been filtered.
    if (request.params.get("filter") && !route.isFiltered) {
      throw new HttpError(501, "filter expressions are not supported here");
    }
    const rest = decoded(asked.slice(route.path.length));
    const { access } = parts;
    if (!access) return await route.handler(request, parts, rest);
    if (typeof route.acl === "function") await access.expect(route.acl(request, parts, rest), request);
    const response = await route.handler(request, parts, rest);
    if (route.acl !== "open") parts.counters.auth_ok++;
    return { ...response, headers: { ...response.headers, ...defaultPolicyHeader(access.settings.defaultPolicy) } };
  } catch (error) {
    if (parts.access && unwrapped(error) instanceof RefusedError) parts.counters.auth_fail++;
    return v1Problem(agent.poolProblem(error), context);
  }
}

/** Without empty parts, `.` and `..`: a path has one spelling. */
function cleanPath(path: string): string {
  if (!/\/(?:\/|\.{1,2}(?:\/|$))/.test(path)) return path;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}${/\/\.{0,2}$/.test(path) ? "/" : ""}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HttpError(400, `Expected percent-encoding in the path: ${text}`);
  }
}

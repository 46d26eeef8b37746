/**
 * The paths of rqlite's API as a table.
 * @module
 */
import type { Needs } from "../../core/acl/guard.ts";
import { RefusedError } from "../../app/database/errors.ts";
import type { Agent } from "../../app/agent/agent.ts";
import { needs, needsOf } from "../../core/acl/resource.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { type GuardParts, laterText, type Refusal, refusalOf, type Route, routeOf } from "../http/route.ts";
import { type ConsoleParts, handleConsole, handleConsoleName, handleRoot } from "../console/page.ts";
import { handleHistory, type HistoryParts } from "../metrics/history.ts";
import { handleMetrics, type MetricsParts } from "../metrics/prometheus.ts";
import { type AnalyzeParts, handleAnalyze } from "./analyze.ts";
import { type BackupParts, handleBackup } from "./backup.ts";
import { type ChangesParts, handleChangeLog, handleChanges } from "./changes.ts";
import { type DataParts, handleExecute, handleQuery, handleRequest } from "./data.ts";
import { type ClusterLiveParts, handleClusterLive, handleWhoami, type WhoamiParts } from "./cluster_live.ts";
import { handleBoot, handleLoad, type LoadParts } from "./load.ts";
import { deniedError, isClientAgent, otherDatacenter } from "./leadership.ts";
import { handleLive, type LiveParts } from "./live.ts";
import { handleLeader, handleNodes, handleReadyz, handleRemove, type NodesParts } from "./nodes.ts";
import { handleQueued, type QueueParts } from "./queue.ts";
import { handleReap, handleSnapshot, handleVerify, type SnapshotParts } from "./snapshot.ts";
import { handleStatus, handleVars, type StatusParts } from "./status.ts";

/** Dependencies of all handlers of this API. */
export type RqliteParts =
  & AnalyzeParts
  & BackupParts
  & ChangesParts
  & ClusterLiveParts
  & ConsoleParts
  & QueueParts
  & LiveParts
  & LoadParts
  & DataParts
  & MetricsParts
  & HistoryParts
  & NodesParts
  & SnapshotParts
  & StatusParts
  & WhoamiParts
  & GuardParts
  & { readonly agent: Agent | undefined };

/** A route of this API. */
export interface RqliteRoute extends Route<RqliteParts> {
  /** What a token needs, where access control is on; the operations behind it need more of their own. */
  readonly acl: Needs | ((request: HttpRequest, parts: RqliteParts) => Needs);
  /** Whether another datacenter can be asked for it (`dc`). @default {false} */
  readonly isOfAny?: boolean;
}

const SQL_READ: Needs = [needs("sql", "read")];
const SQL_WRITE: Needs = [needs("sql", "write")];
/** What has everything in it, or takes its place. */
const MANAGEMENT: Needs = [needs("acl", "write")];
const OPERATOR_READ: Needs = [needs("operator", "read")];
const OPERATOR_WRITE: Needs = [needs("operator", "write")];
const OPERATOR = ({ method }: HttpRequest): Needs => method === "GET" ? OPERATOR_READ : OPERATOR_WRITE;
const AGENT = (_: HttpRequest, { agent }: RqliteParts): Needs => [
  needsOf("agent", "read", agent?.options.nodeName ?? ""),
];

/** `POST /db/execute`: at once, or queued. */
function execute(request: HttpRequest, parts: RqliteParts): Promise<HttpResponse> {
  if (!request.params.has("queue")) return handleExecute(request, parts);
  if (otherDatacenter(request, parts) !== undefined) throw new HttpError(400, `${ONLY_DATA}, and not queued`);
  return handleQueued(request, parts);
}

/** What another datacenter does for this one's clients. */
const ONLY_DATA = "another datacenter (dc) is for /db/query, /db/execute and /db/request alone";

/** Nodes join over the port between nodes. */
function joinElsewhere(): HttpResponse {
  throw new HttpError(404, "");
}

/** A client agent keeps no database of its own. */
function boot(request: HttpRequest, parts: RqliteParts): Promise<HttpResponse> {
  if (!isClientAgent(parts)) return handleBoot(request, parts);
  throw new HttpError(501, "a client agent does not relay /boot: send it to a server (muster members lists them)");
}

/** A path and all that begin with it. */
const under = (path: string, methods: readonly string[]) => ({ path, isPrefix: true, methods });
/** A path alone. */
const at = (path: string, methods: readonly string[]) => ({ path, isPrefix: false, methods });
const GET = ["GET"];
const POST = ["POST"];
const BOTH = ["GET", "POST"];
const PAGE = ["GET", "HEAD"];

/** All paths (Q2.1) with their permissions (Q17.1). */
export const ROUTES: readonly RqliteRoute[] = [
  { ...under("/db/execute", POST), permissions: ["execute"], acl: SQL_WRITE, isOfAny: true, handler: execute },
  { ...under("/db/query", BOTH), permissions: ["query"], acl: SQL_READ, isOfAny: true, handler: handleQuery },
  {
    ...under("/db/request", POST),
    permissions: ["execute", "query"],
    acl: SQL_READ,
    isOfAny: true,
    handler: handleRequest,
  },
  { ...under("/status", GET), permissions: ["status"], acl: AGENT, handler: handleStatus },
  { ...under("/nodes", GET), permissions: ["status"], acl: OPERATOR_READ, handler: handleNodes },
  { ...at("/cluster/live", GET), permissions: ["status"], acl: OPERATOR_READ, handler: handleClusterLive },
  { ...at("/leader", BOTH), permissions: ["leader-ops"], acl: OPERATOR, handler: handleLeader },
  { ...under("/readyz", GET), permissions: ["ready"], acl: [], handler: handleReadyz },
  { ...under("/remove", ["DELETE"]), permissions: ["remove"], acl: OPERATOR_WRITE, handler: handleRemove },
  { ...at("/metrics", GET), permissions: ["status"], acl: AGENT, handler: handleMetrics },
  { ...at("/metrics/history", GET), permissions: ["status"], acl: AGENT, handler: handleHistory },
  { ...at("/debug/vars", []), permissions: ["status"], acl: AGENT, handler: handleVars },
  { ...at("/db/changes", GET), permissions: ["query"], acl: SQL_READ, handler: handleChanges },
  { ...at("/db/live", BOTH), permissions: ["query"], acl: SQL_READ, handler: handleLive },
  {
    ...at("/db/changes/log", ["GET", "PUT", "DELETE"]),
    permissions: ["load"],
    acl: OPERATOR,
    handler: handleChangeLog,
  },
  { ...under("/db/backup", GET), permissions: ["backup"], acl: MANAGEMENT, handler: handleBackup },
  { ...under("/db/load", POST), permissions: ["load"], acl: SQL_WRITE, isStream: true, handler: handleLoad },
  { ...under("/db/sql", BOTH), permissions: ["query"], acl: SQL_READ, handler: handleAnalyze },
  { ...at("/boot", POST), permissions: ["load"], acl: MANAGEMENT, isStream: true, handler: boot },
  { ...at("/snapshot", POST), permissions: ["snapshot"], acl: OPERATOR_WRITE, handler: handleSnapshot },
  { ...at("/verify", POST), permissions: ["snapshot"], acl: OPERATOR_WRITE, handler: handleVerify },
  { ...at("/join", POST), permissions: ["join"], acl: OPERATOR_WRITE, handler: joinElsewhere },
  { ...at("/join-read-only", POST), permissions: ["join-read-only"], acl: OPERATOR_WRITE, handler: joinElsewhere },
  // The page is the same for everybody, and asks for a token where one is needed.
  { ...at("/", []), permissions: ["ui"], acl: [], handler: handleRoot },
  { ...at("/console", PAGE), permissions: ["ui"], acl: [], handler: handleConsoleName },
  // Below the page's own path, where browsers send the credentials that it was opened with.
  { ...at("/console/whoami", GET), permissions: ["ui"], acl: [], handler: handleWhoami },
  { ...under("/console/", PAGE), permissions: ["ui"], acl: [], handler: handleConsole },
  { ...at("/reap", POST), permissions: ["snapshot"], acl: OPERATOR_WRITE, handler: handleReap },
];
const NO_SUCH_PATH = `no such path: there are ${
  ROUTES.map(({ path }) => path).join(", ")
}, and those of Consul below /v1/`;

/**
 * Answers a request of rqlite's API: path, permission and method are checked in this order (Q2.2).
 * @throws {HttpError} 404, 401, 429 or 405; and what the handlers throw.
 */
export function routeRqlite(
  request: HttpRequest,
  path: string,
  parts: RqliteParts,
): HttpResponse | Promise<HttpResponse> {
  const route = routeOf(ROUTES, path);
  if (!route) throw new HttpError(404, NO_SUCH_PATH);
  const rest = path.slice(route.path.length);
  if (parts.access) return guarded(request, { route, rest }, parts);
  const checking = refusalOf(route, request, parts);
  return checking
    ? checking.then((refusal) => handled(request, { route, refusal, rest }, parts))
    : handled(request, { route, refusal: undefined, rest }, parts);
}

/** The same where access control is on. */
async function guarded(
  request: HttpRequest,
  { route, rest }: { route: RqliteRoute; rest: string },
  parts: RqliteParts,
): Promise<HttpResponse> {
  const refusal = await refusalOf(route, request, parts);
  if (refusal) throw refused(refusal);
  // Another datacenter decides about what is done there.
  const isElsewhere = route.isOfAny && otherDatacenter(request, parts) !== undefined;
  const wanted = isElsewhere ? [] : typeof route.acl === "function" ? route.acl(request, parts) : route.acl;
  try {
    await parts.access?.expect(wanted, request);
    if (wanted.length > 0) parts.counters.auth_ok++;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    parts.counters.auth_fail++;
    throw refused(error.why);
  }
  return await handled(request, { route, refusal, rest }, parts);
}

function handled(
  request: HttpRequest,
  { route, refusal, rest }: { route: RqliteRoute; refusal: Refusal | undefined; rest: string },
  parts: RqliteParts,
): HttpResponse | Promise<HttpResponse> {
  if (refusal) throw refused(refusal);
  const { methods, handler, isOfAny } = route;
  if (methods.length > 0 && !methods.includes(request.method)) {
    throw new HttpError(405, `${request.method} is not for this path: use ${methods.join(" or ")}`);
  }
  // What is meant for another datacenter must not be done in this one.
  if (!isOfAny && otherDatacenter(request, parts) !== undefined) {
    throw new HttpError(400, ONLY_DATA);
  }
  return handler(request, parts, rest);
}

/** A client gets 401 without a body; whoever shows a token hears what it lacks. */
function refused(refusal: Refusal): HttpError {
  if (refusal.k === "denied" || refusal.k === "gone") return deniedError(refusal);
  if (refusal.k === "later") return new HttpError(429, laterText(refusal), { retryAfter: refusal.seconds });
  return new HttpError(401, "");
}

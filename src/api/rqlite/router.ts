/**
 * The paths of rqlite's API as a table.
 * @module
 */
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { type GuardParts, laterText, type Refusal, refusalOf, type Route, routeOf } from "../http/route.ts";
import { handleMetrics, type MetricsParts } from "../metrics/prometheus.ts";
import { type AnalyzeParts, handleAnalyze } from "./analyze.ts";
import { type BackupParts, handleBackup } from "./backup.ts";
import { type ChangesParts, handleChangeLog, handleChanges } from "./changes.ts";
import { type DataParts, handleExecute, handleQuery, handleRequest } from "./data.ts";
import { handleBoot, handleLoad, type LoadParts } from "./load.ts";
import { handleLive, type LiveParts } from "./live.ts";
import { isClientAgent, otherDatacenter } from "./leadership.ts";
import { handleLeader, handleNodes, handleReadyz, handleRemove, type NodesParts } from "./nodes.ts";
import { handleQueued, type QueueParts } from "./queue.ts";
import { handleReap, handleSnapshot, handleVerify, type SnapshotParts } from "./snapshot.ts";
import { handleStatus, handleVars, type StatusParts } from "./status.ts";

/** Dependencies of all handlers of this API. */
export type RqliteParts =
  & AnalyzeParts
  & BackupParts
  & ChangesParts
  & QueueParts
  & LiveParts
  & LoadParts
  & DataParts
  & MetricsParts
  & NodesParts
  & SnapshotParts
  & StatusParts
  & GuardParts;

/** A route of this API. */
type RqliteRoute = Route<RqliteParts>;

/** `POST /db/execute`: at once, or queued. */
function execute(request: HttpRequest, parts: RqliteParts): Promise<HttpResponse> {
  if (!request.params.has("queue")) return handleExecute(request, parts);
  if (otherDatacenter(request, parts) !== undefined) throw new HttpError(400, `${ONLY_DATA}, and not queued`);
  return handleQueued(request, parts);
}

/** What another datacenter does for this one's clients. */
const ONLY_DATA = "another datacenter (dc) is for /db/query, /db/execute and /db/request alone";
const DATA_PATHS = ["/db/execute", "/db/query", "/db/request"];

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

/** All paths (Q2.1) with their permissions (Q17.1). */
export const ROUTES: readonly RqliteRoute[] = [
  { ...under("/db/execute", POST), permissions: ["execute"], handler: execute },
  { ...under("/db/query", BOTH), permissions: ["query"], handler: handleQuery },
  { ...under("/db/request", POST), permissions: ["execute", "query"], handler: handleRequest },
  { ...under("/status", GET), permissions: ["status"], handler: handleStatus },
  { ...under("/nodes", GET), permissions: ["status"], handler: handleNodes },
  { ...at("/leader", BOTH), permissions: ["leader-ops"], handler: handleLeader },
  { ...under("/readyz", GET), permissions: ["ready"], handler: handleReadyz },
  { ...under("/remove", ["DELETE"]), permissions: ["remove"], handler: handleRemove },
  { ...at("/metrics", GET), permissions: ["status"], handler: handleMetrics },
  { ...at("/debug/vars", []), permissions: ["status"], handler: handleVars },
  { ...at("/db/changes", GET), permissions: ["query"], handler: handleChanges },
  { ...at("/db/live", BOTH), permissions: ["query"], handler: handleLive },
  { ...at("/db/changes/log", ["GET", "PUT", "DELETE"]), permissions: ["load"], handler: handleChangeLog },
  { ...under("/db/backup", GET), permissions: ["backup"], handler: handleBackup },
  { ...under("/db/load", POST), permissions: ["load"], isStream: true, handler: handleLoad },
  { ...under("/db/sql", BOTH), permissions: ["query"], handler: handleAnalyze },
  { ...at("/boot", POST), permissions: ["load"], isStream: true, handler: boot },
  { ...at("/snapshot", POST), permissions: ["snapshot"], handler: handleSnapshot },
  { ...at("/verify", POST), permissions: ["snapshot"], handler: handleVerify },
  { ...at("/join", POST), permissions: ["join"], handler: joinElsewhere },
  { ...at("/join-read-only", POST), permissions: ["join-read-only"], handler: joinElsewhere },
  { ...at("/reap", POST), permissions: ["snapshot"], handler: handleReap },
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
  const checking = refusalOf(route, request, parts);
  const rest = path.slice(route.path.length);
  return checking
    ? checking.then((refusal) => handled(request, { route, refusal, rest }, parts))
    : handled(request, { route, refusal: undefined, rest }, parts);
}

function handled(
  request: HttpRequest,
  { route, refusal, rest }: { route: RqliteRoute; refusal: Refusal | undefined; rest: string },
  parts: RqliteParts,
): HttpResponse | Promise<HttpResponse> {
  if (refusal) throw refused(refusal);
  const { methods, handler } = route;
  if (methods.length > 0 && !methods.includes(request.method)) {
    throw new HttpError(405, `${request.method} is not for this path: use ${methods.join(" or ")}`);
  }
  // What is meant for another datacenter must not be done in this one.
  if (!DATA_PATHS.includes(route.path) && otherDatacenter(request, parts) !== undefined) {
    throw new HttpError(400, ONLY_DATA);
  }
  return handler(request, parts, rest);
}

/** A client gets 401 without a body. */
function refused(refusal: Refusal): HttpError {
  if (refusal.k === "later") return new HttpError(429, laterText(refusal), { retryAfter: refusal.seconds });
  return new HttpError(401, "");
}

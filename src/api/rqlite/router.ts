/**
 * The paths of rqlite's API as a table.
 * @module
 */
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { type GuardParts, laterText, type Refusal, refusalOf, type Route, routeOf } from "../http/route.ts";
import { type AnalyzeParts, handleAnalyze } from "./analyze.ts";
import { type BackupParts, handleBackup } from "./backup.ts";
import { type DataParts, handleExecute, handleQuery, handleRequest } from "./data.ts";
import { handleBoot, handleLoad, type LoadParts } from "./load.ts";
import { relay } from "./leadership.ts";
import { handleLeader, handleNodes, handleReadyz, handleRemove, type NodesParts } from "./nodes.ts";
import { handleBatch, handleQueued, isBatch, type QueueParts } from "./queue.ts";
import { handleReap, handleSnapshot, handleVerify, type SnapshotParts } from "./snapshot.ts";
import { handleStatus, handleVars, type StatusParts } from "./status.ts";

/** Dependencies of all handlers of this API. */
export type RqliteParts =
  & AnalyzeParts
  & BackupParts
  & QueueParts
  & LoadParts
  & DataParts
  & NodesParts
  & SnapshotParts
  & StatusParts
  & GuardParts
  & {
    readonly options: {
      /** Present in an agent; one that is no server keeps no data. */
      readonly agent?: { readonly isServer: boolean };
    };
  };

/** A route of this API. */
interface RqliteRoute extends Route<RqliteParts> {
  /** How rqlite calls the operation where the leader refuses it to a client that another node speaks for. */
  readonly operation?: string;
  /** Whether the body or the answer may have any size: a client agent relays none of them. @default {false} */
  readonly isBulk?: boolean;
}

/** `POST /db/execute`: at once, queued, or a batch of another node's queue. */
function execute(request: HttpRequest, parts: RqliteParts): Promise<HttpResponse> {
  if (isBatch(request)) return handleBatch(request, parts);
  return request.params.has("queue") ? handleQueued(request, parts) : handleExecute(request, parts);
}

/** Asked by the replica of this node, when another node wants to join: that happens over the port between nodes. */
function mayJoin({ forwarded }: HttpRequest): HttpResponse {
  if (!forwarded) throw new HttpError(404, "");
  return { status: 200, body: "" };
}

/** A path and all that begin with it. */
const under = (path: string, methods: readonly string[]) => ({ path, isPrefix: true, methods, isLocal: false });
/** A path alone. */
const at = (path: string, methods: readonly string[]) => ({ path, isPrefix: false, methods, isLocal: false });
const GET = ["GET"];
const POST = ["POST"];
const BOTH = ["GET", "POST"];

/** All paths (Q2.1) with their permissions (Q17.1). */
export const ROUTES: readonly RqliteRoute[] = [
  { ...under("/db/execute", POST), permissions: ["execute"], operation: "Execute", handler: execute },
  { ...under("/db/query", BOTH), permissions: ["query"], operation: "query", handler: handleQuery },
  { ...under("/db/request", POST), permissions: ["execute", "query"], operation: "Request", handler: handleRequest },
  { ...under("/status", GET), permissions: ["status"], isLocal: true, handler: handleStatus },
  { ...under("/nodes", GET), permissions: ["status"], handler: handleNodes },
  { ...at("/leader", BOTH), permissions: ["leader-ops"], operation: "stepdown", handler: handleLeader },
  { ...under("/readyz", GET), permissions: ["ready"], isLocal: true, handler: handleReadyz },
  { ...under("/remove", ["DELETE"]), permissions: ["remove"], operation: "remove node", handler: handleRemove },
  { ...at("/debug/vars", []), permissions: ["status"], isLocal: true, handler: handleVars },
  { ...under("/db/backup", GET), permissions: ["backup"], operation: "backup", isBulk: true, handler: handleBackup },
  {
    ...under("/db/load", POST),
    permissions: ["load"],
    operation: "load",
    isStream: true,
    isBulk: true,
    handler: handleLoad,
  },
  { ...under("/db/sql", BOTH), permissions: ["query"], handler: handleAnalyze },
  { ...at("/boot", POST), permissions: ["load"], isStream: true, isBulk: true, handler: handleBoot },
  { ...at("/snapshot", POST), permissions: ["snapshot"], handler: handleSnapshot },
  { ...at("/verify", POST), permissions: ["snapshot"], handler: handleVerify },
  { ...at("/join", POST), permissions: ["join"], handler: mayJoin },
  { ...at("/join-read-only", POST), permissions: ["join-read-only"], handler: mayJoin },
  { ...at("/reap", POST), permissions: ["snapshot"], handler: handleReap },
];

/**
 * Answers a request of rqlite's API: path, permission and method are checked in this order (Q2.2).
 * @throws {HttpError} 404, 401, 429 or 405; and what the handlers throw.
 */
export async function routeRqlite(request: HttpRequest, path: string, parts: RqliteParts): Promise<HttpResponse> {
  const route = routeOf(ROUTES, path);
  if (!route) throw new HttpError(404, "");
  const refusal = await refusalOf(route, request, parts);
  if (refusal) throw refused(refusal, route, request);
  const { methods, handler, isLocal, isBulk } = route;
  if (methods.length > 0 && !methods.includes(request.method)) throw new HttpError(405, "");
  if (!isLocal && parts.options.agent?.isServer === false) {
    if (!isBulk) return await relay(request, parts);
    throw new HttpError(
      501,
      `a client agent does not relay ${route.path}: send it to a server (muster members lists them)`,
    );
  }
  return await handler(request, parts, path.slice(route.path.length));
}

/** A client gets 401 without a body; another node says which operation its client may not do here. */
function refused(refusal: Refusal, { operation }: RqliteRoute, { forwarded }: HttpRequest): HttpError {
  if (refusal.k === "later") return new HttpError(429, laterText(refusal), { retryAfter: refusal.seconds });
  return new HttpError(401, forwarded && operation ? `remote ${operation} not authorized` : "");
}

/**
 * The paths of rqlite's API: route, method, handler.
 * @module
 */
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { type BackupParts, handleBackup } from "./backup.ts";
import { type DataParts, handleExecute, handleQuery, handleRequest } from "./data.ts";
import { handleBoot, handleLoad, type LoadParts } from "./load.ts";
import { handleLeader, handleNodes, handleReadyz, handleRemove, type NodesParts } from "./nodes.ts";
import { handleReap, handleSnapshot, handleVerify, type SnapshotParts } from "./snapshot.ts";
import { handleStatus, handleVars, type StatusParts } from "./status.ts";

/** What the handlers of this API work with, together. */
export type RqliteParts = BackupParts & LoadParts & DataParts & NodesParts & SnapshotParts & StatusParts;

/** Answers one kind of request. */
type Handler = (request: HttpRequest, parts: RqliteParts) => HttpResponse | Promise<HttpResponse>;

interface Route {
  readonly path: string;
  /** Whether longer paths match too, as rqlite has it. */
  readonly isPrefix: boolean;
  /** Empty for any. */
  readonly methods: readonly string[];
  readonly handler: Handler;
}

const later = (what: string): Handler => () => {
  throw new HttpError(501, `${what} is not supported yet`);
};

const ROUTES: readonly Route[] = [
  { path: "/db/execute", isPrefix: true, methods: ["POST"], handler: handleExecute },
  { path: "/db/query", isPrefix: true, methods: ["GET", "POST"], handler: handleQuery },
  { path: "/db/request", isPrefix: true, methods: ["POST"], handler: handleRequest },
  { path: "/status", isPrefix: true, methods: ["GET"], handler: handleStatus },
  { path: "/nodes", isPrefix: true, methods: ["GET"], handler: handleNodes },
  { path: "/leader", isPrefix: false, methods: ["GET", "POST"], handler: handleLeader },
  { path: "/readyz", isPrefix: true, methods: ["GET"], handler: handleReadyz },
  { path: "/remove", isPrefix: true, methods: ["DELETE"], handler: handleRemove },
  { path: "/debug/vars", isPrefix: false, methods: [], handler: handleVars },
  { path: "/db/backup", isPrefix: true, methods: ["GET"], handler: handleBackup },
  { path: "/db/load", isPrefix: true, methods: ["POST"], handler: handleLoad },
  { path: "/db/sql", isPrefix: true, methods: ["GET", "POST"], handler: later("/db/sql") },
  { path: "/boot", isPrefix: false, methods: ["POST"], handler: handleBoot },
  { path: "/snapshot", isPrefix: false, methods: ["POST"], handler: handleSnapshot },
  { path: "/verify", isPrefix: false, methods: ["POST"], handler: handleVerify },
  { path: "/reap", isPrefix: false, methods: ["POST"], handler: handleReap },
];

/**
 * Answers a request of rqlite's API.
 * @throws {HttpError} 404 or 405; and what the handlers throw.
 */
export async function routeRqlite(request: HttpRequest, path: string, parts: RqliteParts): Promise<HttpResponse> {
  const found = ROUTES.find((route) => route.isPrefix ? path.startsWith(route.path) : path === route.path);
  if (!found) throw new HttpError(404, "");
  if (found.methods.length > 0 && !found.methods.includes(request.method)) throw new HttpError(405, "");
  return await found.handler(request, parts);
}

/**
 * From a request to an answer: parameters, route, method, handler, in the order of spec/rqlite.md 2.2. Needs no socket.
 * @module
 */
import { handleExecute, handleQuery, handleRequest } from "./data.ts";
import { handleLeader, handleNodes, handleReadyz, handleRemove } from "./nodes.ts";
import { Params } from "../http/params.ts";
import { HttpError, type HttpResponse, problem } from "../http/problem.ts";
import type { HttpRequest, Services } from "../http/request.ts";
import { handleReap, handleSnapshot, handleVerify } from "./snapshot.ts";
import { handleStatus, handleVars } from "./status.ts";
import { relay } from "../../app/database/leadership.ts";
import { routeV1 } from "../consul/router.ts";

/** Answers one kind of request. */
type Handler = (request: HttpRequest, services: Services) => HttpResponse | Promise<HttpResponse>;

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
  { path: "/db/backup", isPrefix: true, methods: ["GET"], handler: later("/db/backup") },
  { path: "/db/load", isPrefix: true, methods: ["POST"], handler: later("/db/load") },
  { path: "/db/sql", isPrefix: true, methods: ["GET", "POST"], handler: later("/db/sql") },
  { path: "/boot", isPrefix: false, methods: ["POST"], handler: later("/boot") },
  { path: "/snapshot", isPrefix: false, methods: ["POST"], handler: handleSnapshot },
  { path: "/verify", isPrefix: false, methods: ["POST"], handler: handleVerify },
  { path: "/reap", isPrefix: false, methods: ["POST"], handler: handleReap },
];

/** Health checks of an agent ask for its root. */
const GREETING: HttpResponse = { status: 200, body: "Consul Agent\n", contentType: "text/plain; charset=utf-8" };

/** What a client agent answers by itself; the rest is a server's. */
function isLocal(path: string): boolean {
  return ["/status", "/readyz", "/debug/vars"].some((one) => path.startsWith(one));
}

/** Answers a request; never throws. */
export async function route(request: Omit<HttpRequest, "params">, services: Services): Promise<HttpResponse> {
  if (request.method === "OPTIONS" && !request.target.startsWith("/v1/")) return { status: 200, body: "" };
  try {
    const mark = request.target.indexOf("?");
    const params = Params.parse(mark < 0 ? "" : request.target.slice(mark + 1));
    const asked = mark < 0 ? request.target : request.target.slice(0, mark);
    if (asked.startsWith("/v1/")) return await routeV1({ ...request, params }, services);
    if (asked === "/" && services.options.agent) return GREETING;
    if (services.options.agent?.isServer === false && !isLocal(asked)) {
      return await relay({ ...request, params }, services);
    }
    const found = ROUTES.find(({ path, isPrefix }) => isPrefix ? asked.startsWith(path) : asked === path);
    if (!found) throw new HttpError(404, "");
    if (found.methods.length > 0 && !found.methods.includes(request.method)) throw new HttpError(405, "");
    return await found.handler({ ...request, params }, services);
  } catch (error) {
    if (error instanceof HttpError && error.status === 400) services.counters.bad_requests++;
    return problem(error, services.log);
  }
}

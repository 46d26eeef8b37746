/**
 * From a request to an answer, whichever API it is of: parameters first, which are checked on every request, then the path.
 * Needs no socket.
 * @module
 */
import { routeV1 } from "../consul/router.ts";
import { Params } from "../http/params.ts";
import { HttpError, type HttpResponse, problem } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { relay } from "../rqlite/leadership.ts";
import { routeRqlite } from "../rqlite/router.ts";
import type { Services } from "./services.ts";

/** Health checks of an agent ask for its root. */
const GREETING: HttpResponse = { status: 200, body: "Consul Agent\n", contentType: "text/plain; charset=utf-8" };
/** What a client agent answers by itself; the rest is a server's. */
const LOCAL_PATHS = ["/status", "/readyz", "/debug/vars"];

/** Paths whose bodies may be of any size, and are taken as they come. */
const STREAM_PATHS = ["/db/load", "/boot"];

/** Whether the body of a request for `target` is taken as it comes. */
export function takesStream(target: string): boolean {
  return STREAM_PATHS.some((path) => target.startsWith(path));
}

/** Answers a request; never throws. */
export async function route(asked: Omit<HttpRequest, "params">, services: Services): Promise<HttpResponse> {
  if (asked.method === "OPTIONS" && !asked.target.startsWith("/v1/")) return { status: 200, body: "" };
  try {
    const mark = asked.target.indexOf("?");
    const params = Params.parse(mark < 0 ? "" : asked.target.slice(mark + 1));
    const path = mark < 0 ? asked.target : asked.target.slice(0, mark);
    const request = { ...asked, params };
    if (path.startsWith("/v1/")) return await routeV1(request, services);
    const { agent } = services.options;
    if (path === "/" && agent) return GREETING;
    const isServers = agent?.isServer === false && !LOCAL_PATHS.some((local) => path.startsWith(local));
    return await (isServers ? relay(request, services) : routeRqlite(request, path, services));
  } catch (error) {
    if (error instanceof HttpError && error.status === 400) services.counters.bad_requests++;
    return problem(error, services.log);
  }
}

/**
 * Routes a request to its API: the parameters are checked first, on every request, then the path. It needs no socket.
 * @module
 */
import { bearer } from "../../app/users/credentials.ts";
import { fromOtherPath } from "../console/page.ts";
import type { Endpoint } from "../http/connection.ts";
import { Params } from "../http/params.ts";
import { HttpError, type HttpResponse, problem } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { OTHER, type RequestCounts } from "../http/request_counts.ts";
import { routeOf } from "../http/route.ts";
import { routeRqlite, ROUTES } from "../rqlite/router.ts";
import type { ActiveSpan } from "../../app/traces/active_span.ts";
import type { Services } from "./services.ts";

/** A request whose parameters are not read yet. */
type Asked = Omit<HttpRequest, "params">;

/** Health checks of an agent ask for its root. */
const GREETING: HttpResponse = { status: 200, body: "Consul Agent\n", contentType: "text/plain; charset=utf-8" };

/** The API of agents, once it is loaded: it takes 2 MB of memory, and of a database without agents hardly anybody asks for it. */
let v1: typeof import("../consul/router.ts") | undefined;

/** Loads it: in an agent before its first request, elsewhere with that one, which is counted as any other path. */
export async function loadV1(): Promise<void> {
  v1 ??= await import("../consul/router.ts");
}

/** Where a request goes that begins so: a route of one of the two APIs, or none. */
export function endpointOf(
  { method, target }: Pick<HttpRequest, "method" | "target">,
  requests: RequestCounts,
): Endpoint {
  const path = target.split("?", 1)[0];
  const route = path.startsWith("/v1/") ? routeOf(v1?.ROUTES ?? [], path) : routeOf(ROUTES, path);
  return { isStream: route?.isStream === true, count: requests.of(method, route?.path ?? OTHER) };
}

/** Whether a person has typed the address of an agent: health checks of Consul's users ask for it, too, and expect status 200. */
function wantsPage({ accept = "" }: Pick<HttpRequest, "accept">, { options }: Pick<Services, "options">): boolean {
  return options.console !== undefined && accept.includes("text/html");
}

/** Answers a request; never throws. */
export function route(asked: Asked, services: Services): Promise<HttpResponse> {
  if (!v1 && asked.target.startsWith("/v1/")) return loadV1().then(() => route(asked, services));
  const span = services.tracer?.begin("HTTP request", asked.traceparent ?? "");
  return span ? answerTraced(asked, services, span) : answer(asked, services);
}

/** Names routes alone: paths, parameters and headers may hold data and secrets. */
async function answerTraced(asked: Asked, services: Services, span: ActiveSpan): Promise<HttpResponse> {
  const { endpoint, method } = endpointOf(asked, services.requests).count;
  span.rename(`${method} ${endpoint}`).set("http.request.method", method).set("http.route", endpoint);
  const response = await answer({ ...asked, span }, services);
  span.set("http.response.status_code", response.status).end(
    response.status >= 500 ? String(response.status) : undefined,
  );
  return response;
}

async function answer(asked: Asked, services: Services): Promise<HttpResponse> {
  if (asked.method === "OPTIONS" && !asked.target.startsWith("/v1/")) return { status: 200, body: "" };
  try {
    const mark = asked.target.indexOf("?");
    const params = Params.parse(mark < 0 ? "" : asked.target.slice(mark + 1));
    const path = mark < 0 ? asked.target : asked.target.slice(0, mark);
    const token = params.get("token");
    // What shows no token is the agent's own.
    const standard = asked.authorization === "" ? services.access?.tokens.forRequests : undefined;
    const shown = token || standard;
    const request: HttpRequest = shown ? { ...asked, params, authorization: bearer(shown) } : { ...asked, params };
    if (v1 && path.startsWith("/v1/")) return await v1.routeV1(request, services);
    const { agent } = services.options;
    const elsewhere = fromOtherPath(path, services);
    if (elsewhere) return elsewhere;
    if (path === "/" && agent && !wantsPage(asked, services)) return GREETING;
    return await routeRqlite(request, path, services);
  } catch (error) {
    if (error instanceof HttpError && error.status === 400) services.counters.bad_requests++;
    return problem(error, services.log);
  }
}

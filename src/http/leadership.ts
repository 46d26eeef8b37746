/**
 * What to do with a request that only the leader can answer (spec/rqlite.md 10): redirect the client or hand the request
 * on, at most one hop.
 * @module
 */
import { HttpError, type HttpResponse, RequestError } from "./problem.ts";
import type { HttpRequest, Services } from "./request.ts";
import { ReplicaError } from "./replica_client.ts";

/** A failed forward of a request that is not about data is a 500, one about data a 200 with `error`. */
export type FailureStyle = "data" | "operation";

/**
 * Lets the leader answer.
 * @throws {HttpError} 503 when none is known.
 * @throws {RequestError} When the leader could not be asked, or did not answer.
 */
export async function askLeader(request: HttpRequest, services: Services, style: FailureStyle): Promise<HttpResponse> {
  const { leader } = services.replica;
  if (request.forwarded) throw new RequestError("not leader", "none", { leaderless: true });
  if (!leader || leader.id === services.options.nodeId) {
    services.counters.leader_not_found++;
    throw new HttpError(503, "leader not found", { leaderless: true });
  }
  if (request.params.has("redirect")) {
    if (leader.apiUrl === "") throw new HttpError(500, "leader not found");
    return { status: 301, body: "", location: leader.apiUrl + request.target };
  }
  try {
    return await handOn(request, services);
  } catch (error) {
    throw forwardError(error, services, style);
  }
}

/** Another node answers as if the client had asked it. */
async function handOn(request: HttpRequest, services: Services): Promise<HttpResponse> {
  services.counters.forwarded++;
  const { method, target, contentType, authorization, body, params } = request;
  return await services.replica.call("forward", {
    request: { method, target, contentType, authorization, body },
    timeoutMs: params.timeoutMs,
    retries: params.retries,
  });
}

/** A client agent keeps no data: a server answers, or has its leader do so. */
export async function relay(request: HttpRequest, services: Services): Promise<HttpResponse> {
  try {
    return await handOn(request, services);
  } catch (error) {
    if (error instanceof ReplicaError && error.code === "no_servers") {
      throw new HttpError(503, "no servers known: join a pool that has one", { retryAfter: 1 });
    }
    throw forwardError(error, services, request.target.startsWith("/db/") ? "data" : "operation");
  }
}

function forwardError(error: unknown, services: Services, style: FailureStyle): unknown {
  if (!(error instanceof ReplicaError)) return error;
  if (error.code === "no_leader") {
    services.counters.leader_not_found++;
    return new HttpError(503, "leader not found", { leaderless: true });
  }
  const leaderless = error.code === "not_sent";
  if (style === "operation") return new HttpError(500, error.message, { leaderless });
  return new RequestError(error.message, error.code === "unknown" ? "unknown" : "none", { leaderless });
}

/**
 * Requests that only the leader can answer (rqlite's request forwarding): a node redirects the client or forwards the
 * request, at most one hop.
 * @module
 */
import type { Counters } from "../../app/database/counters.ts";
import { RequestError } from "../../app/database/errors.ts";
import { HeldAnswer } from "../../app/database/held_answer.ts";
import { type ReplicaClient, ReplicaError } from "../../app/database/replica_client.ts";
import { type AnswerBudget, ANSWERS_BYTES_MAX } from "../../base/worker/answer_budget.ts";
import { PART_LENGTH } from "../../core/sql/result_text.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { ForwardedRequest } from "../../drivers/replica/api.ts";
import type { Params } from "../http/params.ts";
import { forwardedOf, type HttpRequest } from "../http/request.ts";

/** Dependencies of forwarding. */
export interface LeaderParts {
  readonly replica: ReplicaClient;
  readonly answers: AnswerBudget;
  readonly counters: Pick<Counters, "forwarded" | "leader_not_found">;
  readonly options: { readonly nodeId: string };
}

/** A failed forward of a request that is not about data is a 500, one about data a 200 with `error`. */
export type FailureStyle = "data" | "operation";

/**
 * Lets the leader answer.
 * @throws {HttpError} 503 when none is known.
 * @throws {RequestError} When the leader could not be asked, or did not answer.
 */
export async function askLeader(request: HttpRequest, parts: LeaderParts, style: FailureStyle): Promise<HttpResponse> {
  const { leader } = parts.replica;
  if (request.forwarded) throw new RequestError("not leader", "none", { leaderless: true });
  if (!leader || leader.id === parts.options.nodeId) {
    parts.counters.leader_not_found++;
    throw new HttpError(503, "leader not found", { leaderless: true });
  }
  if (request.params.has("redirect")) {
    if (leader.apiUrl === "") throw new HttpError(500, "leader not found");
    return { status: 301, body: "", location: leader.apiUrl + request.target };
  }
  try {
    return counted(await handOn(forwardedOf(request), request.params, parts), request, parts);
  } catch (error) {
    throw forwardError(error, parts, style);
  }
}

/** Another node answers as if the client had asked it. */
export async function handOn(
  request: Omit<ForwardedRequest, "relayed">,
  { timeoutMs, retries }: Pick<Params, "timeoutMs" | "retries">,
  parts: Pick<LeaderParts, "replica" | "counters">,
): Promise<HttpResponse> {
  parts.counters.forwarded++;
  return await parts.replica.call("forward", { request, timeoutMs, retries });
}

/**
 * Counts a long answer of another node, which is here already. Only data are as long as that matters; what asks for other
 * answers may be this node itself, which wants them whole.
 * @throws {HttpError} 503 when a read's answer has no room beside those on their way.
 * @throws {RequestError} When that of a write has none: what it did is not known.
 */
function counted(response: HttpResponse, { target }: HttpRequest, { answers }: LeaderParts): HttpResponse {
  const { body } = response;
  if (typeof body === "string" || body.length < PART_LENGTH || !target.startsWith("/db/")) return response;
  if (answers.take(body.length, ANSWERS_BYTES_MAX)) {
    return { ...response, body: "", held: new HeldAnswer([body], answers, body.length) };
  }
  const why = `too many large answers are on their way to clients (${ANSWERS_BYTES_MAX} bytes at a time)`;
  if (!target.startsWith("/db/execute") && !target.startsWith("/db/request")) {
    throw new HttpError(503, `${why}: try again later, or read less at a time with LIMIT`, { retryAfter: 1 });
  }
  throw new RequestError(`${why}, and the one of the leader has no room: the write may have taken effect`, "unknown");
}

/** A client agent keeps no data: a server answers, or has its leader do so. */
export async function relay(request: HttpRequest, parts: LeaderParts): Promise<HttpResponse> {
  try {
    return counted(await handOn(forwardedOf(request), request.params, parts), request, parts);
  } catch (error) {
    if (error instanceof ReplicaError && error.code === "no_servers") {
      throw new HttpError(503, "no servers known: join a pool that has one", { retryAfter: 1 });
    }
    throw forwardError(error, parts, request.target.startsWith("/db/") ? "data" : "operation");
  }
}

function forwardError(error: unknown, parts: LeaderParts, style: FailureStyle): unknown {
  if (!(error instanceof ReplicaError)) return error;
  if (error.code === "no_leader") {
    parts.counters.leader_not_found++;
    return new HttpError(503, "leader not found", { leaderless: true });
  }
  const leaderless = error.code === "not_sent";
  if (style === "operation") return new HttpError(500, error.message, { leaderless });
  return new RequestError(error.message, error.code === "unknown" ? "unknown" : "none", { leaderless });
}

/**
 * Queued writes: `POST /db/execute?queue`. A request that is recognized as wrong is refused before it is queued; all
 * others are acknowledged with a sequence number.
 * @module
 */
import type { Counters } from "../../app/database/counters.ts";
import { NoLeaderError, QueueWaitError, unwrapped } from "../../app/database/errors.ts";
import type { BoundStatement } from "../../core/sql/command.ts";
import type { HttpResponse } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import { decodeStatements } from "../http/sql_body.ts";
import type { DataParts } from "./data.ts";
import { indent } from "../http/json.ts";
import { operate } from "./leadership.ts";

/** Dependencies of queued writes. */
export interface QueueParts extends DataParts {
  readonly counters:
    & DataParts["counters"]
    & Pick<Counters, "queued_executions" | "queued_executions_wait" | "queued_executions_wait_timeout">;
}

/** `POST /db/execute?queue`: a client agent has a server queue it. */
export async function handleQueued(request: HttpRequest, parts: QueueParts): Promise<HttpResponse> {
  const { params } = request;
  if (!params.has("noleader") && !parts.replica.leader) {
    parts.counters.leader_not_found++;
    throw new NoLeaderError();
  }
  const write = {
    statements: queuedStatements(request),
    transaction: params.has("transaction"),
    waits: params.has("wait"),
    timeoutMs: params.timeoutMs,
    takesLeaderless: params.has("noleader"),
  };
  parts.counters.executions++;
  parts.counters.queued_executions++;
  if (write.waits) parts.counters.queued_executions_wait++;
  const { result: sequence, servedBy, from } = await operate(request, parts, "enqueue", write).catch((error) => {
    if (unwrapped(error) instanceof QueueWaitError) parts.counters.queued_executions_wait_timeout++;
    throw error;
  });
  const time = params.has("timings") ? `,"time":${(performance.now() - request.startedMs) / 1000}` : "";
  const body = `{"results":[],"sequence_number":${sequence}${time}}`;
  const answer = { status: 200, body: params.has("pretty") ? indent(body) : body };
  return from === "" ? answer : { ...answer, servedBy };
}

/** An empty body, or an empty list, with `wait` is a place in the order: it is written when all before it are. */
function queuedStatements({ params, body }: HttpRequest): BoundStatement[] {
  const text = textOf(body).trim();
  const isPlace = text === "" || /^\[\s*\]$/.test(text);
  return isPlace && params.has("wait") ? [] : decodeStatements(text);
}

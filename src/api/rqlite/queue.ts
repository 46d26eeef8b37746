/**
 * Queued writes: `POST /db/execute?queue`. A request that is recognized as wrong is refused before it is queued; all
 * others are acknowledged with a sequence number.
 * @module
 */
import { PLAIN_RENDERING } from "../../core/sql/render_options.ts";
import { checkStatements, type DataRequest } from "../../app/database/database.ts";
import { NotLeaderError, RequestError } from "../../app/database/errors.ts";
import type { WriteBatch, WriteQueue } from "../../app/database/write_queue.ts";
import { wholeText } from "../../core/sql/result_text.ts";
import { dropResults } from "../../app/database/held_answer.ts";
import { type BoundStatement, decodeCommand, encodeCommand } from "../../core/sql/command.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import { decodeStatements } from "./body.ts";
import type { DataParts } from "./data.ts";
import { indent } from "./../http/json.ts";
import { handOn } from "./leadership.ts";

/** Dependencies of queued writes. */
export interface QueueParts extends DataParts {
  readonly queue: WriteQueue;
  readonly counters: DataParts["counters"] & { queued_executions: number; queued_executions_wait_timeout: number };
}

/** The parameter of a batch that one node hands to another. */
const BATCH = "muster_batch";
/** Longest wait for a batch to be written. */
const BATCH_MS = 30_000;

/** `POST /db/execute?queue`. */
export async function handleQueued(request: HttpRequest, parts: QueueParts): Promise<HttpResponse> {
  const { params } = request;
  if (!params.has("noleader") && !parts.replica.leader) {
    parts.counters.leader_not_found++;
    throw new HttpError(503, "leader not found", { leaderless: true });
  }
  const statements = queuedStatements(request);
  parts.counters.queued_executions++;
  const sequence = parts.queue.put(checkStatements(statements));
  if (params.has("wait") && !await parts.queue.written(sequence, params.timeoutMs)) {
    parts.counters.queued_executions_wait_timeout++;
    throw new HttpError(408, "queue wait timeout");
  }
  const time = params.has("timings") ? `,"time":${(performance.now() - request.startedMs) / 1000}` : "";
  const body = `{"results":[],"sequence_number":${sequence}${time}}`;
  return { status: 200, body: params.has("pretty") ? indent(body) : body };
}

/** An empty body, or an empty list, with `wait` is a place in the order: it is written when all before it are. */
function queuedStatements({ params, body }: HttpRequest): BoundStatement[] {
  const text = textOf(body).trim();
  const isPlace = text === "" || /^\[\s*\]$/.test(text);
  return isPlace && params.has("wait") ? [] : decodeStatements(text);
}

/** Writes batches here while this node leads, and through the leader otherwise. */
export function batchWriter(parts: Omit<QueueParts, "queue" | "counters"> & Pick<DataParts, "counters">): WriteBatch {
  return async (statements, { transaction }) => {
    try {
      return await writeHere(parts, statements, transaction);
    } catch (error) {
      if (!(error instanceof NotLeaderError)) throw error;
      return await askLeaderToWrite(parts, encodeCommand({ kind: "execute", transaction, statements }));
    }
  };
}

async function writeHere(
  { database, answers }: Pick<DataParts, "database" | "answers">,
  statements: readonly BoundStatement[],
  transaction: boolean,
): Promise<{ hasFailed: boolean }> {
  const { results, error } = await database.execute(batchRequest(statements, transaction));
  const text = wholeText(results);
  dropResults(results, answers);
  return { hasFailed: error !== undefined || text.includes(`"error":`) };
}

function batchRequest(statements: readonly BoundStatement[], transaction: boolean): DataRequest {
  const limits = { dbTimeoutMs: 0, timeoutMs: BATCH_MS, linearizableTimeoutMs: BATCH_MS };
  const freshness = { limitMs: 0, isStrict: false };
  return { statements, transaction, options: PLAIN_RENDERING, level: "weak", freshness, ...limits };
}

async function askLeaderToWrite(
  parts: Pick<DataParts, "replica" | "counters">,
  body: Uint8Array,
): Promise<{ hasFailed: boolean }> {
  const target = `/db/execute?${BATCH}`;
  const shown = { authorization: "", address: "", isOfNode: true }; // of many clients, each of which was allowed to here
  const request = { method: "POST", target, contentType: "application/octet-stream", ...shown, body };
  const answer = await handOn(request, { timeoutMs: BATCH_MS, retries: 2 }, parts).catch((error) => {
    const isUnknown = error?.code === "unknown";
    throw new RequestError(String(error?.message ?? error), isUnknown ? "unknown" : "none", { leaderless: !isUnknown });
  });
  const text = typeof answer.body === "string" ? answer.body : textOf(answer.body);
  if (answer.status === 200 && (text === "ok" || text === "failed")) return { hasFailed: text === "failed" };
  const isUnknown = text.includes(`"outcome":"unknown"`);
  throw new RequestError(`the leader answers: ${text.trim() || answer.status}`, isUnknown ? "unknown" : "none", {
    leaderless: answer.leaderless === true || answer.status === 503,
  });
}

/** Whether a request is a batch that another node hands on. */
export function isBatch({ params, forwarded }: HttpRequest): boolean {
  return forwarded && params.has(BATCH);
}

/** A batch that another node hands on. */
export async function handleBatch({ body }: HttpRequest, parts: DataParts): Promise<HttpResponse> {
  const { statements, transaction } = decodeCommand(body);
  try {
    const { hasFailed } = await writeHere(parts, statements, transaction);
    return { status: 200, body: hasFailed ? "failed" : "ok", contentType: "text/plain" };
  } catch (error) {
    if (error instanceof NotLeaderError) throw new HttpError(503, "not leader", { leaderless: true });
    throw error;
  }
}

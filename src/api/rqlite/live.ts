/**
 * `/db/live`: a query whose result is sent, and then what changes of it; on every node that has the data. Muster's own.
 *
 * Lines of JSON, or events as browsers read them. The first has the result as `/db/query` gives it; further ones have
 * `splices`, which are done one after the other on its `values` (or `rows`).
 * @module
 */
import type { LivePiece, LiveQueries, LiveQuery } from "../../app/changes/live_queries.ts";
import { checkStatements } from "../../app/database/allowed.ts";
import { RequestError, TooManyWaitError } from "../../app/database/errors.ts";
import { parseDuration } from "../../base/codec/duration.ts";
import { sqlNeeds } from "../../core/acl/sql_needs.ts";
import { mayRead } from "../../core/sql/statement.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { sqlText } from "../http/sql_body.ts";
import { streamed } from "./changes.ts";
import { dataRequest, statementsOf } from "./data.ts";
import { expectAllowed, isClientAgent, type LeaderParts } from "./leadership.ts";

/** Dependencies of this endpoint. */
export interface LiveParts extends LeaderParts {
  readonly live: LiveQueries;
}

const INTERVAL_MS = 200;
const INTERVAL_MS_MIN = 20;
const INTERVAL_MS_MAX = 3_600_000;

/** `GET /db/live?q=` and `POST /db/live`, `?interval=`, `?tag=`, `?format=sse`, and how results are shown. */
export async function handleLive(request: HttpRequest, parts: LiveParts): Promise<HttpResponse> {
  if (isClientAgent(parts)) throw new HttpError(501, "a client agent keeps no data: ask a server");
  const query = queryOf(request);
  const wanted = sqlNeeds("read", query.statement.parts);
  await expectAllowed(parts, request, wanted);
  const fault = await parts.live.fault(query);
  if (fault !== undefined) throw new HttpError(400, fault);
  const tag = request.lastEventId || (request.params.get("tag") ?? "");
  return streamed(request, async function* (isSse, over) {
    try {
      for await (const piece of parts.live.follow(query, tag, over)) {
        await expectAllowed(parts, request, wanted);
        yield rendered(piece, isSse);
      }
    } catch (error) {
      if (!(error instanceof TooManyWaitError || error instanceof HttpError)) throw error;
      yield rendered({ k: "error", tag: "", text: JSON.stringify({ error: error.message }) }, isSse);
    }
  });
}

function rendered({ k, tag, text }: LivePiece, isSse: boolean): string {
  if (!isSse) return `${text}\n`;
  return `event: ${k}\n${tag === "" ? "" : `id: ${tag}\n`}data: ${text}\n\n`;
}

/** @throws {HttpError} 400 when it is no single read. */
function queryOf(request: HttpRequest): LiveQuery {
  const { params, method } = request;
  const statements = method === "GET" ? sqlText(params.get("q") ?? "") : statementsOf(request, { plainText: true });
  const [statement, ...others] = statements;
  const [part, ...further] = statement?.parts ?? [];
  if (!part || others.length > 0 || further.length > 0 || !mayRead(part)) {
    throw new HttpError(400, "expected one statement that reads: q=SELECT …, or a body as of /db/query");
  }
  try {
    checkStatements(statements);
  } catch (error) {
    throw error instanceof RequestError ? new HttpError(400, error.message) : error;
  }
  const interval = params.get("interval");
  const intervalMs = interval === undefined ? INTERVAL_MS : parseDuration(interval) ?? NaN;
  if (!(intervalMs >= INTERVAL_MS_MIN && intervalMs <= INTERVAL_MS_MAX)) {
    throw new HttpError(400, "interval: expected a time from 20ms to 1h");
  }
  return { statement, options: dataRequest(request, statements).options, intervalMs };
}

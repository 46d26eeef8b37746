/**
 * The data endpoints: `/db/execute`, `/db/query`, `/db/request` (rqlite's HTTP API). Bodies and parameters become requests of
 * the database, its answers get their frame.
 * @module
 */
import type { Counters } from "../../app/database/counters.ts";
import type { Answer, DataRequest } from "../../app/database/database.ts";
import { HeldAnswer, takeText } from "../../app/database/held_answer.ts";
import { freeBuffer } from "../../base/codec/free.ts";
import { type ActiveSpan, spanOver } from "../../app/traces/active_span.ts";
import { type SlowStatements, sqlOf } from "../../app/database/slow_statements.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { type BoundStatement, countOf, type EncodedStatements, type Statements } from "../../core/sql/command.ts";
import { countedBytes, PART_LENGTH } from "../../core/sql/result_text.ts";
import { indent } from "../http/json.ts";
import type { Params } from "../http/params.ts";
import type { HttpResponse } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import { decodeStatements, sqlText } from "../http/sql_body.ts";
import type { LargeBodies } from "./large_bodies.ts";
import { countRemote, type LeaderParts, operate } from "./leadership.ts";

/** Dependencies of the data endpoints. */
export interface DataParts extends LeaderParts {
  readonly answers: AnswerBudget;
  readonly slow: SlowStatements;
  /** Absent in a client agent, which does not run what it reads. */
  readonly largeBodies: Pick<LargeBodies, "takes" | "parse"> | undefined;
  readonly counters:
    & LeaderParts["counters"]
    & Pick<
      Counters,
      "executions" | "queries" | "requests" | "execute_stmts_rx" | "query_stmts_rx" | "request_stmts_rx"
    >;
  readonly options: LeaderParts["options"] & { readonly advertisedAddr: string };
}

/** Characters of statements that a span may carry. */
const SPAN_SQL_LENGTH_MAX = 2000;
/** Longer answers are not indented. */
export const PRETTY_LENGTH_MAX = 1024 * 1024;

const encoder = new TextEncoder();

/** `POST /db/execute`. */
export function handleExecute(request: HttpRequest, parts: DataParts): Promise<HttpResponse> {
  parts.counters.executions++;
  return answered(request, parts, "execute", statementsIn(request, parts, { plainText: true }));
}

/** `GET` and `POST /db/query`. */
export function handleQuery(request: HttpRequest, parts: DataParts): HttpResponse | Promise<HttpResponse> {
  parts.counters.queries++;
  const query = request.params.get("q");
  if (request.method === "GET" && query === undefined) {
    return frame({ results: "[]" }, request, { answers: parts.answers, servedBy: parts.options.advertisedAddr });
  }
  const statements = request.method === "GET"
    ? sqlText(query ?? "")
    : statementsIn(request, parts, { plainText: true });
  return answered(request, parts, "query", statements);
}

/** `POST /db/request`: reads and writes in one. */
export function handleRequest(request: HttpRequest, parts: DataParts): Promise<HttpResponse> {
  parts.counters.requests++;
  return answered(request, parts, "request", statementsIn(request, parts, { plainText: false }));
}

/** Runs statements, here or where only they can be run, and frames their results. */
function answered(
  request: HttpRequest,
  parts: DataParts,
  name: "execute" | "query" | "request",
  statements: Statements | Promise<EncodedStatements>,
): Promise<HttpResponse> {
  return statements instanceof Promise
    ? answeredLarge(request, parts, name, statements)
    : answeredAtHand(request, parts, name, statements);
}

/** The same for those of a large body, whose bytes are not left to the garbage collector. */
async function answeredLarge(
  request: HttpRequest,
  parts: DataParts,
  name: "execute" | "query" | "request",
  parsed: Promise<EncodedStatements>,
): Promise<HttpResponse> {
  const statements = await parsed;
  try {
    return await answeredAtHand(request, parts, name, statements);
  } finally {
    freeBuffer(statements.command);
  }
}

async function answeredAtHand(
  request: HttpRequest,
  parts: DataParts,
  name: "execute" | "query" | "request",
  statements: Statements,
): Promise<HttpResponse> {
  parts.counters[`${name}_stmts_rx`] += countOf(statements);
  if (request.span) describe(request.span, request, statements);
  const { result, servedBy, from } = await operate(request, parts, name, dataRequest(request, statements));
  parts.slow.note(name, statements, performance.now() - request.startedMs, request.span?.traceId);
  // What has an index went through the log, and so through the leader, also where this node has the outcome itself.
  const isPlacedElsewhere = from === "" && result.index !== undefined &&
    parts.replica.leader?.id !== parts.options.nodeId;
  if (isPlacedElsewhere) countRemote(parts, name);
  return frame(result, request, { answers: parts.answers, servedBy });
}

/** What a span says of a request: its text only where the operator wants that. */
function describe(span: ActiveSpan, { params }: HttpRequest, statements: Statements): void {
  span.set("db.system", "sqlite").set("muster.statements", countOf(statements)).set("muster.level", params.level);
  if (span.showsSql) span.set("db.query.text", sqlOf(statements).slice(0, SPAN_SQL_LENGTH_MAX));
}

/** Runs the text of a dump: one statement of many parts, whose result is that of the last one. */
export async function handleText(
  request: HttpRequest,
  parts: DataParts,
  statements: readonly BoundStatement[],
): Promise<HttpResponse> {
  const asked = { ...dataRequest(request, statements), transaction: true };
  const { result, servedBy } = await operate(request, parts, "loadText", asked);
  return frame(result, request, { answers: parts.answers, servedBy });
}

/** The statements of a body. */
export function statementsOf(request: HttpRequest, { plainText }: { plainText: boolean }): BoundStatement[] {
  const text = textOf(request.body);
  return isSqlText(request, plainText) ? sqlText(text) : decodeStatements(text);
}

function isSqlText({ contentType }: HttpRequest, plainText: boolean): boolean {
  return plainText && contentType.startsWith("text/plain");
}

/** The statements of a body, which has gone when it is large. */
function statementsIn(
  request: HttpRequest,
  { largeBodies }: Pick<DataParts, "largeBodies">,
  { plainText }: { plainText: boolean },
): Statements | Promise<EncodedStatements> {
  const { body, span } = request;
  const parsing = span?.child("parse").set("http.request.body.size", body.length);
  if (!largeBodies?.takes(body)) {
    const statements = statementsOf(request, { plainText }); // a malformed one ends the request, whose span says so
    parsing?.end();
    return statements;
  }
  return spanOver(parsing, () => largeBodies.parse({ bytes: body, isText: isSqlText(request, plainText) }));
}

/** The database request of an HTTP request: its statements with the options from its parameters. */
export function dataRequest({ params }: HttpRequest, statements: Statements): DataRequest {
  let options = knownOptions.get(params);
  if (options === undefined) knownOptions.set(params, options = dataOptions(params));
  return { ...options, statements };
}

/** Of the same parameters, which are parsed once for many requests. */
const knownOptions = new WeakMap<Params, Omit<DataRequest, "statements">>();

function dataOptions(params: Params): Omit<DataRequest, "statements"> {
  return {
    transaction: params.has("transaction"),
    options: {
      associative: params.has("associative"),
      timings: params.has("timings"),
      blobArray: params.has("blob_array"),
      qualifyColumns: params.has("qualify_columns"),
      errors: params.errors,
    },
    level: params.level,
    freshness: { limitMs: params.freshnessMs, isStrict: params.has("freshness_strict") },
    dbTimeoutMs: params.dbTimeoutMs,
    timeoutMs: params.timeoutMs,
    linearizableTimeoutMs: params.linearizableTimeoutMs,
  };
}

/** The text of an answer behind the results. */
function tailOf({ error, index }: Answer, params: Params, startedMs: number): string {
  let tail = "";
  if (error !== undefined && error !== "") tail += `,"error":${JSON.stringify(error)}`;
  if (params.has("timings")) tail += `,"time":${(performance.now() - startedMs) / 1000}`;
  if (params.has("raft_index") && index) tail += `,"raft_index":${index}`;
  return `${tail}}`;
}

/**
 * The results in their frame. Those in parts are counted already; what becomes longer here is counted as well, whatever
 * room there is: it is there.
 */
function frame(
  found: Answer,
  { params, startedMs }: HttpRequest,
  { answers, servedBy }: { answers: AnswerBudget; servedBy: string },
): HttpResponse {
  const { results } = found;
  const tail = tailOf(found, params, startedMs);
  const answer = { status: 200, body: "", servedBy };
  const counted = countedBytes(results);
  if (!params.has("pretty") || counted > PRETTY_LENGTH_MAX) {
    if (typeof results === "string") return { ...answer, body: `{"results":${results}${tail}` };
    const parts = [encoder.encode(`{"results":`), ...results, encoder.encode(tail)];
    return { ...answer, held: new HeldAnswer(parts, answers, counted) };
  }
  const body = indent(`{"results":${takeText(results, answers)}${tail}`);
  if (body.length < PART_LENGTH) return { ...answer, body };
  const bytes = encoder.encode(body);
  answers.add(bytes.length);
  return { ...answer, held: new HeldAnswer([bytes], answers, bytes.length) };
}

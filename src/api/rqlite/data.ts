/**
 * The data endpoints: `/db/execute`, `/db/query`, `/db/request` (spec/rqlite.md 5 to 7).
 *
 * A write is one log entry. A read at level none or weak goes straight to a reader, unless this leader has to be confirmed
 * first (freshness.ts), one at level linearizable after a quorum has confirmed it, one at level strong through the log. Whoever runs the SQL renders the results; here
 * they get their frame.
 * @module
 */
import type { BoundStatement, Command } from "../../core/sql/command.ts";
import { encodeCommand, STEPS_PER_MS } from "../../core/sql/command.ts";
import { isAboutCatalog, resolveCatalogNames } from "../../core/catalog/catalog.ts";
import { isDisallowedPragma, mayRead } from "../../core/sql/statement.ts";
import type { RenderOptions } from "../../core/sql/render_options.ts";
import type { ReadResult } from "../../core/sql/exchange.ts";
import { decodeStatements, sqlText } from "./body.ts";
import { isConfirmedLeader, isFresh } from "../../app/database/freshness.ts";
import { indent } from "../http/json.ts";
import { askLeader } from "../../app/database/leadership.ts";
import { readLinearizably } from "../../app/database/linearizable.ts";
import { countedBytes, PART_LENGTH, type ResultText } from "../../core/sql/result_text.ts";
import { HeldAnswer, takeText } from "../../app/database/held_answer.ts";
import type { Level, Params } from "../http/params.ts";
import { HttpError, type HttpResponse, RequestError } from "../http/problem.ts";
import { ReplicaError } from "../../app/database/replica_client.ts";
import { type HttpRequest, type Services, textOf } from "../http/request.ts";

/** What a data request came to, before its frame. */
interface Answer {
  readonly results: ResultText;
  readonly error?: string;
  /** Log index, where the request went through the log. */
  readonly index?: number;
}

/** Thrown inside this file when the request needs the leader and this node is not it. */
class NotLeaderError extends Error {}

/** `POST /db/execute`. */
export async function handleExecute(request: HttpRequest, services: Services): Promise<HttpResponse> {
  services.counters.executions++;
  if (request.params.has("queue")) throw new HttpError(501, "queued writes are not supported yet");
  const statements = statementsOf(request, { plainText: true });
  return await orAskLeader(request, services, () => write(services, request.params, "execute", statements));
}

/** `GET` and `POST /db/query`. */
export async function handleQuery(request: HttpRequest, services: Services): Promise<HttpResponse> {
  services.counters.queries++;
  const { params } = request;
  const query = params.get("q");
  if (request.method === "GET" && query === undefined) return frame({ results: "[]" }, request, services);
  const statements = request.method === "GET"
    ? checked(sqlText(query ?? ""))
    : statementsOf(request, { plainText: true });
  return await orAskLeader(
    request,
    services,
    () =>
      read(services, params, statements, {
        linearizableTimeoutMs: params.linearizableTimeoutMs,
        whenOver: request.whenOver,
      }),
  );
}

/** `POST /db/request`: reads and writes in one. */
export async function handleRequest(request: HttpRequest, services: Services): Promise<HttpResponse> {
  services.counters.requests++;
  const { params } = request;
  const statements = statementsOf(request, { plainText: false });
  return await orAskLeader(request, services, async () => {
    const mayBeRead = params.level !== "strong" && statements.every(({ parts }) => parts.every(mayRead));
    if (mayBeRead) {
      const answer = await read(services, params, statements, {
        linearizableTimeoutMs: params.linearizableTimeoutMs,
        onlyIfReadOnly: true,
        whenOver: request.whenOver,
      });
      if (answer !== "writes") return answer;
    }
    return await write(services, params, "request", statements);
  });
}

/** Answers here, or through the leader where only it can. */
async function orAskLeader(
  request: HttpRequest,
  services: Services,
  work: () => Promise<Answer | "writes">,
): Promise<HttpResponse> {
  try {
    const answer = await work();
    return frame(answer === "writes" ? { results: "[]" } : answer, request, services);
  } catch (error) {
    if (error instanceof NotLeaderError) return await askLeader(request, services, "data");
    throw error;
  }
}

function statementsOf(request: HttpRequest, { plainText }: { plainText: boolean }): BoundStatement[] {
  const text = textOf(request.body);
  return checked(plainText && request.contentType.startsWith("text/plain") ? sqlText(text) : decodeStatements(text));
}

function checked(statements: readonly BoundStatement[]): BoundStatement[] {
  return statements.map((statement) => {
    const parts = allowedParts(statement.parts);
    return parts === statement.parts ? statement : { ...statement, parts };
  });
}

/** Parts as they are run, for as long as what split them remembers them. */
const knownParts = new WeakMap<BoundStatement["parts"], BoundStatement["parts"]>();

/**
 * The parts of a statement with the names of the catalog as they are stored.
 * @throws {RequestError} When a pragma is not for clients.
 */
function allowedParts(parts: BoundStatement["parts"]): BoundStatement["parts"] {
  const known = knownParts.get(parts);
  if (known !== undefined) return known;
  if (parts.some(({ verb, sql }) => verb === "PRAGMA" && isDisallowedPragma(sql))) {
    throw new RequestError("disallowed pragma");
  }
  const isPlain = !parts.some(({ sql }) => isAboutCatalog(sql));
  const allowed = isPlain ? parts : parts.map((part) => ({ ...part, sql: resolveCatalogNames(part.sql) }));
  knownParts.set(parts, allowed);
  return allowed;
}

function renderOptions(params: Params): RenderOptions {
  return {
    associative: params.has("associative"),
    timings: params.has("timings"),
    blobArray: params.has("blob_array"),
    qualifyColumns: params.has("qualify_columns"),
  };
}

/**
 * A `db_timeout` ends a write on every node after the steps that stand for it; its result is waited for a little longer,
 * as it says more than that the outcome is unknown.
 */
const WRITE_GRACE_MS = 2000;

/** Longer answers are not indented. */
export const PRETTY_LENGTH_MAX = 1024 * 1024;

const encoder = new TextEncoder();

/** Puts statements through the log. */
async function write(
  services: Services,
  params: Params,
  kind: Command["kind"],
  statements: readonly BoundStatement[],
): Promise<Answer> {
  if (!services.state.isLeader) throw new NotLeaderError();
  const readTimeoutMs = params.dbTimeoutMs > 0 ? params.dbTimeoutMs : services.options.queryTimeoutMs;
  const wantedSteps = kind === "query" ? 0 : params.dbTimeoutMs * STEPS_PER_MS;
  const body = encodeCommand({ kind, transaction: params.has("transaction"), statements, readTimeoutMs, wantedSteps });
  const limitMs = params.dbTimeoutMs > 0
    ? Math.min(params.dbTimeoutMs * 2 + WRITE_GRACE_MS, params.timeoutMs)
    : params.timeoutMs;
  const result = await services.replica.write(body, renderOptions(params), limitMs);
  if (result === undefined) {
    throw new RequestError(`no result within ${limitMs} ms: the write may or may not have taken effect`, "unknown");
  }
  if (result.k === "done") return result.outcome;
  const { code, message } = result.refused;
  switch (code) {
    case "not_leader":
      throw new NotLeaderError();
    case "queue_full":
    case "behind":
    case "storage_full":
      throw new HttpError(503, message, { retryAfter: 1 });
    case "too_large":
      throw new HttpError(413, message);
    default:
      throw new RequestError(message, code === "unknown" ? "unknown" : "none");
  }
}

async function read(
  services: Services,
  params: Params,
  statements: readonly BoundStatement[],
  options: { linearizableTimeoutMs: number; onlyIfReadOnly?: boolean; whenOver: (() => Promise<void>) | undefined },
): Promise<Answer | "writes"> {
  const level = effectiveLevel(params.level, services);
  if (level === "strong") return await write(services, params, "query", statements);
  if (level !== "none" && !services.state.isLeader) throw new NotLeaderError();
  const isConfirmed = level === "none"
    ? isFresh(services, { limitMs: params.freshnessMs, isStrict: params.has("freshness_strict") })
    : level === "weak" && isConfirmedLeader(services);
  if (level === "none" && !isConfirmed && !services.state.isLeader) throw new RequestError("stale read");
  const timeoutMs = params.dbTimeoutMs > 0 ? params.dbTimeoutMs : services.options.queryTimeoutMs;
  const run = () =>
    services.readers.read({
      statements,
      transaction: params.has("transaction"),
      options: renderOptions(params),
      timeoutMs,
      onlyIfReadOnly: options.onlyIfReadOnly ?? false,
    }, options.whenOver);
  const { linearizableTimeoutMs: confirmMs } = options;
  const result = await (isConfirmed ? run() : readConfirmed(services, { level, timeoutMs: confirmMs }, run));
  if (result?.writes) return "writes";
  return result ?? timedOut(statements, params);
}

/** The statement that was stopped carries the error, as if it alone had failed. */
function timedOut(statements: readonly BoundStatement[], params: Params): ReadResult {
  const one = params.has("associative") ? `{"rows":[],"error":"query timeout"}` : `{"error":"query timeout"}`;
  return { ref: 0, results: `[${statements.map(() => one).join(",")}]` };
}

function effectiveLevel(level: Level, { options }: Services): Exclude<Level, "auto"> {
  return level === "auto" ? options.isVoter ? "weak" : "none" : level;
}

/** Reads once this leader is confirmed; where it is not, the levels differ in what the client hears. */
async function readConfirmed(
  services: Services,
  { level, timeoutMs }: { level: "none" | "weak" | "linearizable"; timeoutMs: number },
  run: () => Promise<ReadResult | undefined>,
): Promise<ReadResult | undefined> {
  try {
    return await readLinearizably(services, timeoutMs, run);
  } catch (error) {
    if (!(error instanceof ReplicaError)) throw error;
    if (level === "none") throw new RequestError("stale read");
    const isLost = error.code === "leadership_lost";
    if (error.code === "not_leader" || isLost && level === "weak") throw new NotLeaderError();
    throw new RequestError(isLost ? "stale read" : error.message);
  }
}

/**
 * The results in their frame. Those in parts are counted already; what becomes longer here is counted as well, whatever
 * room there is: it is there.
 */
function frame({ results, error, index }: Answer, request: HttpRequest, { options, answers }: Services): HttpResponse {
  const { params } = request;
  let tail = "";
  if (error !== undefined && error !== "") tail += `,"error":${JSON.stringify(error)}`;
  if (params.has("timings")) tail += `,"time":${(performance.now() - request.startedMs) / 1000}`;
  if (params.has("raft_index") && index) tail += `,"raft_index":${index}`;
  tail += "}";
  const answer = { status: 200, body: "", servedBy: options.advertisedAddr };
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

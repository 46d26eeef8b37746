/**
 * Common parts of the answers of `/v1` (C6.1 to C6.5): plain-text errors, JSON that is indented on request, the
 * consistency modes, blocking queries and their headers.
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { CatalogRead } from "../../app/agent/catalog.ts";
import type { CatalogQuery } from "../../app/agent/catalog_query.ts";
import type { CatalogFound, CatalogReadRequest } from "../../app/agent/catalog_read.ts";
import {
  BusyError,
  ForwardError,
  NoLeaderError,
  NotLeaderError,
  OperationError,
  RefusedError,
  RemoteFailure,
  TooManyWaitError,
} from "../../app/database/errors.ts";
import type { Done } from "../../app/database/operations.ts";
import { ReplicaError } from "../../app/database/replica_client.ts";
import { compileFilter, type Fields, FilterError } from "./filter.ts";
import { FILTERED } from "../acl/filtered.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { NOT_FOUND_TEXT } from "../../core/acl/resource.ts";
import { laterText } from "../http/route.ts";
import { type AgentParts, type ConsulOperations, datacenterOf, type OperateParts } from "./parts.ts";

const PLAIN = "text/plain; charset=utf-8";
/** Beyond the wait itself, for a query that another node answers. */
const FORWARD_MARGIN_MS = 10_000;
/** Of a node that is no agent, and has no such queries. */
const NO_QUERY_TIME = { standard: 0, most: 0 };
const NO_LEADER = "No cluster leader";

/** JSON, indented by four spaces and ended by a newline where `pretty` asks for it. */
export function v1Json(value: unknown, request: HttpRequest): HttpResponse {
  return { status: 200, body: jsonText(value, request) };
}

function jsonText(value: unknown, { params }: HttpRequest): string {
  return params.has("pretty") ? `${JSON.stringify(value, null, 4)}\n` : JSON.stringify(value);
}

/**
 * Those that the request's filter lets through.
 * @throws {HttpError} 400 when that is no filter, or not one for these fields.
 */
export function chosen<T extends Record<string, unknown>>(
  all: readonly T[],
  { params }: HttpRequest,
  fields: Fields,
): readonly T[] {
  const filter = params.get("filter");
  if (!filter) return all;
  try {
    return all.filter(compileFilter(filter, fields));
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new HttpError(400, `Failed to create filter: ${error.message}`);
  }
}

/** An empty answer that means success. */
export const DONE: HttpResponse = { status: 200, body: "" };

/** An error as Consul tells it: a plain text. */
export function v1Problem(thrown: unknown, { method, log }: ProblemContext): HttpResponse {
  if (thrown instanceof RemoteFailure) {
    return { ...v1Problem(thrown.cause, { method, log }), servedBy: thrown.servedBy };
  }
  const error = asHttpError(thrown, method);
  if (error instanceof HttpError) {
    const { status, message, leaderless, retryAfter } = error;
    return {
      status,
      body: message,
      contentType: PLAIN,
      ...(leaderless ? { leaderless } : {}),
      ...(retryAfter === undefined ? {} : { retryAfter }),
    };
  }
  log(`a request failed unexpectedly: ${error instanceof Error ? error.stack : error}`);
  return { status: 500, body: messageOf(error), contentType: PLAIN };
}

/** What was asked that failed. */
export interface ProblemContext {
  /** Of the request. */
  readonly method: string;
  log(line: string): void;
}

/** Converts an error of an operation to its HTTP status, if it has one. */
function asHttpError(error: unknown, method: string): unknown {
  if (error instanceof NoLeaderError || error instanceof NotLeaderError) {
    return new HttpError(500, NO_LEADER, { leaderless: true });
  }
  if (error instanceof RefusedError) return refused(error.why);
  if (error instanceof ForwardError) return unanswered(error);
  if (error instanceof TooManyWaitError) return new HttpError(429, error.message);
  // Clients of Consul that watch a lock ask again after 500 alone: a read keeps that.
  const isRead = method === "GET" || method === "HEAD";
  if (error instanceof BusyError && !isRead) return new HttpError(503, error.message, { retryAfter: 1 });
  const isForPeople = error instanceof OperationError || error instanceof ReplicaError || error instanceof BusyError;
  return isForPeople ? new HttpError(500, error.message) : error;
}

/** As in Consul, who is known and lacks a permission gets 403. */
function refused(why: RefusedError["why"]): HttpError {
  if (why.k === "later") return new HttpError(429, laterText(why), { retryAfter: why.seconds });
  if (why.k === "denied") return new HttpError(403, why.text);
  if (why.k === "gone") return new HttpError(403, NOT_FOUND_TEXT);
  if (why.k === "unknown") return new HttpError(401, "Permission denied: no valid token or password");
  return new HttpError(403, `Permission denied: user '${why.username}' lacks permission '${why.permission}'`);
}

function unanswered({ code, message }: ForwardError): HttpError {
  if (code === "canceled") return new HttpError(503, "this node stops");
  if (code === "no_servers") return new HttpError(500, "No known Consul servers");
  return new HttpError(500, `rpc error making call: ${message}`, { leaderless: code === "not_sent" });
}

/** How a read of replicated state is to be done. */
function modeOf(request: HttpRequest, parts: AgentParts): ReadMode {
  const { params } = request;
  const isStale = params.has("stale");
  const isConsistent = params.has("consistent");
  if (isStale && isConsistent) {
    throw new HttpError(400, "Cannot specify ?stale with ?consistent, conflicting semantics.");
  }
  const index = params.get("index") || "0";
  if (!/^\d{1,15}$/.test(index)) throw new HttpError(400, "Invalid index");
  return {
    consistency: isStale ? "stale" : isConsistent ? "consistent" : "default",
    index: Number(index),
    waitMs: blockingWaitMs(request, parts),
  };
}

/** How long a blocking query may wait. */
export function blockingWaitMs({ params }: HttpRequest, { agent }: AgentParts): number {
  const waitMs = parseDuration(params.get("wait") || "0");
  if (waitMs === undefined || waitMs < 0) throw new HttpError(400, "Invalid wait time");
  const { standard, most } = agent?.options.queryTimeMs ?? NO_QUERY_TIME;
  return Math.min(waitMs || standard, most);
}

/**
 * Answers a read of the catalog: here when stale or leading, by the leader otherwise, for a client agent by a server;
 * at once, or when its index is above the one that the request names.
 * @param show What is shown of the rows of each statement of the query.
 */
export async function v1Read(
  request: HttpRequest,
  parts: OperateParts,
  query: CatalogQuery,
  show: (...rows: CatalogRead["rows"]) => unknown,
): Promise<HttpResponse> {
  const { rows, head } = await v1Found(
    request,
    parts,
    (mode, waitMs) => operate(request, parts, "catalogRead", { query, ...mode }, { waitMs }),
  );
  const text = () => jsonText(show(...rows), request);
  // Distances change while the rows stay.
  return { ...head, body: request.params.has("near") ? text() : textOnce(rows, request, text) };
}

/** How a read is to be done. */
export type ReadMode = Omit<CatalogReadRequest, "query">;

/** What a read of replicated state found, and the head of its answer; `read` does it, and may wait for `waitMs`. */
export async function v1Found(
  request: HttpRequest,
  parts: AgentParts,
  read: (mode: ReadMode, waitMs: number) => Promise<Done<CatalogFound>>,
): Promise<{ rows: CatalogRead["rows"]; head: Omit<HttpResponse, "body"> }> {
  const mode = modeOf(request, parts);
  const done = await read(mode, mode.index > 0 ? mode.waitMs : 0);
  const { result } = done;
  const headers = {
    "X-Consul-Index": String(result.index),
    "X-Consul-KnownLeader": String(result.isLeaderKnown),
    "X-Consul-LastContact": String(result.lastContactMs),
    ...(result.isFiltered ? FILTERED : {}),
    "X-Consul-Effective-Consistency": mode.consistency === "default" ? "leader" : mode.consistency,
    "Vary": "Accept-Encoding",
  };
  return { rows: result.rows, head: { status: 200, headers, ...elsewhere(done) } };
}

/** The last text that was made of rows, and the target that asked for it: rows that are shared are shown once. */
const shown = new WeakMap<CatalogRead["rows"], { readonly target: string; readonly text: string }>();

function textOnce(rows: CatalogRead["rows"], { target }: HttpRequest, show: () => string): string {
  const known = shown.get(rows);
  if (known?.target === target) return known.text;
  const text = show();
  shown.set(rows, { target, text });
  return text;
}

/** Does an operation for a client, which may wait for `waitMs`, here or elsewhere; another node is told when the client leaves. */
export async function operate<K extends keyof ConsulOperations>(
  request: HttpRequest,
  parts: OperateParts,
  name: K,
  params: ConsulOperations[K]["params"],
  { waitMs = 0, datacenter = datacenterOf(request) }: OperateOptions = {},
): Promise<Done<ConsulOperations[K]["result"]>> {
  const { authorization, address, whenOver, span } = request;
  return await parts.operations.run(name, params, {
    by: { k: "client", authorization, address },
    timeoutMs: waitMs * 1.0625 + FORWARD_MARGIN_MS,
    whenOver,
    span,
    isCancelable: waitMs > 0,
    datacenter,
  });
}

/** How an operation is done. */
export interface OperateOptions {
  /** How long it may wait for something to happen. @default {0} */
  readonly waitMs?: number;
  /** @default {the one that the request names} */
  readonly datacenter?: string;
}

/** The address of the node that did an operation, where it was another one. */
export function elsewhere(
  { servedBy, from }: Pick<Done<unknown>, "servedBy" | "from">,
): Pick<HttpResponse, "servedBy"> {
  return from === "" ? {} : { servedBy };
}

/** All values of a parameter. */
export function repeated({ target }: HttpRequest, name: string): string[] {
  const mark = target.indexOf("?");
  return mark < 0 ? [] : new URLSearchParams(target.slice(mark)).getAll(name);
}

/** Whether the metadata of a node is what the request asks for (`?node-meta=key:value`, repeatable). */
export function wantedMeta(request: HttpRequest): (meta: Readonly<Record<string, string>>) => boolean {
  const wanted = repeated(request, "node-meta").map((pair) => {
    const [key] = pair.split(":", 1);
    return [key, pair.slice(key.length + 1)];
  });
  return (meta) => wanted.every(([key, value]) => meta[key] === value);
}

/** Whether all tags are there, in whatever case. */
export function hasTags(tags: readonly string[], wanted: readonly string[]): boolean {
  const lower = tags.map((tag) => tag.toLowerCase());
  return wanted.every((tag) => lower.includes(tag.toLowerCase()));
}

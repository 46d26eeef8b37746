/**
 * Common parts of the answers of `/v1` (C6.1 to C6.5): plain-text errors, JSON that is indented on request, the
 * consistency modes, blocking queries and their headers.
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import { CatalogError } from "../../app/agent/catalog.ts";
import type { SharedRead } from "../../app/agent/shared_reads.ts";
import { TooManyWaitError } from "../../app/agent/waits.ts";
import { compileFilter, type Fields, FilterError } from "./filter.ts";
import { isConfirmedLeader } from "../../app/database/freshness.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { AgentParts, ForwardParts, ReadParts } from "./parts.ts";
import { ReplicaError } from "../../app/database/replica_client.ts";
import { forwardedOf, type HttpRequest } from "../http/request.ts";
import { messageOf } from "../../base/codec/error_text.ts";

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
export function v1Problem(error: unknown, log: (line: string) => void): HttpResponse {
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
  if (error instanceof TooManyWaitError) return { status: 429, body: error.message, contentType: PLAIN };
  if (!(error instanceof CatalogError || error instanceof ReplicaError)) {
    log(`a request failed unexpectedly: ${error instanceof Error ? error.stack : error}`);
  }
  return { status: 500, body: messageOf(error), contentType: PLAIN };
}

/** Result of a read of replicated state. */
export interface Indexed {
  readonly value: unknown;
  /** Log index of its last change. */
  readonly index: number;
}

/** A read, and what its index is of. */
export interface WatchedRead {
  /** Names of core/catalog/watch.ts. */
  readonly watched: readonly string[];
  read(): Promise<Indexed>;
}

/** How a read is to be answered. */
interface ReadMode {
  readonly consistency: "default" | "stale" | "consistent";
  /** The caller knows the state up to here; 0: none. */
  readonly index: number;
  readonly waitMs: number;
}

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
 * Answers a read of replicated state: here when stale or leading, by the leader otherwise; at once, or when its index is
 * above the one that the request names. A value of `undefined` is answered 404, with the headers.
 */
export async function v1Read(
  request: HttpRequest,
  parts: ReadParts,
  { watched, read }: WatchedRead,
): Promise<HttpResponse> {
  const mode = modeOf(request, parts);
  const { state, replica } = parts;
  if (mode.consistency !== "stale" && !state.isLeader) {
    return await toLeader(request, parts, mode.index > 0 ? mode.waitMs : 0);
  }
  if (mode.consistency !== "stale" && (mode.consistency === "consistent" || !isConfirmedLeader(parts))) {
    await replica.confirmRead(FORWARD_MARGIN_MS);
  }
  const readText = () =>
    parts.catalog.shared.get(request.target, async () => {
      const { value, index } = await read();
      return { text: value === undefined ? undefined : jsonText(value, request), index };
    });
  let found = await readText();
  if (mode.index > 0 && found.index <= mode.index) {
    found = await blocked(parts, { mode, watched, read: readText, over: request.whenOver?.() });
  }
  const headers = {
    "X-Consul-Index": String(found.index),
    "X-Consul-KnownLeader": String(replica.leader !== null),
    "X-Consul-LastContact": String(state.isLeader ? 0 : Math.max(0, Date.now() - state.leaderContactMs)),
    "X-Consul-Effective-Consistency": mode.consistency === "default" ? "leader" : mode.consistency,
    "Vary": "Accept-Encoding",
  };
  return found.text === undefined ? { status: 404, body: "", headers } : { status: 200, body: found.text, headers };
}

/** A read that waits for a change. */
interface Blocked {
  readonly mode: ReadMode;
  readonly watched: readonly string[];
  read(): Promise<SharedRead>;
  /** Nobody waits for it any more. */
  readonly over: Promise<void> | undefined;
}

/** Waits until the index has passed, or the time: up to a sixteenth more of it, so that many do not return at once. */
async function blocked(parts: ReadParts, { mode, watched, read, over }: Blocked): Promise<SharedRead> {
  const { catalog, state } = parts;
  let isOver = false;
  over?.then(() => isOver = true);
  const deadline = performance.now() + jittered(mode.waitMs);
  const watch = catalog.watch(watched);
  try {
    for (;;) {
      const found = await read();
      const leftMs = deadline - performance.now();
      if (found.index > mode.index || leftMs <= 0 || isOver) return found;
      await watch.next(leftMs, over);
      if (mode.consistency !== "stale" && !state.isLeader) throw new HttpError(500, NO_LEADER, { leaderless: true });
    }
  } finally {
    watch.end();
  }
}

function jittered(waitMs: number): number {
  return waitMs * (1 + Math.random() / 16);
}

/**
 * Has the leader answer.
 * @throws {HttpError} 500 when there is none, or it does not answer.
 */
export async function toLeader(request: HttpRequest, parts: ForwardParts, waitMs = 0): Promise<HttpResponse> {
  const { leader } = parts.replica;
  if (!leader || leader.id === parts.options.nodeId || request.forwarded) {
    throw new HttpError(500, NO_LEADER, { leaderless: true });
  }
  return await forward(request, parts, waitMs);
}

/** Hands a request on: to the leader, or by a client agent to any server; with its own limit of a wait. */
export async function forward(request: HttpRequest, parts: ForwardParts, waitMs = 0): Promise<HttpResponse> {
  parts.counters.forwarded++;
  const { params } = request;
  const target = waitMs === 0 || params.get("wait") ? request.target : `${request.target}&wait=${waitMs}ms`;
  try {
    const asked = {
      request: { ...forwardedOf(request), target },
      timeoutMs: waitMs * 1.0625 + FORWARD_MARGIN_MS,
      retries: 2,
    };
    return await parts.replica.call("forward", asked, waitMs === 0 ? undefined : request.whenOver?.());
  } catch (error) {
    if (!(error instanceof ReplicaError)) throw error;
    if (error.code === "no_leader") throw new HttpError(500, NO_LEADER, { leaderless: true });
    if (error.code === "canceled") throw new HttpError(503, "this node stops");
    if (error.code === "no_servers") throw new HttpError(500, "No known Consul servers");
    const leaderless = error.code === "not_sent";
    throw new HttpError(500, `rpc error making call: ${error.message}`, { leaderless });
  }
}

/** How long a request may block, for whoever hands it on unread. */
export function blockingMs(request: HttpRequest, parts: AgentParts): number {
  const mode = modeOf(request, parts);
  return mode.index > 0 ? mode.waitMs : 0;
}

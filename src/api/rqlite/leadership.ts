/**
 * Operations that another node may have to do, for a client of rqlite's API: a node that does not lead forwards them to the
 * leader, or redirects the client there where it asks for that (`redirect`). A client agent forwards them to a server.
 * @module
 */
import type { ChangeOperations } from "../../app/changes/change_operations.ts";
import { type Asker, isRepeatable } from "../../app/database/operation.ts";
import type { ClusterOperations } from "../../app/database/cluster_operations.ts";
import type { DataOperations } from "../../app/database/data_operations.ts";
import {
  ForwardError,
  NoLeaderError,
  NotLeaderError,
  RefusedError,
  RemoteFailure,
  RequestError,
} from "../../app/database/errors.ts";
import type { Done, Runner } from "../../app/database/operations.ts";
import type { ReplicaClient } from "../../app/database/replica_client.ts";
import type { AccessGuard, Needs } from "../../core/acl/guard.ts";
import type { Counters } from "../../app/database/counters.ts";
import { HttpError } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { NOT_FOUND_TEXT } from "../../core/acl/resource.ts";
import { laterText, type Refusal } from "../http/route.ts";

/** Operations that rqlite's API uses. */
export type RqliteOperations = DataOperations & ClusterOperations & ChangeOperations;

type RemoteCounter = Extract<keyof Counters, `remote_${string}`>;

/** Counters of operations that other nodes have done for this one's clients; the second of those that failed. */
const REMOTE: ReadonlyMap<keyof RqliteOperations, readonly [done: RemoteCounter, failed?: RemoteCounter]> = new Map([
  ["execute", ["remote_executions", "remote_executions_failed"]],
  ["query", ["remote_queries", "remote_queries_failed"]],
  ["request", ["remote_requests", "remote_requests_failed"]],
  ["loadText", ["remote_loads"]],
  ["remove", ["remote_remove_node"]],
]);

/** Dependencies of forwarding. */
export interface LeaderParts {
  /** Absent where access control is off. */
  readonly access?: AccessGuard | undefined;
  readonly operations: Runner<RqliteOperations>;
  readonly replica: Pick<ReplicaClient, "leader">;
  readonly counters: Pick<Counters, "leader_not_found" | RemoteCounter>;
  readonly options: {
    readonly nodeId: string;
    /** Present in an agent; one that is no server keeps no data. */
    readonly agent?: { readonly isServer: boolean; readonly datacenter: string };
  };
}

/** How rqlite calls an operation that the leader refuses to a client that another node speaks for. */
const REFUSED_NAMES: Partial<Record<keyof RqliteOperations, string>> = {
  execute: "Execute",
  enqueue: "Execute",
  query: "query",
  request: "Request",
  loadText: "load",
  loadStep: "load",
  stepDown: "stepdown",
  remove: "remove node",
  openBackup: "backup",
};

/** Operations about data: what fails as a whole is an answer of status 200 with `error`. */
const OF_DATA: readonly string[] = ["execute", "query", "request", "loadText", "loadStep", "enqueue", "openBackup"];

/** Whether this node keeps no data, so that a server answers. */
export function isClientAgent({ options }: { options: { agent?: { readonly isServer: boolean } } }): boolean {
  return options.agent?.isServer === false;
}

/** Another datacenter that a request is for (`dc`); undefined: it is for that of this agent. */
export function otherDatacenter(
  { params }: HttpRequest,
  { options }: Pick<LeaderParts, "options">,
): string | undefined {
  const asked = params.get("dc")?.toLowerCase();
  return options.agent === undefined || asked === "" || asked === options.agent.datacenter ? undefined : asked;
}

/** The client, as the node that answers it knows it. */
export function clientOf({ authorization, address }: HttpRequest): Asker {
  return { k: "client", authorization, address };
}

/**
 * Does an operation for a client, here or elsewhere.
 * @throws {HttpError} 503 when no leader is known; 301 to redirect; 401 or 429 when the other node refuses the client; 500
 * when it could not be asked for what is not about data.
 * @throws {RequestError} When it could not be asked for what is about data, or did not answer.
 */
export async function operate<K extends keyof RqliteOperations>(
  request: HttpRequest,
  parts: LeaderParts,
  name: K,
  params: RqliteOperations[K]["params"],
): Promise<Done<RqliteOperations[K]["result"]>> {
  const { timeoutMs, retries } = request.params;
  const isOnlyHere = request.params.has("redirect");
  const { whenOver, span } = request;
  try {
    const done = await parts.operations.run(name, params, {
      by: clientOf(request),
      timeoutMs,
      retries,
      whenOver,
      isCancelable: isRepeatable(name),
      span,
      isOnlyHere,
      datacenter: otherDatacenter(request, parts),
    });
    if (done.from !== "") countRemote(parts, name);
    return done;
  } catch (error) {
    if (error instanceof NotLeaderError) throw redirected(request, parts);
    if (error instanceof RemoteFailure || error instanceof ForwardError) count(parts, REMOTE.get(name)?.[1]);
    throw withStatus(error, name, parts);
  }
}

/** Counts an operation that needed another node. */
export function countRemote(parts: LeaderParts, name: keyof RqliteOperations): void {
  count(parts, REMOTE.get(name)?.[0]);
}

function count({ counters }: LeaderParts, name: RemoteCounter | undefined): void {
  if (name !== undefined) counters[name]++;
}

/**
 * Looks at the token of a request once more: that of an answer that goes on for long.
 * @throws {HttpError} 403 when it does not allow what is needed, or not any more; 401 when the password is no more.
 */
export async function expectAllowed(
  { access }: Pick<LeaderParts, "access">,
  request: HttpRequest,
  needs: Needs,
): Promise<void> {
  try {
    if (access) await access.expect(needs, request);
  } catch (error) {
    const why = error instanceof RefusedError ? error.why : undefined;
    if (why?.k === "unknown") throw new HttpError(401, "");
    throw why?.k === "denied" || why?.k === "gone" ? deniedError(why) : error;
  }
}

/** What a token does not allow, in the words of access control. */
export function deniedError(why: Extract<Refusal, { k: "denied" | "gone" }>): HttpError {
  return new HttpError(403, why.k === "denied" ? why.text : NOT_FOUND_TEXT);
}

/** Sends the client to the leader. */
export function redirected({ target }: HttpRequest, { replica: { leader }, counters, options }: LeaderParts): Error {
  if (!leader || leader.id === options.nodeId) {
    counters.leader_not_found++;
    return new NoLeaderError();
  }
  if (leader.apiUrl === "") return new HttpError(500, "leader not found");
  return new HttpError(301, "", { location: leader.apiUrl + target });
}

/** What happened on the way to another node, and there, as a client of rqlite's API is told it. */
export function withStatus(error: unknown, name: keyof RqliteOperations, parts: LeaderParts): unknown {
  if (error instanceof RemoteFailure) {
    return new RemoteFailure(statusOf(error.cause, name, parts), error.servedBy);
  }
  return error instanceof Error ? statusOf(error, name, parts) : error;
}

function statusOf(error: Error, name: keyof RqliteOperations, parts: LeaderParts): Error {
  if (error instanceof RefusedError) {
    const { why } = error;
    if (why.k === "denied" || why.k === "gone") return deniedError(why);
    if (why.k === "later") return new HttpError(429, laterText(why), { retryAfter: why.seconds });
    return new HttpError(401, isClientAgent(parts) ? "" : `remote ${REFUSED_NAMES[name] ?? name} not authorized`);
  }
  if (!(error instanceof ForwardError)) return error;
  const { message, code } = error;
  if (code === "no_servers") {
    return new HttpError(503, "no servers known: join a pool that has one", { retryAfter: 1 });
  }
  if (code === "canceled") return new HttpError(503, "this node stops", { retryAfter: 1 });
  const leaderless = code === "not_sent";
  if (!OF_DATA.includes(name)) return new HttpError(500, message, { leaderless });
  return new RequestError(message, code === "unknown" ? "unknown" : "none", { leaderless });
}

/**
 * The cluster endpoints: `/nodes`, `/leader`, `/readyz`, `/remove` (Q13.1 to Q13.7).
 * @module
 */
import type { Delivery } from "../../app/changes/delivery.ts";
import { PLAIN_RENDERING } from "../../core/sql/render_options.ts";
import type { Counters } from "../../app/database/counters.ts";
import { takeText } from "../../app/database/held_answer.ts";
import { NO_LEADER, type NodeInfo } from "../../drivers/replica/api.ts";
import { APPLY_WAIT_MS_MAX, type NodeState } from "../../base/shared/node_state.ts";
import { formatDuration } from "../../base/codec/duration.ts";
import { escapeHtml, indent, stringify } from "../http/json.ts";
import { type LeaderParts, operate } from "./leadership.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { ReplicaClient } from "../../app/database/replica_client.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import type { AutoRestore } from "../../app/database/auto_restore.ts";
import type { Readers } from "../../app/database/readers.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Dependencies of the cluster endpoints. */
export interface NodesParts extends LeaderParts {
  readonly replica: Pick<ReplicaClient, "leader" | "call" | "isOpen">;
  readonly answers: AnswerBudget;
  readonly state: NodeState;
  readonly readers: Readers;
  readonly restore: AutoRestore | undefined;
  readonly delivery: Pick<Delivery, "hasBegun"> | undefined;
  readonly counters: LeaderParts["counters"] & Pick<Counters, "num_readyz">;
  readonly options: LeaderParts["options"] & {
    readonly agent?: { readonly isServer: boolean };
  };
}

/** A JSON answer, indented where asked. */
export function json(value: unknown, request: HttpRequest): HttpResponse {
  return jsonText(stringify(value), request);
}

function jsonText(text: string, request: HttpRequest): HttpResponse {
  return { status: 200, body: request.params.has("pretty") ? indent(text) : text };
}

/** A node as JSON, its fields in rqlite's order. */
function nodeText(
  { id, apiAddr, addr, version, voter, reachable, leader, time, error }: NodeInfo,
): string {
  const timeS = time === undefined ? undefined : formatDuration(time * 1000);
  const fields = { id, api_addr: apiAddr, addr, version, voter, reachable, leader, time, time_s: timeS, error };
  return escapeHtml(JSON.stringify(fields));
}

/** `GET /nodes`. */
export async function handleNodes(request: HttpRequest, parts: NodesParts): Promise<HttpResponse> {
  const { params } = request;
  if (!parts.replica.isOpen()) throw new HttpError(503, "store nodes: store not open");
  const { result: all, servedBy, from } = await operate(request, parts, "nodes", { timeoutMs: params.timeoutMs });
  const elsewhere = from === "" ? {} : { servedBy };
  const shown = all.filter(({ voter }) => voter || params.has("nonvoters")).sort((a, b) => a.id < b.id ? -1 : 1);
  const text = params.get("ver") === "2"
    ? `{"nodes":[${shown.map(nodeText).join(",")}]}`
    : `{${shown.map((one) => `${JSON.stringify(one.id)}:${nodeText(one)}`).join(",")}}`;
  return { ...jsonText(text, request), ...elsewhere };
}

/** `GET` and `POST /leader`. */
export async function handleLeader(request: HttpRequest, parts: NodesParts): Promise<HttpResponse> {
  const { params, method } = request;
  const { timeoutMs } = params;
  if (!parts.replica.leader) throw new HttpError(503, "leader not found", { leaderless: true });
  if (method === "GET") {
    const { result: all, servedBy, from } = await operate(request, parts, "nodes", { timeoutMs });
    const found = all.find((one) => one.leader);
    if (!found) throw new HttpError(503, "leader not found", { leaderless: true });
    return { ...jsonText(nodeText(found), request), ...(from === "" ? {} : { servedBy }) };
  }
  const asked = { to: successorOf(request), timeoutMs, waits: params.has("wait") };
  const { servedBy } = await operate(request, parts, "stepDown", asked);
  return { status: 200, body: "", servedBy };
}

/** The node that a body names. One without the content type of JSON names it as well: another node would lead else. */
function successorOf(request: HttpRequest): string | undefined {
  const text = textOf(request.body);
  if (text === "" || request.contentType !== "application/json" && !text.trimStart().startsWith("{")) return undefined;
  try {
    const { id } = JSON.parse(text);
    return typeof id === "string" && id !== "" ? id : undefined;
  } catch (error) {
    throw new HttpError(400, `invalid JSON: ${messageOf(error)}`);
  }
}

/** `DELETE /remove`. */
export async function handleRemove(request: HttpRequest, parts: NodesParts): Promise<HttpResponse> {
  const id = idToRemove(request);
  if (!parts.replica.leader) throw new HttpError(503, "leader not found", { leaderless: true });
  const { servedBy } = await operate(request, parts, "remove", { id, timeoutMs: request.params.timeoutMs });
  return { status: 200, body: "", servedBy };
}

function idToRemove(request: HttpRequest): string {
  let body: unknown;
  try {
    body = JSON.parse(textOf(request.body));
  } catch {
    throw new HttpError(400, "");
  }
  if (typeof body !== "object" || body === null || Object.keys(body).length !== 1) throw new HttpError(400, "");
  const id = Object.values(body)[0];
  if (!("id" in body) || typeof id !== "string") throw new HttpError(400, "");
  return id;
}

/** `GET /readyz`. */
export async function handleReadyz(request: HttpRequest, parts: NodesParts): Promise<HttpResponse> {
  const { params } = request;
  parts.counters.num_readyz++;
  const lines = ["[+]node ok"];
  const answer = (status: number, line?: string): HttpResponse => ({
    status,
    body: [...lines, ...(line === undefined ? [] : [line])].join("\n"),
    contentType: "text/plain; charset=utf-8",
  });
  if (params.has("noleader")) return answer(200);
  lines.push(...fullLines(parts.state));
  if (!parts.replica.leader) return answer(503, `[+]leader does not exist${await whyNone(parts, params.timeoutMs)}`);
  const reachable = await parts.replica.call("leaderReachable", { timeoutMs: params.timeoutMs });
  if (reachable.error !== undefined) return answer(503, `[+]leader not contactable: ${reachable.error}`);
  lines.push("[+]leader ok");
  const unready = beginning(parts) ?? storeFault(parts.state, Date.now());
  if (unready !== undefined) return answer(503, `[+]store not ready${unready}`);
  lines.push("[+]store ok");
  if (parts.options.agent?.isServer === false) return answer(200); // a client agent has no log and no database
  if (params.has("sync")) {
    const { error } = await parts.replica.call("caughtUp", { timeoutMs: params.timeoutMs });
    if (error !== undefined) return answer(503, `[+]sync ${error}`);
    lines.push("[+]sync ok");
  }
  const fault = await databaseFault(parts);
  return fault === undefined ? answer(200, "[+]db ok") : answer(503, `[+]db not ok: (${fault})`);
}

/** Why no leader is known; empty where there is no more to say. */
async function whyNone({ replica }: NodesParts, timeoutMs: number): Promise<string> {
  if (!replica.isOpen()) return "";
  const { error } = await replica.call("leaderReachable", { timeoutMs });
  return error === undefined || error === NO_LEADER ? "" : `: ${error}`;
}

/** What a new cluster begins with, while that is not over. */
function beginning({ restore, delivery }: Pick<NodesParts, "restore" | "delivery">): string | undefined {
  if (restore?.isOver === false) return ": waiting for the automatic restore";
  return delivery?.hasBegun === false ? ": waiting for the log of changes" : undefined;
}

/** The disks that are full: the node answers reads, and is as ready as it is. */
function fullLines({ full }: NodeState): string[] {
  const disks = [...(full.log ? ["log"] : []), ...(full.database ? ["database"] : [])];
  return disks.map((name) => `[+]disk full: no space left on the disk of the ${name}, writes are refused`);
}

/**
 * Why the store is not ready, empty where there is no more to say: the node has not begun its part yet, or the database is
 * behind with what is committed.
 */
export function storeFault(state: NodeState, nowMs: number): string | undefined {
  if (!state.ready) return "";
  const { waitingSinceMs: sinceMs } = state;
  if (sinceMs === 0 || nowMs - sinceMs <= APPLY_WAIT_MS_MAX) return undefined;
  const count = Math.max(1, state.commit - state.applied);
  const waiting = count === 1 ? "1 committed entry waits" : `${count} committed entries wait`;
  const since = `${new Date(sinceMs).toISOString()} (${formatDuration(nowMs - sinceMs)})`;
  return `: ${waiting} to be applied, the first since ${since}`;
}

async function databaseFault(parts: NodesParts): Promise<string | undefined> {
  const result = await parts.readers.read({
    statements: [{ parts: [{ sql: "SELECT 1", verb: "SELECT", parameterCount: 0 }], positional: [], named: null }],
    transaction: false,
    options: PLAIN_RENDERING,
    timeoutMs: 5000,
    onlyIfReadOnly: false,
  });
  if (result === undefined) return "no answer within 5s";
  const text = takeText(result.results, parts.answers);
  return text.includes(`"values":[[1]]`) ? undefined : text;
}

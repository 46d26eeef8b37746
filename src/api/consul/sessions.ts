/**
 * `/v1/session`: leases on keys, bound to a node and its checks (C7.5, C10).
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import type { CatalogRow } from "../../app/agent/catalog.ts";
import type { SessionQuery } from "../../app/agent/catalog_query.ts";
import { SERF_HEALTH } from "../../app/agent/catalog.ts";
import type { NewSession } from "../../app/keys/key_operations.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { bodyOf, datacenterIn, fieldNames, textIn } from "./body.ts";
import { agentOf, type OperateParts } from "./parts.ts";
import { elsewhere, operate, v1Found, v1Json } from "./respond.ts";

const NS_PER_MS = 1_000_000;
const LOCK_DELAY_MS = { standard: 15_000, most: 60_000 };
const TTL_MS_MAX = 24 * 3_600_000;
const FIELDS = {
  ...fieldNames("Datacenter Name Node LockDelay Behavior TTL NodeChecks Checks"),
  ServiceChecks: fieldNames("ID"),
};
/** As a whole number, a lock delay below this is meant in seconds. */
const SECONDS_BELOW = 1000;

/** `PUT /v1/session/create`. */
export async function create(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const body = request.body.length === 0 ? {} : bodyOf(request, FIELDS);
  const session = sessionOf(body, parts);
  const done = await operate(request, parts, "sessionCreate", session, { datacenter: datacenterIn(body, request) });
  return { ...v1Json({ ID: done.result.id }, request), ...elsewhere(done) };
}

function sessionOf(body: Record<string, unknown>, parts: OperateParts): NewSession {
  const { options } = agentOf(parts);
  const behavior = textIn(body, "Behavior") || "release";
  if (behavior !== "release" && behavior !== "delete") {
    throw new HttpError(500, `Invalid Behavior setting '${behavior}'`);
  }
  return {
    name: textIn(body, "Name"),
    node: textIn(body, "Node") || options.nodeName,
    lockDelayMs: lockDelayOf(body.LockDelay),
    behavior,
    ttl: ttlOf(textIn(body, "TTL"), options.limits.sessionTtlMs),
    nodeChecks: checksOf(body.NodeChecks ?? body.Checks) ?? [SERF_HEALTH],
    serviceChecks: checksOf(body.ServiceChecks) ?? [],
  };
}

function lockDelayOf(value: unknown): number {
  if (value === undefined || value === null) return LOCK_DELAY_MS.standard;
  const ms = typeof value === "string"
    ? parseDuration(value)
    : typeof value === "number"
    ? value < SECONDS_BELOW ? value * 1000 : value / NS_PER_MS
    : undefined;
  if (ms === undefined || ms < 0) {
    throw new HttpError(400, `Request decode failed: expected "LockDelay" to be a duration`);
  }
  return Math.min(ms, LOCK_DELAY_MS.most);
}

function ttlOf(text: string, leastMs: number): string {
  if (text === "") return "";
  const ms = parseDuration(text);
  if (ms === undefined) throw new HttpError(500, `Session TTL '${text}' invalid: expected a duration such as "30s"`);
  if (ms === 0) return "";
  if (ms < leastMs || ms > TTL_MS_MAX) {
    const range = `[${leastMs / 1000}s=24h0m0s]`;
    throw new HttpError(500, `Invalid Session TTL '${Math.round(ms * NS_PER_MS)}', must be between ${range}`);
  }
  return text;
}

/** Names of checks, or objects with an `ID`; undefined where none are given. */
function checksOf(value: unknown): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  const names = Array.isArray(value)
    ? value.map((one: unknown) => typeof one === "object" && one !== null && "ID" in one ? one.ID : one)
    : [];
  const texts = names.filter((one) => typeof one === "string");
  if (!Array.isArray(value) || texts.length < names.length) {
    throw new HttpError(400, "Request decode failed: expected a list of checks");
  }
  return texts;
}

/** `PUT /v1/session/destroy/ID`. */
export async function destroy(request: HttpRequest, parts: OperateParts, id: string): Promise<HttpResponse> {
  const done = await operate(request, parts, "sessionDestroy", { id: named(id) });
  return { ...v1Json(true, request), ...elsewhere(done) };
}

/** `PUT /v1/session/renew/ID`. */
export async function renew(request: HttpRequest, parts: OperateParts, id: string): Promise<HttpResponse> {
  const done = await operate(request, parts, "sessionRenew", { id: named(id) });
  if (done.result.rows.length === 0) throw new HttpError(404, `Session id '${id}' not found`);
  return { ...v1Json(done.result.rows.map(sessionJson), request), ...elsewhere(done) };
}

function named(id: string): string {
  if (id === "") throw new HttpError(400, "Missing session");
  return id;
}

/** `GET /v1/session/info/ID`: a list of one, or none. */
export function info(request: HttpRequest, parts: OperateParts, id: string): Promise<HttpResponse> {
  return found(request, parts, { k: "session", id: named(id) });
}

/** `GET /v1/session/node/NODE`. */
export function ofNode(request: HttpRequest, parts: OperateParts, name: string): Promise<HttpResponse> {
  if (name === "") throw new HttpError(400, "Missing node name");
  return found(request, parts, { k: "nodeSessions", name });
}

/** `GET /v1/session/list`. */
export function list(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  return found(request, parts, { k: "sessions" });
}

async function found(request: HttpRequest, parts: OperateParts, query: SessionQuery): Promise<HttpResponse> {
  const { rows: [rows], head } = await v1Found(
    request,
    parts,
    (mode, waitMs) => operate(request, parts, "sessionRead", { query, ...mode }, { waitMs }),
  );
  return { ...head, ...v1Json(rows.map(sessionJson), request) };
}

function sessionJson(row: CatalogRow): Record<string, unknown> {
  const services: string[] = JSON.parse(String(row.service_checks));
  return {
    ID: row.id,
    Name: row.name,
    Node: row.node,
    LockDelay: Number(row.lock_delay_ms) * NS_PER_MS,
    Behavior: row.behavior,
    TTL: row.ttl,
    NodeChecks: JSON.parse(String(row.node_checks)),
    ServiceChecks: services.length === 0 ? null : services.map((ID) => ({ ID, Namespace: "" })),
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

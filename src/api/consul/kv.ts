/**
 * `/v1/kv`: keys and their values (C7.4). A key is the rest of the path, percent-decoded.
 * @module
 */
import { rawInteger } from "../../base/codec/raw_json.ts";
import type { CatalogRow } from "../../app/agent/catalog.ts";
import type { KvQuery } from "../../app/agent/catalog_query.ts";
import { parseDuration } from "../../base/codec/duration.ts";
import { KEY_CHARS_MAX } from "../../app/keys/key_operations.ts";
import type { TxnOutcome } from "../../app/keys/txn.ts";
import type { KvOp } from "../../core/catalog/kv.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { agentOf, type OperateParts } from "./parts.ts";
import { elsewhere, operate, v1Found, v1Json } from "./respond.ts";

/** An operation that asks for nothing more than its verb and its key say. */
const PLAIN: Omit<KvOp, "verb" | "key"> = { value: new Uint8Array(), flags: 0n, index: 0n, session: "" };
const UINT64_MAX = 2n ** 64n - 1n;

/** Time to live of a key, in milliseconds: ten years at most. */
const TTL_MS_LEAST = 1000;
const TTL_MS_MOST = 10 * 365 * 24 * 3600 * 1000;

/** `GET /v1/kv/KEY`, `?recurse`, `?keys`, `?raw`, `?separator=`, `?at=INDEX`, `?history`. */
export async function read(request: HttpRequest, parts: OperateParts, key: string): Promise<HttpResponse> {
  const { params } = request;
  const [isTree, isList] = [params.has("recurse"), params.has("keys")];
  checkKey(key, { mayBeEmpty: isTree || isList });
  if (params.has("history")) return await history(request, parts, key);
  const at = indexOf(request);
  const query = queryOf(key, { isTree, isList, at });
  const { rows: [rows, bounds], head } = await v1Found(
    request,
    parts,
    (mode, waitMs) => operate(request, parts, "kvRead", { query, ...mode }, { waitMs }),
  );
  if (at !== undefined) checkBounds(at, bounds[0] ?? {}, { isWhole: isTree || isList || rows.length === 0 });
  const missing = { ...head, status: 404, body: "", contentType: "" };
  if (isList) {
    const separator = params.get("separator") ?? params.get("seperator") ?? "";
    const names = folded(rows.map((row) => String(row.key)), key, separator);
    return names.length === 0 && key !== "" ? missing : { ...head, ...v1Json(names, request) };
  }
  if (rows.length === 0) return missing;
  if (params.has("raw") && !isTree) return { ...head, ...rawAnswer(rows[0], head.headers) };
  return { ...head, ...v1Json(rows.map(entryJson), request) };
}

function queryOf(
  key: string,
  { isTree, isList, at }: { isTree: boolean; isList: boolean; at: number | undefined },
): KvQuery {
  if (at !== undefined) return isTree || isList ? { k: "treeAt", prefix: key, at } : { k: "keyAt", key, at };
  return isList ? { k: "keys", prefix: key } : isTree ? { k: "tree", prefix: key } : { k: "key", key };
}

/** `?at=`: an index of the log. */
function indexOf(request: HttpRequest): number | undefined {
  const at = wholeOf(request, "at");
  if (at === undefined) return undefined;
  if (at === 0n || at > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new HttpError(400, "Invalid at: expected an index above 0");
  }
  return Number(at);
}

/** Whether the history tells what was there at an index; a key that was found tells for itself. */
function checkBounds(at: number, { since, now }: CatalogRow, { isWhole }: { isWhole: boolean }): void {
  if (at > Number(now)) throw new HttpError(400, `Invalid at: ${at} is still to come, the last index is ${now}`);
  if (at >= Number(since) || !isWhole) return;
  throw new HttpError(410, `what was there at index ${at} is not kept any more: the history begins at index ${since}`);
}

/** All that is known of a key, the newest first. */
async function history(request: HttpRequest, parts: OperateParts, key: string): Promise<HttpResponse> {
  const { rows: [rows, [bounds]], head } = await v1Found(
    request,
    parts,
    (mode, waitMs) => operate(request, parts, "kvRead", { query: { k: "keyHistory", key }, ...mode }, { waitMs }),
  );
  const headers = { ...head.headers, "X-Muster-History-Since": String(bounds?.since ?? 0) };
  return { ...head, ...v1Json(rows.map(versionJson), request), headers };
}

/** A version of a key; what holds now has no end. */
function versionJson(row: CatalogRow): Record<string, unknown> {
  const isPast = Number(row.end_index) > 0;
  return {
    ...entryJson(row),
    ModifyTime: timeJson(row.modify_ms),
    ...(isPast
      ? { EndIndex: Number(row.end_index), EndTime: timeJson(row.end_ms), Deleted: Number(row.is_deleted) > 0 }
      : {}),
  };
}

/** A time in RFC 3339; null: not known, as the key was written before there was a history. */
function timeJson(ms: unknown): string | null {
  return Number(ms) > 0 ? new Date(Number(ms)).toISOString() : null;
}

/** @throws {HttpError} When it cannot be a key. */
export function checkKey(key: string, { mayBeEmpty }: { mayBeEmpty: boolean }): void {
  if (key === "" && !mayBeEmpty) throw new HttpError(400, "Missing key name");
  if (key.length > KEY_CHARS_MAX) {
    throw new HttpError(400, `Invalid key: it is longer than ${KEY_CHARS_MAX} characters`);
  }
}

/** Names up to the next separator behind the prefix, each once. */
function folded(names: readonly string[], prefix: string, separator: string): readonly string[] {
  if (separator === "") return names;
  return [
    ...new Set(names.map((name) => {
      const at = name.indexOf(separator, prefix.length);
      return at < 0 ? name : name.slice(0, at + separator.length);
    })),
  ];
}

/** The value itself; a browser is not to run it. */
function rawAnswer(row: CatalogRow, headers: HttpResponse["headers"]): Omit<HttpResponse, "status"> {
  return {
    body: Uint8Array.fromBase64(String(row.value ?? "")),
    contentType: "text/plain",
    headers: { ...headers, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox" },
  };
}

/** A key as the API shows it. */
export function entryJson(row: CatalogRow): Record<string, unknown> {
  const value = String(row.value ?? "");
  return {
    LockIndex: Number(row.lock_index),
    Key: String(row.key),
    // A server of an earlier version has them as text in the column itself.
    Flags: rawInteger(BigInt.asUintN(64, BigInt(String(row.flags_text ?? row.flags)))),
    Value: value === "" ? null : value,
    ...(row.session === "" ? {} : { Session: row.session }),
    ...(Number(row.expires_ms ?? 0) > 0 ? { ExpireTime: timeJson(row.expires_ms) } : {}),
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

/** `PUT /v1/kv/KEY`, `?flags=`, `?ttl=`, and one of `?cas=`, `?acquire=`, `?release=`. */
export async function write(request: HttpRequest, parts: OperateParts, key: string): Promise<HttpResponse> {
  const { params, body } = request;
  checkKey(key, { mayBeEmpty: false });
  const most = agentOf(parts).options.limits.kvValueBytes;
  if (body.length > most) {
    const see = "See limits.kv_max_value_size of the agent's configuration.";
    throw new HttpError(413, `Request body(${body.length} bytes) too large, max size: ${most} bytes. ${see}`);
  }
  const flags = wholeOf(request, "flags") ?? 0n;
  const [acquire, release] = [params.get("acquire"), params.get("release")];
  const index = wholeOf(request, "cas");
  const given = ["cas", "acquire", "release"].filter((name) => params.get(name) !== undefined);
  if (given.length > 1) throw new HttpError(400, `Conflicting flags: ${given.join(", ")}`);
  const common = { ...PLAIN, key, value: body, flags };
  const ttl = params.get("ttl");
  const end: KvOp[] = ttl === undefined ? [] : [{ ...PLAIN, key, verb: "expire", index: ttlOf(ttl) }];
  const op: KvOp = index !== undefined
    ? { ...common, verb: "cas", index }
    : acquire !== undefined
    ? { ...common, verb: "lock", session: acquire }
    : release !== undefined
    ? { ...common, verb: "unlock", session: release }
    : { ...common, verb: "set" };
  return await applied(request, parts, op, ...end);
}

/** A time to live, as `30s` or in seconds; in milliseconds. */
export function ttlOf(text: string): bigint {
  const ms = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (ms !== undefined && ms !== null && ms >= TTL_MS_LEAST && ms <= TTL_MS_MOST) return BigInt(Math.round(ms));
  throw new HttpError(
    400,
    `Invalid ttl: expected a time from 1s to 87600h, found ${JSON.stringify(text.slice(0, 64))}`,
  );
}

/** `DELETE /v1/kv/KEY`, `?recurse` or `?cas=`. */
export async function remove(request: HttpRequest, parts: OperateParts, key: string): Promise<HttpResponse> {
  const isTree = request.params.has("recurse");
  const index = wholeOf(request, "cas");
  checkKey(key, { mayBeEmpty: isTree });
  if (isTree && index !== undefined) throw new HttpError(400, "Conflicting flags: cas, recurse");
  const verb = isTree ? "delete-tree" : index === undefined ? "delete" : "delete-cas";
  return await applied(request, parts, { ...PLAIN, key, verb, index: index ?? 0n });
}

/** A parameter that is a whole number of 64 bits; undefined where it is not given. */
function wholeOf({ params }: HttpRequest, name: string): bigint | undefined {
  const text = params.get(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,20}$/.test(text) || BigInt(text) > UINT64_MAX) {
    throw new HttpError(400, `Invalid ${name}: expected a whole number, found ${JSON.stringify(text)}`);
  }
  return BigInt(text);
}

/** Whether operations took effect. */
async function applied(request: HttpRequest, parts: OperateParts, ...ops: KvOp[]): Promise<HttpResponse> {
  const done = await operate(request, parts, "kvApply", { ops });
  return { ...v1Json(isDone(done.result), request), ...elsewhere(done) };
}

function isDone(outcome: TxnOutcome): boolean {
  if (outcome.k === "done") return true;
  if (/^(invalid|missing) session/.test(outcome.reason)) throw new HttpError(500, outcome.reason);
  return false;
}

/**
 * `/v1/kv`: keys and their values (C7.4). A key is the rest of the path, percent-decoded.
 * @module
 */
import { rawInteger } from "../../base/codec/raw_json.ts";
import type { CatalogRow } from "../../app/agent/catalog.ts";
import type { KvQuery } from "../../app/agent/catalog_query.ts";
import { KEY_CHARS_MAX } from "../../app/agent/key_operations.ts";
import type { TxnOutcome } from "../../app/agent/txn.ts";
import type { KvOp } from "../../core/catalog/kv.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { agentOf, type OperateParts } from "./parts.ts";
import { elsewhere, operate, v1Found, v1Json } from "./respond.ts";

/** An operation that asks for nothing more than its verb and its key say. */
const PLAIN: Omit<KvOp, "verb" | "key"> = { value: new Uint8Array(), flags: 0n, index: 0n, session: "" };
const UINT64_MAX = 2n ** 64n - 1n;

/** `GET /v1/kv/KEY`, `?recurse`, `?keys`, `?raw`, `?separator=`. */
export async function read(request: HttpRequest, parts: OperateParts, key: string): Promise<HttpResponse> {
  const { params } = request;
  const [isTree, isList] = [params.has("recurse"), params.has("keys")];
  checkKey(key, { mayBeEmpty: isTree || isList });
  const query: KvQuery = isList ? { k: "keys", prefix: key } : isTree ? { k: "tree", prefix: key } : { k: "key", key };
  const { rows: [rows], head } = await v1Found(
    request,
    parts,
    (mode, waitMs) => operate(request, parts, "kvRead", { query, ...mode }, { waitMs }),
  );
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

function checkKey(key: string, { mayBeEmpty }: { mayBeEmpty: boolean }): void {
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
    Flags: rawInteger(BigInt.asUintN(64, BigInt(String(row.flags)))),
    Value: value === "" ? null : value,
    ...(row.session === "" ? {} : { Session: row.session }),
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

/** `PUT /v1/kv/KEY`, `?flags=`, and one of `?cas=`, `?acquire=`, `?release=`. */
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
  const common = { key, value: body, flags };
  if (index !== undefined) return await applied(request, parts, { ...PLAIN, ...common, verb: "cas", index });
  if (acquire !== undefined) {
    return await applied(request, parts, { ...PLAIN, ...common, verb: "lock", session: acquire });
  }
  if (release !== undefined) {
    return await applied(request, parts, { ...PLAIN, ...common, verb: "unlock", session: release });
  }
  return await applied(request, parts, { ...PLAIN, ...common, verb: "set" });
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

/** Whether one operation took effect. */
async function applied(request: HttpRequest, parts: OperateParts, op: KvOp): Promise<HttpResponse> {
  const done = await operate(request, parts, "kvApply", { ops: [op] });
  return { ...v1Json(isDone(done.result), request), ...elsewhere(done) };
}

function isDone(outcome: TxnOutcome): boolean {
  if (outcome.k === "done") return true;
  if (outcome.reason.startsWith("invalid session")) throw new HttpError(500, outcome.reason);
  return false;
}

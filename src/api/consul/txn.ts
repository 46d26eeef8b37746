/**
 * `/v1/txn`: several operations in one entry of the log, all or none (C7.6).
 * @module
 */
import type { CatalogRow } from "../../app/agent/catalog.ts";
import { OPS_MAX } from "../../app/keys/key_operations.ts";
import { ROW_VERBS, type TxnOp, type TxnOutcome } from "../../app/keys/txn.ts";
import { isReadOnly, KV_VERBS, type KvOp } from "../../core/catalog/kv.ts";
import { checkStatements } from "../../app/database/allowed.ts";
import { RequestError } from "../../app/database/errors.ts";
import type { Done } from "../../app/database/operations.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { parseExact, parseRaw } from "../../base/codec/raw_json.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import { boundStatement, parseSqlJson } from "../http/sql_body.ts";
import { type FieldNames, fieldNames, textIn, withNames } from "./body.ts";
import { checkKey, entryJson, ttlOf } from "./kv.ts";
import { agentOf, type OperateParts } from "./parts.ts";
import { checkOf, nodeOf, serviceOf } from "./register.ts";
import { elsewhere, operate, v1Json } from "./respond.ts";
import { checkJson, nodeJson, serviceJson } from "./show.ts";

const NODE_FIELDS = fieldNames("ID Node Address TaggedAddresses Meta ModifyIndex");
const ROW_FIELDS = fieldNames("Node ModifyIndex");
/** Fields of the operations, by their kind. */
const FIELDS: Readonly<Record<string, FieldNames>> = {
  kv: fieldNames("Verb Key Value Flags Index Session TTL"),
  node: { ...fieldNames("Verb"), Node: NODE_FIELDS },
  service: { ...fieldNames("Verb Node"), Service: ROW_FIELDS },
  check: { ...fieldNames("Verb"), Check: ROW_FIELDS },
  session: { ...fieldNames("Verb"), Session: fieldNames("ID") },
};

const TEXT_CHARS_MAX = 4096;

/** Operations whose results show no value. */
const READING = ["get", "get-or-empty", "get-tree"];

/** `PUT /v1/txn`. */
export async function txn(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const { txnBytes: most, kvValueBytes } = agentOf(parts).options.limits;
  if (request.body.length > most) {
    const see = "See limits.txn_max_req_len of the agent's configuration.";
    throw new HttpError(413, `Request body(${request.body.length} bytes) too large, max size: ${most} bytes. ${see}`);
  }
  const ops = opsOf(request);
  const keys = ops.flatMap((op) => op.k === "kv" ? [op.op] : []);
  const large = keys.find(({ value }) => value.length > kvValueBytes);
  if (large) {
    const [key, bytes] = [JSON.stringify(large.key), large.value.length];
    throw new HttpError(413, `Value for key ${key} is too large (${bytes} > ${kvValueBytes} bytes)`);
  }
  const done: Done<TxnOutcome> = keys.length === ops.length
    ? await operate(request, parts, "kvApply", { ops: keys })
    : await operate(request, parts, ops.some(({ k }) => k === "sql") ? "sqlTxnApply" : "txnApply", { ops });
  const { result: outcome } = done;
  if (outcome.k === "conflict") {
    const errors = [{ OpIndex: outcome.at, What: outcome.reason }];
    return { ...v1Json({ Results: null, Errors: errors }, request), status: 409, ...elsewhere(done) };
  }
  const results = outcome.results.flatMap(({ at, rows }) =>
    rows.length === 0 ? emptyResult(ops[at]) : rows.map((row) => shown(ops[at], row))
  );
  // Reads alone could have been answered by any server: a client that looks for these headers finds them.
  const headers = isReadOnly(keys) && keys.length === ops.length
    ? { "X-Consul-KnownLeader": "true", "X-Consul-LastContact": "0" }
    : undefined;
  return {
    ...v1Json({ Results: results, Errors: null }, request),
    ...(headers ? { headers } : {}),
    ...elsewhere(done),
  };
}

/** `get-or-empty` of a key that is not there shows it without a value; other operations show nothing. */
function emptyResult(op: TxnOp): Record<string, unknown>[] {
  if (op.k !== "kv" || op.op.verb !== "get-or-empty") return [];
  return [{ KV: { LockIndex: 0, Key: op.op.key, Flags: 0, Value: null, CreateIndex: 0, ModifyIndex: 0 } }];
}

/** A result, by the kind of its operation. */
function shown(op: TxnOp, row: CatalogRow): Record<string, unknown> {
  switch (op.k) {
    case "kv":
      return { KV: READING.includes(op.op.verb) ? entryJson(row) : { ...entryJson(row), Value: null } };
    case "node":
      return { Node: nodeJson(row) };
    case "service":
      return { Service: serviceJson(row) };
    case "sql":
      return { SQL: parseRaw(String(row.result)) };
    default:
      return { Check: checkJson(row) };
  }
}

function opsOf({ body }: HttpRequest): TxnOp[] {
  let list: unknown;
  try {
    list = parseExact(textOf(body));
  } catch (error) {
    throw new HttpError(400, `Failed to parse body: ${messageOf(error)}`);
  }
  if (!Array.isArray(list)) throw new HttpError(400, "Failed to parse body: expected a list of operations");
  if (list.length > OPS_MAX) {
    throw new HttpError(413, `Transaction contains too many operations (${list.length} > ${OPS_MAX})`);
  }
  // As SQL has its numbers: 1.0 is none that is whole.
  const exact = list.some(hasSql) ? parseSqlJson(textOf(body)) : undefined;
  return list.map((op, at) => hasSql(op) ? sqlOp(Array.isArray(exact) ? exact[at] : undefined) : opOf(op));
}

function hasSql(op: unknown): boolean {
  return typeof op === "object" && op !== null && "SQL" in op;
}

/** `{"SQL": ["UPDATE t SET a = ?", 1]}`, as in a body of `/db/request`. */
function sqlOp(op: unknown): TxnOp {
  const { SQL, ...others } = object(op);
  if (Object.keys(others).length > 0) {
    throw new HttpError(400, "Failed to parse body: expected one kind in each operation");
  }
  const statement = boundStatement(SQL);
  if (!statement) throw new HttpError(400, "Failed to parse body: expected a statement");
  try {
    checkStatements([statement]);
  } catch (error) {
    throw error instanceof RequestError ? new HttpError(400, error.message) : error;
  }
  return { k: "sql", statement };
}

function opOf(value: unknown): TxnOp {
  const kinds = Object.entries(object(value)).filter(([, one]) => one !== null);
  if (kinds.length !== 1) throw new HttpError(400, "Failed to parse body: expected one kind in each operation");
  const [[kind, given]] = kinds;
  const op = object(withNames(given, FIELDS[kind.toLowerCase()] ?? {}));
  switch (kind.toLowerCase()) {
    case "kv":
      return { k: "kv", op: kvOp(op) };
    case "node":
      return { k: "node", ...rowOp(op, op.Node, "node"), node: nodeOf(object(op.Node)) };
    case "service":
      return {
        k: "service",
        ...rowOp(op, op.Service, "service"),
        node: textIn(op, "Node"),
        service: serviceOf(op.Service),
      };
    case "check": {
      const check = object(op.Check);
      const node = textIn(check, "Node");
      return { k: "check", ...rowOp(op, check, "check"), node, check: checkOf(check, node) };
    }
    case "session":
      if (text(op.Verb) !== "delete") throw new HttpError(400, `unknown session verb "${text(op.Verb)}"`);
      return { k: "session", id: textIn(object(op.Session), "ID") };
    default:
      throw new HttpError(400, `Failed to parse body: ${kind.slice(0, 64)} is no kind of operation`);
  }
}

function kvOp(op: Record<string, unknown>): KvOp {
  const verb = KV_VERBS.find((one) => one === op.Verb);
  if (!verb) throw new HttpError(400, `unknown KV verb "${text(op.Verb).slice(0, 64)}"`);
  const key = typeof op.Key === "string" ? op.Key : text(op.Key);
  checkKey(key, { mayBeEmpty: true });
  return {
    verb,
    key,
    value: bytes(op.Value),
    flags: whole(op.Flags),
    index: verb === "expire" ? ttlOf(text(op.TTL)) : whole(op.Index),
    session: textIn(op, "Session"),
  };
}

function rowOp(op: Record<string, unknown>, row: unknown, kind: string): Pick<TxnOp & { k: "node" }, "verb" | "index"> {
  const verb = ROW_VERBS.find((one) => one === op.Verb);
  if (!verb) throw new HttpError(400, `unknown ${kind} verb "${text(op.Verb).slice(0, 64)}"`);
  return { verb, index: whole(object(row).ModifyIndex) };
}

function object(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
    return Object.fromEntries(Object.entries(value));
  }
  throw new HttpError(400, "Failed to parse body: expected an object");
}

function text(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string" && value.length <= TEXT_CHARS_MAX) return value;
  throw new HttpError(400, `Failed to parse body: expected a text of at most ${TEXT_CHARS_MAX} characters`);
}

function bytes(value: unknown): Uint8Array {
  if (value === undefined || value === null) return new Uint8Array();
  try {
    return Uint8Array.fromBase64(String(value));
  } catch {
    throw new HttpError(400, "Failed to parse body: expected a value in base64");
  }
}

/** A number of JSON is exact up to 2^53 alone; a larger one may come as a text. */
function whole(value: unknown): bigint {
  if (value === undefined || value === null) return 0n;
  const isWhole = typeof value === "number" && Number.isInteger(value) && value >= 0 ||
    typeof value === "string" && /^\d{1,20}$/.test(value);
  if (!isWhole) throw new HttpError(400, "Failed to parse body: expected a whole number");
  return BigInt.asUintN(64, BigInt(value));
}

/**
 * Bodies of `/v1` in JSON, and their fields, decoded defensively.
 * @module
 */
import { isPlainName, META_CHARS_MAX, META_PAIRS_MAX, NAME_CHARS_MAX } from "../../app/agent/catalog_operations.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { HttpError } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";

/** Names of fields as Consul writes them, with those within each. */
export interface FieldNames {
  readonly [name: string]: FieldNames;
}

/** {@linkcode FieldNames} without fields within them, from names separated by blanks. */
export function fieldNames(names: string): FieldNames {
  return Object.fromEntries(names.split(" ").map((name) => [name, {}]));
}

/**
 * A value of JSON with its fields named as in `names`. Consul reads names in any case, and some clients write them in lower
 * case. A field that has its exact name wins; fields that are not in `names` stay as they are.
 */
export function withNames(value: unknown, names: FieldNames): unknown {
  if (Array.isArray(value)) return value.map((one) => withNames(one, names));
  if (typeof value !== "object" || value === null) return value;
  const exact = new Map(Object.keys(names).map((name) => [name.toLowerCase(), name]));
  const fields = Object.entries(value);
  const known = new Set(fields.map(([key]) => key));
  return Object.fromEntries(fields.flatMap(([key, one]) => {
    const name = exact.get(key.toLowerCase());
    if (name === undefined) return [[key, one]];
    return name !== key && known.has(name) ? [] : [[name, withNames(one, names[name])]];
  }));
}

/**
 * A body of JSON, as texts and objects by name.
 * @param names Fields that are taken in any case.
 * @throws {HttpError} 400 when it is something else.
 */
export function bodyOf(request: HttpRequest, names: FieldNames = {}): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(textOf(request.body));
  } catch (error) {
    throw new HttpError(400, `Request decode failed: ${messageOf(error)}`);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new HttpError(400, "Request decode failed: expected an object");
  }
  return Object.fromEntries(Object.entries(Object(withNames(body, names))));
}

/**
 * A field that is a name, empty where it is missing.
 * @throws {HttpError} 400 when it is something else.
 */
export function textIn(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new HttpError(400, `Request decode failed: expected "${name}" to be a text`);
  if (!isPlainName(value)) {
    const most = `at most ${NAME_CHARS_MAX} characters, none of them a control character`;
    throw new HttpError(400, `Request decode failed: expected "${name}" to have ${most}`);
  }
  return value;
}

/**
 * A field with texts by name.
 * @throws {HttpError} 400 when it is something else.
 */
export function textsIn(body: Record<string, unknown>, name: string): Record<string, string> {
  const value = body[name] ?? {};
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (!entries.every(([, one]) => typeof one === "string")) {
    throw new HttpError(400, `Request decode failed: expected "${name}" to hold texts by name`);
  }
  if (entries.length > META_PAIRS_MAX) throw new HttpError(400, `Invalid ${name}: more than ${META_PAIRS_MAX} pairs`);
  if (entries.some(([key, one]) => key.length > META_CHARS_MAX || String(one).length > META_CHARS_MAX)) {
    throw new HttpError(400, `Invalid ${name}: a key or value is longer than ${META_CHARS_MAX} characters`);
  }
  return Object.fromEntries(entries.map(([key, one]) => [key, String(one)]));
}

/** The datacenter that a body names, or else the request; empty: that of this agent. */
export function datacenterIn(body: Record<string, unknown>, request: HttpRequest): string {
  return textIn(body, "Datacenter").toLowerCase() || (request.params.get("dc") ?? "").toLowerCase();
}

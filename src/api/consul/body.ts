/**
 * Bodies of `/v1` in JSON, and their fields, decoded defensively.
 * @module
 */
import { isPlainName, META_CHARS_MAX, META_PAIRS_MAX, NAME_CHARS_MAX } from "../../app/agent/catalog_operations.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { HttpError } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";

/**
 * A body of JSON, as texts and objects by name.
 * @throws {HttpError} 400 when it is something else.
 */
export function bodyOf(request: HttpRequest): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(textOf(request.body));
  } catch (error) {
    throw new HttpError(400, `Request decode failed: ${messageOf(error)}`);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new HttpError(400, "Request decode failed: expected an object");
  }
  return Object.fromEntries(Object.entries(body));
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

/**
 * There is one datacenter.
 * @throws {HttpError} 500 when another one is asked for.
 */
export function checkDatacenter(body: Record<string, unknown>, own: string): void {
  const asked = textIn(body, "Datacenter").toLowerCase();
  if (asked !== "" && asked !== own) throw new HttpError(500, "No path to datacenter");
}

/**
 * `PUT /v1/catalog/register` and `/deregister` (C7.2): nodes and their descriptions, registered by hand or by their
 * agents. Rows that a live agent or gossip registers are restored automatically.
 * @module
 */
import { isPlainName, META_CHARS_MAX, META_PAIRS_MAX, NAME_CHARS_MAX } from "../../app/agent/catalog_operations.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import { agentOf } from "./agent.ts";
import type { AgentParts, OperateParts } from "./parts.ts";
import { elsewhere, operate, v1Json } from "./respond.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** A body of JSON, as texts and objects by name. */
function bodyOf(request: HttpRequest): Record<string, unknown> {
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

function text(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new HttpError(400, `Request decode failed: expected "${name}" to be a text`);
  if (!isPlainName(value)) {
    const most = `at most ${NAME_CHARS_MAX} characters, none of them a control character`;
    throw new HttpError(400, `Request decode failed: expected "${name}" to have ${most}`);
  }
  return value;
}

function texts(body: Record<string, unknown>, name: string): Record<string, string> {
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

/** There is one datacenter. */
function checkDatacenter(body: Record<string, unknown>, parts: AgentParts): void {
  const asked = text(body, "Datacenter").toLowerCase();
  if (asked !== "" && asked !== agentOf(parts).options.datacenter) throw new HttpError(500, "No path to datacenter");
}

/** `PUT /v1/catalog/register`; services and checks are not supported yet. */
export async function register(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const body = bodyOf(request);
  const name = text(body, "Node");
  const address = text(body, "Address");
  if (name === "") throw new HttpError(500, "Must provide node");
  if (address === "") throw new HttpError(500, "Must provide address if SkipNodeUpdate is not set");
  for (const key of ["Service", "Check", "Checks"]) {
    if (body[key] !== undefined && body[key] !== null) {
      throw new HttpError(501, `registering a ${key} is not supported yet`);
    }
  }
  checkDatacenter(body, parts);
  const node = {
    name,
    address,
    id: text(body, "ID"),
    taggedAddresses: body.TaggedAddresses === undefined ? undefined : texts(body, "TaggedAddresses"),
    meta: texts(body, "NodeMeta"),
  };
  const done = await operate(request, parts, "register", node);
  return { ...v1Json(true, request), ...elsewhere(done) };
}

/** `PUT /v1/catalog/deregister`: a node with all that belongs to it, one of its services, or one of its checks. */
export async function deregister(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const body = bodyOf(request);
  const node = text(body, "Node");
  const [service, check] = [text(body, "ServiceID"), text(body, "CheckID")];
  if (node === "") throw new HttpError(500, "Must provide node");
  checkDatacenter(body, parts);
  const done = await operate(request, parts, "deregister", { node, service, check });
  return { ...v1Json(true, request), ...elsewhere(done) };
}

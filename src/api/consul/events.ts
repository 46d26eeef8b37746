/**
 * `/v1/event`: user events, spread by gossip and not by the log: no order across nodes, no promise of arrival
 * (C7.8). Each agent keeps the last ones it has seen.
 * @module
 */
import { Pattern } from "../../base/codec/pattern.ts";
import { type CarriedEvent, EVENT_PREFIX, type UserEvent } from "../../app/agent/event_log.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { poolProblem } from "./agent.ts";
import { needsOf } from "../../core/acl/resource.ts";
import { visible } from "../acl/allowed.ts";
import { agentOf, type AgentParts, type ConsulParts, datacenterOf, type OperateParts } from "./parts.ts";
import { blockingWaitMs, operate, v1Json } from "./respond.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** `PUT /v1/event/fire/NAME`, the body is the payload. */
export async function fire(request: HttpRequest, parts: OperateParts, name: string): Promise<HttpResponse> {
  if (name === "") throw new HttpError(400, "Missing name");
  const { params, body } = request;
  const filters = ["node", "service", "tag"].map((key) => params.get(key) ?? "");
  for (const filter of filters) checkPattern(filter);
  const [NodeFilter, ServiceFilter, TagFilter] = filters;
  if (TagFilter !== "" && ServiceFilter === "") {
    throw new HttpError(400, "Cannot provide tag filter without service filter.");
  }
  const Payload = body.length === 0 ? null : body.toBase64();
  const carried: CarriedEvent = { ID: crypto.randomUUID(), Payload, NodeFilter, ServiceFilter, TagFilter };
  const sent = Object.fromEntries(Object.entries(carried).filter(([, value]) => value !== "" && value !== null));
  const payload = new TextEncoder().encode(JSON.stringify(sent));
  await fireIn(request, parts, { name: EVENT_PREFIX + name, payload });
  const event: UserEvent = { ...carried, Name: name, Version: 1, LTime: 0 };
  return v1Json(event, request);
}

/** Fires an event: this agent does in its own datacenter, a server of another one there. */
async function fireIn(
  request: HttpRequest,
  parts: OperateParts,
  { name, payload }: { name: string; payload: Uint8Array },
): Promise<void> {
  const { pool, options } = agentOf(parts);
  const datacenter = datacenterOf(request);
  if (datacenter !== "" && datacenter !== options.datacenter) {
    await operate(request, parts, "fireEvent", { name, payload: payload.toBase64() });
    return;
  }
  try {
    await pool.call("fireEvent", { name, payload, coalesce: false });
  } catch (error) {
    throw poolProblem(error);
  }
}

function checkPattern(filter: string): void {
  try {
    new Pattern(filter);
  } catch (error) {
    throw new HttpError(400, `Invalid filter "${filter}": ${messageOf(error)}`);
  }
}

/** `GET /v1/event/list`, `?name=`: blocks only while the index given is that of the last event. */
export async function list(
  request: HttpRequest,
  parts: AgentParts & Pick<ConsulParts, "access">,
): Promise<HttpResponse> {
  const { events } = agentOf(parts);
  const name = request.params.get("name") || undefined;
  const known = request.params.get("index") || "0";
  const deadline = performance.now() + blockingWaitMs(request, parts);
  const over = known === "0" ? undefined : request.whenOver?.();
  let isOver = false;
  over?.then(() => isOver = true);
  let found = events.list(name);
  while (known === indexOf(found) && !isOver && performance.now() < deadline) {
    await events.untilNext(deadline - performance.now(), over); // which may be one of another name
    found = events.list(name);
  }
  const { some, headers } = await visible(request, parts, found, ({ Name }) => needsOf("event", "read", Name));
  return { ...v1Json(some, request), headers: { ...headers, "X-Consul-Index": indexOf(found) } };
}

/** The halves of the last event's id, combined; 1 for none. */
function indexOf(events: readonly UserEvent[]): string {
  const hex = events.at(-1)?.ID.replaceAll("-", "") ?? "";
  if (!/^[0-9a-f]{32}$/.test(hex)) return "1";
  return String(BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`));
}

/**
 * `/v1/event`: user events, spread by gossip and not by the log: no order across nodes, no promise of arrival
 * (spec/consul.md 7.8). Each agent keeps the last ones it has seen.
 * @module
 */
import { encodeBase64Bytes } from "../../base/codec/base64.ts";
import { Pattern } from "../../base/codec/pattern.ts";
import type { MembershipEvent } from "../../drivers/membership/api.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest, Services } from "../http/request.ts";
import { agentOf, poolProblem } from "./agent.ts";
import { blockingWaitMs, v1Json, WAITING_MAX } from "./respond.ts";
import { Waits } from "../../app/agent/waits.ts";

/** Events that an agent keeps. */
export const EVENTS_MAX = 256;
/** In front of the names of these events in the pool, to tell them from others. */
const PREFIX = "consul:event:";

/** A user event as the API shows it. */
interface UserEvent {
  readonly ID: string;
  readonly Name: string;
  /** Base64. */
  readonly Payload: string | null;
  readonly NodeFilter: string;
  readonly ServiceFilter: string;
  readonly TagFilter: string;
  readonly Version: number;
  readonly LTime: number;
}

/** What travels as the payload in the pool. */
type Carried = Pick<UserEvent, "ID" | "Payload" | "NodeFilter" | "ServiceFilter" | "TagFilter">;

/** The events that this agent has seen. */
export class EventLog {
  readonly #nodeName: string;
  #events: UserEvent[] = [];
  readonly #waits = new Waits();

  /** @param nodeName Against which events' filters are held. */
  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  /** Takes what happened in the pool; what is no user event of these, or not for this node, is left. */
  take(event: MembershipEvent): void {
    if (event.type !== "user" || !event.name.startsWith(PREFIX)) return;
    const carried = decodeCarried(event.payload);
    if (!carried || !isFor(this.#nodeName, carried.NodeFilter)) return;
    const one: UserEvent = {
      ...carried,
      Name: event.name.slice(PREFIX.length),
      Version: 1,
      LTime: Number(event.ltime),
    };
    this.#events = [...this.#events.slice(-(EVENTS_MAX - 1)), one];
    this.#waits.wake();
  }

  /** Events of a name, or all; oldest first. */
  list(name: string | undefined): readonly UserEvent[] {
    return name === undefined ? this.#events : this.#events.filter((event) => event.Name === name);
  }

  /** Resolves at the next event, after `ms`, or when the wait is `over`. */
  async untilNext(ms: number, over: Promise<void> | undefined): Promise<void> {
    if (this.#waits.size >= WAITING_MAX) throw new HttpError(429, `${WAITING_MAX} blocking queries are waiting`);
    await this.#waits.until(ms, over);
  }
}

function isFor(nodeName: string, filter: string): boolean {
  if (filter === "") return true;
  try {
    return new Pattern(filter).matches(nodeName);
  } catch {
    return false; // the sender checks it; another version may know other patterns
  }
}

function decodeCarried(payload: Uint8Array): Carried | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
    if (typeof value !== "object" || value === null) return undefined;
    const fields = Object.fromEntries(Object.entries(value));
    const text = (name: string) => typeof fields[name] === "string" ? fields[name] : "";
    return {
      ID: text("ID"),
      Payload: typeof fields.Payload === "string" ? fields.Payload : null,
      NodeFilter: text("NodeFilter"),
      ServiceFilter: text("ServiceFilter"),
      TagFilter: text("TagFilter"),
    };
  } catch {
    return undefined;
  }
}

/** `PUT /v1/event/fire/NAME`, the body is the payload. */
export async function fire(request: HttpRequest, services: Services, name: string): Promise<HttpResponse> {
  if (name === "") throw new HttpError(400, "Missing name");
  const { params, body } = request;
  const filters = ["node", "service", "tag"].map((key) => params.get(key) ?? "");
  for (const filter of filters) checkPattern(filter);
  const [NodeFilter, ServiceFilter, TagFilter] = filters;
  if (TagFilter !== "" && ServiceFilter === "") {
    throw new HttpError(400, "Cannot provide tag filter without service filter.");
  }
  const Payload = body.length === 0 ? null : encodeBase64Bytes(body);
  const carried: Carried = { ID: crypto.randomUUID(), Payload, NodeFilter, ServiceFilter, TagFilter };
  const sent = Object.fromEntries(Object.entries(carried).filter(([, value]) => value !== "" && value !== null));
  const payload = new TextEncoder().encode(JSON.stringify(sent));
  try {
    await agentOf(services).pool.call("fireEvent", { name: PREFIX + name, payload, coalesce: false });
  } catch (error) {
    throw poolProblem(error);
  }
  const event: UserEvent = { ...carried, Name: name, Version: 1, LTime: 0 };
  return v1Json(event, request);
}

function checkPattern(filter: string): void {
  try {
    new Pattern(filter);
  } catch (error) {
    throw new HttpError(400, `Invalid filter "${filter}": ${error instanceof Error ? error.message : error}`);
  }
}

/** `GET /v1/event/list`, `?name=`: blocks only while the index given is that of the last event. */
export async function list(request: HttpRequest, services: Services): Promise<HttpResponse> {
  const { events } = agentOf(services);
  const name = request.params.get("name") || undefined;
  const known = request.params.get("index") || "0";
  const deadline = performance.now() + blockingWaitMs(request, services);
  const over = known === "0" ? undefined : request.whenOver?.();
  let isOver = false;
  over?.then(() => isOver = true);
  let found = events.list(name);
  while (known === indexOf(found) && !isOver && performance.now() < deadline) {
    await events.untilNext(deadline - performance.now(), over); // which may be one of another name
    found = events.list(name);
  }
  return { ...v1Json(found, request), headers: { "X-Consul-Index": indexOf(found) } };
}

/** The halves of the last event's id, combined; 1 for none. */
function indexOf(events: readonly UserEvent[]): string {
  const hex = events.at(-1)?.ID.replaceAll("-", "") ?? "";
  if (!/^[0-9a-f]{32}$/.test(hex)) return "1";
  return String(BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`));
}

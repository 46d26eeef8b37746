/**
 * The user events that an agent has seen, and the requests that wait for the next one. Events are spread by gossip and
 * not by the log: there is no order across nodes and no guarantee of delivery.
 * @module
 */
import { Pattern } from "../../base/codec/pattern.ts";
import type { MembershipEvent } from "../../drivers/membership/api.ts";
import { Waits } from "./waits.ts";

/** Events that an agent keeps. */
export const EVENTS_MAX = 256;
/** In front of the names of these events in the pool, to tell them from others. */
export const EVENT_PREFIX = "consul:event:";

/** A user event as the API shows it. */
export interface UserEvent {
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

/** The payload of an event in the pool. */
export type CarriedEvent = Pick<UserEvent, "ID" | "Payload" | "NodeFilter" | "ServiceFilter" | "TagFilter">;

/** The events that this agent has seen. */
export class EventLog {
  /** The services of this agent, against which events' filters are held. */
  services: () => Iterable<{ readonly name: string; readonly tags: readonly string[] }> = () => [];
  readonly #nodeName: string;
  #events: UserEvent[] = [];
  readonly #waits = new Waits();

  /** @param nodeName Against which events' filters are held. */
  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  /** Takes what happened in the pool; what is no user event of these, or not for this node, is left. */
  take(event: MembershipEvent): void {
    if (event.type !== "user" || !event.name.startsWith(EVENT_PREFIX)) return;
    const carried = decodeCarried(event.payload);
    if (!carried || !matches(carried.NodeFilter, this.#nodeName) || !this.#hasService(carried)) return;
    const one: UserEvent = {
      ...carried,
      Name: event.name.slice(EVENT_PREFIX.length),
      Version: 1,
      LTime: Number(event.ltime),
    };
    this.#events = [...this.#events.slice(-(EVENTS_MAX - 1)), one];
    this.#waits.wake();
  }

  #hasService({ ServiceFilter, TagFilter }: CarriedEvent): boolean {
    if (ServiceFilter === "") return true;
    for (const { name, tags } of this.services()) {
      const hasTag = TagFilter === "" || tags.some((tag) => matches(TagFilter, tag));
      if (hasTag && matches(ServiceFilter, name)) return true;
    }
    return false;
  }

  /** Events of a name, or all; oldest first. */
  list(name: string | undefined): readonly UserEvent[] {
    return name === undefined ? this.#events : this.#events.filter((event) => event.Name === name);
  }

  /** Resolves at the next event, after `ms`, or when the wait is `over`. */
  async untilNext(ms: number, over: Promise<void> | undefined): Promise<void> {
    await this.#waits.until(ms, over);
  }
}

function matches(filter: string, text: string): boolean {
  if (filter === "") return true;
  try {
    return new Pattern(filter).matches(text);
  } catch {
    return false; // the sender checks it; another version may know other patterns
  }
}

function decodeCarried(payload: Uint8Array): CarriedEvent | undefined {
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

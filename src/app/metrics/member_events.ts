/**
 * Counts what happens in the gossip pool, as this agent sees it.
 * @module
 */
import type { MembershipEvent } from "../../drivers/membership/api.ts";

/** What is counted, by the names of Consul's counters. */
export type CountedEvent = "join" | "leave" | "failed" | "update" | "reap" | "user";

const NAMES: Readonly<Partial<Record<MembershipEvent["type"], CountedEvent>>> = {
  "member-join": "join",
  "member-leave": "leave",
  "member-failed": "failed",
  "member-update": "update",
  "member-reap": "reap",
  "user": "user",
};

/** The counters. */
export class MemberEvents {
  /** Members that an event was about, and user events. */
  readonly counts: Readonly<Record<CountedEvent, number>>;
  readonly #counts: Record<CountedEvent, number> = { join: 0, leave: 0, failed: 0, update: 0, reap: 0, user: 0 };

  constructor() {
    this.counts = this.#counts;
  }

  /** Counts an event. */
  take(event: MembershipEvent): void {
    const name = NAMES[event.type];
    if (name) this.#counts[name] += "members" in event ? event.members.length : 1;
  }
}

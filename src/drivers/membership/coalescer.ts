/**
 * Gathers events for a while before they are told (G5.5), as Serf's agent does: of members the last word
 * counts, and none where it is the one told before; of user events that allow it, the latest of each name.
 * @module
 */
import type { Coalescing, MemberRecord, MembershipEvent } from "./api.ts";

type MemberEvent = Extract<MembershipEvent, { members: unknown }>;
type UserEvent = Extract<MembershipEvent, { type: "user" }>;

/** Calls `flush` when nothing was gathered for the quiet time, or the period is over. */
class Gathering {
  readonly #coalescing: Coalescing;
  readonly #flush: () => void;
  #period: ReturnType<typeof setTimeout> | undefined;
  #quiet: ReturnType<typeof setTimeout> | undefined;

  constructor(coalescing: Coalescing, flush: () => void) {
    this.#coalescing = coalescing;
    this.#flush = flush;
  }

  touch(): void {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.end(), this.#coalescing.quietMs);
    this.#period ??= setTimeout(() => this.end(), this.#coalescing.periodMs);
  }

  /** Forgets the timers. */
  clear(): void {
    clearTimeout(this.#quiet);
    clearTimeout(this.#period);
    this.#period = undefined;
  }

  end(): void {
    this.clear();
    this.#flush();
  }
}

/** Stands between what happens and who is told. */
export class Coalescer {
  readonly #tell: (event: MembershipEvent) => void;
  readonly #members: Gathering | undefined;
  readonly #users: Gathering | undefined;
  readonly #lastOf = new Map<string, { readonly type: MemberEvent["type"]; readonly member: MemberRecord }>();
  readonly #toldOf = new Map<string, MemberEvent["type"]>();
  readonly #userEvents = new Map<string, UserEvent[]>();

  constructor(
    { members, users }: { members: Coalescing | undefined; users: Coalescing | undefined },
    tell: (event: MembershipEvent) => void,
  ) {
    this.#tell = tell;
    this.#members = members && new Gathering(members, () => this.#flushMembers());
    this.#users = users && new Gathering(users, () => this.#flushUsers());
  }

  /** Takes an event, to be told now or later. */
  add(event: MembershipEvent): void {
    if ("members" in event && this.#members) {
      for (const member of event.members) this.#lastOf.set(member.name, { type: event.type, member });
      this.#members.touch();
    } else if (event.type === "user" && event.coalesce && this.#users) {
      const latest = this.#userEvents.get(event.name);
      if (!latest || latest[0].ltime < event.ltime) this.#userEvents.set(event.name, [event]);
      else if (latest[0].ltime === event.ltime) latest.push(event);
      this.#users.touch();
    } else this.#tell(event);
  }

  #flushMembers(): void {
    const byType = new Map<MemberEvent["type"], MemberRecord[]>();
    for (const [name, { type, member }] of this.#lastOf) {
      if (this.#toldOf.get(name) === type && type !== "member-update") continue;
      byType.set(type, [...byType.get(type) ?? [], member]);
      if (type === "member-reap") this.#toldOf.delete(name);
      else this.#toldOf.set(name, type);
    }
    this.#lastOf.clear();
    for (const [type, members] of byType) this.#tell({ type, members });
  }

  #flushUsers(): void {
    const events = [...this.#userEvents.values()].flat();
    this.#userEvents.clear();
    for (const event of events) this.#tell(event);
  }

  /** Tells no more. */
  close(): void {
    this.#members?.clear();
    this.#users?.clear();
  }
}

/**
 * Members of our own for tests: started on free loopback ports, their events kept, waited for by what they tell.
 * @module
 */
import { freePort, until } from "./processes.ts";
import type { MemberRecord, MembershipConfig, MembershipEvent } from "../../src/drivers/membership/api.ts";
import { SPREAD_MS } from "./serf_agent.ts";
import { Membership } from "../../src/drivers/membership/membership.ts";

/** A member and what it told. */
export class OurNode {
  readonly name: string;
  readonly membership: Membership;
  readonly events: MembershipEvent[];
  readonly log: string[];

  private constructor(name: string, membership: Membership, kept: { events: MembershipEvent[]; log: string[] }) {
    this.name = name;
    this.membership = membership;
    this.events = kept.events;
    this.log = kept.log;
  }

  /** Starts a member with the local profile; it answers queries with its name. */
  static async start(name: string, config: Partial<MembershipConfig> = {}): Promise<OurNode> {
    const kept = { events: new Array<MembershipEvent>(), log: new Array<string>() };
    const bind = { host: "127.0.0.1", port: freePort() };
    const membership: Membership = await Membership.start(
      { name, bind, tags: {}, profile: "local", compression: false, tellQueries: true, ...config },
      {
        onEvent(event) {
          kept.events.push(event);
          if (event.type === "query") membership.respond(event.ref, new TextEncoder().encode(`answer of ${name}`));
        },
        log: (line, level) => kept.log.push(`[${level}] ${line}`),
      },
    );
    return new OurNode(name, membership, kept);
  }

  /** The address for other members. */
  get address(): string {
    return `127.0.0.1:${this.membership.local.port}`;
  }

  /** Joins, and must succeed. */
  async join(...addresses: readonly string[]): Promise<void> {
    const { joined, errors } = await this.membership.join(addresses);
    if (joined !== addresses.length) throw new Error(`${this.name} could not join: ${errors.join("; ")}`);
  }

  /** Its record of a member. */
  member(name: string): MemberRecord | undefined {
    return this.membership.members().find((one) => one.name === name);
  }

  /** Waits until it lists `name` so; `undefined`: not at all. */
  async sees(name: string, status: string | undefined, timeoutMs = SPREAD_MS): Promise<void> {
    await until(`${this.name} lists ${name} as ${status}`, () => {
      const found = this.member(name)?.status;
      if (found !== status) throw new Error(found ?? "not listed");
      return true;
    }, timeoutMs);
  }

  /** Names told with an event of members, in order. */
  told(type: MembershipEvent["type"]): string[] {
    return this.events.flatMap((event) =>
      event.type === type && "members" in event ? event.members.map(({ name }) => name) : []
    );
  }

  /** User events told so far, as `name:payload`. */
  get userEvents(): string[] {
    return this.events.flatMap((event) =>
      event.type === "user" ? [`${event.name}:${new TextDecoder().decode(event.payload)}`] : []
    );
  }
}

/**
 * Brings the servers of this datacenter into the pool of all datacenters (G5.13): whoever is a server in the one pool and says
 * at which port it is in the other is joined there, so that an operator joins one server of another datacenter to one of
 * this, once. Looked at when a member of this datacenter comes or changes, and every minute.
 * @module
 */
import { joinAddress } from "../../base/codec/address.ts";
import type { JoinResult, MemberRecord } from "../../drivers/membership/api.ts";

/** Tag of a server in the pool of its datacenter: its port in that of all datacenters. */
export const WAN_PORT_TAG = "wan_join_port";
/** A server that could not be joined is tried again after this time. */
const FLOOD_MS = 60_000;

/** Addresses of the servers in `lan` that are not alive in `wan`. */
export function missingServers(lan: readonly MemberRecord[], wan: readonly MemberRecord[]): string[] {
  const known = new Set(wan.filter(({ status }) => status === "alive").map(({ name }) => name));
  return lan.flatMap(({ name, addr, status, tags }) => {
    const port = tags[WAN_PORT_TAG] ?? "";
    const isServer = status === "alive" && tags.role === "consul" && /^\d{1,5}$/.test(port);
    return isServer && !known.has(`${name}.${tags.dc}`) ? [joinAddress(addr, Number(port))] : [];
  });
}

/** The two pools. */
export interface FloodedPools {
  readonly lan: { members(): readonly MemberRecord[] };
  readonly wan: {
    /** This server's own name there. */
    readonly name: string;
    members(): readonly MemberRecord[];
    join(addresses: readonly string[]): Promise<JoinResult>;
  };
}

/** Joins servers from time to time; never more than one round at a time. */
export class FloodJoin {
  readonly #pools: FloodedPools;
  readonly #log: (line: string) => void;
  readonly #timer: ReturnType<typeof setInterval>;
  /** What was said after the last round. */
  #told: ReadonlySet<string> = new Set();
  #isJoining = false;
  #isDue = false;
  #isClosed = false;

  /** Begins with what is known. */
  constructor(pools: FloodedPools, log: (line: string) => void) {
    this.#pools = pools;
    this.#log = log;
    this.#timer = setInterval(() => this.soon(), FLOOD_MS);
    this.soon();
  }

  /** Looks now, or once more when the round under way is over. */
  soon(): void {
    this.#isDue = true;
    if (!this.#isJoining) this.#run();
  }

  async #run(): Promise<void> {
    this.#isJoining = true;
    while (this.#isDue && !this.#isClosed) {
      this.#isDue = false;
      const { lan, wan } = this.#pools;
      const known = wan.members();
      const isHere = known.some(({ name, status }) => name === wan.name && status === "alive"); // one that leaves does not return
      const addresses = isHere ? missingServers(lan.members(), known) : [];
      if (addresses.length === 0) continue;
      const { errors } = await wan.join(addresses);
      // Where a firewall keeps the servers of one datacenter apart at this port, that is told once.
      for (const error of errors) {
        if (!this.#told.has(error)) this.#log(`(WAN) could not join a server of this datacenter: ${error}`);
      }
      this.#told = new Set(errors);
    }
    this.#isJoining = false;
  }

  /** Looks no more. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }
}

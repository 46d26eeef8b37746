/**
 * Pools of Serf cores on a virtual network, for tests.
 * @module
 */
import { type Effect } from "../../../src/core/swim/effect.ts";
import { pushPull } from "../../../src/core/swim/spread.ts";
import { Keyring } from "../../../src/core/swim/keyring.ts";
import { SERF_DEFAULTS, type SerfConfig, SWIM_PROFILES, type SwimConfig } from "../../../src/core/swim/profile.ts";
import { Serf } from "../../../src/core/serf/serf.ts";
import type { SerfEvent, SerfOptions } from "../../../src/core/serf/state.ts";
import { versionBytes } from "../../../src/core/swim/version.ts";
import { aesGcm, prepareAesGcm } from "../../../src/drivers/membership/aes_gcm.ts";
import { formatIp } from "../../../src/base/codec/ip.ts";
import { addressOf, VirtualNetwork, type VirtualNode } from "./virtual_network.ts";

await prepareAesGcm(new Keyring([new Uint8Array(24)])); // a key may have any length

/** Port of all nodes. */
export const PORT = 7946;

/** What may differ from the local profile. */
export interface PoolOptions {
  readonly swim?: Partial<SwimConfig>;
  readonly config?: Partial<SerfConfig>;
  readonly tags?: ReadonlyMap<string, string>;
  readonly keys?: readonly Uint8Array[];
  readonly compression?: boolean;
  readonly label?: string;
  readonly admission?: SerfOptions["admission"];
  readonly restored?: SerfOptions["restored"];
  readonly resolveConflicts?: boolean;
}

/** A member on the virtual network. */
export interface PoolMember {
  readonly name: string;
  readonly serf: Serf;
  readonly node: VirtualNode<SerfEvent>;
  readonly events: SerfEvent[];
  readonly log: string[];
}

/** A pool. */
export class VirtualPool {
  readonly network: VirtualNetwork<SerfEvent>;
  readonly members: PoolMember[] = [];

  constructor(seed = 1) {
    this.network = new VirtualNetwork(seed);
    const memberOf = (node: VirtualNode<SerfEvent>) => this.members.find((one) => one.node === node);
    this.network.onEvent = (node, event) => {
      const copy = "member" in event ? { ...event, member: { ...event.member } } : event;
      memberOf(node)?.events.push(copy);
    };
    this.network.onLog = (node, text) => memberOf(node)?.log.push(text);
  }

  /** A new member, alone; `index` gives its address. */
  start(name: string, index: number, options: PoolOptions = {}): PoolMember {
    const addr = addressOf(index);
    let serf: Serf | undefined;
    const make = (emit: (effect: Effect<SerfEvent>) => void) => {
      serf = new Serf(this.#options(name, addr, { ...options }, emit));
      return serf.state.swim;
    };
    const node = this.network.add(formatIp(addr), make);
    if (!serf) throw new Error("not made");
    const member = { name, serf, node, events: [], log: [] };
    this.members.push(member);
    this.turn(member, (one, nowMs) => one.start(nowMs));
    return member;
  }

  #options(
    name: string,
    addr: Uint8Array,
    { swim, config, tags = new Map(), keys, compression = false, label = "", ...rest }: PoolOptions,
    emit: (effect: Effect<SerfEvent>) => void,
  ): SerfOptions {
    const randomBytes = (count: number) => Uint8Array.from({ length: count }, () => this.network.random.below(256));
    return {
      swim: {
        name,
        addr,
        port: PORT,
        vsn: versionBytes(5),
        config: { ...SWIM_PROFILES.local, ...swim },
        wrapping: {
          compression,
          cipher: keys && { keyring: new Keyring(keys), aead: aesGcm, randomBytes },
          label: new TextEncoder().encode(label),
        },
        random: this.network.fraction,
        emit,
      },
      config: { ...SERF_DEFAULTS, ...config },
      tags,
      admission: rest.admission,
      restored: rest.restored,
      resolveConflicts: rest.resolveConflicts ?? true,
    };
  }

  /** A turn of a member. */
  turn(member: PoolMember, action: (serf: Serf, nowMs: number) => void): void {
    this.network.turn(member.node, (_, nowMs) => action(member.serf, nowMs));
  }

  /** Has `member` join `other`; returns the error, undefined for none. */
  join(member: PoolMember, other: PoolMember): string | undefined {
    let outcome: { error: string | undefined } | undefined;
    this.turn(member, ({ state }) => {
      pushPull(state.net, { to: { host: other.node.address, port: PORT }, join: true }, (error) => outcome = { error });
    });
    this.network.run(20_000, () => outcome !== undefined);
    if (!outcome) throw new Error("the join did not end");
    if (outcome.error === undefined) this.turn(member, (serf, nowMs) => serf.joined(nowMs));
    return outcome.error;
  }

  /** A pool of `count` that know each other. */
  static formed(count: number, options: PoolOptions = {}, seed = 1): VirtualPool {
    const pool = new VirtualPool(seed);
    for (let index = 1; index <= count; index++) {
      const member = pool.start(`n${index}`, index, options);
      if (index > 1) pool.join(member, pool.members[0]);
    }
    const isFormed = () => pool.members.every(({ serf }) => serf.state.count("alive") === count);
    if (!pool.network.run(60_000, isFormed)) throw new Error("the pool was not formed");
    pool.network.run(3000); // lets the queues run dry
    return pool;
  }

  /** What `member` says of the status of a name. */
  static statusOf({ serf }: PoolMember, name: string): string | undefined {
    return serf.state.members.get(name)?.status;
  }
}

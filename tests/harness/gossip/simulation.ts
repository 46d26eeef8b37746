/**
 * Pools of failure detectors in virtual time, up to thousands of nodes: how soon a crash is noticed, how often a live node
 * is thought dead, what it costs, how soon a healed partition is whole again.
 * @module
 */
import type { Effect } from "../../../src/core/swim/effect.ts";
import { formatIp } from "../../../src/base/codec/ip.ts";
import { STATE } from "../../../src/core/swim/message.ts";
import { NO_BYTES } from "../../../src/core/swim/msgpack.ts";
import type { SwimNode } from "../../../src/core/swim/node_table.ts";
import { SWIM_PROFILES, type SwimConfig } from "../../../src/core/swim/profile.ts";
import { Swim } from "../../../src/core/swim/swim.ts";
import type { SwimDelegate } from "../../../src/core/swim/swim_state.ts";
import { versionBytes } from "../../../src/core/swim/version.ts";
import { addressOf, VirtualNetwork, type VirtualNode } from "./virtual_network.ts";
import { VirtualPool } from "./virtual_pool.ts";

const PORT = 7946;
const VSN = versionBytes(4);
/** Time in which a pool gets into its stride before anything is counted. */
const WARM_UP_MS = 5000;

type SimNode = VirtualNode<never>;

/** A pool in which everybody knows everybody from the start. */
export class SimulatedPool {
  readonly network: VirtualNetwork<never>;
  readonly nodes: SimNode[] = [];
  /** Told when a node takes another for dead. */
  onDead: (observer: number, subject: number) => void = () => {};
  /** How often a node suspected another, by its own probe. */
  suspicions = 0;

  constructor(size: number, { seed, config = {} }: { seed: number; config?: Partial<SwimConfig> }) {
    this.network = new VirtualNetwork(seed);
    const merged = { ...SWIM_PROFILES.lan, ...config };
    const identities = Array.from({ length: size }, (_, at) => ({ name: `n${at}`, addr: addressOf(at) }));
    const indices = new Map(identities.map(({ name }, at) => [name, at]));
    for (const [at, { name, addr }] of identities.entries()) {
      const delegate = quiet((node) => {
        if (node.state === STATE.dead) this.onDead(at, indices.get(node.name) ?? -1);
      });
      const make = (emit: (effect: Effect<never>) => void) =>
        new Swim<never>({
          name,
          addr,
          port: PORT,
          vsn: VSN,
          config: merged,
          wrapping: { compression: false, cipher: undefined, label: NO_BYTES },
          random: this.network.fraction,
          emit,
        }, delegate);
      this.nodes.push(this.network.add(formatIp(addr), make));
    }
    this.network.onLog = (_, text) => {
      if (text.startsWith("Suspect ")) this.suspicions++;
    };
    for (const [at, node] of this.nodes.entries()) this.#begin(node, at, identities);
  }

  #begin(node: SimNode, own: number, identities: readonly { name: string; addr: Uint8Array }[]): void {
    this.network.turn(node, (swim, nowMs) => swim.start(nowMs));
    const { table } = node.swim.state;
    for (const [at, { name, addr }] of identities.entries()) {
      if (at === own) continue;
      table.add({ name, addr, port: PORT, meta: NO_BYTES, vsn: VSN, incarnation: 1, state: STATE.alive, changedMs: 0 });
    }
  }

  /** Lets it get into its stride: the news of the start are spread. */
  warmUp(): void {
    this.network.run(WARM_UP_MS);
    for (const node of this.nodes) node.packets = node.bytes = 0;
    this.suspicions = 0;
  }
}

function quiet(onLeave: (node: SwimNode) => void): SwimDelegate {
  return {
    meta: () => NO_BYTES,
    hasBroadcasts: () => false,
    broadcasts: () => [],
    onUserMessage() {},
    localState: () => NO_BYTES,
    mergeState() {},
    onJoin() {},
    onLeave,
    onUpdate() {},
    onConflict() {},
    pingPayload: () => NO_BYTES,
    onPingAck() {},
    refuseAlive: () => undefined,
    refuseMerge: () => undefined,
  };
}

/** The detection of a crash. Seconds from the crash. */
export interface Detection {
  /** The first node suspects a dead one. */
  readonly suspected: number;
  /** The first node takes one for dead. */
  readonly dead: number;
  /** Everybody takes all of them for dead. */
  readonly known: number;
  readonly packetsPerNodeSecond: number;
  readonly bytesPerNodeSecond: number;
}

/**
 * Crashes nodes of `size` at once, one unless told, after 10 idle seconds. Without `refusing` their addresses answer
 * nothing, as those of a machine that is gone; with it a connection is refused, as by a machine whose process is gone.
 */
export function detectCrash(
  size: number,
  seed: number,
  { config, crashed = 1, refusing = false }: { config?: Partial<SwimConfig>; crashed?: number; refusing?: boolean } =
    {},
): Detection {
  const pool = new SimulatedPool(size, { seed, config });
  const { network, nodes } = pool;
  pool.warmUp();
  network.run(10_000);
  const packets = nodes.reduce((sum, node) => sum + node.packets, 0) / size / 10;
  const bytes = nodes.reduce((sum, node) => sum + node.bytes, 0) / size / 10;
  let known = 0;
  let deadMs = 0;
  let suspectedMs = 0;
  pool.onDead = (observer, subject) => {
    if (subject >= crashed || observer < crashed) return;
    deadMs ||= network.nowMs;
    known++; // nobody comes back, so each node tells it once
  };
  const crashMs = network.nowMs;
  if (!refusing) network.conditions = { ...network.conditions, streams: false };
  for (const node of nodes.slice(0, crashed)) node.isDown = true;
  network.run(60_000, () => {
    if (suspectedMs === 0 && pool.suspicions > 0) suspectedMs = network.nowMs;
    return suspectedMs > 0;
  });
  const wanted = (size - crashed) * crashed;
  if (!network.run(300_000, () => known === wanted)) throw new Error(`only ${known} of ${wanted} times known`);
  const seconds = (ms: number) => (ms - crashMs) / 1000;
  return {
    suspected: seconds(suspectedMs),
    dead: seconds(deadMs),
    known: seconds(network.nowMs),
    packetsPerNodeSecond: packets,
    bytesPerNodeSecond: bytes,
  };
}

/** How often live nodes were accused. */
export interface Accusations {
  /** Own probes that failed. */
  readonly suspicions: number;
  /** A node took a live one that is not slow for dead: FP of the Lifeguard paper. */
  readonly falseDeaths: number;
  /** Of those, where the one that did so is not slow either: FP−. */
  readonly healthyFalseDeaths: number;
  /** Live nodes, not slow, that somebody took for dead. */
  readonly victims: number;
}

/** Runs a pool for a while under loss, with `slow` nodes that stop for `blockMs` again and again. */
export function accuse(
  size: number,
  { seed, config, seconds, loss = 0, streams = true, slow = 0, blockMs = 0, pauseMs = 0 }: {
    seed: number;
    config?: Partial<SwimConfig>;
    seconds: number;
    loss?: number;
    streams?: boolean;
    slow?: number;
    blockMs?: number;
    pauseMs?: number;
  },
): Accusations {
  const pool = new SimulatedPool(size, { seed, config });
  const { network, nodes } = pool;
  pool.warmUp();
  network.conditions = { ...network.conditions, loss, streams };
  const victims = new Set<number>();
  let falseDeaths = 0;
  let healthyFalseDeaths = 0;
  pool.onDead = (observer, subject) => {
    if (subject < slow) return;
    falseDeaths++;
    victims.add(subject);
    if (observer >= slow) healthyFalseDeaths++;
  };
  for (const node of nodes.slice(0, slow)) {
    const block = () => {
      node.blockedUntilMs = network.nowMs + blockMs;
      network.after(blockMs + pauseMs, block);
    };
    network.after(network.fraction() * (blockMs + pauseMs), block);
  }
  network.run(seconds * 1000);
  return { suspicions: pool.suspicions, falseDeaths, healthyFalseDeaths, victims: victims.size };
}

/** Seconds from the healing of a partition in halves, held for `heldMs` after all noticed it, until all have all alive. */
export function healPartition(size: number, seed: number, heldMs: number): number {
  const swim = SWIM_PROFILES.lan;
  const pool = VirtualPool.formed(size, { swim }, seed);
  const { network, members } = pool;
  network.sideOf = (address) => Number(address.split(".")[3]) % 2;
  const isSplit = () => members.every(({ serf }) => serf.state.count("failed") >= Math.floor(size / 2));
  if (!network.run(600_000, isSplit)) throw new Error("the partition was not noticed");
  network.run(heldMs);
  network.sideOf = () => 0;
  const healedMs = network.nowMs;
  if (!network.run(600_000, () => members.every(({ serf }) => serf.state.count("alive") === size))) {
    throw new Error("the pool is not whole again");
  }
  return (network.nowMs - healedMs) / 1000;
}

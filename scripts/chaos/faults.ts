/**
 * Doing a fault to a cluster, and undoing it: when this is over every node runs, reaches the others and is a voter.
 * @module
 */
import { Random } from "../../tests/harness/random.ts";
import type { ChaosCluster, ChaosNode } from "./cluster.ts";
import type { Network, Way } from "./network.ts";
import type { Fault } from "./schedule.ts";
import type { SmallDisk } from "./small_disk.ts";
import { pause } from "./workload.ts";

const BURST_MS: readonly [number, number] = [30, 250];

/** The cluster and the network that faults are done to. */
export interface Stage {
  readonly cluster: ChaosCluster;
  readonly network: Network | undefined;
  /** Under the last node. */
  readonly disk: SmallDisk | undefined;
}

/** Does a fault and undoes it. @throws {Error} When the cluster is not whole again within a minute. */
export async function inject(stage: Stage, fault: Fault): Promise<void> {
  const { cluster } = stage;
  try {
    await act(stage, fault);
  } finally {
    await stage.network?.heal();
    await stage.disk?.free();
    for (const node of cluster.nodes) {
      cluster.signal(node, "SIGCONT");
      cluster.start(node);
    }
  }
  await cluster.settled();
}

async function act(stage: Stage, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case "kill":
      return await kill(stage, fault);
    case "pause":
      return await stop(stage, fault);
    case "partition":
      return await part(stage, fault);
    case "slow":
      return await slow(stage, fault);
    case "disk":
      return await fill(stage, fault);
    case "membership":
      return await change(stage, fault);
  }
}

/** A fault of one kind. */
type Of<Kind extends Fault["kind"]> = Extract<Fault, { kind: Kind }>;

async function kill({ cluster }: Stage, { who, ms }: Of<"kill">): Promise<void> {
  const nodes = who === "all" ? cluster.nodes : [await chosen(cluster, who)];
  await Promise.all(nodes.map((node) => cluster.stop(node)));
  if (who !== "all") await pause(ms);
}

async function stop({ cluster }: Stage, { who, ms }: Of<"pause">): Promise<void> {
  cluster.signal(await chosen(cluster, who), "SIGSTOP");
  await pause(ms);
}

async function part({ cluster, network }: Stage, { shape, who, other, ms }: Of<"partition">): Promise<void> {
  const count = cluster.nodes.length;
  const first = cluster.nodes.indexOf(await chosen(cluster, who));
  const size = shape === "isolate" ? Math.floor((count - 1) / 2) : 1;
  const group = Array.from({ length: size }, (_, at) => (first + at) % count);
  const rest = shape === "link"
    ? [(first + other) % count]
    : cluster.nodes.map((_, at) => at).filter((at) => !group.includes(at));
  const pairs = group.flatMap((from) => rest.map((to): Way => ({ from, to })));
  const out = shape === "deaf" ? [] : pairs;
  const back = shape === "mute" ? [] : pairs.map(({ from, to }): Way => ({ from: to, to: from }));
  await network?.cut([...out, ...back]);
  await pause(ms);
}

async function slow({ cluster, network }: Stage, { shape, who, seed, ms }: Of<"slow">): Promise<void> {
  const node = cluster.nodes.indexOf(await chosen(cluster, who));
  // If the system has no such queue, bursts take its place.
  const isNarrow = shape === "narrow" && network && await network.narrow(node).then(() => true, () => false);
  if (isNarrow) return await pause(ms);
  const ways = cluster.nodes.flatMap((_, to): Way[] => to === node ? [] : [{ from: node, to }, { from: to, to: node }]);
  const random = new Random(seed);
  for (const end = performance.now() + ms; performance.now() < end;) {
    await network?.cut(ways);
    await pause(random.between(...BURST_MS));
    await network?.heal();
    await pause(random.between(...BURST_MS));
  }
}

async function fill({ cluster, disk }: Stage, { leads, ms }: Of<"disk">): Promise<void> {
  const node = cluster.nodes[cluster.nodes.length - 1];
  if (leads) await cluster.lead(node);
  await cluster.allowEnd(node, async () => {
    disk?.fill();
    await pause(ms);
    await disk?.free();
    await cluster.ready(node);
  });
}

async function change({ cluster }: Stage, { shape, who, ms }: Of<"membership">): Promise<void> {
  if (shape === "nonvoter") return await comeAndGo(cluster, ms);
  const node = await chosen(cluster, who);
  if (shape === "replace") await cluster.remove(node);
  await cluster.stop(node);
  await Deno.remove(node.place.directory, { recursive: true });
  cluster.start(node);
  await cluster.ready(node);
}

async function comeAndGo(cluster: ChaosCluster, ms: number): Promise<void> {
  const { guest } = cluster;
  try {
    cluster.start(guest);
    await cluster.ready(guest);
    await cluster.hasMembers((members) => members.some(({ id, suffrage }) => id === guest.id && suffrage !== "voter"));
    await pause(ms);
  } finally {
    await cluster.remove(guest);
    await cluster.stop(guest);
    await Deno.remove(guest.place.directory, { recursive: true });
  }
}

async function chosen(cluster: ChaosCluster, who: number | "leader"): Promise<ChaosNode> {
  return who === "leader" ? await cluster.leader() : cluster.nodes[who];
}

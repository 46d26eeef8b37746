/**
 * The real etcd (Debian's etcd-server), by its JSON gateway: keys are put in the place of rows that are inserted, and read by
 * their name. That is less work than SQL, and other work: the figures say how far each is from the other, not which is better.
 * @module
 */
import { type EtcdServer, startEtcdCluster } from "../../tests/harness/peers/etcd.ts";
import { until } from "../../tests/harness/processes.ts";
import type { Sample, Site } from "./measurements.ts";
import type { BenchNode, System } from "./systems.ts";

const KEYS = 500;
const LEADER_MS_MAX = 15_000;
const VALUE = btoa(JSON.stringify({ name: "fiona", age: 20 }));

/** Whether it is installed. */
export async function hasEtcd(): Promise<boolean> {
  try {
    return (await new Deno.Command("etcd", { args: ["--version"], stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** etcd. */
export const ETCD: System = {
  name: "etcd",
  keeps: "keys",
  async start(root, count) {
    const directory = await Deno.makeTempDir({ dir: root, prefix: "etcd-" });
    return (await startEtcdCluster(directory, count)).map(nodeOf);
  },
};

function nodeOf(server: EtcdServer, at: number): BenchNode {
  return {
    id: String(at + 1),
    url: server.url,
    pid: server.pid,
    log: () => server.log,
    stop: async () => await server.stop(),
    restart: async () => {
      await server.restart();
      return nodeOf(server, at);
    },
  };
}

async function post(node: BenchNode, path: string, body: unknown): Promise<Record<string, unknown>> {
  const init = { method: "POST", body: JSON.stringify(body), signal: AbortSignal.timeout(10_000) };
  const response = await fetch(node.url + path, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 300)}`);
  return Object(JSON.parse(text));
}

/** The node that leads. */
async function leaderOf(nodes: readonly BenchNode[]): Promise<BenchNode> {
  return await until("a leader of etcd", async () => {
    for (const node of nodes) {
      const { header, leader } = await post(node, "/v3/maintenance/status", {});
      if (leader !== undefined && leader === Object(header).member_id) return node;
    }
    return undefined;
  }, LEADER_MS_MAX);
}

const keyOf = (kind: string, at: number) => btoa(`${kind}/${at}`);
const bodies = (kind: string, more: Record<string, unknown>) =>
  Array.from({ length: KEYS }, (_, at) => JSON.stringify({ key: keyOf(kind, at), ...more }));

/** The keys that are read. */
export async function putPoints(nodes: readonly BenchNode[]): Promise<void> {
  const leader = await leaderOf(nodes);
  for (const body of bodies("points", { value: VALUE })) await post(leader, "/v3/kv/put", JSON.parse(body));
}

/** Puts keys, each request one. */
export async function putLoad(site: Site, connections: number, at: "leader" | "follower" = "leader"): Promise<Sample> {
  const leader = await leaderOf(site.nodes);
  const asked = at === "leader" ? leader : site.nodes.find((node) => node !== leader) ?? leader;
  return await load(site, { url: `${asked.url}/v3/kv/put`, bodies: bodies("writes", { value: VALUE }), connections });
}

/** Reads a key with each request, at the leader; serializable: without asking others. */
export async function rangeLoad(site: Site, connections: number, serializable: boolean): Promise<Sample> {
  const { url } = await leaderOf(site.nodes);
  return await load(site, { url: `${url}/v3/kv/range`, bodies: bodies("points", { serializable }), connections });
}

async function load(
  { generator, seconds, root }: Site,
  what: { readonly url: string; readonly bodies: readonly string[]; readonly connections: number },
): Promise<Sample> {
  const { perSecond, p50Ms, p99Ms, failures, firstFailure } = await generator.run({ ...what, seconds }, root);
  return { value: perSecond, p50Ms, p99Ms, failures, firstFailure };
}

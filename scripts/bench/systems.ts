/**
 * The systems that are measured: muster, the real rqlite and the real etcd (etcd.ts), started and stopped the same way.
 * @module
 */
import { clusterFlags, type NodePlace, nodePlace, NodeProcess, until } from "../../tests/harness/processes.ts";
import { type Rqlite, rqliteBinary, startRqlite, startRqliteCluster } from "../../tests/harness/rqlite.ts";

const LEADER_MS_MAX = 15_000;

/** A running node of either system. */
export interface BenchNode {
  /** In its cluster. */
  readonly id: string;
  /** Of its HTTP API. */
  readonly url: string;
  /** Of its process. */
  readonly pid: number;
  /** The end of its output on stderr. */
  log(): string;
  /** Ends it and waits for that. @default {"SIGKILL"} */
  stop(signal?: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Starts it again with its data after it has ended, and waits until it is ready; for a node without others only. */
  restart(): Promise<BenchNode>;
}

/** A system under measurement. */
export interface System {
  /** For the report. */
  readonly name: "muster" | "rqlite" | "etcd";
  /** What it keeps: tables, asked in SQL, or keys. */
  readonly keeps: "tables" | "keys";
  /** Starts nodes that form a cluster, below an own directory of `root`, and waits until all are ready. */
  start(root: string, count: number): Promise<BenchNode[]>;
}

/** muster, from the source or the binary that MUSTER_BINARY names. */
export const MUSTER: System = {
  name: "muster",
  keeps: "tables",
  async start(root, count) {
    const directory = await Deno.makeTempDir({ dir: root, prefix: "muster-" });
    const places = Array.from({ length: count }, (_, at) => nodePlace(directory, String(at + 1)));
    const flags = count === 1 ? [] : clusterFlags(places);
    const started = await Promise.allSettled(places.map((place) => startMuster(place, flags)));
    return await allOf(started);
  },
};

/** The real rqlite. */
export const RQLITE: System = {
  name: "rqlite",
  keeps: "tables",
  async start(root, count) {
    const directory = await Deno.makeTempDir({ dir: root, prefix: "rqlite-" });
    await rqliteBinary(directory); // so that fetching it is not counted
    if (count === 1) return [rqliteNode(directory, "1", await startRqlite(directory, "1"))];
    return (await startRqliteCluster(directory, count)).map((node, at) => rqliteNode(directory, String(at + 1), node));
  },
};

async function startMuster(place: NodePlace, flags: readonly string[]): Promise<BenchNode> {
  const node = NodeProcess.start(place, flags);
  const stop = async (signal: "SIGKILL" | "SIGTERM" = "SIGKILL") => void await node.stop(signal);
  try {
    await node.ready();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    id: place.id,
    url: node.url,
    pid: node.pid,
    log: () => node.log,
    stop,
    restart: () => startMuster(place, flags),
  };
}

function rqliteNode(directory: string, id: string, { url, pid, log, stop }: Rqlite): BenchNode {
  return { id, url, pid, log, stop, restart: async () => rqliteNode(directory, id, await startRqlite(directory, id)) };
}

/** All nodes, or none: when one failed the others are ended. */
async function allOf(started: readonly PromiseSettledResult<BenchNode>[]): Promise<BenchNode[]> {
  const nodes = started.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  const failed = started.find((one) => one.status === "rejected");
  if (failed === undefined) return nodes;
  await Promise.all(nodes.map((node) => node.stop()));
  throw failed.reason;
}

/** The node that leads, as all of them say. */
export async function leaderAmong(nodes: readonly BenchNode[]): Promise<BenchNode> {
  return await until("one leader", async () => {
    const ids = await Promise.all(nodes.map(async ({ url }) => {
      const response = await fetch(`${url}/status?key=store.leader.node_id`, { signal: AbortSignal.timeout(2000) });
      return await response.json() as unknown;
    }));
    const leader = nodes.find(({ id }) => id === ids[0]);
    return ids.every((id) => id === ids[0]) ? leader : undefined;
  }, LEADER_MS_MAX);
}

/** Rows of the first statement of an answer. */
export type Values = readonly (readonly unknown[])[];

/**
 * Sends statements and looks at the answer.
 * @param path With parameters.
 * @throws {Error} When the answer is an error, or has one inside.
 */
export async function send(node: BenchNode, path: string, body: string, timeoutMs = 30_000): Promise<Values> {
  const response = await fetch(node.url + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  if (!response.ok || text.includes('"error"')) throw new Error(`${response.status} ${text.slice(0, 300)}`);
  const { results }: { results: readonly { values?: Values }[] } = JSON.parse(text);
  return results[0]?.values ?? [];
}

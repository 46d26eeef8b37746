/**
 * The nodes under test: real processes, each in a namespace of its own where there are such, started again with the
 * flags they had. It knows which of them were ended on purpose, and tells of the others.
 * @module
 */
import {
  clusterAddrOf,
  clusterFlags,
  type NodePlace,
  nodePlace,
  NodeProcess,
  until,
} from "../../tests/harness/processes.ts";
import type { Network } from "./network.ts";

const READY_MS_MAX = 60_000;
const STATUS_MS_MAX = 2000;

/** The part of `/status` that is needed. */
interface Status {
  readonly store: {
    readonly nodes: readonly { readonly id: string; readonly suffrage: string }[];
    readonly raft: {
      readonly state: string;
      readonly term: number;
      readonly applied_index: number;
      readonly last_log_index: number;
    };
  };
}

/** One node. */
export interface ChaosNode {
  readonly id: string;
  /** Of its HTTP API. */
  readonly url: string;
  readonly place: NodePlace;
  /** Its command line. */
  readonly args: readonly string[];
  readonly wrapper: readonly string[];
  process: NodeProcess | undefined;
  /** The output of its ended processes, and of the one before. */
  log: string;
}

/** The directory and the settings of a cluster. */
export interface ClusterOptions {
  readonly root: string;
  readonly count: number;
  readonly network: Network | undefined;
  /** Data directory of the last node. */
  readonly lastDirectory: string;
  /** Whether linearizable reads are answered by leases. */
  readonly leases: boolean;
  /** Whether the nodes are servers of a pool of agents. */
  readonly agents: boolean;
  /** File that changes are delivered to; not by agents. */
  readonly changes: string;
}

/** Command line of a server of a pool of agents. */
function agentArgs(place: NodePlace, founders: readonly NodePlace[]): string[] {
  const { host = "127.0.0.1", id, httpPort, clusterPort, directory } = place;
  return [
    "agent",
    "-server",
    `-node=${id}`,
    `-bootstrap-expect=${founders.length}`,
    `-bind=${host}`,
    `-client=${host}`,
    `-serf-lan-port=${clusterPort}`,
    `-http-port=${httpPort}`,
    "-dns-port=-1",
    `-data-dir=${directory}`,
    "-retry-interval=1s",
    ...founders.map((founder) => `-retry-join=${clusterAddrOf(founder)}`),
  ];
}

/** Command line of a node. */
function serveArgs(place: NodePlace, flags: readonly string[]): string[] {
  const { host = "127.0.0.1", id, httpPort, directory } = place;
  const address = `${host}:${httpPort}`;
  return ["serve", "-node-id", id, "-raft-addr", clusterAddrOf(place), "-http-addr", address, ...flags, directory];
}

/** The nodes, and one more that comes and goes. */
export class ChaosCluster {
  readonly nodes: readonly ChaosNode[];
  readonly guest: ChaosNode;
  /** Nodes that ended without being told to. */
  readonly unexpected: string[] = [];
  readonly #stopping = new Set<NodeProcess>();
  #mayEnd: ChaosNode | undefined;
  #isClosed = false;

  constructor({ root, count, network, lastDirectory, leases, agents, changes }: ClusterOptions) {
    const places = Array.from({ length: count + 1 }, (_, at): NodePlace => {
      const place = nodePlace(root, String(at + 1));
      const directory = at === count - 1 ? lastDirectory : place.directory;
      return { ...place, directory, ...(network ? { host: network.host(at) } : {}) };
    });
    const founders = places.slice(0, count);
    const join = ["-join", founders.map(clusterAddrOf).join(",")];
    const all = places.map((place, at): ChaosNode => {
      const { host = "127.0.0.1", httpPort } = place;
      const address = `${host}:${httpPort}`;
      const flags = at < count ? [...clusterFlags(founders), "-cdc-config", changes] : ["-raft-non-voter", ...join];
      return {
        id: place.id,
        url: `http://${address}`,
        place,
        args: agents
          ? agentArgs(place, founders)
          : serveArgs(place, [...flags, ...(leases ? ["-raft-lease-reads"] : [])]),
        wrapper: network?.wrapper(at) ?? [],
        process: undefined,
        log: "",
      };
    });
    this.nodes = all.slice(0, count);
    this.guest = all[count];
  }

  /** Starts a node that is not running. */
  start(node: ChaosNode): void {
    if (this.#isClosed) throw new Error("Cannot start a node: the cluster is closed");
    if (node.process?.running) return;
    const process = NodeProcess.startWith(node.place, node.args, { wrapper: node.wrapper });
    node.process = process;
    process.whenEnded().then(({ code, signal }) => {
      node.log = (node.log + process.log).slice(-400_000);
      if (this.#stopping.has(process) || this.#isClosed || this.#mayEnd === node) return;
      this.unexpected.push(
        `node ${node.id} ended by itself (${signal ?? `exit code ${code}`}): ${lastLine(process.log)}`,
      );
    });
  }

  /** Ends a node. */
  async stop(node: ChaosNode, signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    if (!node.process) return;
    this.#stopping.add(node.process);
    await node.process.stop(signal);
  }

  /** Sends a signal that does not end it. */
  signal(node: ChaosNode, signal: "SIGSTOP" | "SIGCONT"): void {
    if (node.process?.running) node.process.signal(signal);
  }

  /** During `work` this node may end by itself. */
  async allowEnd(node: ChaosNode, work: () => Promise<void>): Promise<void> {
    this.#mayEnd = node;
    try {
      await work();
    } finally {
      this.#mayEnd = undefined;
    }
  }

  /** The status of a node; undefined if the node does not answer. */
  async status(node: ChaosNode): Promise<Status | undefined> {
    try {
      const response = await fetch(`${node.url}/status`, { signal: AbortSignal.timeout(STATUS_MS_MAX) });
      return await response.json();
    } catch {
      return undefined;
    }
  }

  /** The node that leads; of several that believe so, the one with the latest term. */
  async leader(): Promise<ChaosNode> {
    return await until("a leader", async () => {
      const said = await Promise.all(this.nodes.map(async (node) => ({ node, status: await this.status(node) })));
      return said
        .flatMap(({ node, status }) => status?.store.raft.state === "Leader" ? [{ node, status }] : [])
        .sort((a, b) => b.status.store.raft.term - a.status.store.raft.term)[0]?.node;
    }, READY_MS_MAX);
  }

  /** Resolves when every node of the list is ready, has caught up, and is a voter. */
  async settled(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.ready(node)));
    await this.hasMembers((members) =>
      members.length === this.nodes.length && members.every(({ suffrage }) => suffrage === "voter")
    );
  }

  /** Resolves when a node says that it is ready and has caught up; starts it if it has ended. */
  async ready(node: ChaosNode): Promise<void> {
    await until(`node ${node.id} ready`, async () => {
      this.start(node);
      const response = await fetch(`${node.url}/readyz?sync&timeout=2s`, { signal: AbortSignal.timeout(3000) });
      const text = await response.text();
      if (!response.ok) throw new Error(text);
      return true;
    }, READY_MS_MAX);
  }

  /** Resolves when the leader's list of members is as wanted. */
  async hasMembers(check: (members: Status["store"]["nodes"]) => boolean): Promise<void> {
    await until("the members as wanted", async () => {
      const members = (await this.status(await this.leader()))?.store.nodes;
      return members && check(members) ? true : undefined;
    }, READY_MS_MAX);
  }

  /** Takes a node out of the cluster. */
  async remove(node: ChaosNode): Promise<void> {
    await until(`node ${node.id} removed`, async () => {
      const leader = await this.leader();
      const response = await fetch(`${leader.url}/remove?timeout=3s`, {
        method: "DELETE",
        body: JSON.stringify({ id: node.id }),
        signal: AbortSignal.timeout(4000),
      });
      await response.text();
      const members = (await this.status(await this.leader()))?.store.nodes;
      return members && members.every(({ id }) => id !== node.id) ? true : undefined;
    }, READY_MS_MAX);
  }

  /** Hands leadership to a node, if it can have it. */
  async lead(node: ChaosNode): Promise<void> {
    const leader = await this.leader();
    if (leader === node) return;
    const response = await fetch(`${leader.url}/leader?wait&timeout=3s`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ id: node.id }),
      signal: AbortSignal.timeout(4000),
    });
    await response.text();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.nodes, this.guest].map((node) => this.stop(node)));
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

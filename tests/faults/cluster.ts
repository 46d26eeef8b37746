/**
 * A cluster for what real users ran into: after each case every node must run, agree with the others, and take writes,
 * and do so again after all of them were killed.
 */
import { assertEquals } from "@std/assert";
import {
  clusterFlags,
  type NodePlace,
  nodePlace,
  type NodeProcess,
  type Results,
  type StartNode,
  until,
} from "../harness/processes.ts";

/** Nodes under test. */
export class FaultCluster {
  readonly #places: readonly NodePlace[];
  readonly #start: StartNode;
  readonly #flags: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  nodes: NodeProcess[] = [];
  #writes = 0;

  constructor(
    root: string,
    start: StartNode,
    { count, flags, env }: { count: number; flags: readonly string[]; env: Readonly<Record<string, string>> },
  ) {
    this.#places = Array.from({ length: count }, (_, at) => nodePlace(root, `${at + 1}`));
    this.#start = start;
    this.#flags = [...(count > 1 ? clusterFlags(this.#places) : []), ...flags];
    this.#env = env;
  }

  /** Starts all nodes and waits for them. */
  async start(): Promise<void> {
    this.nodes = this.#places.map((place) => this.#start(place, this.#flags, { env: this.#env }));
    await Promise.all(this.nodes.map((node) => node.ready()));
  }

  /** Sends statements; whatever comes back. */
  async x(path: string, statements: readonly unknown[], node = this.nodes[0]): Promise<Results> {
    return await node.send(`/db/${path}${path.includes("?") ? "&" : "?"}errors=v1`, statements);
  }

  /** The results of a request as text. */
  async text(path: string, statements: readonly unknown[], node = this.nodes[0]): Promise<string> {
    return JSON.stringify((await this.x(path, statements, node)).results);
  }

  /** Values of the only result of a query, on each node from its own copy. */
  async everywhere(sql: string): Promise<unknown> {
    await this.inStep();
    const all = await Promise.all(this.nodes.map((node) => this.x("query?level=none", [sql], node)));
    for (const one of all) assertEquals(one.results, all[0].results);
    return all[0].results[0].error ?? all[0].results[0].values ?? [];
  }

  /** Waits until every node has applied what the furthest one has committed. */
  async inStep(): Promise<void> {
    await until("all nodes in step", async () => {
      const raft = await Promise.all(this.nodes.map((node) => node.status("store.raft"))) as Record<string, number>[];
      const commit = Math.max(...raft.map(({ commit_index }) => commit_index));
      return raft.every(({ applied_index }) => applied_index >= commit) || undefined;
    }, 60_000);
  }

  /** Every node runs, holds the same, and takes a write. */
  async isSound(): Promise<void> {
    for (const node of this.nodes) {
      if (!node.running) throw new Error(`node ${node.place.id} ended:\n${node.log.slice(-2000)}`);
    }
    await this.inStep();
    await until("a write", async () => {
      await this.nodes[0].execute(`CREATE TABLE IF NOT EXISTS sound(n)`, [
        "INSERT INTO sound VALUES(?)",
        ++this.#writes,
      ]);
      return true;
    });
    const response = await fetch(`${this.nodes[0].url}/verify`, { method: "POST" });
    const { equal, complete } = await response.json();
    assertEquals([response.status, equal, complete], [200, true, true]);
  }

  /** Kills all nodes and starts them again. */
  async restart(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop("SIGKILL")));
    await this.start();
  }
}

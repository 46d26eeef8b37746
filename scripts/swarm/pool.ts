/**
 * The agents of a swarm: servers and clients that can be killed and started again with the flags they had.
 * @module
 */
import {
  type AgentPlace,
  agentPlace,
  type AgentProcess,
  leaderAmong,
  type StartAgent,
} from "../../tests/harness/agents.ts";
import { until } from "../../tests/harness/processes.ts";

/** A start takes a second of processor time. */
const STARTS_AT_A_TIME = 6;
const SEEN_MS_MAX = 120_000;

/** How many agents there are, and where their data are. */
export interface PoolSize {
  readonly root: string;
  readonly serverCount: number;
  readonly clientCount: number;
}

/** The agents. */
export class Pool {
  servers: readonly AgentProcess[] = [];
  clients: readonly AgentProcess[] = [];
  readonly #start: StartAgent;
  readonly #serverPlaces: readonly AgentPlace[];
  readonly #clientPlaces: readonly AgentPlace[];

  constructor(start: StartAgent, { root, serverCount, clientCount }: PoolSize) {
    this.#start = start;
    this.#serverPlaces = Array.from({ length: serverCount }, (_, at) => agentPlace(root, `server-${at + 1}`));
    this.#clientPlaces = Array.from({ length: clientCount }, (_, at) => agentPlace(root, `client-${at + 1}`));
  }

  /** All agents, running or not. */
  get agents(): AgentProcess[] {
    return [...this.servers, ...this.clients];
  }

  /** Starts all agents, a few at a time. @returns When the last ones were started, in milliseconds. */
  async startAll(): Promise<number> {
    this.servers = this.#serverPlaces.map((place) => this.#server(place));
    await leaderAmong(this.servers, SEEN_MS_MAX);
    this.clients = [];
    let lastMs = performance.now();
    while (this.clients.length < this.#clientPlaces.length) {
      const first = this.clients.length;
      lastMs = performance.now();
      const some = this.#clientPlaces.slice(first, first + STARTS_AT_A_TIME).map((place) => this.#client(place));
      this.clients = [...this.clients, ...some];
      await Promise.all(some.map((client) => client.up()));
    }
    return lastMs;
  }

  /** Starts clients again that were killed; resolves when they answer. */
  async restart(clients: readonly AgentProcess[]): Promise<void> {
    const started = clients.map(({ place }) => this.#client(place));
    this.clients = this.clients.map((client) => started.find(({ place }) => place === client.place) ?? client);
    await Promise.all(started.map((client) => client.up()));
  }

  /** Kills agents. */
  async kill(agents: readonly AgentProcess[]): Promise<void> {
    await Promise.all(agents.map((agent) => agent.stop("SIGKILL")));
  }

  /** Waits until every agent sees every other one alive. */
  async allSeeAll(): Promise<void> {
    const all = this.agents;
    await Promise.all(all.map((agent) =>
      until(`${agent.place.name} sees all`, async () => {
        const states = Object.values(await agent.members());
        return states.length === all.length && states.every((state) => state === "alive") || undefined;
      }, SEEN_MS_MAX)
    ));
  }

  get #join(): string[] {
    return this.#serverPlaces.map(({ host, port }) => `-retry-join=${host}:${port}`);
  }

  #server(place: AgentPlace): AgentProcess {
    return this.#start(place, "-server", `-bootstrap-expect=${this.#serverPlaces.length}`, ...this.#join);
  }

  #client(place: AgentPlace): AgentProcess {
    return this.#start(place, ...this.#join);
  }
}

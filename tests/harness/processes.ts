/**
 * Real nodes for tests, the demonstration and the benchmark: processes on free loopback ports, waited for by what they
 * answer, ended and cleaned up whatever happens.
 */

import { IN_THREADS, type Running, startThread } from "./thread.ts";

/**
 * How the program is started: from the source, or a binary when MUSTER_BINARY names one.
 * @param source Directory of another source, with a slash at its end.
 */
export function musterCommand(source?: string): { readonly command: string; readonly args: readonly string[] } {
  const binary = Deno.env.get("MUSTER_BINARY");
  if (binary && source === undefined) return { command: binary, args: [] };
  const root = source ?? new URL("../../", import.meta.url).pathname;
  return { command: Deno.execPath(), args: ["run", `--config=${root}deno.json`, "-P=muster", `${root}mod.ts`] };
}

const portsGiven = new Set<number>([10_080]); // which fetch() refuses to ask, as browsers do

/** The ports that tests may take beside other tests (scripts/ok.ts gives each lane its own), `FIRST-LAST`. */
const [FIRST_PORT, LAST_PORT] = (Deno.env.get("MUSTER_TEST_PORTS") ?? "10000-29999").split("-").map(Number);

/**
 * A port that nothing listens on now, and that was not given to anybody else here. Below the range from which the system
 * takes ports for outgoing connections: one of those could take it before its owner starts.
 */
export function freePort(): number {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT + 1 - FIRST_PORT));
    if (portsGiven.has(port)) continue;
    portsGiven.add(port);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch {
      // in use: another one
    }
  }
}

/** Time between two looks of {@linkcode until}, which grows with the time waited: each may be a request to a busy node. */
const [LOOK_MS_MIN, LOOK_MS_MAX] = [10, 200];

/** Waits until `check` gives something; fails with `what` and the last error after `timeoutMs`. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 30_000,
): Promise<T> {
  const startedMs = performance.now();
  const deadline = startedMs + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const found = await check();
      if (found !== undefined) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    const lookMs = Math.min(LOOK_MS_MAX, LOOK_MS_MIN + (performance.now() - startedMs) / 10);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  throw new Error(`${what} did not happen within ${timeoutMs} ms${last === undefined ? "" : `: ${last}`}`);
}

/** This program was told to end. */
export class Interrupted extends Error {}

/** The signals that tell a tool to end. */
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Resolves when the program is told to end; it is up to its tool then to do so. */
export function interruption(): Promise<undefined> {
  const told = Promise.withResolvers<undefined>();
  for (const signal of ENDING) Deno.addSignalListener(signal, () => told.resolve(undefined));
  return told.promise;
}

/**
 * Waits for the work of a tool, and fails as soon as the program is told to end, so that everything the tool has started
 * is ended, too. Told once more, the program goes on ending.
 */
export async function untilInterrupted(work: Promise<void>): Promise<void> {
  const told = Promise.withResolvers<never>();
  const fail = () => told.reject(new Interrupted("interrupted"));
  for (const signal of ENDING) Deno.addSignalListener(signal, fail);
  await Promise.race([work, told.promise]);
  for (const signal of ENDING) Deno.removeSignalListener(signal, fail);
}

/**
 * A connection for each request: over one that is kept, `fetch` sends a POST again when the server closes it meanwhile
 * (tried on Deno 2.9.6), and a write would be made twice.
 */
const sendOnce = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });

/** One row of results, as far as tests look at it. */
export interface Results {
  readonly results: readonly {
    readonly values?: readonly (readonly unknown[])[];
    readonly error?: string;
    readonly error_v2?: unknown;
    readonly last_insert_id?: number;
    readonly rows_affected?: number;
  }[];
  readonly error?: string;
  readonly outcome?: string;
}

/** The addresses and the data directory of a node. */
export interface NodePlace {
  readonly id: string;
  readonly directory: string;
  /** Loopback address of the cluster port. @default {"127.0.0.1"} */
  readonly host?: string;
  readonly httpPort: number;
  readonly clusterPort: number;
}

/** A place for a node, with free ports. */
export function nodePlace(root: string, id: string): NodePlace {
  return { id, directory: `${root}/${id}`, httpPort: freePort(), clusterPort: freePort() };
}

/** Cluster address of a place. */
export function clusterAddrOf({ host = "127.0.0.1", clusterPort }: NodePlace): string {
  return `${host}:${clusterPort}`;
}

/** How a node is started, where that differs from the usual. */
export interface StartOptions {
  /** In a Worker of this process. @default {whether all are, see thread.ts} */
  readonly isThread?: boolean;
  /** Further environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Program that gets the command line as its arguments and replaces itself by it. */
  readonly wrapper?: readonly string[];
  /** Directory of another source, with a slash at its end. @default {this one} */
  readonly source?: string;
  /** Certificate of the authority that its HTTPS is to be of, PEM; without one it has HTTP. */
  readonly caCert?: string;
  /** What its clients show, PEM: requests of this harness do so. */
  readonly identity?: { readonly cert: string; readonly key: string };
}

function spawnServer(args: readonly string[], { env, source, wrapper = [] }: StartOptions): Running {
  const { command: program, args: before } = musterCommand(source);
  const [command, ...others] = [...wrapper, program];
  return new Deno.Command(command, {
    args: [...others, ...before, ...args],
    env: { ...env },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** A running node. */
export class NodeProcess {
  readonly place: NodePlace;
  readonly #child: Running;
  readonly #output: Promise<void>;
  readonly #scheme: "http" | "https";
  readonly #client: Deno.HttpClient;
  #lines = "";
  #ended: Deno.CommandStatus | undefined;

  private constructor(place: NodePlace, child: Running, { caCert, identity }: StartOptions) {
    this.place = place;
    this.#scheme = caCert === undefined ? "http" : "https";
    this.#client = caCert === undefined
      ? sendOnce
      : Deno.createHttpClient({ poolMaxIdlePerHost: 0, caCerts: [caCert], ...identity });
    this.#child = child;
    child.status.then((status) => this.#ended = status);
    this.#output = this.#collect(child.stderr);
  }

  /** Starts a node at `place` with further flags; does not wait. */
  static start(
    place: NodePlace,
    flags: readonly string[] = [],
    options: StartOptions = {},
  ): NodeProcess {
    return NodeProcess.startWith(place, [
      "serve",
      "-node-id",
      place.id,
      "-http-addr",
      `127.0.0.1:${place.httpPort}`,
      "-raft-addr",
      clusterAddrOf(place),
      ...flags,
      place.directory,
    ], options);
  }

  /** Starts a node by a whole command line; does not wait. */
  static startWith(place: NodePlace, args: readonly string[], options: StartOptions = {}): NodeProcess {
    const { isThread = IN_THREADS, env } = options;
    const child = isThread ? startThread(args, env) : spawnServer(args, options);
    return new NodeProcess(place, child, options);
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#lines = (this.#lines + decoder.decode(chunk, { stream: true })).slice(-200_000);
    }
  }

  /** Its output on stderr. */
  get log(): string {
    return this.#lines;
  }

  /**
   * Waits until it has said something like `pattern`: what it answers may arrive before what it said earlier.
   * @throws {Error} When it does not within 30 s.
   */
  async says(pattern: RegExp): Promise<void> {
    await until(`node ${this.place.id} saying ${pattern}`, () => pattern.test(this.log) || undefined);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.place.httpPort}`;
  }

  get clusterAddr(): string {
    return clusterAddrOf(this.place);
  }

  get running(): boolean {
    return this.#ended === undefined;
  }

  /** Resolves when `/readyz` says so. */
  async ready(timeoutMs = 30_000): Promise<void> {
    try {
      const ready = await until(`node ${this.place.id} ready`, async () => {
        if (!this.running) return false;
        const response = await this.get("/readyz", 2000);
        await response.text();
        return response.ok ? true : undefined;
      }, timeoutMs);
      if (!ready) throw new Error(`node ${this.place.id} ended instead of becoming ready`);
    } catch (error) {
      throw new Error(`${error}\n${this.log}`);
    }
  }

  /** Gets something. */
  get(path: string, timeoutMs = 5000): Promise<Response> {
    return fetch(this.url + path, { client: this.#client, signal: AbortSignal.timeout(timeoutMs) });
  }

  /** Sends statements to an endpoint. */
  async send(path: string, statements: unknown, timeoutMs = 20_000): Promise<Results> {
    const response = await fetch(`${this.url}${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(statements),
      client: this.#client,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return JSON.parse(text);
  }

  /** Runs writes; fails on any error. */
  async execute(...statements: unknown[]): Promise<Results> {
    return checked(await this.send("/db/execute", statements));
  }

  /** First row of a query. */
  async row(sql: string, level = "weak"): Promise<readonly unknown[]> {
    const { results } = checked(await this.send(`/db/query?level=${level}`, [sql]));
    return results[0].values?.[0] ?? [];
  }

  /** Part of `/status`. */
  async status(key: string): Promise<unknown> {
    const response = await this.get(`/status?key=${key}`);
    return await response.json();
  }

  /** Id of the leader as this node knows it; undefined for none. */
  async leader(): Promise<string | undefined> {
    const id = await this.status("store.leader.node_id");
    return typeof id === "string" && id !== "" ? id : undefined;
  }

  /** Sends a signal and resolves to the exit status. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Deno.CommandStatus> {
    if (this.running) {
      try {
        this.#child.kill(signal);
      } catch {
        // it ended just now
      }
    }
    return await this.whenEnded();
  }

  /** Resolves when it ends, however long that takes. */
  async whenEnded(): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    await this.#output;
    return status;
  }

  /**
   * Waits until it ends by itself.
   * @throws {Error} When it has not within a minute.
   */
  async ended(): Promise<Deno.CommandStatus> {
    await until(`the end of node ${this.place.id}`, () => this.running ? undefined : true, 60_000);
    return await this.whenEnded();
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }
}

function checked(results: Results): Results {
  const error = results.error ?? results.results.find((one) => one.error !== undefined)?.error;
  if (error !== undefined) throw new Error(error);
  return results;
}

/** Flags for nodes that form one cluster. */
export function clusterFlags(places: readonly NodePlace[]): string[] {
  return [
    "-bootstrap-expect",
    String(places.length),
    "-join",
    places.map(clusterAddrOf).join(","),
  ];
}

/** Starts a node and sees to its end. */
export type StartNode = (place: NodePlace, flags?: readonly string[], options?: StartOptions) => NodeProcess;

/** Runs `work` in a new directory with nodes that it starts through `start`; all is gone afterwards. */
export async function withNodes(work: (root: string, start: StartNode) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "muster-test-" });
  const nodes: NodeProcess[] = [];
  try {
    await work(root, (place, flags, options) => {
      const node = NodeProcess.start(place, flags, options);
      nodes.push(node);
      return node;
    });
  } catch (error) {
    for (const node of nodes) console.error(`── node ${node.place.id} (${node.pid}):\n${node.log.slice(-4000)}`);
    throw error;
  } finally {
    await Promise.all(nodes.map((node) => node.stop("SIGKILL")));
    await Deno.remove(root, { recursive: true });
  }
}

/** The same with nodes in Workers of this process. */
export async function withThreads(work: (root: string, start: StartNode) => Promise<void>): Promise<void> {
  await withNodes((root, start) =>
    work(root, (place, flags, options) => start(place, flags, { ...options, isThread: true }))
  );
}

/** Starts `count` nodes that form a cluster, and waits for it. */
export async function startCluster(root: string, start: StartNode, count = 3): Promise<NodeProcess[]> {
  const places = Array.from({ length: count }, (_, at) => nodePlace(root, String(at + 1)));
  const nodes = places.map((place) => start(place, clusterFlags(places)));
  await Promise.all(nodes.map((node) => node.ready()));
  return nodes;
}

/** The node that leads, as all running ones agree. */
export async function leaderOf(nodes: readonly NodeProcess[]): Promise<NodeProcess> {
  return await until("one leader", async () => {
    const running = nodes.filter((node) => node.running);
    const ids = await Promise.all(running.map((node) => node.leader().catch(() => undefined)));
    const leader = running.find((node) => node.place.id === ids[0]);
    return leader && ids.every((id) => id === ids[0]) ? leader : undefined;
  });
}

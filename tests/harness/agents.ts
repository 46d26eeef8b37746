/**
 * Real agents for tests and the demonstration: processes on loopback addresses and free ports, the command line, `dig`;
 * waited for by what they say, ended and cleaned up whatever happens.
 */
import { runWith } from "./peers/process.ts";
import { freePort, Interrupted, musterCommand, until } from "./processes.ts";
import { IN_THREADS, type Running, startThread } from "./thread.ts";

/** The addresses and the data directory of an agent. */
export interface AgentPlace {
  readonly name: string;
  /** Address of everything: cluster, HTTP and DNS. */
  readonly host: string;
  readonly port: number;
  readonly httpPort: number;
  readonly dnsPort: number;
  readonly directory: string;
  /** Port of its pool across datacenters; `default`: the one that it has without a setting. @default {it is in none} */
  readonly wanPort?: number | "default";
  /** Program that gets the command line and replaces itself by it. */
  readonly wrapper?: readonly string[];
  /** Directory of another source, with a slash at its end. @default {this one} */
  readonly source?: string;
}

/** A place with free ports; its data are in `root`. */
export function agentPlace(root: string, name: string, host = "127.0.0.1"): AgentPlace {
  const directory = `${root}/${name}`;
  return { name, host, port: freePort(), httpPort: freePort(), dnsPort: freePort(), directory };
}

/** A program's end. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line to its end. */
export async function muster(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  if (IN_THREADS) return await endOf(startThread(args, env));
  const { command, args: before } = musterCommand();
  return await finished(command, [...before, ...args], env);
}

/** The same in a process of its own, with a text on standard input. */
export async function musterWith(
  input: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const { command, args: before } = musterCommand();
  const { code, out, errors } = await runWith(command, [...before, ...args], input, env);
  return { code, stdout: out, stderr: errors };
}

async function endOf({ status, stdout, stderr }: Running): Promise<Finished> {
  const [out, errors, { code }] = await Promise.all([stdout.text(), stderr.text(), status]);
  return { code, stdout: out, stderr: errors };
}

async function finished(command: string, args: string[], env: Readonly<Record<string, string>>): Promise<Finished> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, env: { ...env }, stdin: "null" }).output();
  const decoder = new TextDecoder();
  // The runtime itself warns of the permissions in the configuration file.
  const errors = decoder.decode(stderr).split("\n").filter((line) => !line.includes("Permissions in the config file"));
  return { code, stdout: decoder.decode(stdout), stderr: errors.join("\n") };
}

/** Answers of `dig`, with further arguments. */
export async function dig(place: AgentPlace, ...args: string[]): Promise<string> {
  const { stdout } = await finished("dig", [`@${place.host}`, "-p", String(place.dnsPort), "+time=5", ...args], {});
  return stdout.trim();
}

function spawnAgent({ wrapper = [], source }: AgentPlace, args: readonly string[]): Running {
  const { command: program, args: before } = musterCommand(source);
  const [command, ...others] = [...wrapper, program];
  return new Deno.Command(command, {
    args: [...others, ...before, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** A running agent. */
export class AgentProcess {
  readonly place: AgentPlace;
  readonly #child: Running;
  readonly #output: Promise<unknown>;
  #said = "";
  #ended: Deno.CommandStatus | undefined;

  /** Starts `muster agent` at `place`, in a process or a Worker of this one; does not wait. */
  constructor(place: AgentPlace, flags: readonly string[], isThread = IN_THREADS) {
    this.place = place;
    const args = [
      "agent",
      `-node=${place.name}`,
      `-bind=${place.host}`,
      `-client=${place.host}`,
      `-serf-lan-port=${place.port}`,
      ...place.wanPort === "default" ? [] : [`-serf-wan-port=${place.wanPort ?? -1}`],
      `-http-port=${place.httpPort}`,
      `-dns-port=${place.dnsPort}`,
      `-data-dir=${place.directory}`,
      ...flags,
    ];
    this.#child = isThread ? startThread(args) : spawnAgent(place, args);
    this.#child.status.then((status) => this.#ended = status);
    this.#output = Promise.all([this.#collect(this.#child.stdout), this.#collect(this.#child.stderr)]);
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#said = (this.#said + decoder.decode(chunk, { stream: true })).slice(-200_000);
    }
  }

  /** Its output. */
  get log(): string {
    return this.#said;
  }

  /**
   * Waits until it has said something like `pattern`: what it answers may arrive before what it said earlier.
   * @throws {Error} When it does not within 30 s.
   */
  async says(pattern: RegExp): Promise<void> {
    await until(`${this.place.name} saying ${pattern}`, () => pattern.test(this.log) || undefined);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#ended === undefined;
  }

  get url(): string {
    return `http://${this.place.host}:${this.place.httpPort}`;
  }

  /** Its address in the pool. */
  get addr(): string {
    return `${this.place.host}:${this.place.port}`;
  }

  /** Runs a client command against it. */
  async muster(...args: string[]): Promise<Finished> {
    return await muster(args, { MUSTER_HTTP_ADDR: `${this.place.host}:${this.place.httpPort}` });
  }

  /** The same with a text on standard input. */
  async musterWith(
    input: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Finished> {
    return await musterWith(input, args, { MUSTER_HTTP_ADDR: `${this.place.host}:${this.place.httpPort}`, ...env });
  }

  /** Sends a request; the body as text. */
  async http(method: string, path: string, body?: string): Promise<{ status: number; headers: Headers; text: string }> {
    const response = await fetch(this.url + path, {
      method,
      ...(body === undefined ? {} : { body, headers: { "Content-Type": "application/json" } }),
      signal: AbortSignal.timeout(30_000),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  /** JSON of a GET; fails unless it is answered 200. */
  // deno-lint-ignore no-explicit-any
  async get(path: string): Promise<any> {
    const { status, text } = await this.http("GET", path);
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
    return JSON.parse(text);
  }

  /** Resolves when HTTP answers. */
  async up(): Promise<void> {
    await until(`agent ${this.place.name} up`, async () => {
      if (!this.running) throw new Error(`agent ${this.place.name} has ended:\n${this.log}`);
      return (await this.http("GET", "/v1/agent/members")).status === 200 || undefined;
    });
  }

  /** Names of the members by their state, as this agent sees them. */
  async members(): Promise<Record<string, string>> {
    const words = ["none", "alive", "leaving", "left", "failed"];
    const list: { Name: string; Status: number }[] = await this.get("/v1/agent/members");
    return Object.fromEntries(list.map(({ Name, Status }) => [Name, words[Status]]));
  }

  /** Waits until this agent sees a member in a state; `gone` when it does not see it at all. */
  async sees(name: string, state: string, timeoutMs = 30_000): Promise<void> {
    await until(`${this.place.name} sees ${name} as ${state}`, async () => {
      return ((await this.members())[name] ?? "gone") === state || undefined;
    }, timeoutMs);
  }

  /** Cluster address of the leader; undefined for none. */
  async leader(): Promise<string | undefined> {
    const leader: string = await this.get("/v1/status/leader");
    return leader === "" ? undefined : leader;
  }

  /** Runs statements through the SQL API and returns the rows of the last one. */
  async sql(...statements: unknown[]): Promise<unknown[][]> {
    const { text } = await this.http("POST", "/db/request", JSON.stringify(statements));
    const { results, error } = JSON.parse(text);
    const fault = error ?? results.find((one: { error?: string }) => one.error)?.error;
    if (fault) throw new Error(fault);
    return results.at(-1)?.values ?? [];
  }

  /** Sends a signal and resolves to the exit code. */
  async stop(signal: Deno.Signal): Promise<number> {
    if (this.running) {
      try {
        this.#child.kill(signal);
      } catch {
        // it ended just now
      }
    }
    return await this.ended();
  }

  /** Resolves to the exit code when it has ended. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#output;
    return code;
  }
}

/** Starts an agent and sees to its end. */
export type StartAgent = (place: AgentPlace, ...flags: string[]) => AgentProcess;

/** Runs `work` in a new directory with agents that it starts through `start`; all is gone afterwards. */
export async function withAgents(
  work: (root: string, start: StartAgent) => Promise<void>,
  { isThread = IN_THREADS }: { readonly isThread?: boolean } = {},
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "muster-agent-" });
  const agents: AgentProcess[] = [];
  try {
    await work(root, (place, ...flags) => {
      const agent = new AgentProcess(place, flags, isThread);
      agents.push(agent);
      return agent;
    });
  } catch (error) {
    for (const agent of error instanceof Interrupted ? [] : agents) {
      console.error(`── agent ${agent.place.name} (${agent.pid}):\n${agent.log.slice(-6000)}`);
    }
    throw error;
  } finally {
    await Promise.all(agents.map((agent) => agent.stop("SIGKILL")));
    await Deno.remove(root, { recursive: true });
  }
}

/** The leader's agent, as all running servers among `agents` agree. */
export async function leaderAmong(agents: readonly AgentProcess[], timeoutMs = 30_000): Promise<AgentProcess> {
  return await until("one leader", async () => {
    const running = agents.filter((agent) => agent.running);
    const leaders = await Promise.all(running.map((agent) => agent.leader().catch(() => undefined)));
    const leader = running.find((agent) => agent.addr === leaders[0]);
    return leader && leaders.every((one) => one === leaders[0]) ? leader : undefined;
  }, timeoutMs);
}

/**
 * Debian's `serf` as a peer: real agents on loopback, driven by the command line, ended by their own handle. What an
 * agent logs is kept, and none of it may be an error (G8.4).
 * @module
 */
import { freePort, until } from "./processes.ts";
import { findProgram } from "./peers/process.ts";

const LOG_CHARACTERS_MAX = 2_000_000;
const READY_MS = 10_000;
/** Of its own command line, which hangs up when it has what it wanted, while answers to a query still come. */
const CLIENT_GONE = /agent\.ipc: (?:Failed to stream (?:ack|response) to|failed to decode request header: read tcp)/;
/**
 * Limit for news to reach somebody. It mostly takes a fraction of a second; but in a small pool a message goes to two
 * neighbours only, and who is passed by hears it in one of the next push/pulls, each 15 s (G4.7, G4.8).
 */
export const SPREAD_MS = 45_000;

/** A member, as `serf members -format=json` shows it. */
export interface SerfMemberRow {
  readonly name: string;
  readonly addr: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly status: string;
}

/** How an agent is started, where that differs. */
export interface SerfAgentOptions {
  readonly tags?: Readonly<Record<string, string>>;
  /** Further arguments. */
  readonly args?: readonly string[];
  /** Contents of a configuration file. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Base64 key. */
  readonly key?: string;
  readonly compression?: boolean;
  /** @default a free one */
  readonly port?: number;
  readonly rpcPort?: number;
}

function isMemberList(value: unknown): value is { members: SerfMemberRow[] | null } {
  return typeof value === "object" && value !== null && "members" in value;
}

/** A running agent. */
export class SerfAgent {
  readonly name: string;
  readonly port: number;
  readonly rpcPort: number;
  readonly #child: Deno.ChildProcess;
  readonly #outputs: Promise<void>[];
  readonly #directory: string;
  #log = "";
  #ended: Deno.CommandStatus | undefined;

  private constructor(
    { name, port, rpcPort, directory }: { name: string; port: number; rpcPort: number; directory: string },
    child: Deno.ChildProcess,
  ) {
    this.name = name;
    this.port = port;
    this.rpcPort = rpcPort;
    this.#directory = directory;
    this.#child = child;
    child.status.then((status) => this.#ended = status);
    this.#outputs = [this.#collect(child.stdout), this.#collect(child.stderr)];
  }

  /** Starts an agent and waits until it answers. */
  static async start(name: string, options: SerfAgentOptions = {}): Promise<SerfAgent> {
    const { tags = {}, args = [], config = {}, key, compression = false } = options;
    const { port = freePort(), rpcPort = freePort() } = options;
    const directory = await Deno.makeTempDir({ prefix: "muster-serf-" });
    await Deno.writeTextFile(`${directory}/config.json`, JSON.stringify(config));
    const child = new Deno.Command(await findProgram("serf"), {
      args: [
        "agent",
        `-node=${name}`,
        `-bind=127.0.0.1:${port}`,
        `-rpc-addr=127.0.0.1:${rpcPort}`,
        "-profile=local",
        "-log-level=trace",
        `-config-file=${directory}/config.json`,
        ...Object.entries(tags).flatMap(([tag, value]) => ["-tag", `${tag}=${value}`]),
        ...(key === undefined ? [] : [`-encrypt=${key}`]),
        ...(compression ? [] : ["-disable-compression"]),
        ...args,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const agent = new SerfAgent({ name, port, rpcPort, directory }, child);
    try {
      await until(`serf agent ${name} answers`, async () => {
        if (agent.#ended) throw new Error(agent.log);
        return (await agent.run("members")).code === 0 ? true : undefined;
      }, READY_MS);
    } catch (error) {
      await agent.kill();
      throw error;
    }
    return agent;
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#log = (this.#log + decoder.decode(chunk, { stream: true })).slice(-LOG_CHARACTERS_MAX);
    }
  }

  /** The address for other members. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The lines that it has logged. */
  get log(): string {
    return this.#log;
  }

  /** Whether it has not ended. */
  get isRunning(): boolean {
    return this.#ended === undefined;
  }

  /** Lines that tell of errors, other than those that `allowed` describes. */
  errors(allowed?: RegExp): string[] {
    const lines = this.#log.split("\n").filter((line) => line.includes("[ERR]") && !CLIENT_GONE.test(line));
    return lines.filter((line) => !allowed?.test(line));
  }

  /** Runs a command of the client against it. */
  async run(command: string, ...args: readonly string[]): Promise<{ code: number; output: string }> {
    const { code, stdout, stderr } = await new Deno.Command(await findProgram("serf"), {
      args: [command, `-rpc-addr=127.0.0.1:${this.rpcPort}`, ...args],
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
  }

  /** Runs a command that must succeed. */
  async must(command: string, ...args: readonly string[]): Promise<string> {
    const { code, output } = await this.run(command, ...args);
    if (code !== 0) throw new Error(`serf ${command} ${args.join(" ")} ended with ${code}:\n${output}`);
    return output;
  }

  /** Its members, by name. */
  async members(): Promise<Map<string, SerfMemberRow>> {
    const listed: unknown = JSON.parse(await this.must("members", "-format=json"));
    if (!isMemberList(listed)) throw new Error("unexpected answer of serf members");
    return new Map((listed.members ?? []).map((row) => [row.name, row]));
  }

  /** Waits until it lists `name` so. */
  async sees(name: string, status: string, timeoutMs = SPREAD_MS): Promise<SerfMemberRow> {
    return await until(`${this.name} lists ${name} as ${status}`, async () => {
      const row = (await this.members()).get(name);
      if (row?.status !== status) throw new Error(row?.status ?? "not listed");
      return row;
    }, timeoutMs);
  }

  /** Waits until it has logged something. */
  async logs(pattern: RegExp, timeoutMs = SPREAD_MS): Promise<void> {
    await until(`${this.name} logs ${pattern}`, () => pattern.test(this.#log) || undefined, timeoutMs);
  }

  /** Ends it. */
  async kill(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    try {
      this.#child.kill(signal);
    } catch {
      // it has ended
    }
    await this.ended();
  }

  /** Waits for its end, and cleans up. */
  async ended(): Promise<void> {
    await this.#child.status;
    await Promise.all(this.#outputs);
    await Deno.remove(this.#directory, { recursive: true }).catch(() => {});
  }
}

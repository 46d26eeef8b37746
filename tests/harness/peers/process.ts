/**
 * Services of the system as child processes of a test: found on this machine, started, waited for by what they answer,
 * ended by their own handle and by nothing else. What they say on stderr is kept, the last of it, for the failure
 * message; a service that ends instead of answering fails the wait at once.
 * @module
 */
import { until } from "../processes.ts";

const LOG_CHARACTERS_MAX = 100_000;
const READY_MS = 20_000;
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"]; // daemons live there, off a user's PATH

/**
 * Path of a program, from PATH or the folders for daemons.
 * @throws {Error} When it is not installed.
 */
export async function findProgram(name: string): Promise<string> {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== ""), ...SYSTEM_FOLDERS];
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    const { isFile } = await Deno.stat(path).catch(() => ({ isFile: false }));
    if (isFile) return path;
  }
  throw new Error(`Cannot find ${name}: .ci/run installs it`);
}

/**
 * Runs a program to its end and returns what it says on stdout.
 * @throws {Error} With its stderr, when it fails.
 */
export async function run(name: string, args: readonly string[]): Promise<string> {
  const command = new Deno.Command(await findProgram(name), { args: [...args], stdin: "null" });
  const { success, code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout);
  if (!success) throw new Error(`${name} ${args.join(" ")} ended with ${code}:\n${text}${decoder.decode(stderr)}`);
  return text;
}

/** Runs a program with a text on stdin; what it says, and its end. */
export async function runWith(
  command: string,
  args: readonly string[],
  input: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly success: boolean; readonly out: string; readonly errors: string }> {
  const child = new Deno.Command(command, {
    args: [...args],
    env: { ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, success, out: decoder.decode(stdout), errors: decoder.decode(stderr) };
}

/** A running service. */
export class ServiceProcess {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #output: Promise<void>;
  #log = "";
  #hasEnded = false;

  /** Of its process. */
  get pid(): number {
    return this.#child.pid;
  }

  private constructor(name: string, child: Deno.ChildProcess) {
    this.#name = name;
    this.#child = child;
    child.status.then(() => this.#hasEnded = true);
    this.#output = this.#collect(child.stderr);
  }

  /** Starts a program; does not wait for it to serve. */
  static async start(name: string, args: readonly string[]): Promise<ServiceProcess> {
    const command = new Deno.Command(await findProgram(name), {
      args: [...args],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    return new ServiceProcess(name, command.spawn());
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#log = (this.#log + decoder.decode(chunk, { stream: true })).slice(-LOG_CHARACTERS_MAX);
    }
  }

  /** The end of its output on stderr. */
  get log(): string {
    return this.#log;
  }

  /** Whether it has not ended yet. */
  get isRunning(): boolean {
    return !this.#hasEnded;
  }

  /**
   * Resolves when `check` gives true; errors of `check` count as "not yet".
   * @throws {Error} With the log, when the service ends first or takes too long; it is left as it is.
   */
  async answers(what: string, check: () => Promise<boolean>): Promise<void> {
    try {
      const answer = await until(`${this.#name}: ${what}`, async () => {
        if (this.#hasEnded) return "ended";
        return await check() ? "answered" : undefined;
      }, READY_MS);
      if (answer === "ended") throw new Error(`${this.#name} ended before: ${what}`);
    } catch (error) {
      throw new Error(`${error}\n${this.#log.slice(-4000)}`);
    }
  }

  /** Sends a signal, unless it has ended. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // it has ended
    }
  }

  /** Ends it, if it has not ended, and waits for that. */
  async stop(signal: Deno.Signal): Promise<void> {
    this.signal(signal);
    await this.#child.status;
    await this.#output;
  }
}

/**
 * The command line in a Worker of this process, for tests that start no process: the whole node with all its Workers, its
 * output and its signals, as {@linkcode Deno.ChildProcess} shows those of a process.
 * @module
 */
import { deadline } from "@std/async/deadline";

/** A running command line: a process, or a Worker. */
export type Running = Pick<Deno.ChildProcess, "pid" | "status" | "stdout" | "stderr" | "kill">;

/** To the Worker. */
export type ToThread =
  | {
    readonly k: "run";
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly channel: string;
  }
  | { readonly k: "signal"; readonly name: Deno.Signal };

/** From the Worker: what it prints, and its end. */
export type FromThread =
  | { readonly k: "stdout" | "stderr"; readonly text: string }
  | { readonly k: "ended"; readonly code: number };

/** The rights that deno.json gives the program. */
const PERMISSIONS: Deno.PermissionOptionsObject = {
  read: true,
  write: true,
  net: true,
  env: true,
  sys: true,
  ffi: [new URL("../../src/drivers/libsqlite/library", import.meta.url)],
};

/** What a program prints: text that is written comes out as bytes. */
class Output {
  readonly stream: Deno.ChildProcess["stdout"];
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;

  constructor() {
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => this.#controller = controller,
    });
    const all = async () => new Uint8Array(await new Response(stream).arrayBuffer());
    this.stream = Object.assign(stream, {
      arrayBuffer: async () => (await all()).buffer,
      bytes: all,
      text: () => new Response(stream).text(),
      json: () => new Response(stream).json(),
    });
  }

  write(text: string): void {
    this.#controller?.enqueue(new TextEncoder().encode(text));
  }

  close(): void {
    this.#controller?.close();
  }
}

/** What the parts of a node said before its end has arrived by then. */
const LAST_WORDS_MS = 2000;

let started = 0;

/** MUSTER_TEST_THREADS=1 has all nodes, agents and commands of a test run so, where it needs no other program. */
export const IN_THREADS = Deno.env.get("MUSTER_TEST_THREADS") === "1";

/** Runs the command line with `args` and variables of the environment; SIGKILL ends its Workers at once. */
export function startThread(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const [stdout, stderr] = [new Output(), new Output()];
  const status = Promise.withResolvers<Deno.CommandStatus>();
  const worker = new Worker(new URL("thread_worker.ts", import.meta.url), {
    type: "module",
    name: "muster",
    deno: { permissions: PERMISSIONS },
  });
  const end = (code: number, signal: Deno.Signal | null = null) => {
    worker.terminate();
    parts.close();
    for (const output of [stdout, stderr]) output.close();
    status.resolve({ success: code === 0, code, signal });
  };
  const channel = `muster-output-${Deno.pid}-${++started}`;
  const parts = new BroadcastChannel(channel); // of the node's own Workers
  const last = Promise.withResolvers<void>();
  parts.onmessage = ({ data }: MessageEvent<string>) => data === "" ? last.resolve() : stderr.write(data);
  worker.onmessage = async ({ data }: MessageEvent<FromThread>) => {
    if (data.k === "ended") {
      // What the parts said before may still be under way; where the channel has lost something, it may be this as well.
      await deadline(last.promise, LAST_WORDS_MS).catch(() => {});
      end(data.code);
    } else (data.k === "stdout" ? stdout : stderr).write(data.text);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    stderr.write(`${event.message}\n`);
    end(1);
  };
  const run: ToThread = { k: "run", args, env, channel };
  worker.postMessage(run);
  let isKilled = false;
  return {
    pid: Deno.pid,
    status: status.promise,
    stdout: stdout.stream,
    stderr: stderr.stream,
    kill(name = "SIGTERM") {
      const signal: ToThread = { k: "signal", name: name as Deno.Signal };
      if (name !== "SIGKILL") worker.postMessage(signal);
      else if (!isKilled) end(137, "SIGKILL");
      isKilled ||= name === "SIGKILL";
    },
  };
}

/**
 * Checks that run a program. It gets the environment and the directory of the agent, no input, and a process group of its
 * own, so that what it has started ends with it when it is killed.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import type { ScriptKind } from "../../core/health/check_kind.ts";
import { OutputTail } from "../../core/health/output.ts";
import type { RunContext, RunResult } from "./runner.ts";

/** Time between asking a program to end and killing it. */
const TERM_MS = 1000;
/** Time for what is left in the pipes of a program that has ended, where others hold them open. */
const PIPES_MS = 200;

/** Runs the program: exit code 0 is passing, 1 warning, any other critical. */
export async function checkScript(kind: ScriptKind, { signal, outputBytesMax }: RunContext): Promise<RunResult> {
  const [program, ...args] = kind.shell === undefined ? kind.args : [kind.shell, "-c", ...kind.args];
  const settings = { args, stdin: "null", stdout: "piped", stderr: "piped", detached: true } as const;
  const child = new Deno.Command(program, settings).spawn();
  const tail = new OutputTail(outputBytesMax);
  const readers = [child.stdout, child.stderr].map((stream) => stream.getReader());
  const read = Promise.all(readers.map((reader) => drain(reader, tail)));
  const { promise: aborted, resolve: abort } = Promise.withResolvers<undefined>();
  const onAbort = () => abort(undefined);
  signal.addEventListener("abort", onAbort);
  try {
    const ended = await Promise.race([child.status, aborted]);
    if (ended === undefined) {
      const output = [messageOf(signal.reason), String(tail)].filter((part) => part !== "").join("\n\n");
      return { status: "critical", output, over: kill(child).finally(() => cancel(readers)) };
    }
    await within(read, PIPES_MS);
    cancel(readers);
    const status = ended.code === 0 ? "passing" : ended.code === 1 ? "warning" : "critical";
    return { status, output: String(tail) };
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Reads to the end, however that comes. */
async function drain(reader: ReadableStreamDefaultReader<Uint8Array>, tail: OutputTail): Promise<void> {
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      tail.write(value);
    }
  } catch {
    // A pipe that breaks has nothing more to say.
  }
}

function cancel(readers: readonly ReadableStreamDefaultReader<Uint8Array>[]): void {
  for (const reader of readers) reader.cancel().catch(() => {});
}

/** Resolves once the program has ended. What it has started is killed with it. */
async function kill(child: Deno.ChildProcess): Promise<void> {
  signalGroup(child, "SIGTERM");
  await within(child.status, TERM_MS);
  signalGroup(child, "SIGKILL");
  await child.status;
}

/** Where nothing of the group is left, this does nothing. Windows has no groups: the program alone is killed. */
function signalGroup(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    if (Deno.build.os === "windows") child.kill(signal);
    else Deno.kill(-child.pid, signal);
  } catch {
    // All of them have ended.
  }
}

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}

/**
 * Seeds a bug into a copy of the code and lets the simulation, or the test that must notice it, run on the copy in a
 * process of its own. The copy is removed whatever happens; the code itself is never touched.
 * @module
 */
import { cp } from "node:fs/promises";
import type { BatchOptions } from "../batch.ts";
import { runSeed } from "../cluster.ts";
import { RunFailure } from "../failure.ts";
import type { Bug } from "./bug.ts";
import { ABSENT, BUGS } from "./list.ts";

const ROOT = new URL("../../../", import.meta.url);
/** Longest time that one bug may take. */
const BUG_MS_MAX = 600_000;

/** A mutation that does not fit the code any more. */
export class MutationError extends Error {
  /** Always `MutationError`. */
  override readonly name = "MutationError";
}

/** How a bug fared. */
export interface Caught {
  /** Whether it was noticed. */
  readonly isCaught: boolean;
  /** Seed at which the simulation failed. */
  readonly seed?: number;
  /** Short name of the invariant, or the test file. */
  readonly what: string;
  /** Milliseconds that it took. */
  readonly elapsedMs: number;
}

/**
 * The text of a file with the bug in it.
 * @throws {MutationError} When the text to be replaced does not occur exactly once.
 */
export function mutate(source: string, bug: Bug): string {
  const count = source.split(bug.find).length - 1;
  if (count !== 1) {
    throw new MutationError(
      `Cannot seed bug ${bug.id} as its text must occur once in ${bug.file}: it occurs ${count} times. ` +
        `Bring tests/sim/bugs/list.ts up to date:\n${bug.find}`,
    );
  }
  return source.replace(bug.find, () => bug.replace);
}

/** Runs a bug and shows what its process prints. @returns The exit code of that process: 0 when nothing noticed. */
export async function runBug(bug: Bug, batch?: BatchOptions): Promise<number> {
  return await inCopy(bug, async (copy) => (await execute(command(bug, copy, batch), { isShown: true })).code);
}

/** Runs a bug within its budget, and tells what caught it. */
export async function catchBug(bug: Bug): Promise<Caught> {
  const started = performance.now();
  const { code, output } = await inCopy(bug, (copy) => execute(command(bug, copy), { isShown: false }));
  const elapsedMs = performance.now() - started;
  const failure = /^FAILED: seed (\d+), .*, (\S+)$/m.exec(output);
  if (failure !== null && !output.includes("LibraryError")) {
    const seed = Number(failure[1]);
    // A seed that fails anyway shows nothing about the bug.
    if (!passes(bug, seed)) return { isCaught: false, seed, what: "fails without the bug, too", elapsedMs };
    return { isCaught: true, seed, what: failure[2], elapsedMs };
  }
  if (code === 0) return { isCaught: false, what: "nothing", elapsedMs };
  // A test that fails by itself ends in a line with its counts; code that does not even load proves nothing.
  const isTest = bug.caught.by === "test" && /\| [1-9]\d* failed/.test(output) && !output.includes("(uncaught error)");
  if (isTest) return { isCaught: true, what: bug.caught.file, elapsedMs };
  throw new Error(`Bug ${bug.id} did not run:\n${output.slice(-2000)}`);
}

function passes({ caught }: Bug, seed: number): boolean {
  const { profile = "swarm" } = caught.by === "simulation" ? caught : {};
  try {
    runSeed(seed, { profile });
    return true;
  } catch (error) {
    if (error instanceof RunFailure) return false;
    throw error;
  }
}

/** Runs all bugs and prints a table. @returns Whether each was caught. */
export async function runAllBugs(): Promise<boolean> {
  let areCaught = true;
  console.log(row(["bug", "seed", "by", "seconds", "title"]));
  for (const bug of BUGS) {
    const { isCaught, seed, what, elapsedMs } = await catchBug(bug);
    areCaught &&= isCaught;
    const by = isCaught ? what : `NOT CAUGHT: ${what}`;
    console.log(row([bug.id, seed === undefined ? "-" : `${seed}`, by, (elapsedMs / 1000).toFixed(1), bug.title]));
  }
  for (const { id, title, reason } of ABSENT) console.log(row([id, "-", "not applicable", "-", `${title}: ${reason}`]));
  return areCaught;
}

function row([id, seed, by, seconds, title]: readonly string[]): string {
  return `${id.padEnd(4)} ${seed.padStart(5)} ${by.padEnd(34)} ${seconds.padStart(7)}  ${title}`;
}

/** Gives `work` a copy of the code with the bug in it. */
async function inCopy<T>(bug: Bug, work: (copy: string) => Promise<T>): Promise<T> {
  const copy = await Deno.makeTempDir({ prefix: `muster-bug-${bug.id}-` });
  try {
    // Tests use fixtures of their neighbours; the simulation stands alone.
    const folders = bug.caught.by === "test" ? ["src", "tests"] : ["src", "tests/sim", "tests/harness"];
    for (const folder of [...folders, "deno.json", "deno.dev.lock"]) {
      await cp(new URL(folder, ROOT), `${copy}/${folder}`, { recursive: true });
    }
    const path = `${copy}/${bug.file}`;
    await Deno.writeTextFile(path, mutate(await Deno.readTextFile(path), bug));
    return await work(copy);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

function command(bug: Bug, copy: string, batch?: BatchOptions): Deno.Command {
  const { caught } = bug;
  const options = { cwd: copy, stdin: "null", stdout: "piped", stderr: "piped", env: { NO_COLOR: "1" } } as const;
  if (caught.by === "test" && batch === undefined) {
    const args = ["test", "-P=test", "--lock=deno.dev.lock", "--no-check", "--cached-only", caught.file];
    return new Deno.Command(Deno.execPath(), { args, ...options });
  }
  const { first = 1, seeds = 100, profile = "swarm" } = caught.by === "simulation" ? caught : {};
  const wanted: BatchOptions = { ...(batch ?? { first, seeds, profile, stop: true }), bug: bug.id };
  const library = "--allow-ffi=src/drivers/libsqlite/library"; // for the real state machine
  const args = ["run", "--no-prompt", "--no-check", "--no-config", "--no-lock", library, "tests/sim/bugs/mutant.ts"];
  return new Deno.Command(Deno.execPath(), { args: [...args, JSON.stringify(wanted)], ...options });
}

/** Runs a process to its end; an interrupt ends it too, so that the copy is removed. */
async function execute(
  command: Deno.Command,
  { isShown }: { isShown: boolean },
): Promise<{ code: number; output: string }> {
  const child = command.spawn();
  const end = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended
    }
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, end);
  const timer = setTimeout(end, BUG_MS_MAX);
  try {
    const parts: string[] = [];
    const gather = async (stream: ReadableStream<Uint8Array>, shown: { writeSync(bytes: Uint8Array): number }) => {
      const decoder = new TextDecoder();
      for await (const chunk of stream) {
        if (isShown) { for (let at = 0; at < chunk.length;) at += shown.writeSync(chunk.subarray(at)); }
        else parts.push(decoder.decode(chunk, { stream: true }));
      }
    };
    await Promise.all([gather(child.stdout, Deno.stdout), gather(child.stderr, Deno.stderr)]);
    return { code: (await child.status).code, output: parts.join("") };
  } finally {
    clearTimeout(timer);
    for (const signal of signals) Deno.removeSignalListener(signal, end);
  }
}

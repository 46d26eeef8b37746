/**
 * Shows where the time of requests goes: by stage, by Worker, and by function within each.
 *
 *     deno task profile WORK [--seconds N] [--top N] [--keep DIRECTORY]
 *
 * WORK is a measurement of the benchmark that puts load on nodes (`deno task bench --list`). The nodes run from the source
 * under V8's sampling profiler, one sample for each millisecond that a thread does not idle, which costs them a few percent; its
 * logs are read by `node --prof-process`, so that Node has to be there. A thread that waits for the disk is not idle: see
 * `fdatasync`. Times are per request, or per row of requests that have many. Exits 1 when a request failed.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { loadGenerator } from "./bench/load.ts";
import { isRate, type Measurement, measurements, prepare } from "./bench/measurements.ts";
import { type BenchNode, leaderAmong, MUSTER } from "./bench/systems.ts";
import { stagesBetween } from "./profile/hops.ts";
import { byFunction, byOwn, parseTicks, type Share, since, type Ticks } from "./profile/ticks.ts";
import { optionsOrExitCode, UsageError } from "./usage.ts";

const USAGE = `Usage: deno task profile WORK [flags]

  WORK              a measurement that puts load on nodes, such as write/1/32: see deno task bench --list
  --seconds N       length of the load (default 5)
  --top N           functions that are shown of each Worker (default 12)
  --keep DIRECTORY  keep V8's logs there`;
const WARM_SECONDS = 2;
/** A Worker with less of the processor time is not shown. */
const SHARE_MIN = 0.01;
const US_PER_MS = 1000;

interface Options {
  readonly work: Measurement;
  readonly seconds: number;
  readonly top: number;
  readonly keep: string | undefined;
}

function readOptions(args: readonly string[]): Options {
  const unknown: string[] = [];
  const flags = parseArgs([...args], {
    string: ["seconds", "top", "keep"],
    default: { seconds: "5", top: "12" },
    unknown: (name: string) => name.startsWith("-") ? void unknown.push(name) : true,
  });
  if (unknown.length > 0) throw new UsageError(`Cannot understand ${unknown.join(" ")}`);
  const [seconds, top] = (["seconds", "top"] as const).map((name) => {
    const value = Number(flags[name]);
    if (Number.isInteger(value) && value >= 1) return value;
    throw new UsageError(`Cannot take --${name} as it must be a whole number >= 1: current value is "${flags[name]}"`);
  });
  const works = measurements(1).filter(({ unit, nodes }) => isRate(unit) && nodes > 0);
  const work = works.find(({ id }) => id === String(flags._[0]));
  if (!work || flags._.length > 1) {
    throw new UsageError(`Expected one WORK, one of: ${works.map(({ id }) => id).join(", ")}`);
  }
  return { work, seconds, top, keep: flags.keep };
}

/** Runs the load under the profiler and shows what came of it; whether no request failed. */
async function profile({ work, seconds, top }: Options, logs: string): Promise<boolean> {
  // The nodes inherit it.
  Deno.env.set("DENO_V8_FLAGS", `--prof,--logfile-per-isolate,--no-log-source-code,--logfile=${logs}/v8.log`);
  const nodes = work.nodes === 0 ? [] : await MUSTER.start(logs, work.nodes);
  Deno.env.delete("DENO_V8_FLAGS");
  try {
    await prepare(nodes, MUSTER);
    const leader = await leaderAmong(nodes);
    const site = { system: MUSTER, nodes, root: logs, generator: await loadGenerator() };
    await work.run({ ...site, seconds: WARM_SECONDS });
    const before = await Promise.all(nodes.map(metricsOf));
    const { value, p50Ms = NaN, p99Ms = NaN, failures = 0, firstFailure } = await work.run({ ...site, seconds });
    const after = await Promise.all(nodes.map(metricsOf));
    console.log(`${work.title}: ${Math.round(value)}/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`);
    if (failures > 0) console.log(`${failures} FAILED: ${firstFailure}`);
    await Promise.all(nodes.map((node) => node.stop("SIGTERM"))); // they write the rest of their logs
    for (const [at, node] of nodes.entries()) {
      console.log(`\nnode ${node.id}${node === leader ? ", leader" : ""}`);
      for (const { title, meanMs, count } of stagesBetween(before[at], after[at])) {
        console.log(`  ${meanMs.toFixed(3).padStart(9)} ms × ${count}  ${title}`);
      }
      showWorkers(await isolatesOf(logs, node.pid), { seconds, done: value * seconds, top });
    }
    return failures === 0;
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

async function metricsOf({ url }: BenchNode): Promise<string> {
  return await (await fetch(`${url}/metrics`)).text();
}

/** The samples of each isolate of a process that has ended. */
async function isolatesOf(logs: string, pid: number): Promise<Ticks[]> {
  const names = [...Deno.readDirSync(logs)].map(({ name }) => name).filter((name) => name.endsWith(`-${pid}-v8.log`));
  const found: Ticks[] = [];
  for (const name of names) {
    const node = new Deno.Command("node", {
      args: ["--prof-process", "--preprocess", `${logs}/${name}`],
      stdout: "piped",
      stderr: "null", // names the kinds of code that are newer than this Node
    });
    const text = new TextDecoder().decode((await node.output()).stdout);
    found.push(parseTicks(text.slice(text.indexOf("{"))));
  }
  return found;
}

/** What the Workers of a node did while the load ran, which ended just before it. */
function showWorkers(
  isolates: readonly Ticks[],
  { seconds, done, top }: { readonly seconds: number; readonly done: number; readonly top: number },
): void {
  const endMs = Math.max(...isolates.flatMap(({ samples }) => samples.slice(-1).map(({ atMs }) => atMs)));
  const loaded = isolates.map((one) => since(one, endMs - seconds * 1000));
  const all = loaded.reduce((sum, { samples }) => sum + samples.length, 0);
  for (const one of loaded.toSorted((a, b) => b.samples.length - a.samples.length)) {
    const { length } = one.samples;
    if (length < all * SHARE_MIN) continue;
    // A sample stands for a millisecond.
    console.log(`\n  ${one.worker}: ${(length * US_PER_MS / done).toFixed(1)} µs each, ${percent(length / all)}`);
    showTable("by function", byFunction(one).slice(0, top));
    showTable("by the nearest function of muster's own", byOwn(one).slice(0, top));
  }
}

function showTable(title: string, shares: readonly Share[]): void {
  console.log(`    ${title}`);
  for (const { name, share } of shares) console.log(`    ${percent(share)}  ${name}`);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1).padStart(5)} %`;
}

/** Runs it; resolves to its exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = optionsOrExitCode(args, USAGE, readOptions);
  if (typeof options === "number") return options;
  const logs = options.keep ?? await Deno.makeTempDir({ prefix: "muster-profile-" });
  await Deno.mkdir(logs, { recursive: true });
  try {
    return await profile(options, await Deno.realPath(logs)) ? 0 : 1;
  } finally {
    if (options.keep === undefined) await Deno.remove(logs, { recursive: true });
  }
}

Deno.exit(await main(Deno.args));

/**
 * Measures muster on this machine, alone or in turn with the real rqlite and the real etcd.
 *
 *     deno task bench [--vs rqlite] [--vs etcd] [--seconds N] [--rounds N] [--only PATTERN] [--data MIB] [--json FILE]
 *
 * Phases alternate: muster, rqlite, rqlite, muster, …, so that what else the machine does hits both alike; the figures are
 * medians over the rounds. While one is measured the other's nodes idle. Progress goes to stderr, the table to stdout.
 * MUSTER_BINARY names an executable to measure instead of the source. Exits 1 when a phase or a request failed, 2 for wrong
 * usage, 130 when interrupted.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { interruption } from "../tests/harness/processes.ts";
import { HAS_RQLITE } from "../tests/harness/rqlite.ts";
import { ETCD, hasEtcd } from "./bench/etcd.ts";
import { benchDriver } from "./bench/driver.ts";
import { benchWaits } from "./bench/waits.ts";
import { type LoadGenerator, loadGenerator } from "./bench/load.ts";
import { describeMachine } from "./bench/machine.ts";
import {
  isIdle,
  isRate,
  type Measurement,
  measurements,
  prepare,
  runOf,
  type Sample,
  type Site,
} from "./bench/measurements.ts";
import { failuresOf, figure, jsonReport, renderReport, type Result } from "./bench/report.ts";
import { type BenchNode, MUSTER, RQLITE, type System } from "./bench/systems.ts";
import { optionsOrExitCode, UsageError } from "./usage.ts";
import { messageOf } from "../src/base/codec/error_text.ts";

const USAGE = `Usage: deno task bench [flags]

  --vs rqlite      measure the real rqlite in turn (Linux on x64 alone)
  --vs etcd        measure the real etcd in turn: keys in the place of rows (Debian's etcd-server)
  --seconds N      length of a phase (default 4)
  --rounds N       phases of each measurement and system; the figures are their medians (default 3)
  --only PATTERN   only measurements whose name matches this regular expression
  --data MIB       data a node holds when its start is measured (default 20)
  --json FILE      write everything there too
  --driver         measure the SQLite driver alone, in turn with the runtime's node:sqlite
  --waits          measure what a change costs while thousands of blocking queries wait (Linux alone)
  --list           show the names of the measurements
  --help           show this`;
const DRIVER_ROUNDS = 5;
const PAUSE_MS = 300;
const SETTLE_MS = 3000;
const WARM_SECONDS = 1;
const LOG_CHARACTERS = 600;
const ENDING_MS_MAX = 10_000;

const OTHERS = [RQLITE, ETCD];

interface Options {
  readonly systems: readonly System[];
  readonly seconds: number;
  readonly rounds: number;
  readonly selected: readonly Measurement[];
  readonly jsonPath: string | undefined;
}

/** Wrong use of the command line. */
function readOptions(args: readonly string[]): Options | "driver" | "waits" | "list" {
  if (args.includes("--driver")) return "driver";
  if (args.includes("--waits")) return "waits";
  if (args.includes("--list")) return "list";
  const unknown: string[] = [];
  const flags = parseArgs([...args], {
    string: ["vs", "seconds", "rounds", "only", "data", "json"],
    collect: ["vs"],
    default: { seconds: "4", rounds: "3", data: "20", only: "" },
    unknown: (name: string) => void unknown.push(name),
  });
  if (unknown.length > 0) throw new UsageError(`Cannot understand ${unknown.join(" ")}`);
  const others: System[] = flags.vs.map((name: string) => {
    const system = OTHERS.find((one) => one.name === name);
    if (system) return system;
    throw new UsageError(`Cannot compare with "${name}": expected ${OTHERS.map((one) => one.name).join(" or ")}`);
  });
  const [seconds, rounds, dataMb] = (["seconds", "rounds", "data"] as const).map((name) => {
    const value = Number(flags[name]);
    if (Number.isInteger(value) && value >= 1) return value;
    throw new UsageError(`Cannot take --${name} as it must be a whole number >= 1: current value is "${flags[name]}"`);
  });
  let pattern: RegExp;
  try {
    pattern = new RegExp(flags.only);
  } catch (error) {
    throw new UsageError(`Cannot take --only: ${messageOf(error)}`);
  }
  const all = measurements(dataMb);
  const selected = all.filter(({ id }) => pattern.test(id));
  if (selected.length === 0) {
    throw new UsageError(`Cannot find a measurement for "${flags.only}" among ${all.map(({ id }) => id).join(", ")}`);
  }
  return { systems: [MUSTER, ...new Set(others)], seconds, rounds, selected, jsonPath: flags.json };
}

/** Runs the measurements, and ends whatever it has started. */
class Bench {
  readonly #options: Options;
  readonly #root: string;
  readonly #generator: LoadGenerator;
  readonly #running = new Set<BenchNode>();
  readonly #started = performance.now();
  #phases = 0;
  #hasEnded = false;

  constructor(options: Options, root: string, generator: LoadGenerator) {
    this.#options = options;
    this.#root = root;
    this.#generator = generator;
  }

  /** Runs all, grouped by the nodes they need; results come in the order of the table. */
  async run(): Promise<Result[]> {
    const { selected, systems } = this.#options;
    const results = new Map(selected.map((measurement): [Measurement, Result] => [measurement, {
      measurement,
      bySystem: new Map(systems.map(({ name }) => [name, { samples: [], errors: [] }])),
    }]));
    for (const count of [1, 3, 0] as const) {
      const group = selected.filter(({ nodes }) => nodes === count);
      if (group.length === 0) continue;
      const nodes = new Map<System, BenchNode[]>();
      if (count > 0) console.error(`starting ${count} × ${systems.map(({ name }) => name).join(" and ")}`);
      for (const system of systems) {
        nodes.set(system, count === 0 ? [] : await this.#startNodes(system, this.#root, count));
      }
      if (group.some(isIdle)) await pause(SETTLE_MS); // what the start left to do
      let isPrepared = count === 0;
      for (const measurement of group) {
        if (!isPrepared && !isIdle(measurement)) {
          for (const [system, started] of nodes) await prepare(started, system);
          isPrepared = true;
        }
        const result = results.get(measurement);
        if (result) await this.#measure(result, nodes);
      }
      await this.end();
    }
    return [...results.values()];
  }

  /** Ends all nodes. */
  async end(isLast = false): Promise<void> {
    this.#hasEnded ||= isLast;
    const nodes = [...this.#running];
    this.#running.clear();
    await Promise.all(nodes.map((node) => node.stop()));
  }

  async #measure({ measurement, bySystem }: Result, nodes: ReadonlyMap<System, readonly BenchNode[]>): Promise<void> {
    const { rounds, seconds, systems } = this.#options;
    // Nodes that a measurement starts for itself are ended by it, and by `end` when it is interrupted.
    const site = (system: System): Site => ({
      system: { ...system, start: (root, count) => this.#startNodes(system, root, count) },
      nodes: nodes.get(system) ?? [],
      root: this.#root,
      generator: this.#generator,
      seconds,
    });
    const sites = new Map(systems.map((system) => [system, site(system)]));
    for (let round = 1; round <= rounds; round++) {
      for (const system of round % 2 === 1 ? systems : systems.toReversed()) {
        const place = sites.get(system);
        const into = bySystem.get(system.name);
        if (place === undefined || into === undefined || this.#hasEnded) return;
        const run = runOf(measurement, system);
        if (!run) continue;
        let said: string;
        try {
          if (round === 1 && isRate(measurement.unit)) await run({ ...place, seconds: WARM_SECONDS });
          const sample = await run(place);
          into.samples.push(sample);
          said = describe(sample, measurement);
        } catch (error) {
          if (this.#hasEnded) return;
          said = `FAILED: ${messageOf(error)}`;
          into.errors.push(said);
          for (const { id, pid, log } of place.nodes) {
            console.error(`── ${system.name} node ${id} (${pid}) said last:\n${log().slice(-LOG_CHARACTERS)}`);
          }
        }
        this.#progress(`${measurement.id}, round ${round} of ${rounds}, ${system.name}: ${said}`);
        await pause(PAUSE_MS);
      }
    }
  }

  async #startNodes(system: System, root: string, count: number): Promise<BenchNode[]> {
    const nodes = (await system.start(root, count)).map((node) => this.#tracked(node));
    if (!this.#hasEnded) return nodes;
    await this.end();
    throw new Error("Cannot start nodes: the benchmark has ended");
  }

  /** The node, known to `end` while it runs. */
  #tracked(node: BenchNode): BenchNode {
    this.#running.add(node);
    return {
      ...node,
      stop: async (signal) => {
        await node.stop(signal);
        this.#running.delete(node);
      },
      restart: async () => this.#tracked(await node.restart()),
    };
  }

  #progress(text: string): void {
    const { selected, rounds, systems } = this.#options;
    const taken = selected.flatMap((one) => systems.filter((system) => runOf(one, system) !== undefined));
    const total = taken.length * rounds;
    this.#phases++;
    const elapsed = (performance.now() - this.#started) / 1000;
    const rest = elapsed / this.#phases * (total - this.#phases);
    console.error(`[${this.#phases}/${total}, ETA ${rest.toFixed(0)} s] ${text}`);
  }
}

function describe({ value, p50Ms, failures, firstFailure }: Sample, { unit }: Measurement): string {
  const parts = [figure(value, unit)];
  if (p50Ms !== undefined) parts.push(`p50 ${p50Ms.toFixed(2)} ms`);
  if (failures) parts.push(`${failures} FAILED: ${firstFailure}`);
  return parts.join(", ");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Runs the benchmark; resolves to its exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = optionsOrExitCode(args, USAGE, readOptions);
  if (typeof options === "number") return options;
  if (options === "waits") {
    await benchWaits();
    return 0;
  }
  if (options === "driver") {
    benchDriver(DRIVER_ROUNDS);
    return 0;
  }
  if (options === "list") {
    console.log(measurements(20).map(({ id, title }) => `${id.padEnd(20)} ${title}`).join("\n"));
    return 0;
  }
  if (options.systems.includes(RQLITE) && !HAS_RQLITE) {
    console.error("Cannot compare with rqlite on this machine: its binary is for Linux on x64");
    return 1;
  }
  if (options.systems.includes(ETCD) && !await hasEtcd()) {
    console.error("Cannot compare with etcd: install it, on Debian by apt install etcd-server");
    return 1;
  }
  const interrupted = interruption();
  const root = await Deno.makeTempDir({ prefix: "muster-bench-" });
  const generator = await loadGenerator();
  const bench = new Bench(options, root, generator);
  try {
    const { seconds, rounds, systems } = options;
    const machine = await describeMachine(root);
    const run = { machine, generator: generator.name, seconds, rounds, systems: systems.map(({ name }) => name) };
    const running = bench.run();
    const results = await Promise.race([running, interrupted]);
    if (results === undefined) {
      console.error("interrupted: stopping the nodes …");
      await bench.end(true);
      await Promise.race([running.catch(() => {}), pause(ENDING_MS_MAX)]); // what is starting now must end too
      return 130;
    }
    console.log(`\n${renderReport(run, results)}`);
    if (options.jsonPath !== undefined) await Deno.writeTextFile(options.jsonPath, jsonReport(run, results));
    return failuresOf(results) === 0 ? 0 : 1;
  } finally {
    await bench.end(true);
    await Deno.remove(root, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));

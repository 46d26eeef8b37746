/**
 * Torments a real cluster on this machine while clients use it, and checks every answer they got.
 *
 *     deno task chaos --minutes N [--nodes 3|5] [--seed S] [--faults LIST] [--leases] [--agents] [--keep]
 *
 * The same seed draws the same faults; what they meet depends on the machine. Progress goes to stderr, the report to
 * stdout. MUSTER_BINARY names an executable to torment instead of the source. Exits 0 when all is well, 1 when anything
 * is not, 2 for wrong usage, 130 when interrupted.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { interruption } from "../tests/harness/processes.ts";
import { renderReport } from "./chaos/report.ts";
import { type ChaosOptions, ChaosRun } from "./chaos/run.ts";
import { FAULT_KINDS } from "./chaos/schedule.ts";
import { optionsOrExitCode, UsageError } from "./usage.ts";

const USAGE = `Usage: deno task chaos --minutes N [flags]

  --minutes N      length of the load; fractions are fine
  --nodes 3|5      nodes of the cluster (default 3)
  --seed S         whole number that the faults are drawn from (default: another one each time)
  --faults LIST    of ${FAULT_KINDS.join(",")} (default: all)
  --leases         answer linearizable reads by leases (-raft-lease-reads)
  --agents         the nodes are servers of a pool of agents, and clients also use keys and locks; no membership faults
  --keep           keep the histories and the nodes' logs, also when all is well
  --help           show this

Partitions and slow links need root and "ip" (network namespaces), the full disk needs root and "mount".`;

type Options = Omit<ChaosOptions, "say">;

/** Wrong use of the command line. */
function readOptions(args: readonly string[]): Options {
  const unknown: string[] = [];
  const flags = parseArgs([...args], {
    string: ["minutes", "nodes", "seed", "faults"],
    boolean: ["agents", "keep", "leases"],
    default: { nodes: "3", seed: String(Math.floor(Math.random() * 1_000_000)) },
    unknown: (name: string) => void unknown.push(name),
  });
  if (unknown.length > 0) throw new UsageError(`Cannot understand ${unknown.join(" ")}`);
  const minutes = Number(flags.minutes ?? NaN);
  if (!(minutes > 0 && minutes < Infinity)) {
    throw new UsageError(`Cannot take --minutes as it must be a number > 0: current value is "${flags.minutes ?? ""}"`);
  }
  const nodes = Number(flags.nodes);
  if (nodes !== 3 && nodes !== 5) throw new UsageError(`Cannot take --nodes: it must be 3 or 5, not "${flags.nodes}"`);
  const seed = Number(flags.seed);
  if (flags.seed === "" || !Number.isSafeInteger(seed) || seed < 0) {
    throw new UsageError(`Cannot take --seed: it must be a whole number, not "${flags.seed}"`);
  }
  const { agents, leases, keep } = flags;
  const possible = FAULT_KINDS.filter((kind) => !agents || kind !== "membership");
  const names = (flags.faults ?? possible.join()).split(",");
  const kinds = possible.filter((kind) => names.includes(kind));
  if (kinds.length !== names.length) {
    throw new UsageError(`Cannot take --faults: each must be one of ${possible.join(", ")}, not "${flags.faults}"`);
  }
  if (agents && leases) throw new UsageError("Cannot take --leases together with --agents");
  return { seconds: minutes * 60, nodes, seed, kinds, leases, agents, keep };
}

/** Runs; resolves to the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = optionsOrExitCode(args, USAGE, readOptions);
  if (typeof options === "number") return options;
  const interrupted = interruption();
  console.error(`seed ${options.seed}`);
  const run = new ChaosRun({ ...options, say: (line) => console.error(line) });
  try {
    const report = await Promise.race([run.run(), interrupted]);
    if (report === undefined) {
      console.error("interrupted: stopping the nodes …");
      return 130;
    }
    console.log(`\n${renderReport(report)}`);
    return report.violations.length === 0 ? 0 : 1;
  } finally {
    await run.close();
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));

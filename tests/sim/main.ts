/**
 * Runs simulations by hand:
 *
 *   deno run tests/sim/main.ts --seeds 1000 --first 1     many seeds, a line per failure
 *   deno run tests/sim/main.ts --seed 42 --trace          one seed, a line per event
 * @module
 */
import { type RunResult, runSeed } from "./cluster.ts";

function option(args: readonly string[], name: string): number | undefined {
  const at = args.indexOf(`--${name}`);
  if (at < 0) return undefined;
  const value = Number(args[at + 1]);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`Cannot simulate as --${name} must be a whole number: current value is ${args[at + 1]}`);
  }
  return value;
}

function main(args: readonly string[]): number {
  const seed = option(args, "seed");
  const first = seed ?? option(args, "first") ?? 1;
  const seeds = seed === undefined ? option(args, "seeds") ?? 100 : 1;
  const trace = args.includes("--trace") ? (line: string) => console.log(line) : undefined;
  const started = performance.now();
  const total = { events: 0, seconds: 0, committed: 0, acked: 0, reads: 0, terms: 0, changes: 0 };
  let failed = 0;
  for (let at = first; at < first + seeds; at++) {
    let result: RunResult;
    try {
      result = runSeed(at, trace && { trace });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      console.error(trace === undefined ? text.split("\n")[0] : text);
      failed++;
      if (args.includes("--stop")) break;
      continue;
    }
    for (const key of ["events", "seconds", "committed", "acked", "reads", "terms", "changes"] as const) {
      total[key] += result[key];
    }
    if (seeds === 1) console.log(`hash ${result.hash.toString(16)}`);
  }
  const minutes = (performance.now() - started) / 60_000;
  const rate = Math.round(total.events / minutes / 60);
  const hours = (total.seconds / 3600 / minutes).toFixed(1);
  console.log(`${seeds} seeds, ${failed} failed, ${JSON.stringify(total)}`);
  console.log(`${rate} events/s, ${hours} simulated cluster-hours per minute`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(main(Deno.args));

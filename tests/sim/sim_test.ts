/**
 * Whole clusters under faults: a sample of seeds on every change, more by hand with main.ts. The sample has to reach
 * every coverage mark, and a run has to take the same course every time.
 */
import { assert, assertEquals } from "@std/assert";
import { type RunResult, runSeed } from "./cluster.ts";
import { MARKS } from "./coverage.ts";
import { isProfileName, PROFILES } from "./profile.ts";

/** Seeds of one test run: about half a minute on one core. */
const SEEDS = 250;
const FIRST_SEED = 1;
/** Every so many of them is run twice. */
const REPEATED = 100;
/** Marks that hundreds of seeds reach once: left to long runs, or any change of the draws would fail the sample. */
const RARE: readonly string[] = [
  "crash while a snapshot was being installed",
  "misdirected write found at a start",
  "misdirected write found while the node ran",
];
/** Seeds that once found something. */
const CORPUS = [
  371,
  537,
  772,
  777,
  902,
  981,
  1100,
  1130,
  1867,
  2058,
  2074,
  10_521,
  10_925,
  11_152,
  100_850,
  503_515,
  507_568,
];

Deno.test("a cluster keeps its invariants and recovers when anything may fail", () => {
  const reached = new Set<string>();
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const result = runSeed(seed);
    for (const mark of result.marks.keys()) reached.add(mark);
    if (seed % REPEATED === 0) assertEquals(runSeed(seed), result, `seed ${seed} took another course`);
  }
  const missed = MARKS.filter((mark) => !reached.has(mark) && !RARE.includes(mark));
  assertEquals(missed, [], `no seed from ${FIRST_SEED} on came into these situations`);
});

Deno.test("a cluster keeps its invariants with the seeds that once broke one", () => {
  for (const seed of CORPUS) runSeed(seed);
  for (const seed of [215, 381]) runSeed(seed, { profile: "leases" });
  for (const seed of [2_000_535, 2_000_927]) runSeed(seed, { profile: "files" });
});

Deno.test("a cluster keeps its invariants under every profile of faults", () => {
  for (const profile of Object.keys(PROFILES).filter(isProfileName)) {
    for (const seed of [1, 2, 3]) runSeed(seed, { profile });
  }
});

/** A run's events, a line each. */
function traced(seed: number, options: { until?: number }): { lines: string[]; result: RunResult } {
  const lines: string[] = [];
  const result = runSeed(seed, { ...options, trace: (line) => lines.push(line) });
  return { lines, result };
}

Deno.test("a simulation that ends after some events took the same course until then", () => {
  for (const seed of [1, 2, 3]) {
    const whole = traced(seed, {});
    const until = Math.floor(whole.result.events / 3);
    const part = traced(seed, { until });
    assertEquals(part.result.events, until);
    assert(part.lines.length > 0 && part.lines.length < whole.lines.length);
    assertEquals(part.lines, whole.lines.slice(0, part.lines.length), `seed ${seed}`);
  }
});

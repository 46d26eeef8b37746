/** Whole clusters under faults: a sample of seeds on every change, more by hand with main.ts. */
import { assertEquals } from "@std/assert";
import { runSeed } from "./cluster.ts";

/** Seeds of one test run: about 25 s on one core. */
const SEEDS = 800;
const FIRST_SEED = 1;
/** Seeds that once found something. */
const CORPUS = [371, 537, 772, 777, 902, 981, 1100, 1130, 1867, 2058, 2074, 10_521, 10_925, 11_152];

Deno.test("a cluster keeps its invariants and recovers when anything may fail", () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) runSeed(seed);
});

Deno.test("a cluster keeps its invariants with the seeds that once broke one", () => {
  for (const seed of CORPUS) runSeed(seed);
});

Deno.test("a simulation takes the same course when its seed is the same", () => {
  for (const seed of [1, 2, 3, 4, 5]) assertEquals(runSeed(seed), runSeed(seed), `seed ${seed}`);
});

/**
 * The small version of `deno task gossip-sim`: what the papers promise holds in pools of some dozens.
 * @module
 */
import { assert } from "@std/assert";
import { accuse, detectCrash, healPartition } from "../../harness/gossip/simulation.ts";

const SEEDS = [1, 2];
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

Deno.test("a crash is suspected within some protocol periods and known to all soon after, at a load that size does not change", () => {
  const small = SEEDS.map((seed) => detectCrash(16, seed));
  const large = SEEDS.map((seed) => detectCrash(64, seed));
  const message = JSON.stringify({ small, large });
  for (const { suspected, dead, known } of [...small, ...large]) {
    assert(suspected < 6 && known < 30 && known - dead < 5, message);
  }
  const load = (runs: typeof small) => sum(runs.map(({ packetsPerNodeSecond }) => packetsPerNodeSecond)) / SEEDS.length;
  assert(Math.abs(load(large) - load(small)) < 0.5, message);
});

Deno.test("of 53 processes ten end at once: machines that refuse their addresses make it known sooner than silent ones", () => {
  const known = (refusing: boolean) => SEEDS.map((seed) => detectCrash(53, seed, { crashed: 10, refusing }).known);
  const message = JSON.stringify({ refusing: known(true), silent: known(false) });
  assert(Math.max(...known(true)) < 14 && sum(known(true)) < sum(known(false)) - SEEDS.length, message);
});

Deno.test("under 20% loss nobody is thought dead while streams get through", () => {
  for (const seed of SEEDS) {
    const { falseDeaths, suspicions } = accuse(32, { seed, seconds: 60, loss: 0.2 });
    assert(falseDeaths === 0 && suspicions < 5, `seed ${seed}: ${falseDeaths} false deaths, ${suspicions} suspicions`);
  }
});

Deno.test("Lifeguard: slow nodes do no harm to healthy ones, which without it they do", () => {
  const slow = { slow: 4, blockMs: 16_000, pauseMs: 1000 };
  const without = accuse(32, { seed: 1, seconds: 60, ...slow, config: { lifeguard: false } }).falseDeaths;
  const withIt = accuse(32, { seed: 1, seconds: 60, ...slow }).falseDeaths;
  assert(withIt * 20 < without, `${without} false deaths without, ${withIt} with`);
});

Deno.test("a partition in halves is whole again within two reconnect intervals and a push/pull", () => {
  for (const seed of SEEDS) {
    const seconds = healPartition(12, seed, 60_000);
    assert(seconds < 90, `seed ${seed}: ${seconds} s`);
  }
});

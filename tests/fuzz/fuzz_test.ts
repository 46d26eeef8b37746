import { Campaign } from "../harness/fuzz/campaign.ts";
import { showCase, writeCase } from "../harness/fuzz/case.ts";
import { selectedKinds } from "../harness/fuzz/grammar/kinds.ts";
import { fastDirectory } from "../harness/fuzz/run.ts";

const KINDS_ON = selectedKinds({});
/** How long the random run goes on. */
const RANDOM_MS = Number(Deno.env.get("MUSTER_FUZZ_SECONDS") ?? "20") * 1000;
/** Rounds that are the same each time. */
const FIXED_SEEDS = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89];

/** Runs rounds as long as `goesOn` says; throws what they find, small, with the file to replay. */
async function hunt(first: number, goesOn: (seed: number) => boolean): Promise<Campaign> {
  const campaign = new Campaign({ kinds: KINDS_ON, entries: 100, replicas: 3, directory: fastDirectory() });
  for (let seed = first; goesOn(seed); seed++) {
    const finding = await campaign.round(seed);
    if (finding === undefined) continue;
    const { failure, case: small } = finding;
    throw new Error(
      `seed ${seed}: ${failure.kind}: ${failure.message}\n${showCase(small)}\n${failure.detail ?? ""}\n` +
        `to be run again by "deno task fuzz-sql --replay FILE" with this FILE:\n${writeCase(small)}`,
    );
  }
  return campaign;
}

Deno.test("Replicas hold the same after logs of fixed seeds", async () => {
  for (const seed of FIXED_SEEDS) await hunt(seed, (at) => at === seed);
});

Deno.test("Replicas hold the same after random logs", async () => {
  const first = Math.floor(Math.random() * 1_000_000_000);
  console.log(`first seed ${first}`);
  const endMs = performance.now() + RANDOM_MS;
  const { rounds, entries, validShare } = await hunt(first, () => performance.now() < endMs);
  console.log(
    `${rounds} rounds, ${entries} entries, ${(validShare * 100).toFixed(1)} % of the elements without an error`,
  );
});

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Campaign, makeCase } from "../harness/fuzz/campaign.ts";
import { readCase, showCase, writeCase } from "../harness/fuzz/case.ts";
import { isKind, type Kind, KINDS, selectedKinds } from "../harness/fuzz/grammar/kinds.ts";
import { fastDirectory } from "../harness/fuzz/run.ts";

const ALL = selectedKinds({});
const PLAIN = { entries: 100, replicas: 3 };

/** Least share of elements that must run without an error: what fails tests little. */
const VALID_SHARE_MIN = 0.6;

Deno.test("makeCase() gives the same case for the same seed, and another one for another seed", () => {
  const [one, same, other] = [7, 7, 8].map((seed) => writeCase(makeCase({ ...PLAIN, seed, kinds: ALL })));
  assertEquals(one, same);
  assertNotEquals(one, other);
});

Deno.test("A case survives being written and read", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const testCase = makeCase({ ...PLAIN, seed, kinds: ALL });
    assertEquals(readCase(writeCase(testCase)), testCase, `seed ${seed}`);
    assert(showCase(testCase).includes("entry 100: "));
  }
});

Deno.test("The generator uses every kind that is on, and none that is off", () => {
  const without: Kind[] = ["fts5", "random", "vacuum", "nul-text", "crash"];
  const some = selectedKinds({ without });
  const used = new Set<Kind>();
  for (let seed = 1; seed <= 150; seed++) {
    const all = makeCase({ ...PLAIN, seed, kinds: ALL });
    for (const { elements } of all.items) for (const { kinds } of elements) kinds.forEach((kind) => used.add(kind));
    const less = makeCase({ ...PLAIN, seed, kinds: some });
    for (const { elements, after } of less.items) {
      assertEquals(elements.flatMap(({ kinds }) => kinds).filter((kind) => without.includes(kind)), [], `seed ${seed}`);
      assert(!Object.values(after).includes("crash") && !Object.values(after).includes("powerLoss"));
      for (const { sql } of elements) assert(!/using fts5\(|^vacuum(?! into)/i.test(sql), sql);
    }
  }
  const schedules: Kind[] = ["batches", "crash", "restart", "snapshot", "endless"];
  const wanted = Object.keys(KINDS).filter(isKind).filter((kind) =>
    !kind.startsWith("check-") && !schedules.includes(kind)
  );
  assertEquals(wanted.filter((kind) => !used.has(kind)), []);
});

Deno.test("Most generated statements run without an error", async () => {
  const kinds = selectedKinds({});
  const campaign = new Campaign({ ...PLAIN, kinds, directory: fastDirectory(), attemptsMax: 0 });
  for (let seed = 1; seed <= 25; seed++) await campaign.round(seed);
  console.log(`${(campaign.validShare * 100).toFixed(1)} % of ${campaign.elements} elements ran without an error`);
  assert(
    campaign.validShare >= VALID_SHARE_MIN,
    `${campaign.validShare}: ${JSON.stringify([...campaign.errors].slice(0, 20))}`,
  );
});

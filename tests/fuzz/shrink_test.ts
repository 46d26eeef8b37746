import { assert, assertEquals, assertMatch } from "@std/assert";
import { makeCase } from "../harness/fuzz/campaign.ts";
import { type Case, elementCount, type Item, showCase } from "../harness/fuzz/case.ts";
import { selectedKinds } from "../harness/fuzz/grammar/kinds.ts";
import { fastDirectory, runCase } from "../harness/fuzz/run.ts";
import { shrink } from "../harness/fuzz/shrink.ts";

const ALL = selectedKinds({});

Deno.test("shrink() keeps what the failure needs and drops the rest", async () => {
  const original = makeCase({ seed: 3, kinds: ALL, entries: 80, replicas: 3 });
  const needed: Item = {
    ...original.items[40],
    kind: "execute",
    transaction: true,
    elements: [{
      sql: "INSERT INTO t(a, b) VALUES((1 + (2)), ?); SELECT 7",
      positional: [5n, "longer text"],
      named: null,
      kinds: [],
    }],
    after: { 1: "crash", 2: "cut" },
  };
  const items = [...original.items.slice(0, 40), needed, ...original.items.slice(40)];
  const hasFault = ({ items }: Case) =>
    items.some(({ elements }) => elements.some(({ sql }) => /INSERT INTO t\b.*\(.*2/.test(sql))) &&
    items.some(({ after }) => Object.values(after).some((action) => action === "restart" || action === "crash"));
  const small = await shrink({ ...original, items }, {
    attemptsMax: 5000,
    fails: (candidate) => Promise.resolve(hasFault(candidate)),
  });
  assertEquals(small.items.length, 1, showCase(small));
  assertEquals(elementCount(small), 1);
  assertMatch(small.items[0].elements[0].sql, /^\s*INSERT INTO t ?\(2$/);
  assertEquals(small.items[0].elements[0].positional, []);
  assertEquals(Object.values(small.items[0].after), ["restart"]);
  assertEquals(small.waiters.length, 2);
});

Deno.test("shrink() stops when its attempts are used up", async () => {
  let attempts = 0;
  const fails = () => {
    attempts++;
    return Promise.resolve(true);
  };
  await shrink(makeCase({ seed: 4, kinds: ALL, entries: 50, replicas: 3 }), { attemptsMax: 10, fails });
  assertEquals(attempts, 10);
});

/** A replica that goes wrong in one way, with what the small case must still show. */
const SABOTAGES: readonly { name: string; change: (item: Item) => Item; pattern: RegExp }[] = [
  {
    name: "another time",
    change: (item) => ({ ...item, timeMs: item.timeMs + 3_600_000 }),
    pattern: /now|CURRENT|date|time|unixepoch|julianday|_muster/i,
  },
  { name: "another seed", change: (item) => ({ ...item, seed: [item.seed[0] + 1, item.seed[1]] }), pattern: /random/i },
  {
    name: "a statement that is lost",
    change: (item) => ({ ...item, elements: item.elements.filter(({ sql }) => !/^DELETE/.test(sql)) }),
    pattern: /DELETE/,
  },
];

for (const { name, change, pattern } of SABOTAGES) {
  Deno.test(`The fuzzer finds a replica with ${name} and makes the case small`, async () => {
    const kinds = selectedKinds({ without: ["crash"] });
    const options = {
      kinds,
      directory: fastDirectory(),
      sabotage: (item: Item, replica: number) => replica === 1 ? change(item) : item,
    };
    for (let seed = 1;; seed++) {
      assert(seed <= 20, "twenty cases without a difference");
      const testCase = makeCase({ seed, kinds, entries: 60, replicas: 3 });
      const { failure } = await runCase(testCase, options);
      if (failure?.kind !== "diverge") continue;
      const small = await shrink(testCase, {
        attemptsMax: 700,
        fails: async (candidate) => (await runCase(candidate, options)).failure?.kind === "diverge",
      });
      assert(small.items.length <= 5, showCase(small));
      assertMatch(showCase(small), pattern);
      return;
    }
  });
}

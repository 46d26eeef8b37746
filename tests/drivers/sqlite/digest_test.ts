/** The fingerprint of what was applied: the same for the same history, another one for any other, kept through a restart. */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { Digest, DIGESTS_KEPT } from "../../../src/drivers/sqlite/digest.ts";
import { Bench, entry } from "./fixture.ts";

Deno.test("Digest.value is a whole number below 2^52 that its setter restores", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.integer(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))), (values) => {
      const digest = new Digest();
      const mix = (into: Digest, value: number | bigint) => into.mixInteger(value);
      for (const value of values) mix(digest, value);
      assert(Number.isSafeInteger(digest.value) && digest.value >= 0 && digest.value < 2 ** 52);
      const restored = new Digest();
      restored.value = digest.value;
      for (const value of values) [mix(digest, value), mix(restored, value)];
      assertEquals(restored.value, digest.value);
    }),
  );
});

Deno.test("Digest.mixInteger() comes to the same for a number and the bigint of it", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, -1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53 - 1)),
      (value) => {
        const digests = [value, BigInt(value)].map((one) => {
          const digest = new Digest();
          digest.mixInteger(one);
          return digest.value;
        });
        assertEquals(digests[0], digests[1]);
      },
    ),
  );
});

Deno.test("Digest tells histories apart: another value, another order, one more, one less", () => {
  const of = (...values: (number | string)[]) => {
    const digest = new Digest();
    for (const value of values) typeof value === "string" ? digest.mixText(value) : digest.mix(value);
    return digest.value;
  };
  const values = [of(1, 2), of(2, 1), of(1), of(1, 2, 0), of(1, 3), of(1, "2"), of(65_537, 2), of("1", "2"), of("12")];
  assertEquals(new Set(values).size, values.length);
});

Deno.test("Digest.at() knows the newest ones", () => {
  const digest = new Digest();
  for (let index = 1; index <= DIGESTS_KEPT + 2; index++) {
    digest.mix(index);
    digest.keep(index);
  }
  assertEquals([digest.at(0), digest.at(1), digest.at(2), digest.at(DIGESTS_KEPT + 3)], Array(4).fill(undefined));
  assertEquals(digest.at(DIGESTS_KEPT + 2), digest.value);
  assert(digest.at(3) !== undefined);
});

Deno.test("the digest goes on where it was after a restart, and shows when the same statements do something else", async () => {
  const directory = await Deno.makeTempDir({ prefix: "muster-digest-" });
  try {
    const script = [
      ["CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1, 1), (2, 2)"],
      ["UPDATE t SET v = v + 1 WHERE id > 1"],
      ["DELETE FROM t WHERE v > 2", "INSERT INTO nowhere VALUES(1)"],
    ].map((statements, at) => entry(at + 1, statements));
    using whole = new Bench();
    whole.machine.apply(script);
    {
      using first = new Bench(`${directory}/db.sqlite`);
      first.machine.apply(script.slice(0, 2));
    }
    using second = new Bench(`${directory}/db.sqlite`);
    assertEquals(second.machine.digest.at(2), whole.machine.digest.at(2));
    second.machine.apply(script.slice(2));
    assertEquals(second.machine.digest.value, whole.machine.digest.value);

    using other = new Bench();
    other.machine.apply([
      entry(1, ["CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1, 1), (3, 2)"]),
    ]);
    assertNotEquals(other.machine.digest.value, whole.machine.digest.at(1));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("StateMachine comes to the same whether somebody waits for the rows or not, also where one is too large", () => {
  const history: readonly (readonly [readonly string[], { kind?: "request"; transaction?: boolean }])[] = [
    [["CREATE TABLE t(a INTEGER PRIMARY KEY, b CHECK(b>0))"], {}],
    [[
      "INSERT INTO t VALUES(1, 1)",
      "SELECT zeroblob(50000000+a), zeroblob(50000000+a), zeroblob(50000000+a) FROM t",
      "INSERT INTO t VALUES(2, 2)",
    ], { kind: "request", transaction: true }],
    [["INSERT INTO t VALUES(3, 3), (4, 4) RETURNING a, zeroblob(30000000+a), zeroblob(30000000+a)"], {}],
    [["EXPLAIN PRAGMA ignore_check_constraints = ON"], { kind: "request", transaction: true }],
    [["INSERT INTO t VALUES(5, -1)"], {}],
  ];
  const values = [true, false].map((isAwaited) => {
    using bench = new Bench();
    history.forEach(([statements, options], at) => {
      if (isAwaited) bench.run(statements, options);
      else bench.machine.apply([entry(at + 1, statements, options)]);
    });
    if (isAwaited) {
      const texts = bench.delivered.map(({ outcome }) => outcome.results);
      assertStringIncludes(texts[1], "a row of 150000018 bytes exceeds the limit of 134217728 bytes");
      assertStringIncludes(texts[4], "CHECK constraint failed"); // the pragma has not acted
    }
    const before = bench.machine.digest.value;
    assertEquals(bench.rows("SELECT a FROM t ORDER BY a"), [[1], [2], [3], [4]]);
    return before;
  });
  assertEquals(values[0], values[1]);
});

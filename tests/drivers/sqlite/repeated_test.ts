/** A write that repeats the text of the one before it takes a shorter way; it must come to the same, whatever happens to it. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Bench, type EntryOptions, type Sql } from "./fixture.ts";

/** Tables for what the shorter way must know of. */
const SCHEMAS: Readonly<Record<string, readonly string[]>> = {
  plain: ["CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE, c DEFAULT (random()))"],
  checked: ["CREATE TABLE t(a, b CHECK(b <> 3), c)"],
  triggered: [
    "CREATE TABLE t(a, b, c)",
    "CREATE TABLE seen(b)",
    "CREATE TRIGGER noted AFTER INSERT ON t BEGIN INSERT INTO seen VALUES(new.b); " +
    "SELECT raise(ABORT, 'three') WHERE new.b = 3; END",
  ],
  "rolled back": [
    "CREATE TABLE t(a, b, c)",
    "CREATE TRIGGER undone BEFORE INSERT ON t WHEN new.b = 3 BEGIN SELECT raise(ROLLBACK, 'all'); END",
  ],
  deferred: [
    "CREATE TABLE parent(id INTEGER PRIMARY KEY)",
    "INSERT INTO parent VALUES(1), (2)",
    "CREATE TABLE t(a, b REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED, c)",
  ],
  virtual: ["CREATE VIRTUAL TABLE t USING fts5(a, b, c)"],
};

const WRITES: readonly string[] = [
  "INSERT INTO t(b) VALUES(?)",
  "INSERT INTO t(b) VALUES(2)",
  "INSERT INTO t(b, c) VALUES(?, random())",
  "INSERT INTO t(b, c) VALUES(?, changes() || ',' || total_changes() || ',' || last_insert_rowid())",
  "INSERT OR IGNORE INTO t(b) VALUES(?)",
  "REPLACE INTO t(b) VALUES(?)",
  "UPDATE t SET c = c || 'x' WHERE b = ?",
  "DELETE FROM t WHERE b = ?",
  "INSERT INTO t(b) VALUES(?) RETURNING rowid",
  "INSERT INTO t(b) VALUES(:b)",
  "INSERT INTO nowhere VALUES(?)",
  "SELECT count(*) FROM t WHERE b > ?",
];

/** Runs of one text, each with its values. */
const runs = fc.array(
  fc.record({
    sql: fc.constantFrom(...WRITES),
    values: fc.array(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant("missing" as const)), {
      minLength: 1,
      maxLength: 5,
    }),
  }),
  { minLength: 1, maxLength: 4 },
);

Deno.test("a bulk of one text comes to the same as one in which each text is another", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.keys(SCHEMAS)),
      fc.array(runs, { minLength: 1, maxLength: 3 }),
      fc.record({
        transaction: fc.boolean(),
        kind: fc.constantFrom<"execute" | "request">("execute", "request"),
        associative: fc.boolean(),
      }),
      (schema, entries, { associative, ...options }) => {
        const outcomes = [false, true].map((isVaried) => {
          using bench = new Bench(":memory:", true);
          bench.run(SCHEMAS[schema]);
          const texts = entries.map((entry) =>
            bench.run(elementsOf(entry, isVaried), { ...options, render: { associative } })
          );
          const rows = bench.rows("SELECT rowid, a, b, c FROM t ORDER BY rowid");
          return { texts, rows, digest: bench.machine.digest.value };
        });
        assertEquals(outcomes[0], outcomes[1]);
      },
    ),
    { numRuns: 400 },
  );
});

Deno.test("a bulk stores values of every type as they are", () => {
  const value = fc.oneof(
    fc.constant(null),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.constantFrom(0n, 127n, 128n, 255n, 256n, -1n),
    fc.double({ noNaN: true }),
    fc.string({ unit: "grapheme", maxLength: 100 }),
    fc.uint8Array({ maxLength: 100 }),
  );
  fc.assert(
    fc.property(fc.array(value, { minLength: 2, maxLength: 8 }), (values) => {
      const shown = [false, true].map((isVaried) => {
        using bench = new Bench();
        const sql = "INSERT INTO t VALUES(?)";
        bench.run(["CREATE TABLE t(a)"]);
        bench.run(values.map((one, at) => [isVaried ? varied(sql, at) : sql, one]));
        return bench.rows("SELECT typeof(a), quote(a), hex(a) FROM t ORDER BY rowid");
      });
      assertEquals(shown[0], shown[1]);
      assertEquals((shown[0] as unknown[]).length, values.length);
    }),
  );
});

Deno.test("of a bulk that exceeds its steps, the same statements fail whether their texts are the same or not", () => {
  const counting =
    "INSERT INTO t SELECT count(*) FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5000) SELECT n FROM c)";
  const options: EntryOptions = { maxSteps: 300_000 };
  const texts = [false, true].map((isVaried) => {
    using bench = new Bench();
    bench.run(["CREATE TABLE t(n)"]);
    const text = bench.run(Array.from({ length: 12 }, (_, at) => isVaried ? varied(counting, at) : counting), options);
    return { text, rows: bench.rows("SELECT count(*) FROM t") };
  });
  assertEquals(texts[0], texts[1]);
  assert(texts[0].text.includes("exceeded its limit of 300000 steps"), texts[0].text);
});

function elementsOf(
  entry: readonly { sql: string; values: readonly (number | "missing")[] }[],
  isVaried: boolean,
): Sql[] {
  let count = 0;
  return entry.flatMap(({ sql, values }) =>
    values.map((value): Sql => {
      const text = isVaried ? varied(sql, count++) : sql;
      if (value === "missing" || !/[?:]/.test(sql)) return text;
      return sql.includes(":b") ? [text, { b: BigInt(value) }] : [text, BigInt(value)];
    })
  );
}

/** The same statement with another text, also when comments at its end are cut off. */
function varied(sql: string, number: number): string {
  return sql.replace(" ", ` /* ${number} */ `);
}

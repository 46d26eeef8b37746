/**
 * Reads that run where the writes do: whatever becomes of one, the writes beside it happen once, and none keeps the writer
 * longer than its time.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Bench, entry, type Sql } from "./fixture.ts";

interface Result {
  readonly error?: string;
  readonly values?: unknown[][];
  readonly rows_affected?: number;
}

function results(bench: Bench, statements: readonly Sql[], options: Parameters<Bench["run"]>[1]): Result[] {
  return JSON.parse(bench.run(statements, options));
}

function withLog(work: (bench: Bench) => void, options: { readonly tempBytesMax?: number } = {}): void {
  const folder = Deno.makeTempDirSync();
  try {
    using bench = new Bench(`${folder}/db.sqlite`, false, options);
    bench.run(["CREATE TABLE log(m)", "INSERT INTO log VALUES('first')"]);
    work(bench);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function failsBetweenWrites(bench: Bench, sql: string, words: string): void {
  const [before, read, after] = results(
    bench,
    ["INSERT INTO log VALUES('before')", sql, "INSERT INTO log VALUES('after')"],
    { kind: "request" },
  );
  assertEquals([before.rows_affected, after.rows_affected], [1, 1]);
  assertStringIncludes(read.error ?? "", words);
}

/** Exceeds what a statement may hold; as it reads the database, SQLite gives the whole transaction up. */
const HOG = `SELECT ${Array.from({ length: 8 }, (_, at) => `length(hex(zeroblob(30000000)) || ${at} || m)`)} FROM log`;
/** Takes a temporary file of some megabytes. */
const SORT = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 30000) " +
  "SELECT length(q) FROM (SELECT hex(randomblob(500)) q FROM c, log ORDER BY 1 LIMIT 30000) LIMIT 1";
const ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c, log";

Deno.test("a read for which the memory does not suffice leaves the writes beside it as they are", () => {
  withLog((bench) => {
    failsBetweenWrites(bench, HOG, "exceeded its limit of 268435456 bytes");
    const [strong] = results(bench, [HOG], { kind: "query" });
    assertStringIncludes(strong.error ?? "", "exceeded its limit of 268435456 bytes");
    assertEquals(bench.rows("SELECT m FROM log"), [["first"], ["before"], ["after"]]);
  });
});

Deno.test("a read for which its temporary files do not suffice leaves the writes beside it as they are", () => {
  withLog((bench) => {
    failsBetweenWrites(bench, SORT, "exceeded its limit of 1000000 bytes for a temporary file");
    assertEquals(bench.rows("SELECT m FROM log"), [["first"], ["before"], ["after"]]);
  }, { tempBytesMax: 1_000_000 });
});

Deno.test("a read that failed for its asker alone leaves the writes behind it what they may cost", () => {
  withLog((bench) => {
    withLog((other) => {
      const sums = Array.from({ length: 300 }, (_, at) => `sum(1) OVER (ORDER BY a + ${at}) AS c${at}`);
      for (const each of [bench, other]) {
        each.run(["CREATE TABLE base(a)", `CREATE VIEW costly AS SELECT ${sums} FROM base`]);
      }
      // Compiling the write takes part of the budget each time: some of the four have none left.
      const statements = [HOG, ...Array.from({ length: 4 }, () => "INSERT INTO log SELECT count(c0) FROM costly")];
      for (let maxSteps = 1_000_000; maxSteps < 60_000_000; maxSteps *= 1.5) {
        const options = { kind: "request", maxSteps: Math.trunc(maxSteps) } as const;
        const shown = results(bench, statements, options).slice(1).filter(({ error }) => error === undefined);
        other.machine.apply([entry(other.machine.applied + 1, statements, options)]);
        assertEquals(
          other.machine.digest.value,
          bench.machine.digest.value,
          `${maxSteps} steps, ${shown.length} writes`,
        );
      }
      assertEquals(other.rows("SELECT count(*) FROM log"), bench.rows("SELECT count(*) FROM log"));
    });
  });
});

Deno.test("the reads of a request share its time", () => {
  withLog((bench) => {
    const timeout = { error: "query timeout" };
    const readTimeoutMs = 200;
    assertEquals(results(bench, [ENDLESS, "SELECT 1"], { kind: "query", readTimeoutMs }), [timeout, timeout]);
    const [read, write, late] = results(
      bench,
      [ENDLESS, "INSERT INTO log VALUES('beside')", "SELECT 1"],
      { kind: "request", readTimeoutMs },
    );
    assertEquals([read, late], [timeout, timeout]);
    assertEquals(write.rows_affected, 1);
    assertEquals(bench.rows("SELECT m FROM log"), [["first"], ["beside"]]);
  });
});

Deno.test("reads that nobody waits for are ended, and the writes beside them happen on every replica", () => {
  withLog((bench) => {
    withLog((other) => {
      const insert = (text: string) => `INSERT INTO log VALUES('${text}')`;
      const statements = [insert("before"), ENDLESS, insert("after"), ENDLESS];
      bench.privateControl.ticket.cancelAll();
      const timeout = { error: "query timeout" };
      const [before, ended, after, endedToo] = results(bench, statements, { kind: "request" });
      assertEquals([ended, endedToo], [timeout, timeout]);
      assertEquals([before.rows_affected, after.rows_affected], [1, 1]);
      assertEquals(results(bench, [ENDLESS], { kind: "query" }), [timeout]);
      other.machine.apply([entry(2, statements, { kind: "request" }), entry(3, [ENDLESS], { kind: "query" })]);
      assertEquals(other.machine.digest.value, bench.machine.digest.value);
      assertEquals(other.rows("SELECT m FROM log"), [["first"], ["before"], ["after"]]);
    });
  });
});

Deno.test("the time of a read does not begin anew with each piece of its rows", () => {
  withLog((bench) => {
    // A hundred rows, each a piece of its own that takes a fraction of the limit.
    const slow =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100) SELECT hex(zeroblob(40000 + x)), " +
      "(WITH RECURSIVE d(y) AS (SELECT c.x UNION ALL SELECT y + 1 FROM d WHERE y < 200000) SELECT count(*) FROM d) FROM c";
    assertEquals(results(bench, [slow], { kind: "query", readTimeoutMs: 700 }), [{ error: "query timeout" }]);
    const [whole] = results(bench, [slow], { kind: "query" });
    assert(whole.values?.length === 100);
  });
});

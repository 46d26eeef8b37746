/**
 * A statement does the same whether somebody takes its rows or they go nowhere, as on most of the replicas, and whatever
 * became of it before: some nodes have compiled it long ago, others just now.
 */
import { assertEquals } from "@std/assert";
import { Control } from "../../../src/drivers/libsqlite/control.ts";
import { Database, runOnce, SqliteError, type Statement } from "../../../src/drivers/libsqlite/driver.ts";

const LENGTH = 300_000;
/** The first row leaves in its register what the second is put into. */
const VALUE = `CASE WHEN x = 1 THEN zeroblob(${LENGTH}) ELSE substr(b, 1, ${LENGTH} + x) END`;
const THREE = "(SELECT 1 AS x UNION ALL SELECT 2 UNION ALL SELECT 3)";
const QUERIES = [
  `SELECT ${VALUE}, ${VALUE} FROM ${THREE}, big`,
  `SELECT ${VALUE}, length(${VALUE}) FROM ${THREE}, big`,
  `SELECT 'abc', zeroblob(${LENGTH}), b || 'x', replace(hex(b), '00', x) FROM big, ${THREE}`,
  `SELECT quote(z), z, typeof(z) FROM (SELECT zeroblob(${LENGTH}) AS z FROM big, ${THREE})`,
  `SELECT max(z) OVER (ORDER BY x), z FROM (SELECT zeroblob(${LENGTH} + x) AS z, x FROM ${THREE})`,
  `SELECT group_concat(hex(b)), total(length(b)) FROM big, ${THREE}`,
  `SELECT json_group_array(hex(b)), json_group_object(x, hex(b)) FROM big, ${THREE}`,
  `SELECT json_array(hex(b), x), json_extract(json_object('a', hex(b)), '$.a') FROM big, ${THREE}`,
  `SELECT printf('%s-%s', hex(b), x), upper(hex(b)), trim(hex(b), '0') FROM big, ${THREE}`,
  `SELECT DISTINCT substr(b, x) FROM big, ${THREE} ORDER BY substr(b, -x) DESC`,
  `SELECT CAST(b AS TEXT), CAST(hex(b) AS BLOB), b = substr(b, 1), hex(b) LIKE '%1%' FROM big, ${THREE}`,
  `SELECT min(hex(b) || x), max(hex(b) || x), count(DISTINCT hex(b) || x) FROM big, ${THREE} GROUP BY x`,
  `SELECT unhex(hex(b)), instr(hex(b), '1'), randomblob(${LENGTH}) FROM big, ${THREE}`,
  `SELECT first_value(hex(b)) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM big, ${THREE}`,
  `WITH RECURSIVE r(v) AS (SELECT hex(b) FROM big UNION SELECT substr(v, 2) FROM r LIMIT 5) SELECT v FROM r`,
];

/** What a run of it comes to, and the steps that it takes. */
function outcome(work: (control: Control) => unknown, limits: { valueBytes?: number; steps?: number }): unknown[] {
  const control = new Control();
  control.setRandom(1, 2, 3, 4);
  control.steps = limits.steps ?? 1_000_000_000;
  if (limits.valueBytes !== undefined) control.valueBytes = limits.valueBytes;
  try {
    work(control);
    return ["done", control.steps];
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
    return [error.stop, control.steps];
  }
}

function* limits(): Generator<{ valueBytes?: number; steps?: number }> {
  for (let valueBytes = 100_000; valueBytes < 8_000_000; valueBytes += 150_000) yield { valueBytes };
  for (let steps = 0; steps < 150_000; steps += 3_000) yield { steps };
}

Deno.test("rows that nobody takes cost as much as those that are shown, after all that was stopped before", () => {
  const database = new Database(":memory:", { readOnly: false, foreignKeys: true });
  const fresh = (sql: string, run: (statement: Statement) => void) => {
    const statement = database.prepare(sql);
    try {
      run(statement);
    } finally {
      statement.finalize();
    }
  };
  try {
    runOnce(database, "CREATE TABLE big(b)");
    runOnce(database, `INSERT INTO big VALUES(zeroblob(${LENGTH}))`);
    for (const sql of QUERIES) {
      const kept = database.prepare(sql);
      const seen = new Set<unknown>();
      for (const limit of limits()) {
        const unseen = outcome((control) => fresh(sql, (statement) => statement.run([], control)), limit);
        const again = outcome((control) => kept.run([], control), limit);
        const shown = outcome((control) => kept.all([], control), limit);
        assertEquals([again, shown], [unseen, unseen], `${sql} with ${JSON.stringify(limit)}`);
        seen.add(unseen[0]);
      }
      assertEquals([...seen].toSorted(), ["done", "memory", "steps"], sql);
    }
  } finally {
    database.close();
  }
});

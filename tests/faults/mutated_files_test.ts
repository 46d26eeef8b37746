/**
 * A database file with some bytes changed is loaded, and written to where it was taken: whatever it is, the node goes on, and starts
 * again. The seed is printed; `MUTATED_SEED` repeats it, `MUTATED_FILES` sets how many.
 */
import { assert, assertEquals } from "@std/assert";
import { Database, runOnce } from "../../src/drivers/libsqlite/driver.ts";
import { nodePlace, withNodes } from "../harness/processes.ts";
import { post } from "./file_requests.ts";
import { Random } from "../harness/random.ts";

const SEED = Number(Deno.env.get("MUTATED_SEED") ?? Math.floor(Math.random() * 2 ** 32));
const COUNT = Number(Deno.env.get("MUTATED_FILES") ?? 150);
const PAGE_BYTES = 1024;
const ROWS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200)";

/** A little of everything that a database may hold. */
const SCHEMA = [
  `PRAGMA page_size = ${PAGE_BYTES}`,
  "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b BLOB, c REAL DEFAULT (1.5))",
  "CREATE INDEX i ON t(a)",
  "CREATE UNIQUE INDEX i2 ON t(b) WHERE b IS NOT NULL",
  "CREATE VIEW v AS SELECT a FROM t",
  "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET c = 2 WHERE id = new.id; END",
  "CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
  "CREATE VIRTUAL TABLE f USING fts5(x)",
  "CREATE VIRTUAL TABLE f4 USING fts4(y)",
  "CREATE VIRTUAL TABLE r USING rtree(id, a, b)",
  `INSERT INTO t(a, b) ${ROWS} SELECT 'v' || x, randomblob(20) FROM c`,
  `INSERT INTO w ${ROWS} SELECT 'k' || x, x FROM c`,
  `INSERT INTO f ${ROWS} SELECT 'w' || (x % 7) || ' x' || x FROM c`,
  `INSERT INTO f4 ${ROWS} SELECT 'w' || x FROM c`,
  `INSERT INTO r ${ROWS} SELECT x, x, x + 1 FROM c`,
  "ANALYZE",
];

const STATEMENTS = [
  "INSERT INTO t(a, b) VALUES('x', randomblob(5))",
  "DELETE FROM t WHERE id % 3 = 0",
  "INSERT INTO t(a) SELECT a FROM v",
  "INSERT INTO f VALUES('w1 q')",
  "DELETE FROM f WHERE rowid = 5",
  "INSERT INTO f(f) VALUES('optimize')",
  "INSERT INTO f4 VALUES('z')",
  "INSERT INTO r VALUES(999, 1, 2)",
  "DELETE FROM r WHERE id < 50",
  "UPDATE w SET v = v + 1",
  "CREATE TABLE n AS SELECT * FROM t",
  "ALTER TABLE t ADD z",
  "PRAGMA auto_vacuum = FULL",
  "REINDEX",
  "ANALYZE",
  "VACUUM",
  "DROP TABLE f",
  "DROP TABLE t",
];

function makeFile(path: string): Uint8Array<ArrayBuffer> {
  const database = new Database(path, { readOnly: false, foreignKeys: false });
  for (const sql of SCHEMA) runOnce(database, sql);
  database.close();
  return Deno.readFileSync(path);
}

/** Changes one byte to five; half of them where pages have their headers. */
function mutate(file: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  const bytes = file.slice();
  for (let changes = random.pick([1, 1, 2, 5]) ?? 1; changes > 0; changes--) {
    const page = random.below(bytes.length / PAGE_BYTES);
    const at = random.chance(0.5) ? random.below(bytes.length) : page * PAGE_BYTES + random.below(120);
    bytes[at] = random.pick([0, 255, bytes[at] ^ 1 << random.below(8), random.below(256)]) ?? 0;
  }
  return bytes;
}

Deno.test("database files with changed bytes are loaded or refused, and the node goes on whatever is done with them", () =>
  withNodes(async (root, start) => {
    console.log(`MUTATED_SEED=${SEED} MUTATED_FILES=${COUNT}`);
    const random = new Random(SEED);
    const file = makeFile(`${root}/sample.sqlite`);
    let node = start(nodePlace(root, "1"));
    await node.ready();
    let taken = 0;
    for (let count = 0; count < COUNT; count++) {
      const answer = await post(node, "/db/load", mutate(file, random));
      if (answer !== `{"results":[]}`) continue;
      taken++;
      for (let statements = 0; statements < 6; statements++) {
        await post(node, "/db/execute", JSON.stringify([random.pick(STATEMENTS)]));
      }
    }
    assert(taken > 0 && taken < COUNT, `${taken} of ${COUNT} were taken`);
    assertEquals(await post(node, "/db/load", file), `{"results":[]}`);
    await node.execute("CREATE TABLE after(a)", "INSERT INTO after VALUES(1)");
    await node.stop("SIGKILL");
    node = start(node.place);
    await node.ready();
    assertEquals(await node.row("SELECT a FROM after", "strong"), [1]);
  }));

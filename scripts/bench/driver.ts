/**
 * The SQLite driver alone, in turn with the runtime's own `node:sqlite`: inserts and rows a second, in memory.
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { Database, runOnce } from "../../src/drivers/libsqlite/driver.ts";

const SCHEMA = "CREATE TABLE foo(id INTEGER PRIMARY KEY, name TEXT, age INTEGER)";
const INSERT = "INSERT INTO foo(name, age) VALUES(?, ?)";
const SELECT = "SELECT id, name, age FROM foo";

/** One driver under measurement. */
interface Subject {
  readonly name: string;
  /** Runs `count` inserts in a transaction, then reads all rows; milliseconds of each. */
  run(count: number): { insertsMs: number; rowsMs: number };
}

const muster: Subject = {
  name: "muster",
  run(count) {
    const database = new Database(":memory:", { readOnly: false, foreignKeys: false });
    runOnce(database, SCHEMA);
    const insert = database.prepare(INSERT);
    const select = database.prepare(SELECT);
    runOnce(database, "BEGIN");
    const insertsMs = timed(() => {
      for (let at = 0; at < count; at++) insert.run(["fiona", 20n]);
    });
    runOnce(database, "COMMIT");
    const rowsMs = timed(() => expect(select.all().length, count));
    database.close();
    return { insertsMs, rowsMs };
  },
};

const runtime: Subject = {
  name: "node:sqlite",
  run(count) {
    const database = new DatabaseSync(":memory:");
    database.exec(SCHEMA);
    const insert = database.prepare(INSERT);
    const select = database.prepare(SELECT);
    select.setReadBigInts(true);
    database.exec("BEGIN");
    const insertsMs = timed(() => {
      for (let at = 0; at < count; at++) insert.run("fiona", 20n);
    });
    database.exec("COMMIT");
    const rowsMs = timed(() => expect(select.all().length, count));
    database.close();
    return { insertsMs, rowsMs };
  },
};

function timed(work: () => void): number {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
}

function expect(found: number, wanted: number): void {
  if (found !== wanted) throw new Error(`Expected ${wanted} rows, found ${found}`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Measures both in turn and prints medians and their ratios. */
export function benchDriver(rounds: number): void {
  const count = 300_000;
  const perSecond = new Map<string, { inserts: number[]; rows: number[] }>();
  for (let round = 0; round <= rounds; round++) {
    for (const subject of [runtime, muster]) {
      const { insertsMs, rowsMs } = subject.run(count);
      if (round === 0) continue; // both are compiled by then
      const figures = perSecond.get(subject.name) ?? { inserts: [], rows: [] };
      figures.inserts.push(count / insertsMs * 1000);
      figures.rows.push(count / rowsMs * 1000);
      perSecond.set(subject.name, figures);
    }
  }
  for (const kind of ["inserts", "rows"] as const) {
    const [before, after] = [runtime, muster].map(({ name }) => median(perSecond.get(name)?.[kind] ?? []));
    console.log(
      `${kind.padEnd(8)} ${runtime.name} ${Math.round(before).toLocaleString("en")}/s, ` +
        `${muster.name} ${Math.round(after).toLocaleString("en")}/s, ratio ${(after / before).toFixed(2)}`,
    );
  }
}

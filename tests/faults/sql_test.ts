/**
 * Problems reported by users of replicated SQLite (sql_cases.ts), on one node and on three: each case gives the right
 * value, and leaves every node sound, after kill -9 of all as well.
 */
import { withNodes } from "../harness/processes.ts";
import { FaultCluster } from "./cluster.ts";
import { CASES } from "./sql_cases.ts";

/** No room outside the data directory, and a time zone that shows. */
const ENV = { SQLITE_TMPDIR: "/nowhere", TMPDIR: "/nowhere", TZ: "America/New_York" };

/** Cases between one kill of all nodes and the next, by the number of nodes. */
const CASES_PER_KILL: Readonly<Record<number, number>> = { 1: 3, 3: 8 };

for (const count of [1, 3]) {
  for (const foreignKeys of [false, true]) {
    const cases = CASES.filter((one) => (one.foreignKeys ?? false) === foreignKeys);
    const name = `${count} ${count === 1 ? "node" : "nodes"}${foreignKeys ? " with foreign keys" : ""}`;
    Deno.test(`faults that users ran into: ${name}`, async (t) => {
      await withNodes(async (root, start) => {
        const flags = ["-http-allow-origin", "http://app.example", ...(foreignKeys ? ["-fk"] : [])];
        const cluster = new FaultCluster(root, start, { count, flags, env: ENV });
        await cluster.start();
        for (const [at, { name, run }] of cases.entries()) {
          const isKilled = (at + 1) % CASES_PER_KILL[count] === 0 || at === cases.length - 1;
          await t.step(name, async () => {
            await run(cluster);
            await cluster.isSound();
            if (!isKilled) return;
            await cluster.restart();
            await cluster.isSound();
          });
        }
      });
    });
  }
}

/**
 * The second half of the demonstration: the leader is killed, the others go on, it comes back, all hold the same.
 * @module
 */
import { createHash } from "node:crypto";
import { leaderOf, type NodeProcess, until } from "../../tests/harness/processes.ts";
import { duration, table } from "../terminal/table.ts";
import { thousands } from "../../src/program/client/progress.ts";
import { CITIES_INSERT } from "./cities.ts";

const PAUSE_MS = 20;
const ATTEMPT_MS = 1000;
const ACCEPTED_MS_MAX = 15_000;
const PAGE_ROWS = 20_000;

/**
 * Kills the leader, writes to the others until one accepts, then changes some rows while the node is away.
 * @param count Number of rows before.
 * @returns Number of rows afterwards.
 */
export async function loseLeader(leader: NodeProcess, nodes: readonly NodeProcess[], count: number): Promise<number> {
  const others = nodes.filter((node) => node !== leader);
  const killed = performance.now();
  leader.signal("SIGKILL");
  console.log(`  kill -9 ${leader.pid}: node ${leader.place.id} is gone`);
  let refused = 0;
  const [url, answered] = await until("a write after the leader's death", async () => {
    const node = others[refused % others.length];
    const city = [count + 1, "Musterstadt", "DE", 50, 10];
    const accepted = await node.send(
      `/db/execute?timeout=${ATTEMPT_MS}ms`,
      [[`${CITIES_INSERT} ON CONFLICT DO NOTHING`, ...city]], // an earlier try of unknown outcome may have done it
      2 * ATTEMPT_MS,
    ).catch(() => undefined);
    if (accepted && accepted.error === undefined && accepted.results[0]?.error === undefined) {
      return [node.url, performance.now()] as const;
    }
    refused++;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }, ACCEPTED_MS_MAX);
  await leader.ended();
  console.log(`  next write accepted at ${url} after ${duration(answered - killed)} (${refused} refused before it)`);
  const next = await leaderOf(others);
  if (next === leader) throw new Error("Cannot lead: the node is dead");
  console.log(`  node ${next.place.id} leads now`);
  const { results } = await others[0].execute("UPDATE cities SET name = upper(name) WHERE country = 'IS'");
  console.log(`  meanwhile ${results[0].rows_affected} cities of Iceland get capital letters`);
  return count + 1;
}

/** Waits until a node that was started again holds all that was written without it. */
export async function regain(node: NodeProcess, nodes: readonly NodeProcess[]): Promise<void> {
  const started = performance.now();
  await node.ready();
  console.log(`  ready after ${duration(performance.now() - started)}`);
  // Applied in the order of the log: who has this has everything before it.
  await node.execute("CREATE TABLE reunion (at TEXT DEFAULT CURRENT_TIMESTAMP)", "INSERT INTO reunion DEFAULT VALUES");
  for (const one of nodes) {
    await until(`all writes on node ${one.place.id}`, async () => {
      const rows = await one.row("SELECT count(*) FROM reunion", "none");
      return rows[0] === 1 ? true : undefined;
    });
  }
  console.log(`  all writes made without it are there after ${duration(performance.now() - started)}`);
}

/** Compares number and content of the rows in each node's own copy, read at level none. */
export async function showSame(nodes: readonly NodeProcess[], count: number): Promise<void> {
  const copies = await Promise.all(nodes.map(digest));
  console.log(table(
    ["node", "rows", "SHA-256 of all rows, read at level none"],
    copies.map(({ rows, hash }, at) => [nodes[at].place.id, rows, hash]),
    { indent: "  " },
  ));
  if (copies.some(({ rows }) => rows !== count)) throw new Error(`Cannot find ${thousands(count)} rows on each node`);
  if (new Set(copies.map(({ hash }) => hash)).size !== 1) throw new Error("The nodes hold different rows");
}

async function digest(node: NodeProcess): Promise<{ readonly rows: number; readonly hash: string }> {
  const hash = createHash("sha256");
  let rows = 0;
  for (let last = 0;;) {
    const { results, error } = await node.send("/db/query?level=none", [
      ["SELECT * FROM cities WHERE id > ? ORDER BY id LIMIT ?", last, PAGE_ROWS],
    ]);
    const wrong = error ?? results[0]?.error;
    if (wrong !== undefined) throw new Error(`Cannot read node ${node.place.id}: ${wrong}`);
    const page = results[0].values ?? [];
    for (const row of page) hash.update(JSON.stringify(row) + "\n");
    rows += page.length;
    if (page.length < PAGE_ROWS) break;
    last = Number(page[page.length - 1][0]);
  }
  const [{ values: reunion }] = (await node.send("/db/query?level=none", ["SELECT at FROM reunion"])).results;
  hash.update(JSON.stringify(reunion));
  return { rows, hash: hash.digest("hex") };
}

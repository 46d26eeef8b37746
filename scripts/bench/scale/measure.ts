/**
 * What is measured at each size. Nodes are started for each series and ended behind it.
 * @module
 */
import { detectCrash } from "../../../tests/harness/gossip/simulation.ts";
import { until } from "../../../tests/harness/processes.ts";
import type { LoadGenerator } from "../load.ts";
import { type BenchNode, leaderAmong, MUSTER, send, startNode } from "../systems.ts";
import { costsOfWaiting } from "../waits.ts";
import type { Line, Point, Series } from "./series.ts";

/** Where it is measured. */
export interface ScaleSite {
  readonly root: string;
  readonly generator: LoadGenerator;
  /** Of a load. */
  readonly seconds: number;
  /** Rows with this many bytes in all are the largest database, MiB. */
  readonly mibMax: number;
  say(text: string): void;
}

/** A series to be measured. */
export interface Measured {
  readonly id: string;
  measure(site: ScaleSite): Promise<Series>;
}

const INSERT = JSON.stringify([["INSERT INTO writes(name, age) VALUES(?, ?)", "fiona", 20]]);
const TABLES = [
  "CREATE TABLE writes (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)",
  "CREATE TABLE filled (id INTEGER PRIMARY KEY, name TEXT)",
];
const ROW_BYTES = 1000;
const ROWS_PER_REQUEST = 1000;
const MIB = 1_048_576;
const CONNECTIONS = 32;

/** Runs `work` with nodes of one cluster, the leader first. */
async function withCluster<T>(site: ScaleSite, count: number, work: (nodes: BenchNode[]) => Promise<T>): Promise<T> {
  const nodes = await MUSTER.start(site.root, count);
  try {
    const leader = await leaderAmong(nodes);
    await send(leader, "/db/execute", JSON.stringify(TABLES));
    return await work([leader, ...nodes.filter((node) => node !== leader)]);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

/** Requests a second that are answered without an error. */
async function rate(
  { generator, seconds, root }: ScaleSite,
  node: BenchNode,
  { path, bodies, connections = CONNECTIONS }: { path: string; bodies: readonly string[]; connections?: number },
): Promise<number> {
  const load = { url: node.url + path, bodies, connections, seconds };
  const { perSecond, failures, firstFailure } = await generator.run(load, root);
  if (failures > 0) throw new Error(`${failures} requests failed: ${firstFailure}`);
  return perSecond;
}

/** The figures of each size, one after the other. */
async function over(
  site: ScaleSite,
  sizes: readonly number[],
  names: readonly string[],
  figures: (size: number) => Promise<readonly number[]>,
): Promise<Line[]> {
  const points: Point[][] = names.map(() => []);
  for (const x of sizes) {
    const values = await figures(x);
    values.forEach((y, at) => points[at].push({ x, y }));
    site.say(`${x}: ${names.map((name, at) => `${name} ${values[at].toPrecision(4)}`).join(", ")}`);
  }
  return names.map((name, at) => ({ name, points: points[at] }));
}

const connections: Measured = {
  id: "connections",
  measure: (site) =>
    withCluster(site, 1, async ([node]) => {
      await send(node, "/db/execute", INSERT);
      const select = [JSON.stringify([["SELECT * FROM writes WHERE id = ?", 1]])];
      return {
        id: "connections",
        title: "Requests of one node by connections",
        size: "connections",
        figure: "requests a second",
        isRate: true,
        lines: await over(site, [1, 4, 16, 64, 256, 1024, 2000], ["INSERT", "SELECT, none"], async (connections) => [
          await rate(site, node, { path: "/db/execute", bodies: [INSERT], connections }),
          await rate(site, node, { path: "/db/query?level=none", bodies: select, connections }),
        ]),
      };
    }),
};

const rows: Measured = {
  id: "rows",
  measure: (site) =>
    withCluster(site, 1, async ([node]) => ({
      id: "rows",
      title: "Rows inserted by rows of a request",
      size: "rows of a request, 4 connections, one node",
      figure: "rows a second",
      isRate: true,
      lines: await over(site, [1, 10, 100, 1000, 10_000, 100_000], ["rows"], async (count) => {
        const one = ["INSERT INTO writes(name, age) VALUES(?, ?)", "fiona", 20];
        const bodies = [JSON.stringify(Array.from({ length: count }, () => one))];
        return [await rate(site, node, { path: "/db/execute?transaction", bodies, connections: 4 }) * count];
      }),
    })),
};

const nodes: Measured = {
  id: "nodes",
  measure: async (site) => ({
    id: "nodes",
    title: "Writes by the size of the cluster",
    size: "nodes, all on one machine",
    figure: "INSERTs a second, 32 connections",
    isRate: true,
    lines: await over(site, [1, 3, 5, 7], ["INSERT"], async (count) => [
      await withCluster(site, count, ([leader]) => rate(site, leader, { path: "/db/execute", bodies: [INSERT] })),
    ]),
  }),
};

const statement: Measured = {
  id: "statement",
  measure: (site) =>
    withCluster(site, 1, async ([node]) => ({
      id: "statement",
      title: "Reads by the length of the statement",
      size: "characters of the statement",
      figure: "MB of statements a second",
      isRate: true,
      lines: await over(site, [100, 1000, 10_000, 100_000, 1_000_000], ["SELECT"], async (length) => {
        const bodies = [JSON.stringify([`SELECT length('${"x".repeat(length - 17)}')`])];
        return [await rate(site, node, { path: "/db/query?level=none", bodies, connections: 4 }) * length / 1e6];
      }),
    })),
};

/** Sizes of the database, in MiB. */
function databaseSizes(mibMax: number): number[] {
  return [10, 30, 100, 300, 1000, 3000, 10_000].filter((mib) => mib <= mibMax);
}

/** Adds rows to those that a node holds until they come to a size; how many there are then. */
async function filled(node: BenchNode, rows: number, mib: number): Promise<number> {
  const statement = ["INSERT INTO filled(name) VALUES(?)", "x".repeat(ROW_BYTES)];
  const request = JSON.stringify(Array.from({ length: ROWS_PER_REQUEST }, () => statement));
  let held = rows;
  for (; held * ROW_BYTES < mib * MIB; held += ROWS_PER_REQUEST) {
    await send(node, "/db/execute?transaction", request, 120_000);
  }
  return held;
}

/** Rates and times of a database as it grows: one cluster is filled from size to size. */
async function grown(
  site: ScaleSite,
  names: readonly string[],
  figures: (lead: BenchNode, rows: number) => Promise<number[]>,
) {
  return await withCluster(site, 1, async ([node]) => {
    let held = 0;
    return await over(site, databaseSizes(site.mibMax), names, async (mib) => {
      held = await filled(node, held, mib);
      return await figures(node, held);
    });
  });
}

const database: Measured = {
  id: "database",
  measure: async (site) => ({
    id: "database",
    title: "Requests by the size of the database",
    size: "MiB of rows, one node",
    figure: "requests a second, 32 connections",
    isRate: true,
    lines: await grown(site, ["SELECT by key, none", "INSERT"], async (node, rows) => {
      const bodies = Array.from(
        { length: 500 },
        (_, at) => JSON.stringify([["SELECT id FROM filled WHERE id = ?", 1 + at * 7919 % rows]]),
      );
      return [
        await rate(site, node, { path: "/db/query?level=none", bodies }),
        await rate(site, node, { path: "/db/execute", bodies: [INSERT] }),
      ];
    }),
  }),
};

const starts: Measured = {
  id: "starts",
  measure: async (site) => ({
    id: "starts",
    title: "Starts by the size of the database",
    size: "MiB of rows",
    figure: "seconds",
    isRate: false,
    lines: await grownAlone(site),
  }),
};

/** How long a node takes to start again, and a new one to hold all that the first one has. */
async function grownAlone(site: ScaleSite): Promise<Line[]> {
  const sizes = databaseSizes(site.mibMax);
  return await over(site, sizes, ["restart", "new node"], async (mib) => {
    const [first] = await MUSTER.start(site.root, 1);
    let node = first;
    let second: BenchNode | undefined;
    try {
      await send(node, "/db/execute", JSON.stringify(TABLES));
      const held = await filled(node, 0, mib);
      await fetch(`${node.url}/snapshot`, { method: "POST" }).then((response) => response.body?.cancel());
      await node.stop("SIGTERM");
      let started = performance.now();
      node = await node.restart();
      await holds(node, held);
      const restart = performance.now() - started;
      started = performance.now();
      second = await startNode(site.root, `late-${mib}`, node);
      await holds(second, held);
      return [restart / 1000, (performance.now() - started) / 1000];
    } finally {
      await Promise.all([node, second].map((one) => one?.stop()));
    }
  });
}

async function holds(node: BenchNode, rows: number): Promise<void> {
  await until("the last row", async () => {
    const [[last]] = await send(node, "/db/query?level=none", JSON.stringify(["SELECT max(id) FROM filled"])).catch(
      () => [[0]],
    );
    return last === rows ? true : undefined;
  }, 600_000);
}

const waits: Measured = {
  id: "waits",
  measure: async (site) => ({
    id: "waits",
    title: "A change of the catalog by blocking queries that wait for something else",
    size: "blocking queries that wait",
    figure: "ms of a processor for each change",
    isRate: false,
    lines: [{
      name: "change",
      points: (await costsOfWaiting([10, 100, 1000, 3500])).map(({ waiting, processorMs }) => {
        site.say(`${waiting}: ${processorMs.toPrecision(3)} ms`);
        return { x: waiting, y: processorMs };
      }),
    }],
  }),
};

const members: Measured = {
  id: "members",
  measure: async (site) => ({
    id: "members",
    title: "A member crashes (simulated)",
    size: "members of the pool",
    figure: "seconds",
    isRate: false,
    lines: await over(site, [10, 32, 100, 320, 1000, 2000], ["thought dead", "known to all"], (size) => {
      const { dead, known } = detectCrash(size, 1);
      return Promise.resolve([dead, known]);
    }),
  }),
};

/** All series. */
export const SERIES: readonly Measured[] = [connections, rows, nodes, database, starts, statement, waits, members];

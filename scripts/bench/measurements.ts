/**
 * The measurements of the benchmark, and the figures that muster must reach on a machine with two processors and an
 * fdatasync of 0.19 ms.
 * @module
 */
import { until } from "../../tests/harness/processes.ts";
import { putLoad, putPoints, rangeLoad } from "./etcd.ts";
import type { LoadGenerator } from "./load.ts";
import { processorSeconds, residentBytes } from "./machine.ts";
import { type BenchNode, leaderAmong, send, type System } from "./systems.ts";

const ROWS_PER_BULK = 1000;
const BULK_CONNECTIONS = 4;
const POINTS = 10_000;
const POINT_REQUESTS = 500;
const READ_CONNECTIONS = 32;
const FILL_ROW_BYTES = 1000;
const ATTEMPT_MS = 500;
const FAILOVER_MS_MAX = 30_000;
const MIB = 1_048_576;

/** Of a figure. */
export type Unit = "/s" | "ms" | "MB" | "%";

/** The result of one phase. */
export interface Sample {
  /** In the unit of the measurement. */
  readonly value: number;
  /** Median latency, for load. */
  readonly p50Ms?: number;
  /** Of 99 in 100, for load. */
  readonly p99Ms?: number;
  /** Requests that failed, and rows acknowledged that are not there. @default {0} */
  readonly failures?: number;
  /** The text of the first failure. */
  readonly firstFailure?: string;
}

/** The place where a phase runs. */
export interface Site {
  /** Under measurement. */
  readonly system: System;
  /** Its running nodes, as many as the measurement asks for. */
  readonly nodes: readonly BenchNode[];
  /** For data and temporary files. */
  readonly root: string;
  /** For load. */
  readonly generator: LoadGenerator;
  /** Of a phase. */
  readonly seconds: number;
}

/** One line of the report. */
export interface Measurement {
  /** Name for `--only`. */
  readonly id: string;
  /** Its title, for people. */
  readonly title: string;
  /** Of its figure. */
  readonly unit: Unit;
  /** Nodes it runs on, shared with others of that number; 0 when it starts its own. */
  readonly nodes: 0 | 1 | 3;
  /** The figure that muster has to reach: at least for rates, at most for the rest. */
  readonly aim?: number;
  /** The highest median latency that muster may have. */
  readonly aimP50Ms?: number;
  /** How many times rqlite muster is to reach in the end. */
  readonly aimRatio?: number;
  /** Measures once. */
  run(site: Site): Promise<Sample>;
  /** The nearest work of a system that keeps keys; missing: there is none. */
  runKeys?(site: Site): Promise<Sample>;
}

/** How a measurement is taken of a system; undefined where it has nothing like it. */
export function runOf(measurement: Measurement, { keeps }: System): ((site: Site) => Promise<Sample>) | undefined {
  return keeps === "keys" ? measurement.runKeys : measurement.run;
}

/** Whether more is better. */
export function isRate(unit: Unit): boolean {
  return unit === "/s";
}

/** Tables and rows that the measurements need; keys are there when they are written. */
export async function prepare(nodes: readonly BenchNode[], { keeps }: Pick<System, "keeps">): Promise<void> {
  if (keeps === "keys") return await putPoints(nodes);
  const leader = await leaderAmong(nodes);
  const schema = ["writes", "bulk", "points"].map((name) =>
    `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)`
  );
  await send(leader, "/db/execute", JSON.stringify(schema));
  for (let done = 0; done < POINTS; done += ROWS_PER_BULK) {
    await send(leader, "/db/execute?transaction", insertMany("points"));
  }
}

/** All measurements, in the order they run and are shown. `dataMb` is what a node holds when its start is measured. */
export function measurements(dataMb: number): Measurement[] {
  return [
    memory("memory/idle", "resident memory, idle", 160),
    idleProcessor(),
    write(1, 1, { aim: 1700, aimP50Ms: 0.55, aimRatio: 1 }),
    write(1, 32, { aim: 16_000, aimRatio: 3 }),
    write(1, 128, { aim: 28_000, aimRatio: 5 }),
    write(3, 1, { aim: 800, aimP50Ms: 1.2, aimRatio: 1 }),
    write(3, 32, { aim: 7500, aimRatio: 3 }),
    write(3, 128, { aim: 12_500, aimRatio: 5 }),
    throughFollower(),
    read("none", 30_000),
    read("weak", 30_000),
    read("linearizable", 30_000),
    read("strong", 15_000),
    read("linearizable", 15_000, 3),
    read("strong", 8000, 3),
    bulk(),
    memory("memory/loaded", "resident memory after this load", undefined),
    startEmpty(),
    startWithData(dataMb),
    failover(),
  ];
}

function write(
  nodes: 1 | 3,
  connections: number,
  aims: Pick<Measurement, "aim" | "aimP50Ms" | "aimRatio">,
): Measurement {
  return {
    id: `write/${nodes}/${connections}`,
    title: `INSERT, ${count(nodes, "node")}, ${count(connections, "connection")}`,
    unit: "/s",
    nodes,
    ...aims,
    run: (site) => insertLoad(site, { name: "writes", body: insertOne("writes"), rows: 1, connections }),
    runKeys: (site) => putLoad(site, connections),
  };
}

function throughFollower(): Measurement {
  return {
    id: "write/follower",
    title: "INSERT through a follower, 3 nodes, 32 connections",
    unit: "/s",
    nodes: 3,
    aim: 6000,
    aimRatio: 3,
    run: (site) =>
      insertLoad(site, { name: "writes", body: insertOne("writes"), rows: 1, connections: 32, at: "follower" }),
    runKeys: (site) => putLoad(site, 32, "follower"),
  };
}

function bulk(): Measurement {
  return {
    id: "bulk",
    title: `rows, ${ROWS_PER_BULK} INSERTs a request, 3 nodes, ${BULK_CONNECTIONS} connections`,
    unit: "/s",
    nodes: 3,
    aim: 200_000,
    run: (site) =>
      insertLoad(site, {
        name: "bulk",
        body: insertMany("bulk"),
        rows: ROWS_PER_BULK,
        connections: BULK_CONNECTIONS,
      }),
  };
}

/** A load that inserts rows. */
interface InsertLoad {
  /** The table. */
  readonly name: string;
  readonly body: string;
  /** Rows of a request. */
  readonly rows: number;
  readonly connections: number;
  /** The node that gets the requests. @default {"leader"} */
  readonly at?: "leader" | "follower";
}

/** Load that inserts rows. Afterwards as many rows must be there as were acknowledged. */
async function insertLoad(
  { nodes, generator, seconds, root }: Site,
  { name, body, rows, connections, at = "leader" }: InsertLoad,
): Promise<Sample> {
  const leader = await leaderAmong(nodes);
  const asked = at === "leader" ? leader : nodes.find((node) => node !== leader) ?? leader;
  const path = rows === 1 ? "/db/execute" : "/db/execute?transaction";
  const before = await lastId(leader, name);
  const load = { url: asked.url + path, bodies: [body], connections, seconds };
  const result = await generator.run(load, root);
  const acknowledged = (result.requests - Math.min(result.failures, result.requests)) * rows;
  const missing = Math.max(0, acknowledged - (await lastId(leader, name) - before));
  return {
    value: result.perSecond * rows,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    failures: result.failures + missing,
    firstFailure: missing > 0 ? `${missing} acknowledged rows are not there` : result.firstFailure,
  };
}

async function lastId(leader: BenchNode, name: string): Promise<number> {
  const rows = await send(leader, "/db/query?level=strong", JSON.stringify([`SELECT max(id) FROM ${name}`]));
  return Number(rows[0]?.[0] ?? 0);
}

/** Reads, at the leader. */
function read(level: string, aim: number, nodes: 1 | 3 = 1): Measurement {
  const bodies = Array.from(
    { length: POINT_REQUESTS },
    (_, at) => JSON.stringify([["SELECT * FROM points WHERE id = ?", 1 + at * 7919 % POINTS]]), // spread, not random
  );
  return {
    id: nodes === 1 ? `read/${level}` : `read/${nodes}/${level}`,
    title: `SELECT, ${level}, ${count(nodes, "node")}, ${READ_CONNECTIONS} connections`,
    unit: "/s",
    nodes,
    aim,
    aimRatio: 2,
    async run({ nodes: all, generator, seconds, root }) {
      const url = `${(await leaderAmong(all)).url}/db/query?level=${level}`;
      const { perSecond, ...rest } = await generator.run({ url, bodies, connections: READ_CONNECTIONS, seconds }, root);
      return { value: perSecond, ...rest };
    },
    // Reads through the log and reads of a leader that believes it leads are not etcd's.
    ...(level === "none" || level === "linearizable"
      ? { runKeys: (site: Site) => rangeLoad(site, READ_CONNECTIONS, level === "none") }
      : {}),
  };
}

/** Of the node that has most. */
function memory(id: string, title: string, aim: number | undefined): Measurement {
  const run = async ({ nodes }: Site): Promise<Sample> => {
    const bytes = await Promise.all(nodes.map(({ pid }) => residentBytes(pid)));
    return { value: Math.max(...bytes) / 1_000_000 };
  };
  return {
    id,
    title: `${title}, 3 nodes`,
    unit: "MB",
    nodes: 3,
    aim,
    run,
    runKeys: run,
  };
}

/** Of the node that uses most, in percent of one processor. */
function idleProcessor(): Measurement {
  const run = async ({ nodes, seconds }: Site): Promise<Sample> => {
    const started = performance.now();
    const before = await Promise.all(nodes.map(({ pid }) => processorSeconds(pid)));
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const after = await Promise.all(nodes.map(({ pid }) => processorSeconds(pid)));
    const elapsed = (performance.now() - started) / 1000;
    return { value: Math.max(...after.map((used, at) => used - before[at])) / elapsed * 100 };
  };
  return {
    id: "processor/idle",
    title: "processor time, idle, 3 nodes",
    unit: "%",
    nodes: 3,
    aim: 1,
    run,
    runKeys: run,
  };
}

/** Whether the nodes are to be left alone before it: it measures what they do by themselves. */
export function isIdle({ id }: Measurement): boolean {
  return id.endsWith("/idle");
}

function startEmpty(): Measurement {
  const run = async ({ system, root }: Site): Promise<Sample> => {
    const prepared = await Deno.makeTempDir({ dir: root });
    const started = performance.now();
    const [node] = await system.start(prepared, 1);
    const value = performance.now() - started;
    await node.stop();
    return { value };
  };
  return {
    id: "start/empty",
    title: "start to ready, 1 node, no data",
    unit: "ms",
    nodes: 0,
    run,
    runKeys: run,
  };
}

/** Until the last row can be read: a node may call itself ready before it has applied its log. */
function startWithData(dataMb: number): Measurement {
  const filled = new Map<System, BenchNode>();
  return {
    id: "start/data",
    title: `start to data read, 1 node, ${dataMb} MiB`,
    unit: "ms",
    nodes: 0,
    aim: 1000,
    async run({ system, root }) {
      let node = filled.get(system);
      if (node === undefined) {
        [node] = await system.start(root, 1);
        await fill(node, dataMb).finally(() => node?.stop("SIGTERM"));
      }
      const wanted = fillRequests(dataMb) * ROWS_PER_BULK;
      const started = performance.now();
      const again = await node.restart();
      filled.set(system, again);
      await until("the data after a start", async () => {
        const [[last]] = await send(again, "/db/query", JSON.stringify(["SELECT max(id) FROM filled"]));
        return last === wanted ? true : undefined;
      }).catch(async (error) => {
        await again.stop();
        throw error;
      });
      const value = performance.now() - started;
      await again.stop("SIGTERM");
      return { value };
    },
  };
}

async function fill(node: BenchNode, dataMb: number): Promise<void> {
  await send(node, "/db/execute", JSON.stringify(["CREATE TABLE filled (id INTEGER PRIMARY KEY, name TEXT)"]));
  const statement = ["INSERT INTO filled(name) VALUES(?)", "x".repeat(FILL_ROW_BYTES)];
  const request = JSON.stringify(Array.from({ length: ROWS_PER_BULK }, () => statement));
  for (let done = 0; done < fillRequests(dataMb); done++) await send(node, "/db/execute?transaction", request);
}

function fillRequests(dataMb: number): number {
  return Math.ceil(dataMb * MIB / (FILL_ROW_BYTES * ROWS_PER_BULK));
}

function failover(): Measurement {
  return {
    id: "failover",
    title: "leader killed to next write, 3 nodes",
    unit: "ms",
    nodes: 0,
    aim: 1500,
    async run({ system, root }) {
      const nodes = await system.start(root, 3);
      try {
        const leader = await leaderAmong(nodes);
        await send(leader, "/db/execute", JSON.stringify(["CREATE TABLE writes (id INTEGER PRIMARY KEY, name, age)"]));
        const started = performance.now();
        await leader.stop("SIGKILL");
        await Promise.any(nodes.filter((node) => node !== leader).map((node) => writeUntilAccepted(node, started)));
        return { value: performance.now() - started };
      } finally {
        await Promise.all(nodes.map((node) => node.stop()));
      }
    },
  };
}

async function writeUntilAccepted(node: BenchNode, started: number): Promise<void> {
  for (;;) {
    try {
      await send(node, "/db/execute", insertOne("writes"), ATTEMPT_MS);
      return;
    } catch (error) {
      if (performance.now() - started > FAILOVER_MS_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

function insertOne(name: string): string {
  return JSON.stringify([[`INSERT INTO ${name}(name, age) VALUES(?, ?)`, "fiona", 20]]);
}

function insertMany(name: string): string {
  return JSON.stringify(
    Array.from({ length: ROWS_PER_BULK }, (_, at) => [`INSERT INTO ${name}(name, age) VALUES(?, ?)`, "fiona", at]),
  );
}

function count(value: number, unit: string): string {
  return `${value} ${unit}${value === 1 ? "" : "s"}`;
}

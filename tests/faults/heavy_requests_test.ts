/**
 * Single requests that cost much: each is answered or refused, the node answers others meanwhile, and its memory stays
 * bounded.
 */
import { assert, assertEquals } from "@std/assert";
import { nodePlace, type NodeProcess, until, withNodes } from "../harness/processes.ts";
import { peakResidentBytes, RSS_MAX } from "./memory.ts";

const MEBIBYTE = 1024 * 1024;
/** No request takes longer, not even on a slow machine. */
const LIMIT_MS = 120_000;

interface Heavy {
  readonly name: string;
  readonly path: string;
  /** Absent for a GET. */
  readonly body?: () => string;
  /** How many of them at once. @default {1} */
  readonly count?: number;
  readonly statuses: readonly number[];
}

function queryOf(sql: string, flags: string): string {
  return `/db/query?${flags}&q=${encodeURIComponent(sql)}`;
}

const counted = (rows: number) =>
  `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<${rows}) SELECT x,x,x FROM c`;
const megabytes = (count: number) => count * 1_000_000;

/** Each of them once took a node's answers away for seconds or minutes, or gigabytes of memory. */
const REQUESTS: readonly Heavy[] = [
  { name: "an indented answer of 400,000 rows", path: queryOf(counted(400_000), "level=none&pretty"), statuses: [200] },
  {
    name: "30 MB of opening brackets",
    path: "/db/execute",
    body: () => "[".repeat(megabytes(30)),
    statuses: [400, 413],
  },
  {
    name: "ten million parameters",
    path: "/db/query",
    body: () => `[["SELECT 1"${",1.5".repeat(10_000_000)}]]`,
    statuses: [400, 413],
  },
  {
    name: "a blob as an array of 15 million numbers",
    path: "/db/execute",
    body: () => `[["SELECT ?",[1${",1".repeat(15_000_000 - 1)}]]]`,
    statuses: [400, 413],
  },
  {
    name: "60 MB of semicolons",
    path: "/db/execute",
    body: () => JSON.stringify([";".repeat(megabytes(60))]),
    statuses: [200],
  },
  {
    name: "a million statements",
    path: "/db/execute",
    body: () => `["SELECT 1"${',"SELECT 1"'.repeat(999_999)}]`,
    statuses: [200, 400, 413],
  },
  {
    name: "writes of 60 MiB, 20 at once",
    path: "/db/execute",
    body: () => `[["INSERT INTO t VALUES(?)","${"x".repeat(60 * MEBIBYTE)}"]]`,
    count: 20,
    statuses: [200, 503],
  },
  {
    name: "reads of 60 MiB, 20 at once",
    path: "/db/query",
    body: () => `[["SELECT length(?)","${"x".repeat(60 * MEBIBYTE)}"]]`,
    count: 20,
    statuses: [200, 503],
  },
];

async function send(node: NodeProcess, { path }: Heavy, body: string | undefined): Promise<number> {
  const response = await fetch(node.url + path, {
    ...(body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body }),
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  for await (const _part of response.body ?? []);
  return response.status;
}

for (const heavy of REQUESTS) {
  Deno.test({
    name: `a node answers others and keeps its memory bounded beside what costs much: ${heavy.name}`,
    ignore: Deno.build.os !== "linux",
    fn: () =>
      withNodes(async (root, start) => {
        const node = start(nodePlace(root, "1"));
        await node.ready();
        await node.execute("CREATE TABLE t(a)");
        const term = await node.status("store.raft.term");
        const body = heavy.body?.();
        const answers = Promise.allSettled(Array.from({ length: heavy.count ?? 1 }, () => send(node, heavy, body)));
        for (let probe = 0; probe < 3; probe++) {
          const response = await node.get("/readyz", LIMIT_MS);
          const text = await response.text();
          // A slow disk under gigabytes of writes may keep the node from being ready: it answers all the same.
          if (heavy.count === undefined) assertEquals(response.status, 200, text);
        }
        for (const answer of await answers) {
          if (answer.status === "rejected") throw answer.reason;
          assert(heavy.statuses.includes(answer.value), `${answer.value}`);
        }
        await until("a read", async () => (await node.row("SELECT 1", "linearizable"))[0] === 1 || undefined, LIMIT_MS);
        const peak = await peakResidentBytes(node);
        assert(peak < RSS_MAX, `${peak} bytes`);
        if (heavy.count === undefined) {
          assertEquals(await node.status("store.raft.term"), term, "it leads all the time");
        }
      }),
  });
}

/** The counters of `/debug/vars` grow with the same requests as those of rqlite. */
import { assertEquals } from "@std/assert";
import { leaderOf, nodePlace, NodeProcess, startCluster } from "../harness/processes.ts";
import { HAS_RQLITE, startRqlite, startRqliteCluster } from "../harness/rqlite.ts";
import { type Call, get, post } from "./case.ts";
import { RESTORE_DUMP, restoreFile } from "./restore_file.ts";

type Groups = Readonly<Record<string, Readonly<Record<string, number>>>>;

type Names = Readonly<Record<string, readonly string[]>>;

/** Counters that both have, of requests for data. */
const OF_DATA: Names = {
  http: [
    "executions",
    "queries",
    "requests",
    "execute_stmts_rx",
    "query_stmts_rx",
    "request_stmts_rx",
    "queued_executions",
    "queued_executions_wait",
    "queued_executions_num_stmts_rx",
    "queued_executions_num_stmts_tx",
    "queued_executions_ok",
    "queued_executions_failed",
    "leader_not_found",
    "authFail",
  ],
  db: [
    "executions",
    "execution_errors",
    "execute_transactions",
    "queries",
    "query_transactions",
    "requests",
    "request_transactions",
  ],
  queue: ["objects_rx", "objects_tx"],
};
/** And of operations on the node. */
const OF_NODE: Names = {
  http: ["backups", "loads", "boot", "user_snapshots", "num_status", "num_readyz"],
  store: ["num_backups", "num_loads", "num_boots", "num_user_snapshots_failed"],
};
const REMOTE: Names = {
  http: [
    "remote_executions",
    "remote_executions_failed",
    "remote_queries",
    "remote_requests",
    "remote_loads",
    "remote_remove_node",
  ],
};
/** Without those of writes: a follower of muster has its leader place them in the log, and does the rest itself. */
const SERVED: Names = {
  cluster: ["num_query_req", "num_remove_node_req"],
};

const REMOVE: Call = { ...post("/remove", { id: "nosuch" }), method: "DELETE" };

const DATA: readonly Call[] = [
  post("/db/execute", ["CREATE TABLE c(a)", "INSERT INTO c VALUES(1)", "INSERT INTO nosuch VALUES(1)"]),
  post("/db/execute?transaction", ["INSERT INTO c VALUES(2)", "INSERT INTO nosuch VALUES(1)", "DELETE FROM c"]),
  post("/db/query", ["SELECT 1", "SELECT nosuch"]),
  post("/db/query?transaction", ["SELECT 1", "SELECT 2"]),
  post("/db/query?level=strong", ["SELECT a FROM c"]),
  post("/db/request", ["SELECT 1", "SELECT 2"]),
  post("/db/request?transaction", ["SELECT 1", "INSERT INTO c VALUES(3)"]),
  post("/db/execute?queue&wait", ["INSERT INTO c VALUES(4)", "INSERT INTO c VALUES(5)"]),
];

async function nodeRequests(): Promise<Call[]> {
  return [
    post("/snapshot"),
    get("/db/backup"),
    get("/db/backup?fmt=sql"),
    post("/db/load", RESTORE_DUMP, "text/plain"),
    post("/db/load", await restoreFile(), "application/octet-stream"),
    post("/boot", await restoreFile()),
    get("/status"),
    get("/readyz"),
  ];
}

async function send(url: string, { method, path, body, contentType = "application/json" }: Call): Promise<string> {
  const init = body === undefined ? { method } : {
    method,
    body: new Uint8Array(body),
    headers: { "Content-Type": contentType },
  };
  return await (await fetch(`${url}${path}`, { ...init, signal: AbortSignal.timeout(10_000) })).text();
}

async function counters(url: string, names: Names): Promise<Groups> {
  const all: Groups = JSON.parse(await send(url, get("/debug/vars")));
  return Object.fromEntries(
    Object.entries(names).map((
      [group, keys],
    ) => [group, Object.fromEntries(keys.map((key) => [key, all[group][key]]))]),
  );
}

/** By how much counters of a node grow while requests are sent to `to`. */
async function growth(
  calls: readonly Call[],
  { to, of = to, names }: { to: string; of?: string; names: Names },
): Promise<Groups> {
  const before = await counters(of, names);
  for (const call of calls) await send(to, call);
  const after = await counters(of, names);
  return Object.fromEntries(
    Object.entries(after).map(([group, values]) => [
      group,
      Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value - before[group][key]])),
    ]),
  );
}

async function withRoot(work: (root: string, nodes: { stop(signal: "SIGKILL"): Promise<unknown> }[]) => Promise<void>) {
  const root = await Deno.makeTempDir({ prefix: "muster-counters-" });
  const nodes: { stop(signal: "SIGKILL"): Promise<unknown> }[] = [];
  try {
    await work(root, nodes);
  } finally {
    await Promise.all(nodes.map((node) => node.stop("SIGKILL")));
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test({
  name: "a node counts the requests and statements that one of rqlite counts",
  ignore: !HAS_RQLITE,
  fn: () =>
    withRoot(async (root, nodes) => {
      const muster = NodeProcess.start(nodePlace(root, "1"));
      nodes.push(muster);
      const rqlite = await startRqlite(root, "1");
      nodes.push(rqlite);
      await muster.ready();
      for (const [calls, names] of [[DATA, OF_DATA], [await nodeRequests(), OF_NODE]] as const) {
        assertEquals(
          await growth(calls, { to: muster.url, names }),
          await growth(calls, { to: rqlite.url, names }),
        );
      }
    }),
});

Deno.test({
  name: "a follower counts what it has forwarded, and its leader what it was asked for, as in rqlite",
  ignore: !HAS_RQLITE,
  fn: () =>
    withRoot(async (root, nodes) => {
      const musters = await startCluster(root, (place, flags) => {
        const node = NodeProcess.start(place, flags);
        nodes.push(node);
        return node;
      });
      const leader = await leaderOf(musters);
      const rqlites = await startRqliteCluster(root, 3);
      nodes.push(...rqlites);
      const leading = JSON.parse(await send(rqlites[0].url, get("/status?key=store.leader.addr")));
      const rqliteLeader = rqlites.find(({ clusterAddr }) => clusterAddr === leading) ?? rqlites[0];
      const calls = [
        post("/db/execute", ["CREATE TABLE c(a)", "INSERT INTO nosuch VALUES(1)"]),
        post("/db/query", ["SELECT 1", "SELECT 2"]),
        post("/db/query?level=none", ["SELECT 1"]),
        post("/db/request", ["SELECT 1", "INSERT INTO c VALUES(1)"]),
        REMOVE,
      ];
      const sides = [[musters, leader], [rqlites, rqliteLeader]] as const;
      for (const names of [REMOTE, SERVED]) {
        const [muster, rqlite] = await Promise.all(sides.map(([all, leader]) => {
          const to = all.find(({ url }) => url !== leader.url)?.url ?? "";
          return growth(calls, { to, of: names === REMOTE ? to : leader.url, names });
        }));
        assertEquals(muster, rqlite);
      }
    }),
});

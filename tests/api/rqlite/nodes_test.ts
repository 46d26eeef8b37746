/** rqlite's endpoints about nodes, status, backups and loads over a node in this thread. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { NodeInfo } from "../../../src/drivers/replica/api.ts";
import { answerOf, CodedError, LocalNode, OTHER, SELF } from "../../harness/local_node.ts";

const NODES: readonly NodeInfo[] = [
  {
    id: "2",
    apiAddr: "http://o:1",
    addr: "o:2",
    version: "v0",
    voter: true,
    reachable: false,
    leader: false,
    error: "x",
  },
  {
    id: "1",
    apiAddr: "http://h:1",
    addr: "h:2",
    version: "v0",
    voter: true,
    reachable: true,
    leader: true,
    time: 0.002,
  },
  { id: "3", addr: "r:2", version: "v0", voter: false, reachable: true, leader: false },
];

Deno.test("/nodes lists the voters, on demand the others, as an object or a list; /leader is one of them", async () => {
  await using node = new LocalNode();
  node.replica.nodes = () => [...NODES];
  const all = await node.json("GET", "/nodes");
  assertEquals(Object.keys(all), ["1", "2"]);
  assertEquals(all["1"], {
    id: "1",
    api_addr: "http://h:1",
    addr: "h:2",
    version: "v0",
    voter: true,
    reachable: true,
    leader: true,
    time: 0.002,
    time_s: "2ms",
  });
  assertEquals(all["2"].error, "x");
  const { nodes } = await node.json("GET", "/nodes?nonvoters&ver=2");
  assertEquals(nodes.map(({ id }: { id: string }) => id), ["1", "2", "3"]);
  assertEquals((await node.json("GET", "/leader")).id, "1");
  node.replica.nodes = () => [];
  assertEquals((await node.send("GET", "/leader")).status, 503);
  node.lead(null);
  assertEquals((await node.send("GET", "/leader")).text, "leader not found\n");
});

Deno.test("leadership is handed over to whom the client names, or refused with rqlite's words", async () => {
  await using node = new LocalNode();
  const asked: unknown[] = [];
  node.replica.transfer = ({ to }) => {
    asked.push(to);
    return { leader: "2" };
  };
  assertEquals((await node.send("POST", "/leader?wait", { id: "2" })).status, 200);
  assertEquals((await node.send("POST", "/leader?wait")).status, 200);
  const form = { contentType: "application/x-www-form-urlencoded" };
  assertEquals((await node.send("POST", "/leader?wait", { id: "2" }, form)).status, 200, "as curl -d sends it");
  assertEquals(asked, ["2", undefined, "2"]);
  const refused = async (body: unknown) => {
    const { status, text } = await node.send("POST", "/leader?wait", body);
    return [status, text.trim()];
  };
  assertEquals(await refused({ id: "1" }), [500, "stepdown: cannot step down to the current Leader"]);
  assertEquals(await refused({ id: "9" }), [500, "stepdown: node not found in cluster"]);
  assertEquals((await refused("{"))[0], 400);
  node.replica.transfer = () => Promise.reject(new Error("leadership transfer timeout"));
  assertEquals(await refused(""), [500, "stepdown: leadership transfer timeout"]);
  node.tell({ k: "members", members: [] });
  assertEquals(await refused(""), [500, "stepdown: cannot find peer"]);
  node.lead(OTHER);
  const forwarded: unknown[] = [];
  node.replica.forward = ({ call: { head } }) => (forwarded.push(head.operation), answerOf(undefined));
  const { status, text, servedBy } = await node.send("POST", "/leader");
  assertEquals([status, text, servedBy, ...forwarded], [200, "", "o:1", "stepDown"]);
});

Deno.test("a node is removed by its id alone", async () => {
  await using node = new LocalNode();
  const removed: string[] = [];
  node.replica.remove = ({ id }) => {
    removed.push(id);
    return { removed: true };
  };
  assertEquals((await node.send("DELETE", "/remove", { id: "2" })).status, 200);
  assertEquals(removed, ["2"]);
  for (const body of ["", "{}", '{"id":1}', '{"id":"1","x":1}', '{"name":"1"}', "null"]) {
    assertEquals((await node.send("DELETE", "/remove", body)).status, 400, body);
  }
  node.replica.remove = () => Promise.reject(new Error("no room"));
  assertEquals((await node.send("DELETE", "/remove", { id: "2" })).text, "no room\n");
  node.replica.remove = () => Promise.reject(new CodedError("not leader", "not_leader"));
  assertEquals((await node.send("DELETE", "/remove", { id: "2" })).text, "leader not found\n");
  node.lead(OTHER);
  node.replica.forward = () => Promise.reject(new CodedError("connection refused", "not_sent"));
  assertEquals((await node.send("DELETE", "/remove", { id: "2" })).text, "connection refused\n");
});

Deno.test("/readyz says which part is not ready", async () => {
  await using node = new LocalNode();
  const ready = async (query = "") => {
    const { status, text } = await node.send("GET", `/readyz${query}`);
    return [status, text];
  };
  assertEquals(await ready(), [200, "[+]node ok\n[+]leader ok\n[+]store ok\n[+]db ok"]);
  assertEquals(await ready("?sync"), [200, "[+]node ok\n[+]leader ok\n[+]store ok\n[+]sync ok\n[+]db ok"]);
  node.replica.caughtUp = () => ({ error: "timeout waiting for apply" });
  assertEquals(await ready("?sync"), [
    503,
    "[+]node ok\n[+]leader ok\n[+]store ok\n[+]sync timeout waiting for apply",
  ]);
  node.services.state.waitingSinceMs = Date.now() - 60_000;
  assertMatch(String((await ready())[1]), /\[\+\]store not ready: 1 committed entry waits to be applied, .* \(1m0/);
  node.services.state.waitingSinceMs = 0;
  node.services.state.ready = false;
  assertEquals(await ready(), [503, "[+]node ok\n[+]leader ok\n[+]store not ready"]);
  node.replica.leaderReachable = () => ({ error: "refused" });
  assertEquals(await ready(), [503, "[+]node ok\n[+]leader not contactable: refused"]);
  node.lead(null);
  node.replica.leaderReachable = () => ({ error: "no leader" });
  assertEquals(await ready(), [503, "[+]node ok\n[+]leader does not exist"]);
  node.replica.leaderReachable = () => ({ error: "this node was removed" });
  assertEquals(await ready(), [503, "[+]node ok\n[+]leader does not exist: this node was removed"]);
  assertEquals(await ready("?noleader"), [200, "[+]node ok"]);
});

/** A replica's part of the status. */
const STATUS = {
  core: {
    role: "leader",
    term: 3,
    leader: "1",
    last: { index: 9, term: 3 },
    base: { index: 4, term: 2 },
    commit: 9,
    applied: 8,
    durable: 7,
    config: { at: 2, clusterId: "c", members: [{ id: "1", storageId: "d1", addr: "h:2", role: "voter" }] },
    progress: [],
    isUnsure: false,
    marks: [],
    dropped: 0,
  },
  lastContact: 0,
  log: { bytes: 1024, segments: 1 },
  lastSnapshot: { index: 4, term: 2, ms: 5 },
  sqlite3: { version: "3", pragmas: { rw: { synchronous: "1" } } },
  settings: { apply_timeout: "10s" },
  disco: { mode: "etcd-kv" },
  appliedMs: 0,
  voter: true,
  isShutDown: false,
};

Deno.test("/status has what holds on this node, and a part of it by its path; /debug/vars counts", async () => {
  await using node = new LocalNode();
  node.replica.status = () => STATUS;
  node.replica.counters = () => ({ store: { num_snapshots: 2 }, cluster: { num_join_req: 1 } });
  const { store, http, cluster, disco } = await node.json("GET", "/status");
  assertEquals(store.leader, { node_id: "1", addr: "h:2" });
  assertEquals(store.nodes, [{ id: "1", addr: "h:2", suffrage: "voter" }]);
  assertEquals([store.raft.state, store.raft.fsm_pending, store.raft.num_peers], ["Leader", 1, 0]);
  assertEquals(store.raft.latest_configuration, "[{Suffrage:Voter ID:1 Address:h:2}]");
  assertEquals(store.snapshot_store, { dir: "", db_path: "", snapshots: ["2-4-5"] });
  assertEquals(store.sqlite3.pragmas.ro.journal_mode, "wal");
  assertEquals(store.apply_timeout, "10s");
  assertEquals([http.auth, http.tls.enabled, http.allow_origin], ["disabled", "false", "https://a.example"]);
  assertEquals(cluster, { addr: "h:2", api_addr: "h:1", https: "false" });
  assertEquals(disco, { mode: "etcd-kv" });
  assertEquals(await node.json("GET", "/status?key=store.raft.term"), 3);
  assertEquals(await node.json("GET", "/status?key=store.none"), {});
  node.replica.status = () => ({ ...STATUS, core: { ...STATUS.core, role: "precandidate" } });
  assertEquals(await node.json("GET", "/status?key=store.raft.state"), "Candidate");

  await node.json("GET", "/db/query?q=SELECT+1");
  const vars = await node.json("GET", "/debug/vars");
  assertEquals([vars.http.queries, vars.http.blocking], [1, 0]);
  assertEquals([vars.store.num_snapshots, vars.store.num_auto_vacuums], [2, 0]);
  assert(vars.memstats.rss > 0);
  const counted = await node.json("GET", "/debug/vars?key=cluster");
  assertEquals([counted.cluster.num_join_req, counted.cluster.num_execute_req], [1, 0]);
  assertEquals([vars.http.authOK, vars.http.authFail, vars.db.queries], [vars.http.auth_ok, 0, 1]);
});

Deno.test("snapshots, comparisons and reaps report what was done", async () => {
  await using node = new LocalNode();
  const trailing: number[] = [];
  node.replica.snapshot = (params) => {
    trailing.push(params.trailing);
    return { done: trailing.length === 1 };
  };
  assertEquals((await node.send("POST", "/snapshot")).status, 200);
  assertEquals((await node.send("POST", "/snapshot?trailing_logs=5")).status, 204);
  assertEquals(trailing, [10_240, 5]);
  assertEquals((await node.send("POST", "/snapshot?trailing_logs=-5")).status, 400);
  node.replica.snapshot = () => Promise.reject(new Error("timeout"));
  assertEquals((await node.send("POST", "/snapshot")).text, "timeout\n");
  node.replica.verify = () => ({ index: 4, agree: ["1", "2"] });
  assertEquals(await node.json("POST", "/verify"), { index: 4, agree: ["1", "2"] });
  node.replica.verify = () => Promise.reject(new Error("no majority"));
  const failed = await node.send("POST", "/verify");
  assertEquals([failed.status, failed.text], [503, "no majority\n"]);
  assertEquals(await node.json("POST", "/reap"), { snapshots_reaped: 0, wals_checkpointed: 0 });
  assertEquals([node.services.counters.user_snapshots, node.services.counters.user_reaps], [3, 1]);
  const { num_user_snapshots: taken, num_user_snapshots_failed: failedOnes } = node.services.counters.done.store;
  assertEquals([taken, failedOnes], [2, 1]);
});

Deno.test("a backup is loaded again, as text and as a file; what is none is refused", async () => {
  await using node = new LocalNode();
  await node.json("POST", "/db/execute", ["CREATE TABLE t(a)", "INSERT INTO t VALUES(1),(2)"]);
  const dump = await node.send("GET", "/db/backup?fmt=sql");
  assertEquals([dump.status, dump.contentType, dump.servedBy], [200, "application/sql", "h:1"]);
  assertMatch(dump.text, /CREATE TABLE t\(a\);[\s\S]*INSERT INTO "?t"? VALUES\(1\)/);
  assertEquals((await node.send("GET", "/db/backup?fmt=sql&tables=none")).text.includes("INSERT"), false);
  assertEquals((await node.send("GET", "/db/backup?tables=t")).contentType, "application/octet-stream");
  assertEquals((await node.send("GET", "/db/backup?fmt=x")).contentType, "application/octet-stream");
  assertEquals((await node.send("GET", "/db/backup?fmt=sql&compress")).contentType, "application/sql");
  assertEquals((await node.send("GET", "/db/backup?fmt=sql&vacuum")).text, "invalid backup format\n");

  const file = await bytesOf(node, "/db/backup?fmt=delete");
  assertEquals(new TextDecoder().decode(file.subarray(0, 15)), "SQLite format 3");
  const { made, lastMs } = node.services.backups;
  assert(made === 6 && Date.now() - lastMs < 60_000, `${made} backups, ${lastMs}`);
  await node.json("POST", "/db/execute", ["DELETE FROM t"]);
  const count = async () => (await node.json("GET", "/db/query?q=SELECT+count(*)+FROM+t")).results[0].values[0][0];
  const loaded = await node.send("POST", "/db/load", file, { contentType: "application/octet-stream" });
  assertEquals([loaded.status, await count()], [200, 2]);
  const text = await node.send("POST", "/db/load", "DELETE FROM t", { contentType: "text/plain" });
  assertEquals([text.status, await count()], [200, 0]);
  const damaged = "the file that was loaded is damaged: database disk image is malformed";
  const partial = await node.json("POST", "/db/load", file.subarray(0, 5000));
  assertEquals(partial, { results: [], error: damaged });
  const wrong = file.slice();
  wrong.fill(7, 100, 4000);
  assertEquals(await node.json("POST", "/db/load", wrong), { results: [], error: damaged });
  assertEquals(await count(), 0);

  node.lead(OTHER);
  const moved = await node.send("GET", "/db/backup?redirect");
  assertEquals([moved.status, moved.location], [301, "http://o:1/db/backup?redirect"]);
  node.replica.caughtUp = () => ({ error: "no leader" });
  assertEquals(
    (await node.send("GET", "/db/backup")).text,
    "this node cannot catch up with the leader: no leader\n",
  );
  node.lead(null);
  assertEquals((await node.send("GET", "/db/backup")).status, 503);
  assertEquals((await node.send("GET", "/db/backup?noleader&fmt=sql")).status, 200);
  node.lead(SELF);
});

async function bytesOf(node: LocalNode, target: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const { stream } = await node.ask("GET", target);
  for await (const piece of stream?.pieces(new Promise(() => {})) ?? []) {
    if (typeof piece !== "string") pieces.push(piece);
  }
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0);
  return whole;
}

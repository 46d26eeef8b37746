/**
 * Logs that are cut, and nodes that get a copy of the database instead: new ones, ones that were away too long, ones that
 * die in the middle of it; with real processes.
 */
import { assert, assertEquals } from "@std/assert";
import {
  clusterFlags,
  leaderOf,
  nodePlace,
  type NodeProcess,
  startCluster,
  until,
  withNodes,
} from "../harness/processes.ts";

/** Asks for a snapshot; whether there was anything to do. */
async function snapshot(node: NodeProcess): Promise<boolean> {
  const response = await fetch(`${node.url}/snapshot?trailing_logs=1`, { method: "POST" });
  const text = await response.text();
  assert(response.status === 200 || response.status === 204, `${response.status} ${text}`);
  return response.status === 200;
}

/** Cuts the logs of `nodes` at about their end: each snapshot begins a segment, and the next cuts off what lies before. */
async function cutLogs(nodes: readonly NodeProcess[]): Promise<void> {
  for (const node of nodes) {
    await until(`node ${node.place.id} has cut its log`, async () => {
      await nodes[0].execute("UPDATE t SET v = v WHERE id = 1");
      await snapshot(node);
      return await base(node) > 5 || undefined;
    });
  }
}

async function base(node: NodeProcess): Promise<number> {
  return Number(await node.status("store.raft.log_base_index"));
}

/** Contents of table `t`, as text. */
async function contents(node: NodeProcess): Promise<string> {
  return JSON.stringify((await node.send("/db/query?level=none", ["SELECT * FROM t ORDER BY id"])).results);
}

async function untilEqual(nodes: readonly NodeProcess[]): Promise<void> {
  await until("equal contents", async () => {
    const all = await Promise.all(nodes.map((node) => contents(node).catch(() => "")));
    return all[0] !== "" && new Set(all).size === 1 || undefined;
  });
}

async function fill(node: NodeProcess, from: number, count: number, bytes = 200): Promise<void> {
  for (let at = from; at < from + count; at += 500) {
    const rows = Array.from({ length: Math.min(500, from + count - at) }, (_, i) => [
      "INSERT INTO t(id, v) VALUES(?, hex(randomblob(?)))",
      at + i,
      bytes / 2,
    ]);
    await node.execute(...rows);
  }
}

Deno.test("a log is cut behind what is applied; a new node gets a copy of the database, and then follows the log", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)");
    await fill(leader, 1, 3000);
    await untilEqual(nodes);
    await cutLogs(nodes);
    await snapshot(leader);
    assertEquals(await snapshot(leader), false, "nothing more to do");
    const flags = clusterFlags(nodes.map(({ place }) => place));
    const fourth = start(nodePlace(root, "4"), flags);
    await fourth.ready();
    await fourth.says(/installed the snapshot up to index \d+/);
    assertEquals(await fourth.status("store.raft.snapshots"), { sent: 0, installed: 1, log_cuts: 0 });
    const { store, cluster } = await (await fetch(`${leader.url}/debug/vars`)).json();
    assertEquals([store.num_joins, store.num_snapshots_sent, cluster.num_join_req >= 1], [1, 1, true]);
    assert(store.num_snapshots >= 1);
    await fourth.execute("INSERT INTO t VALUES(100000, 'after')");
    const all = [...nodes, fourth];
    await untilEqual(all);

    await Promise.all(all.map((node) => node.stop("SIGKILL")));
    const again = all.map(({ place }) => start(place, flags));
    await Promise.all(again.map((node) => node.ready()));
    assertEquals(await again[3].row("SELECT count(*) FROM t", "linearizable"), [3001]);
    await untilEqual(again);
    for (const node of again) assert(await base(node) > 5, "the log still begins where it was cut");
  }));

Deno.test("a follower that was away while the log was cut gets a copy while writes go on, also when it dies meanwhile", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    const flags = clusterFlags(nodes.map(({ place }) => place));
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)");
    const away = nodes.find((node) => node !== leader) ?? leader;
    await away.stop("SIGKILL");
    const rest = nodes.filter((node) => node !== away);
    await fill(leader, 1, 20_000, 2000); // some 40 MB: the transfer takes a while
    await cutLogs(rest);

    let writing = true;
    let next = 1_000_000;
    const writer = (async () => {
      while (writing) await leader.execute(["INSERT INTO t VALUES(?, 'meanwhile')", next++]);
    })();
    let back = start(away.place, flags);
    for (let deaths = 0; deaths < 3; deaths++) {
      await back.says(/receiving a snapshot/);
      await back.stop("SIGKILL");
      back = start(away.place, flags);
    }
    await back.ready(60_000);
    await until("it was installed", () => /installed the snapshot|begins after/.test(back.log) || undefined, 60_000);
    writing = false;
    await writer;
    await untilEqual([...rest, back]);
    assertEquals(await back.status("store.raft.state"), "Follower");
  }));

Deno.test("with -compress-snap-transport a copy of the database takes fewer bytes on its way", () =>
  withNodes(async (root, start) => {
    const leader = start(nodePlace(root, "1"), ["-compress-snap-transport"]);
    await leader.ready();
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)");
    await fill(leader, 1, 3000);
    await cutLogs([leader]);
    const second = start(nodePlace(root, "2"), ["-join", leader.clusterAddr, "-raft-non-voter"]);
    await second.ready();
    await leader.says(/has installed the snapshot after [\d.]+ s; \d+ bytes were sent/);
    const [, whole] = leader.log.match(/sending node "2" a snapshot of (\d+) bytes/) ?? [];
    const [, sent] = leader.log.match(/; (\d+) bytes were sent/) ?? [];
    assert(Number(whole) > 500_000 && Number(sent) < Number(whole) * 0.7, `${sent} of ${whole}`);
    await untilEqual([leader, second]);
  }));

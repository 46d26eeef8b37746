/**
 * A cluster of nodes in this process: writes and reads through any node, leadership handed over, members that come, fall
 * behind, differ and go.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import {
  clusterAddrOf,
  clusterFlags,
  leaderOf,
  type NodePlace,
  nodePlace,
  type NodeProcess,
  startCluster,
  until,
  withThreads,
} from "../../harness/processes.ts";

const FAST = ["-raft-heartbeat-timeout=400ms", "-raft-election-timeout=400ms"];

async function post(node: NodeProcess, path: string, body?: string, method = "POST"): Promise<[number, string]> {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(node.url + path, { method, headers, ...(body === undefined ? {} : { body }) });
  return [response.status, (await response.text()).trim()];
}

async function verify(node: NodeProcess): Promise<{ status: number; report: Record<string, unknown> }> {
  const [status, text] = await post(node, "/verify");
  return { status, report: JSON.parse(text) };
}

async function rows(node: NodeProcess): Promise<unknown> {
  return (await node.row("SELECT count(*) FROM t", "none").catch(() => []))[0];
}

Deno.test("three replicas hold the same, whoever is asked and whoever leads; a fourth gets a copy", () =>
  withThreads(async (root, start) => {
    const nodes = await startCluster(root, (place, flags = []) => start(place, [...flags, ...FAST]));
    let leader = await leaderOf(nodes);
    const follower = nodes.find((node) => node !== leader) ?? leader;
    await follower.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1, 1), (2, 2), (3, 3)");
    for (const level of ["weak", "linearizable", "strong", "auto"]) {
      assertEquals(await follower.row("SELECT count(*) FROM t", level), [3], level);
    }
    for (const node of nodes) await until("it has the rows", async () => await rows(node) === 3 || undefined);

    const listed = await (await follower.get("/nodes?ver=2")).json();
    assertEquals(
      listed.nodes.map(({ id, reachable, leader }: Record<string, unknown>) => [id, reachable, leader]),
      nodes.map((node) => [node.place.id, true, node === leader]),
    );
    assertEquals((await (await follower.get("/readyz?sync")).text()).split("\n").at(-2), "[+]sync ok");
    const { report } = await verify(follower);
    assertEquals([report.equal, report.complete, Object.keys(Object(report.nodes))], [true, true, ["1", "2", "3"]]);

    assertEquals(await post(follower, "/leader?wait", JSON.stringify({ id: follower.place.id })), [200, ""]);
    leader = await leaderOf(nodes);
    assertEquals(leader, follower);
    assertEquals((await (await leader.get("/leader")).json()).id, leader.place.id);

    // The log is cut: who joins now needs a copy of the database.
    const others = nodes.filter((node) => node !== leader);
    for (const node of [leader, ...others]) {
      await until(`node ${node.place.id} has cut its log`, async () => {
        await leader.execute("UPDATE t SET v = v WHERE id = 1");
        const [status] = await post(node, "/snapshot?trailing_logs=1");
        assert(status === 200 || status === 204);
        return Number(await node.status("store.raft.log_base_index")) > 5 || undefined;
      });
    }
    const place = nodePlace(root, "4");
    const joining = ["-raft-non-voter", "-join", clusterAddrOf(leader.place), "-compress-snap-transport", ...FAST];
    const fourth = start(place, joining);
    await fourth.ready();
    await until("it has the rows", async () => await rows(fourth) === 3 || undefined);
    // Counted when the sender has heard of the end; and on a busy machine another node may lead by then.
    const varsOf = async (node: NodeProcess) => await (await node.get("/debug/vars")).json();
    await until("a copy is counted as sent, and a request to join", async () => {
      const all = await Promise.all(nodes.map(varsOf));
      const sum = (count: (vars: Awaited<ReturnType<typeof varsOf>>) => number) =>
        all.reduce((total, vars) => total + count(vars), 0);
      return sum(({ store }) => store.num_snapshots_sent) >= 1 && sum(({ cluster }) => cluster.num_join_req) >= 1 ||
        undefined;
    });
    assertEquals((await (await fourth.get("/debug/vars")).json()).store.num_restores, 1);
    assertEquals(Object.keys(await (await leader.get("/nodes")).json()).length, 3);
    assertEquals(Object.keys(await (await leader.get("/nodes?nonvoters")).json()).length, 4);
    assertEquals(await fourth.row("SELECT count(*) FROM t", "auto"), [3], "from what it has");

    assertEquals(await post(leader, "/remove", `{"id":"4"}`, "DELETE"), [200, ""]);
    await until("it is gone", async () => {
      return Object.keys(await (await leader.get("/nodes?nonvoters")).json()).length === 3 || undefined;
    });
    assertEquals(await Promise.all([...nodes, fourth].map(async (node) => (await node.stop("SIGTERM")).code)), [
      0,
      0,
      0,
      0,
    ]);
  }));

Deno.test("a replica that differs stops with exit code 3 and is removed; one that leaves takes itself out", () =>
  withThreads(async (root, start) => {
    const leaving = (place: NodePlace) => place.id === "3" ? ["-raft-cluster-remove-shutdown"] : [];
    const nodes = await startCluster(root, (place, flags = []) => start(place, [...flags, ...FAST, ...leaving(place)]));
    if (await leaderOf(nodes) === nodes[2]) assertEquals((await post(nodes[2], "/leader?wait", '{"id":"1"}'))[0], 200);
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1, 1), (2, 2)");
    const written = Number(await leader.status("store.raft.applied_index"));
    await until("all agree", async () => {
      const agreement = await leader.status("store.raft.last_agreement") as { index: number; nodes: number } | null;
      return agreement && agreement.index >= written && agreement.nodes === 3 || undefined;
    });

    const odd = nodes[0] === leader ? nodes[1] : nodes[0];
    assertEquals((await odd.stop("SIGTERM")).code, 0);
    const database = new DatabaseSync(`${odd.place.directory}/sqlite/db.sqlite`);
    database.exec("DELETE FROM t WHERE id = 2");
    database.close();
    const back = start(odd.place, [...clusterFlags(nodes.map(({ place }) => place)), ...FAST]);
    await back.ready();
    const { status, report } = await verify(leader);
    assertEquals([status, report.equal], [200, false]);
    assertEquals((await back.ended()).code, 3);
    assertMatch(back.log, /the database of node "\d" differs from that of the majority, as of index \d+/);

    const members = async () => Object.keys(await (await leader.get("/nodes")).json()).length;
    assertEquals(await post(leader, "/remove", JSON.stringify({ id: odd.place.id }), "DELETE"), [200, ""]);
    await until("it is removed", async () => await members() === 2 || undefined);
    assertEquals((await nodes[2].stop("SIGTERM")).code, 0);
    await until("it has left", async () => await members() === 1 || undefined);
  }));

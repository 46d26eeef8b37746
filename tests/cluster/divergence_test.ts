/** A replica whose data differ from the majority's is found out and stops; those that agree say so. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { clusterFlags, leaderOf, type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";

async function agreedAt(node: NodeProcess): Promise<number> {
  return Number((await node.status("store.raft.last_agreement") as { index?: number } | null)?.index ?? 0);
}

Deno.test("a replica whose database was changed behind its back stops with exit code 3; the others agree and go on", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)",
      "INSERT INTO t VALUES(1, 1), (2, 2), (3, 3)",
    );
    await leader.execute("INSERT INTO t VALUES(4, 4) RETURNING *", "INSERT INTO nowhere VALUES(1)").catch(() => {});
    const written = Number(await leader.status("store.raft.applied_index"));
    await until("all agree", async () => await agreedAt(leader) >= written || undefined);
    assertEquals((await leader.status("store.raft.last_agreement") as { nodes: number }).nodes, 3);

    const victim = nodes.find((node) => node !== leader) ?? leader;
    await victim.stop("SIGTERM");
    const database = new DatabaseSync(`${victim.place.directory}/sqlite/db.sqlite`);
    database.exec("DELETE FROM t WHERE id = 2");
    database.close();
    const back = start(victim.place, clusterFlags(nodes.map(({ place }) => place)));
    await back.ready();
    await leader.execute("UPDATE t SET v = v + 1");
    assertEquals((await back.ended()).code, 3);
    assertMatch(
      back.log,
      /the database of node "\d" differs from that of the majority, as of index \d+: this node stops/,
    );
    await leader.says(/REPLICAS DIFFER after index \d+/);
    const { nodes: differing } = await leader.status("store.raft.differing") as { nodes: string[] };
    assertEquals(differing, [victim.place.id]);
    const picture = await (await fetch(`${leader.url}/cluster/live?follow=false`)).json();
    const found = picture.warnings.find(({ code }: { code: string }) => code === "replicas-differ");
    assertEquals([found.level, found.nodes], ["error", [victim.place.id]]);

    await leader.execute("UPDATE t SET v = v + 1");
    const later = Number(await leader.status("store.raft.applied_index"));
    await until("the others agree", async () => await agreedAt(leader) >= later || undefined);
    for (const node of nodes.filter((one) => one !== victim)) assert(node.running);
  }));

Deno.test("POST /verify on any node compares the content of all at one index while writes go on, and finds a changed row", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    const follower = nodes.find((node) => node !== leader) ?? leader;
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1, 1.5), (2, x'00')");
    let isWriting = true;
    const writes = (async () => {
      while (isWriting) await leader.execute("INSERT INTO t(v) VALUES(randomblob(10))");
    })();
    const loaded = await verify(follower);
    isWriting = false;
    await writes;
    assertEquals(loaded.status, 200);
    assert(loaded.report.equal && loaded.report.complete, JSON.stringify(loaded.report));
    assertEquals(Object.keys(loaded.report.nodes).sort(), nodes.map(({ place }) => place.id).sort());

    await follower.stop("SIGTERM");
    const { report: partial } = await verify(leader);
    assertEquals([partial.equal, partial.complete], [true, false]);
    assertMatch(partial.nodes[follower.place.id], /^error: /);
    await leader.says(new RegExp(`equal on \\d, \\d; not compared: ${follower.place.id}`));

    const database = new DatabaseSync(`${follower.place.directory}/sqlite/db.sqlite`);
    database.exec("UPDATE t SET v = 1.25 WHERE id = 1");
    database.close();
    const back = start(follower.place, clusterFlags(nodes.map(({ place }) => place)));
    await back.ready();
    const { report } = await verify(leader);
    assertEquals(report.equal, false);
    assertEquals(new Set(Object.values(report.nodes)).size, 2);
    assertEquals((await back.ended()).code, 3);
    await leader.says(/contents compared at index \d+: THEY DIFFER/);
  }));

async function verify(
  node: NodeProcess,
): Promise<
  { status: number; report: { index: number; equal: boolean; complete: boolean; nodes: Record<string, string> } }
> {
  const response = await fetch(`${node.url}/verify`, { method: "POST" });
  const text = await response.text();
  return { status: response.status, report: response.ok ? JSON.parse(text) : { text } };
}

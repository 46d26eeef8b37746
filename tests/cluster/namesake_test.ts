/**
 * Nodes that claim an id which another one has: refused as long as that one lives, taken in when it does not.
 */
import { assertEquals, assertMatch } from "@std/assert";
import {
  clusterFlags,
  leaderOf,
  nodePlace,
  type NodeProcess,
  startCluster,
  until,
  withNodes,
} from "../harness/processes.ts";

const ONCE = ["-join-attempts=1"];

/** Waits until a node has a row at level none: it takes part. */
async function hasRow(node: NodeProcess, id: number): Promise<void> {
  await until(
    `row ${id} on node ${node.place.id}`,
    async () => (await node.row(`SELECT id FROM t WHERE id = ${id}`, "none").catch(() => []))[0] === id || undefined,
  );
}

/** Cluster address of a member, by the configuration. */
async function addrOf(node: NodeProcess, id: string): Promise<string | undefined> {
  const members = await node.status("store.nodes") as { id: string; addr: string }[];
  return members.find((member) => member.id === id)?.addr;
}

Deno.test("an empty node with the id of a live one is refused, whoever that is, and takes its place when it is dead", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    const [follower, other] = nodes.filter((node) => node !== leader);
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)");
    for (const holder of [follower, leader]) {
      const place = { ...nodePlace(root, holder.place.id), directory: `${root}/newcomer-${holder.place.id}` };
      const newcomer = start(place, [...ONCE, "-join", other.clusterAddr]);
      assertEquals((await newcomer.ended()).code, 1);
      const { id } = place;
      assertMatch(
        newcomer.log,
        new RegExp(
          `node id "${id}" is taken: the node that has it is alive at ${holder.clusterAddr}; ` +
            `give the node at ${newcomer.clusterAddr} another -node-id or, if it is to replace that one, stop that one first`,
        ),
      );
      assertEquals(await addrOf(leader, id), holder.clusterAddr);
    }
    await leader.execute("INSERT INTO t VALUES(2)");
    for (const node of nodes) await hasRow(node, 2);
    const redirect = await fetch(`${follower.url}/db/query?redirect&q=SELECT%201`, { redirect: "manual" });
    await redirect.body?.cancel();
    assertEquals(redirect.headers.get("location"), `${leader.url}/db/query?redirect&q=SELECT%201`);

    await follower.stop("SIGKILL");
    const place = { ...nodePlace(root, follower.place.id), directory: `${root}/replacement` };
    const replacement = start(place, ["-join", other.clusterAddr]);
    await replacement.ready();
    await hasRow(replacement, 2);
    assertEquals(await addrOf(leader, place.id), replacement.clusterAddr);
  }));

Deno.test("a copy of a live node's data directory is refused, and is that node when the other one is dead", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const flags = clusterFlags(nodes.map(({ place }) => place));
    const leader = await leaderOf(nodes);
    const [follower] = nodes.filter((node) => node !== leader);
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)");
    await hasRow(follower, 1);
    await follower.stop();
    const place = { ...nodePlace(root, follower.place.id), directory: `${root}/copy` };
    await new Deno.Command("cp", { args: ["-r", follower.place.directory, place.directory] }).output();
    const original = start(follower.place, flags);
    await original.ready();

    const copy = start(place, flags);
    await copy.says(
      new RegExp(
        `node id "${place.id}" is taken: the node that has it is alive at ${original.clusterAddr}, and the one at ` +
          `${copy.clusterAddr} runs on a copy of its data directory`,
      ),
    );
    assertEquals(await addrOf(leader, place.id), original.clusterAddr);

    // Nothing is written before: a copy without what the original acknowledged may be refused as an older copy (L5).
    await original.stop("SIGKILL");
    await copy.ready();
    await leader.execute("INSERT INTO t VALUES(2)");
    await hasRow(copy, 2);
    assertEquals(await addrOf(leader, place.id), copy.clusterAddr);
  }));

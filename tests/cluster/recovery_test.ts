/** A cluster that lost its majority is brought back by `raft/peers.json`, and one whose addresses all changed. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  clusterFlags,
  freePort,
  leaderOf,
  type NodePlace,
  startCluster,
  until,
  withNodes,
} from "../harness/processes.ts";

async function writePeers(place: NodePlace, peers: unknown): Promise<void> {
  await Deno.writeTextFile(`${place.directory}/raft/peers.json`, JSON.stringify(peers));
}

Deno.test("one node of three goes on alone by peers.json; a node of the old cluster is refused, an empty one joins", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1), (2)");
    for (const node of nodes) {
      await until("all rows", async () => (await node.row("SELECT count(*) FROM t", "none"))[0] === 2 || undefined);
    }
    await Promise.all(nodes.map((node) => node.stop("SIGKILL")));
    const [survivor, lost] = nodes.map(({ place }) => place);
    const flags = clusterFlags(nodes.map(({ place }) => place));
    for (const wrong of ["[]", "{", [{ id: "1" }], [{ id: "9", address: "a:1" }]]) {
      await Deno.writeTextFile(
        `${survivor.directory}/raft/peers.json`,
        typeof wrong === "string" ? wrong : JSON.stringify(wrong),
      );
      const refused = start(survivor, flags);
      assertEquals((await refused.ended()).code, 1);
      assertMatch(refused.log, /fatal: .*peers.json: /);
    }
    await writePeers(survivor, [{ id: survivor.id, address: `127.0.0.1:${survivor.clusterPort}`, non_voter: false }]);
    const alone = start(survivor, flags);
    await alone.ready();
    await alone.says(/recovered: \d+ entries that were not known to be committed are; the members are 1 at/);
    assertEquals(await alone.row("SELECT count(*) FROM t", "linearizable"), [2]);
    await alone.execute("INSERT INTO t VALUES(3)");
    assert(await Deno.stat(`${survivor.directory}/raft/peers.info`));

    const old = start(lost, flags);
    await alone.says(/belongs to another cluster/);
    assertEquals((await alone.status("store.nodes") as unknown[]).length, 1);
    await old.stop("SIGKILL");
    await Deno.remove(lost.directory, { recursive: true });
    const fresh = start(lost, flags);
    await fresh.ready();
    await until(
      "three rows",
      async () => (await fresh.row("SELECT count(*) FROM t", "none").catch(() => []))[0] === 3 || undefined,
    );

    await alone.stop("SIGKILL");
    await fresh.stop("SIGKILL");
    const again = [start(survivor, flags), start(lost, flags)];
    await Promise.all(again.map((node) => node.ready()));
    assertEquals(await again[0].row("SELECT count(*) FROM t", "linearizable"), [3]);
  }));

Deno.test("three nodes whose addresses all changed go on by the same peers.json on each", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    await (await leaderOf(nodes)).execute("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)");
    await Promise.all(nodes.map((node) => node.stop("SIGTERM")));
    const places = nodes.map(({ place }) => ({ ...place, clusterPort: freePort() }));
    const peers = places.map(({ id, clusterPort }) => ({ id, address: `127.0.0.1:${clusterPort}` }));
    for (const place of places) await writePeers(place, peers);
    const again = places.map((place) => start(place));
    await Promise.all(again.map((node) => node.ready()));
    assertEquals(await again[2].row("SELECT count(*) FROM t", "linearizable"), [1]);
    await again[1].execute("INSERT INTO t VALUES(2)");
    const ids = new Set(await Promise.all(again.map((node) => node.status("store.raft.cluster_id"))));
    assertEquals(ids.size, 1);
  }));

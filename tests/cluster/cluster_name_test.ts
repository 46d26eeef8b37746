/** Nodes of clusters with different names do not come together, by joining or by bootstrapping. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { clusterFlags, nodePlace, withNodes } from "../harness/processes.ts";

const QUICK = ["-join-attempts=1", "-join-interval=100ms"];

Deno.test("a new node joins only a cluster of its name; a member may have been given another one since", () =>
  withNodes(async (root, start) => {
    const places = ["1", "2", "3", "4"].map((id) => nodePlace(root, id));
    const first = start(places[0], ["-cluster-name", "prod"]);
    await first.ready();
    assertEquals(await first.status("store.cluster_name"), "prod");
    const join = ["-join", first.clusterAddr, ...QUICK];
    for (
      const [at, flags, why] of [
        [2, ["-cluster-name", "test"], 'node "1" has -cluster-name "prod", node "3" has -cluster-name "test"'],
        [3, [], 'node "1" has -cluster-name "prod", node "4" has no -cluster-name'],
      ] as const
    ) {
      const other = start(places[at], [...join, ...flags]);
      assertEquals((await other.ended()).code, 1);
      assertStringIncludes(other.log, `${why}: the nodes of a cluster have the same name`);
    }
    const second = start(places[1], [...join, "-cluster-name", "prod", "-raft-non-voter"]);
    await second.ready();
    assertEquals((await first.status("store.nodes") as unknown[]).length, 2);

    await second.stop();
    const renamed = start(places[1], [...join, "-cluster-name", "new", "-raft-non-voter"]);
    await renamed.ready();
    await first.execute("CREATE TABLE t(a)");
  }));

Deno.test("nodes of different names form no cluster together", () =>
  withNodes(async (root, start) => {
    const places = ["1", "2"].map((id) => nodePlace(root, id));
    const flags = [...clusterFlags(places), "-bootstrap-expect-timeout=3s"];
    const nodes = [
      start(places[0], [...flags, "-cluster-name", "a"]),
      start(places[1], [...flags, "-cluster-name", "b"]),
    ];
    for (const node of nodes) assertEquals((await node.ended()).code, 1);
    assertStringIncludes(nodes[0].log, 'node "2" has -cluster-name "b", node "1" has -cluster-name "a"');
    assertStringIncludes(nodes[1].log, 'node "1" has -cluster-name "a", node "2" has -cluster-name "b"');
  }));

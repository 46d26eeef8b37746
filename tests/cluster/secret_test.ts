/** A cluster with a shared secret: its nodes work together, and nobody else gets a word out of the cluster port. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { openStream } from "../../src/drivers/transport/rpc.ts";
import { ClusterSecret } from "../../src/drivers/transport/secret.ts";
import { clusterAddrOf, clusterFlags, leaderOf, nodePlace, until, withNodes } from "../harness/processes.ts";
import { STRANGER } from "../harness/stranger.ts";

const SECRET = "0123456789abcdef-of-the-cluster";

function dial(addr: string, secret?: string) {
  const options = { timeoutMs: 10_000, frameBytesMax: 1024 * 1024 };
  return openStream(addr, STRANGER, {
    ...options,
    secret: secret === undefined ? undefined : new ClusterSecret({ texts: [secret], isOptional: false }),
  });
}

Deno.test("nodes with one secret form a cluster; a node without it, or with another one, is refused and told why", () =>
  withNodes(async (root, start) => {
    const file = `${root}/secret`;
    await Deno.writeTextFile(file, `${SECRET}\n`);
    const places = ["1", "2", "3"].map((id) => nodePlace(root, id));
    const flags = [...clusterFlags(places), "-cluster-secret-file", file];
    const nodes = places.map((place) => start(place, flags));
    await Promise.all(nodes.map((node) => node.ready()));
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t(a)");
    const follower = nodes.find((node) => node !== leader) ?? leader;
    await follower.execute("INSERT INTO t VALUES(1)");

    const addr = clusterAddrOf(leader.place);
    await assertRejects(() => dial(addr), Error, "this cluster has a secret");
    await assertRejects(() => dial(addr, "another-secret-than-theirs"), Error, "the cluster secret is another one");
    const { connection, peer } = await dial(addr, SECRET);
    assertEquals(peer.id, leader.place.id);
    connection.close();

    const without = start(nodePlace(root, "4"), ["-join", addr, "-join-attempts", "1"]);
    assertEquals((await without.ended()).code, 1);
    assertMatch(without.log, /this cluster has a secret: start the node with the -cluster-secret-file/);
    const other = `${root}/other`;
    await Deno.writeTextFile(other, "a-secret-of-somebody-else");
    const wrong = start(nodePlace(root, "5"), ["-join", addr, "-join-attempts", "1", "-cluster-secret-file", other]);
    assertEquals((await wrong.ended()).code, 1);
    assertMatch(wrong.log, /the cluster secret is another one/);
    await Deno.writeTextFile(other, "short");
    const short = start(nodePlace(root, "6"), ["-cluster-secret-file", other]);
    assertEquals((await short.ended()).code, 1);
    assertMatch(short.log, /is too short: 16 characters/);
    const joined = start(nodePlace(root, "7"), ["-join", addr, "-cluster-secret-file", file]);
    await joined.ready();
    await until(
      "the rows there",
      async () => (await joined.row("SELECT count(*) FROM t", "none"))[0] === 1 || undefined,
    );
    for (const node of nodes) assertEquals(node.log.includes(SECRET), false);
  }));

Deno.test("a node with a secret does not speak to one without: who answers must prove it, too", () =>
  withNodes(async (root, start) => {
    const open = start(nodePlace(root, "1"));
    await open.ready();
    await assertRejects(() => dial(clusterAddrOf(open.place), SECRET), Error, "does not ask for the cluster secret");
  }));

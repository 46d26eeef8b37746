import { assertEquals } from "@std/assert";
import { clusterFlags, leaderOf, nodePlace, until, withNodes } from "../harness/processes.ts";

Deno.test("with -auto-vacuum-int the leader rewrites the database of all nodes, and writes go on", () =>
  withNodes(async (root, start) => {
    const places = ["1", "2"].map((id) => nodePlace(root, id));
    const nodes = places.map((place) => start(place, [...clusterFlags(places), "-auto-vacuum-int=500ms"]));
    await Promise.all(nodes.map((node) => node.ready()));
    const leader = await leaderOf(nodes);
    const free = async (node: typeof leader) => (await node.row("SELECT * FROM pragma_freelist_count", "none"))[0];
    await leader.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)", "INSERT INTO t(a) VALUES(zeroblob(1000000))");
    await leader.execute("DELETE FROM t");
    for (const node of nodes) await until("no free pages", async () => await free(node) === 0 || undefined);
    await leader.says(/automatic VACUUM done in \d+ ms/);
    const [other] = nodes.filter((node) => node !== leader);
    assertEquals(other.log.includes("automatic VACUUM"), false);
    await other.execute("INSERT INTO t(a) VALUES(1)");
    assertEquals(await leader.row("SELECT count(*) FROM t"), [1]);
  }));

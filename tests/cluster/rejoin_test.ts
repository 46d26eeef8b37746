/**
 * `-raft-rejoin-damaged` (B4): a node whose data are damaged sets them aside at its next start and is filled
 * anew by the others; once, never without others, and never without the flag.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import {
  clusterFlags,
  leaderOf,
  nodePlace,
  type NodeProcess,
  startCluster,
  until,
  withNodes,
} from "../harness/processes.ts";

const REJOIN = "-raft-rejoin-damaged";

/** Turns a bit of the first batch of the newest segment. */
function damageLog(node: NodeProcess): void {
  const raft = `${node.place.directory}/raft`;
  const newest = [...Deno.readDirSync(raft)].map(({ name }) => name).filter((name) => name.endsWith(".log")).sort().at(
    -1,
  );
  const path = `${raft}/${newest}`;
  const bytes = Deno.readFileSync(path);
  bytes[700] ^= 1;
  Deno.writeFileSync(path, bytes);
}

/** Names of what was set aside. */
function setAside(node: NodeProcess): string[] {
  return [...Deno.readDirSync(node.place.directory)].map(({ name }) => name).filter((name) =>
    name.startsWith("damaged-")
  );
}

Deno.test("a damaged node sets its data aside, is filled anew and votes again; the second time it stops", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const flags = [...clusterFlags(nodes.map(({ place }) => place)), REJOIN];
    const leader = await leaderOf(nodes);
    const victim = nodes.find((node) => node !== leader) ?? leader;
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1, 1), (2, 2), (3, 3)");
    const members = JSON.parse(await Deno.readTextFile(`${victim.place.directory}/raft/members.json`));
    assertEquals(members.map(({ id }: { id: string }) => id), nodes.map(({ place }) => place.id));

    const rows = async (node: NodeProcess) => (await node.row("SELECT count(*) FROM t", "none").catch(() => []))[0];
    await until("the victim has them", async () => await rows(victim) === 3 || undefined);

    // Damage that the running node is told of by the others.
    await victim.stop("SIGTERM");
    const before = JSON.parse(await Deno.readTextFile(`${victim.place.directory}/node.json`));
    const database = new DatabaseSync(`${victim.place.directory}/sqlite/db.sqlite`);
    database.exec("DELETE FROM t WHERE id = 2");
    database.close();
    const odd = start(victim.place, flags);
    await odd.ready();
    await leader.execute("UPDATE t SET v = v + 1");
    assertEquals((await odd.ended()).code, 1, "systemd is to start it again");
    assertMatch(odd.log, /differs from that of the majority[^]*the next start sets the data aside in \S+\/damaged-/);

    const back = start(victim.place, flags);
    await back.ready();
    await back.says(/this node's data were set aside as damaged: it joins the cluster again, through 127/);
    await leader.says(/lost its data directory/);
    assertEquals(await back.row("SELECT count(*), sum(v) FROM t", "none"), [3, 9]);
    const after = JSON.parse(await Deno.readTextFile(`${victim.place.directory}/node.json`));
    assertEquals(after.nodeId, before.nodeId);
    assert(after.storageId !== before.storageId, "never under its old identity");
    await until("it votes", async () => {
      const { nodes: all } = await (await fetch(`${leader.url}/nodes?ver=2`)).json();
      return all.length === 3 && all.every(({ voter }: { voter: boolean }) => voter) || undefined;
    });
    const [aside] = setAside(back);
    const old = new DatabaseSync(`${victim.place.directory}/${aside}/sqlite/db.sqlite`, { readOnly: true });
    assertEquals(
      { ...old.prepare("SELECT count(*) AS n FROM t WHERE id = 2").get() },
      { n: 0 },
      "the evidence is kept",
    );
    old.close();

    // Damage that is found at a start, and once more: an operator's case. The first batch is not the last one, which would
    // be taken for one that was torn.
    await leader.execute("INSERT INTO t VALUES(4, 4)");
    await until("it has another batch", async () => await rows(back) === 4 || undefined);
    await back.stop("SIGKILL");
    damageLog(back);
    const again = start(victim.place, flags);
    assertEquals((await again.ended()).code, 3);
    assertMatch(again.log, /is damaged/);
    await Deno.remove(`${victim.place.directory}/${aside}`, { recursive: true });
    assertEquals((await start(victim.place, flags).ended()).code, 1);
    const third = start(victim.place, flags);
    await third.ready();
    await leader.execute("INSERT INTO t VALUES(5, 5)");
    await until("it has all", async () => await rows(third) === 5 || undefined);
  }));

Deno.test("a node alone with its data, or without the flag, stops for an operator", () =>
  withNodes(async (root, start) => {
    const place = nodePlace(root, "1");
    const node = start(place, [REJOIN]);
    await node.ready();
    await node.execute("CREATE TABLE t(v)");
    await node.execute("INSERT INTO t VALUES(1)"); // the last batch, which is not the one that is damaged
    await node.stop("SIGKILL");
    damageLog(node);
    for (const flags of [[REJOIN], []]) {
      const damaged = start(place, flags);
      assertEquals((await damaged.ended()).code, 3);
      assertMatch(damaged.log, /a single node needs a backup/);
    }
    assertEquals(setAside(node), []);
  }));

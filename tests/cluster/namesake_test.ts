/**
 * Nodes that claim an id which another one has: refused as long as that one lives, taken in when it does not, unless their
 * data are an older copy of what it had.
 */
import { assertEquals, assertMatch } from "@std/assert";
import {
  clusterFlags,
  leaderOf,
  type NodePlace,
  nodePlace,
  type NodeProcess,
  startCluster,
  type StartNode,
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

/** Exit code for data that must be looked at. */
const DAMAGED = 3;
/** Ends a node's process without a word to the others. */
const KILL = "SIGKILL";

/** How far a node knows the log of another one to reach, at least. */
async function remembered(by: NodeProcess, { directory }: NodePlace): Promise<number> {
  const { storageId } = JSON.parse(await Deno.readTextFile(`${directory}/node.json`));
  const marks = await by.status("store.raft.marks") as { storageId: string; entry: { index: number } }[];
  return marks.find((mark) => mark.storageId === storageId)?.entry.index ?? 0;
}

/** Has a node lead. */
async function hasLead(nodes: readonly NodeProcess[], to: NodeProcess): Promise<void> {
  const leader = await leaderOf(nodes);
  if (leader === to) return;
  const response = await fetch(`${leader.url}/leader?wait`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ id: to.place.id }),
  });
  assertEquals([response.status, await response.text()], [200, ""]);
  await until(`node ${to.place.id} leading`, async () => await leaderOf(nodes) === to || undefined);
}

/** How those that counted an acknowledgement lose office, or their memory, before the copy starts; the leader comes first. */
const MEANWHILE: Record<string, (others: [NodeProcess, NodeProcess], start: StartNode) => Promise<void>> = {
  "the leader stays": () => Promise.resolve(),
  "another node leads": (others) => hasLead(others, others[1]),
  "the leader starts anew": async ([leader, other], start) => {
    await leader.stop(KILL);
    const again = start(leader.place);
    await again.ready();
    await leaderOf([again, other]);
  },
  "one after the other starts anew": async (others, start) => {
    for (const at of others.keys()) {
      await others[at].stop(KILL);
      others[at] = start(others[at].place);
      await others[at].ready();
    }
  },
};

for (const role of ["follower", "leader"] as const) {
  for (const [meanwhile, act] of Object.entries(MEANWHILE)) {
    Deno.test(`an older copy of a dead ${role}'s data directory is refused: ${meanwhile}`, () =>
      withNodes(async (root, start) => {
        const [holder, ...rest] = await startCluster(root, start);
        await rest[0].execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
        await hasLead([holder, ...rest], rest[0]);
        await holder.stop();
        const image = { ...holder.place, directory: `${root}/image` };
        await new Deno.Command("cp", { args: ["-r", holder.place.directory, image.directory] }).output();
        const original = start(holder.place);
        await original.ready();
        if (role === "leader") await hasLead([original, ...rest], original);
        await rest[0].execute("INSERT INTO t VALUES(1)");
        await hasRow(original, 1);
        const applied = Number(await original.status("store.raft.applied_index"));
        for (const node of rest) {
          await until(
            `node ${node.place.id} knowing what node ${holder.place.id} holds`,
            async () => await remembered(node, holder.place) >= applied || undefined,
          );
        }

        await original.stop(KILL);
        const leader = await leaderOf(rest);
        await act([leader, rest[leader === rest[0] ? 1 : 0]], start);
        const copy = start(image);
        assertEquals((await copy.ended()).code, DAMAGED);
        assertMatch(copy.log, /does not hold .* \(L5\): its data directory is an older copy of itself/);

        const again = start(holder.place);
        await again.ready();
        await hasRow(again, 1);
      }));
  }
}

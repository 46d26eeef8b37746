/**
 * A cluster goes from an older version to this one, one node after the other, while it is written to: nothing that was
 * acknowledged is lost, in whatever order, also when a node goes back meanwhile; what needs all nodes waits until all have it.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  clusterFlags,
  leaderOf,
  nodePlace,
  type NodeProcess,
  type StartNode,
  until,
  withNodes,
} from "../harness/processes.ts";
import { olderSource } from "../harness/older.ts";
import { SteadyWriter } from "../harness/steady_writer.ts";

/** Rows that are written to whichever node takes them. */
function rowWriter(nodes: () => readonly NodeProcess[]): SteadyWriter<NodeProcess> {
  return new SteadyWriter(nodes, async (node, id) => {
    const { error, results = [] } = await node.send("/db/execute", [["INSERT INTO t(id) VALUES(?)", id]], 5000);
    return error === undefined && results[0]?.error === undefined;
  });
}

/** A cluster of the older version, and a way to have one of its nodes run another. */
async function olderCluster(root: string, start: StartNode, source: string) {
  const places = ["1", "2", "3"].map((id) => nodePlace(root, id));
  const flags = clusterFlags(places);
  const nodes = places.map((place) => start(place, flags, { source }));
  await Promise.all(nodes.map((node) => node.ready()));
  const first = await nodes[0].send("/db/execute", [
    "CREATE TABLE t(id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP)",
  ]);
  assertEquals(first.error, undefined);
  const restart = async (at: number, version: "older" | "this", signal: Deno.Signal) => {
    await nodes[at].stop(signal);
    nodes[at] = start(places[at], flags, version === "older" ? { source } : {});
    await nodes[at].ready();
  };
  return { nodes, restart };
}

/** Places of the leader and of the others. */
async function roles(nodes: readonly NodeProcess[]): Promise<[number, number, number]> {
  const leader = nodes.indexOf(await leaderOf(nodes));
  return [leader, (leader + 1) % 3, (leader + 2) % 3];
}

async function changeLog(node: NodeProcess): Promise<{ status: number; text: string }> {
  const response = await fetch(`${node.url}/db/changes/log`, { method: "PUT" });
  return { status: response.status, text: await response.text() };
}

/** When the leader goes on, and from where. The release before the last one knows nothing of a log of changes. */
const ORDERS = [{ order: "leader first", release: "before that" }, { order: "leader last", release: "last" }] as const;

for (const { order, release } of ORDERS) {
  Deno.test(`a cluster that is written to goes to this version node by node: ${order}`, () =>
    withNodes(async (root, start) => {
      const { nodes, restart } = await olderCluster(root, start, await olderSource(root, release));
      const acknowledged = await (async () => {
        await using writer = rowWriter(() => nodes);
        await writer.goesOn();
        const [leader, ...others] = await roles(nodes);
        const sequence = {
          "leader first": [leader, ...others],
          "leader last": [...others, leader],
        };
        for (const [step, at] of sequence[order].entries()) {
          await restart(at, "this", step === 1 ? "SIGKILL" : "SIGTERM");
          await writer.goesOn();
          if (step === 0 && order === "leader last") {
            await restart(at, "older", "SIGKILL"); // it may go back as long as not all have gone on
            await writer.goesOn();
            await restart(at, "this", "SIGTERM");
            await writer.goesOn();
          }
          if (step === 1 && release === "before that") {
            const { status, text } = await changeLog(nodes[sequence[order][0]]);
            assert(status >= 400, `the log of changes was begun on two of three nodes: ${text}`);
            assertMatch(text, /version|does not know|later/);
          }
        }
        await until("the log of changes begun", async () => (await changeLog(nodes[0])).status === 200 || undefined);
        await writer.goesOn();
        return writer.acknowledged;
      })();
      const lead = await leaderOf(nodes);
      const verified = await fetch(`${lead.url}/verify`, { method: "POST" });
      assertMatch(await verified.text(), /"equal": ?true/);
      const { results = [] } = await lead.send("/db/query?level=strong", ["SELECT id FROM t ORDER BY id"]);
      const held = new Set(results[0].values?.map(([id]) => Number(id)));
      assertEquals(acknowledged.filter((id) => !held.has(id)), []);
      console.log(`${acknowledged.length} writes were acknowledged, ${held.size} are there`);
    }));
}

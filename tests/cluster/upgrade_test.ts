/**
 * A cluster goes from an older version to this one, one node after the other, while it is written to: nothing that was
 * acknowledged is lost, in whatever order, also when a node goes back meanwhile; what needs all nodes waits until all have it.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
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

/** Writes rows one after the other to whichever node takes them, until it is told to stop. */
class Writer {
  readonly acknowledged: number[] = [];
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(nodes: () => readonly NodeProcess[]) {
    this.#done = this.#run(nodes);
  }

  async #run(nodes: () => readonly NodeProcess[]): Promise<void> {
    for (let id = 1; !this.#isOver; id++) {
      const running = nodes().filter(({ running }) => running);
      try {
        const { error, results = [] } = await running[id % running.length].send("/db/execute", [
          ["INSERT INTO t(id) VALUES(?)", id],
        ], 5000);
        if (error === undefined && results[0]?.error === undefined) this.acknowledged.push(id);
      } catch {
        await delay(20); // the node is on its way down, and the outcome unknown
      }
    }
  }

  /** Waits until more has been acknowledged. */
  async goesOn(): Promise<void> {
    const before = this.acknowledged.length;
    await until("writes going on", () => this.acknowledged.length >= before + 20 || undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }
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

/** When the leader goes on. */
for (const order of ["leader first", "leader last"] as const) {
  Deno.test(`a cluster that is written to goes to this version node by node: ${order}`, () =>
    withNodes(async (root, start) => {
      const { nodes, restart } = await olderCluster(root, start, await olderSource(root));
      const acknowledged = await (async () => {
        await using writer = new Writer(() => nodes);
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
          if (step === 1) {
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

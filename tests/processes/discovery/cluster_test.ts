/**
 * Every way of automatic clustering, with real processes and the real services: the same flags on every node, whatever
 * the order of starts, whatever the service does.
 *
 * MUSTER_ROUNDS=20 forms that many clusters of 3 and of 5 per way, and prints how long each took from the last start;
 * MUSTER_STAGGER=20 starts their nodes at random within as many seconds.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  leaderOf,
  type NodePlace,
  type NodeProcess,
  type StartNode,
  until,
  withNodes,
} from "../../harness/processes.ts";
import { type Way, WAYS } from "./ways.ts";

const ROUNDS = Number(Deno.env.get("MUSTER_ROUNDS") ?? 0);
const STAGGER_MS = Number(Deno.env.get("MUSTER_STAGGER") ?? 0) * 1000;

/** Runs `work` with a way and nodes; all is gone afterwards. */
async function withWay(
  name: string,
  work: (way: Way, start: StartNode) => Promise<void>,
): Promise<void> {
  await withNodes(async (root, start) => {
    const way = await WAYS[name](root);
    try {
      await work(way, start);
    } finally {
      await way.close();
    }
  });
}

function places(way: Way, ids: readonly string[]): NodePlace[] {
  return ids.map((id) => way.place(id));
}

/** Waits until every node has just these ids as voters, and returns the id of their one cluster. */
async function oneCluster(nodes: readonly NodeProcess[], ids: readonly string[], timeoutMs = 30_000): Promise<string> {
  await Promise.all(nodes.map((node) => node.ready(timeoutMs)));
  await until(`all nodes have the voters ${ids}`, async () => {
    for (const node of nodes) {
      const members = await node.status("store.nodes") as { id: string; suffrage: string }[];
      const voters = members.filter(({ suffrage }) => suffrage === "voter").map(({ id }) => id);
      if (voters.join() !== ids.join() || members.length !== ids.length) return undefined;
    }
    return true;
  }, timeoutMs);
  const clusters = new Set(await Promise.all(nodes.map((node) => node.status("store.raft.cluster_id"))));
  assertEquals(clusters.size, 1, "one cluster");
  return String([...clusters][0]);
}

/** How often a cluster was started, by the logs of all nodes. */
function starts(nodes: readonly NodeProcess[]): number {
  return nodes.filter(({ log }) => /this node starts the cluster|starting cluster bootstrap/.test(log)).length;
}

for (const name of Object.keys(WAYS)) {
  Deno.test(`${name}: nodes started at once form one cluster, another joins, all come back after kill -9`, () =>
    withWay(name, async (way, start) => {
      const ids = ["1", "2", "3"];
      const founders = places(way, ids);
      await way.publish(founders);
      const flags = way.flags(founders);
      const nodes = founders.map((place) => start(place, flags));
      const cluster = await oneCluster(nodes, ids);
      assert(starts(nodes) >= 1, "the log says which node started the cluster");
      const leader = await leaderOf(nodes);
      await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)");

      const fourth = way.place("4");
      await way.publish([...founders, fourth]);
      nodes.push(start(fourth, flags));
      ids.push("4");
      assertEquals(await oneCluster(nodes, ids), cluster);
      await nodes[3].execute("INSERT INTO t VALUES(2)");

      await Promise.all(nodes.map((node) => node.stop("SIGKILL")));
      const again = nodes.map(({ place }) => start(place, flags));
      assertEquals(await oneCluster(again, ids), cluster);
      assertEquals(starts(again), 0, "no second bootstrap");
      for (const node of again) assertEquals(await node.row("SELECT count(*) FROM t", "linearizable"), [2]);
    }));

  if (ROUNDS > 0) {
    for (const count of [3, 5]) {
      Deno.test(`${name}: ${count} nodes form one cluster ${ROUNDS} times in a row`, async () => {
        const ids = Array.from({ length: count }, (_, at) => String(at + 1));
        const took: number[] = [];
        for (let round = 0; round < ROUNDS; round++) {
          await withWay(name, async (way, start) => {
            const founders = places(way, ids);
            await way.publish(founders);
            const nodes = await Promise.all(founders.map(async (place) => {
              await new Promise((resolve) => setTimeout(resolve, Math.random() * STAGGER_MS));
              return start(place, way.flags(founders));
            }));
            const started = performance.now();
            await oneCluster(nodes, ids);
            took.push(performance.now() - started);
            const sixth = way.place("6");
            await way.publish([...founders, sixth]);
            await oneCluster([...nodes, start(sixth, way.flags(founders))], [...ids, "6"]);
          });
        }
        took.sort((a, b) => a - b);
        const seconds = (ms: number) => (ms / 1000).toFixed(1);
        console.log(
          `${name}, ${count} nodes: median ${seconds(took[took.length >> 1])} s, longest ${
            seconds(took[took.length - 1])
          } s`,
        );
      });
    }
  }
}

for (const name of Object.keys(WAYS).filter((one) => one !== "-join")) {
  Deno.test({
    name: `${name}: the service may be down at the start and while the cluster runs; a new node finds the new leader`,
    ignore: name === "consul-kv" && Deno.env.has("MUSTER_TEST_CONSUL"), // a Consul of somebody else is not stopped
    fn: () =>
      withWay(name, async (way, start) => {
        const founders = places(way, ["1", "2", "3"]);
        await way.publish(founders);
        const flags = way.flags(founders);
        await way.down?.();
        const nodes = founders.map((place) => start(place, flags));
        await Promise.all(nodes.map((node) =>
          until("the wait is told", () => /discovery failed|waiting for addresses/.test(node.log) ? true : undefined)
        ));
        await way.up?.();
        const cluster = await oneCluster(nodes, ["1", "2", "3"]);

        await way.down?.();
        const leader = await leaderOf(nodes);
        await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)");
        const term = await leader.status("store.raft.term");
        await leader.stop("SIGKILL");
        const rest = nodes.filter((node) =>
          node !== leader
        );
        const next = await leaderOf(rest);
        await next.execute("INSERT INTO t VALUES(2)");
        assert(Number(await next.status("store.raft.term")) > Number(term));

        await way.up?.();
        const fourth = way.place("4");
        await way.publish([...founders, fourth]);
        const late = start(fourth, flags);
        assertEquals(await oneCluster([...rest, late], ["1", "2", "3", "4"]), cluster);
        assertEquals(await late.row("SELECT count(*) FROM t", "linearizable"), [2]);
        assertMatch(JSON.stringify(await late.status("disco")), new RegExp(`"mode":"${name}"`));
      }),
  });
}

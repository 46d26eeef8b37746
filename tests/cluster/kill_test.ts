/**
 * Durability under kill -9: each node in turn, then all at once, while clients write. Every acknowledged row is there
 * afterwards, on all nodes, exactly once; one whose outcome was unknown at most once.
 */
import { assert, assertEquals } from "@std/assert";
import { clusterFlags, nodePlace, NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";

const SECONDS = Number(Deno.env.get("MUSTER_KILL_SECONDS") ?? 20);
const CLIENTS = 8;

/** Clients that insert numbered rows until told to stop, each at any node that answers. */
class Load {
  readonly acknowledged = new Set<number>();
  readonly unknown = new Set<number>();
  #next = 1;
  #stopped = false;
  readonly #done: Promise<void>[];

  constructor(nodes: readonly NodeProcess[]) {
    this.#done = Array.from({ length: CLIENTS }, (_, client) => this.#run(nodes, client));
  }

  async #run(nodes: readonly NodeProcess[], client: number): Promise<void> {
    for (let turn = client; !this.#stopped; turn++) {
      const id = this.#next++;
      try {
        const answer = await nodes[turn % nodes.length].send("/db/execute?timeout=3s", [[
          "INSERT INTO rows(id) VALUES(?)",
          id,
        ]], 5000);
        if (answer.results[0]?.rows_affected === 1) this.acknowledged.add(id);
        else if (answer.outcome === "unknown") this.unknown.add(id);
        else assert(answer.error !== undefined, JSON.stringify(answer));
      } catch {
        this.unknown.add(id); // the connection broke, or nobody leads
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#done);
  }
}

async function verify(nodes: readonly NodeProcess[], load: Load): Promise<void> {
  await Promise.all(nodes.map((node) => node.ready()));
  const highest = await nodes[0].row("SELECT coalesce(max(id), 0) FROM rows", "linearizable");
  assert(Number(highest[0]) > 0);
  const contents = await Promise.all(nodes.map(async (node) => {
    await until(
      "this node caught up",
      async () => (await fetch(`${node.url}/readyz?sync`).then(async (r) => (await r.text(), r.ok))) || undefined,
    );
    const { results } = await node.send("/db/query?level=none", ["SELECT id FROM rows ORDER BY id"], 30_000);
    return (results[0].values ?? []).map(([id]) => Number(id));
  }));
  const [first] = contents;
  for (const content of contents) assertEquals(content, first, "all nodes hold the same");
  const held = new Set(first);
  assertEquals(held.size, first.length, "no row twice");
  const lost = [...load.acknowledged].filter((id) => !held.has(id));
  assertEquals(lost, [], `acknowledged rows that are missing, of ${load.acknowledged.size}`);
  const invented = first.filter((id) => !load.acknowledged.has(id) && !load.unknown.has(id));
  assertEquals(invented, [], "rows that were refused");
}

Deno.test(`no acknowledged row is lost or doubled while nodes are killed with -9 for ${SECONDS} seconds`, () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const flags = clusterFlags(nodes.map(({ place }) => place));
    // Without a primary key: a row that was applied twice shows.
    await nodes[0].execute("CREATE TABLE rows (id INTEGER)");
    const load = new Load(nodes);
    const deadline = performance.now() + SECONDS * 1000;
    let kills = 0;
    for (let at = 0; performance.now() < deadline; at = (at + 1) % nodes.length) {
      const before = load.acknowledged.size;
      await until("some writes", () => load.acknowledged.size > before + 50 ? true : undefined);
      await nodes[at].stop("SIGKILL");
      kills++;
      const killed = load.acknowledged.size;
      await until("writes without it", () => load.acknowledged.size > killed + 20 ? true : undefined);
      nodes[at] = start(nodes[at].place, flags);
      await nodes[at].ready();
    }
    await Promise.all(nodes.map((node) => node.stop("SIGKILL")));
    await load.stop();
    for (const [at, { place }] of nodes.entries()) nodes[at] = start(place, flags);
    await verify(nodes, load);
    console.log(
      `${kills} kills and one of all: ${load.acknowledged.size} rows acknowledged, ${load.unknown.size} unknown`,
    );
  }));

Deno.test("a single node killed with -9 under load has every acknowledged row", () =>
  withNodes(async (root, start) => {
    const place = nodePlace(root, "1");
    const nodes = [start(place)];
    await nodes[0].ready();
    await nodes[0].execute("CREATE TABLE rows (id INTEGER)");
    const load = new Load(nodes);
    for (let round = 0; round < 3; round++) {
      const before = load.acknowledged.size;
      await until("some writes", () => load.acknowledged.size > before + 200 ? true : undefined);
      await nodes[0].stop("SIGKILL");
      nodes[0] = start(place);
      await nodes[0].ready();
    }
    await load.stop();
    await verify(nodes, load);
  }));

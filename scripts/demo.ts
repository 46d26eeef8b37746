/**
 * Shows a cluster of three on this machine: it forms itself, loads the cities of the world, answers questions, loses its
 * leader to `kill -9`, goes on, takes the node back, and holds the same everywhere.
 *
 *     deno task demo [--no-wait]
 *
 * Ends with the URLs to try things at, and waits for Ctrl-C; then the nodes and their directory are gone. `--no-wait`
 * ends at once. Exits 1 when anything is not as expected, 2 for wrong usage, 130 when interrupted before the end.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { clusterFlags, interruption, leaderOf, nodePlace, NodeProcess, until } from "../tests/harness/processes.ts";
import { loadCities, showQueries } from "./demo/queries.ts";
import { loseLeader, regain, showSame } from "./demo/failover.ts";
import { duration, table } from "./terminal/table.ts";
import { thousands } from "../src/program/client/progress.ts";
import { messageOf } from "../src/base/codec/error_text.ts";

const USAGE = `Usage: deno task demo [--no-wait]

Three nodes on this machine, 170 thousand cities, a leader killed. Waits for Ctrl-C at the end; with --no-wait it does not.`;
const NODES = 3;
const STOP_MS = 5000;

/** The running demonstration: its nodes, and where they live. */
class Stage {
  readonly #root: string;
  readonly #nodes = new Map<string, NodeProcess>();
  #hasEnded = false;

  constructor(root: string) {
    this.#root = root;
  }

  /** Nodes in the order of their ids. */
  get nodes(): NodeProcess[] {
    return [...this.#nodes.values()];
  }

  /** Starts all nodes and waits until they form one cluster. */
  async form(): Promise<string[]> {
    const places = Array.from({ length: NODES }, (_, at) => nodePlace(this.#root, String(at + 1)));
    const flags = clusterFlags(places);
    for (const place of places) this.#nodes.set(place.id, NodeProcess.start(place, flags));
    await Promise.all(this.nodes.map((node) => node.ready()));
    return flags;
  }

  /** Starts a node that has ended, with the flags it had. */
  restart(node: NodeProcess): NodeProcess {
    if (this.#hasEnded) throw new Error("Cannot restart a node: the demonstration has ended");
    const again = NodeProcess.start(node.place, clusterFlags(this.nodes.map(({ place }) => place)));
    this.#nodes.set(node.place.id, again);
    return again;
  }

  /** Ends all nodes and removes their directory. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    await Promise.all(this.nodes.map(async (node) => {
      const timer = setTimeout(() => node.running && node.signal("SIGKILL"), STOP_MS);
      await node.stop();
      clearTimeout(timer);
    }));
    await Deno.remove(this.#root, { recursive: true });
  }
}

function step(title: string): void {
  console.log(`\n── ${title}`);
}

async function demonstrate(stage: Stage): Promise<void> {
  step(`${NODES} nodes find each other`);
  const started = performance.now();
  const flags = await stage.form();
  const leader = await leaderOf(stage.nodes);
  console.log(`  each was started with ${flags.join(" ")}`);
  console.log(`  one cluster after ${duration(performance.now() - started)}:`);
  showNodes(stage.nodes, leader);

  step("The cities of the world, in requests of 1,000 rows");
  const count = await loadCities(leader, stage.nodes);

  step("Questions");
  await showQueries(leader, stage.nodes.filter((node) => node !== leader), count);

  step("The leader is lost");
  const changed = await loseLeader(leader, stage.nodes, count);

  step(`Node ${leader.place.id} comes back with its old flags`);
  await regain(stage.restart(leader), stage.nodes);

  step("All hold the same");
  await showSame(stage.nodes, changed);
}

function showNodes(nodes: readonly NodeProcess[], leader: NodeProcess): void {
  console.log(table(
    ["node", "role", "HTTP API", "process"],
    nodes.map((node) => [node.place.id, node === leader ? "leader" : "follower", node.url, String(node.pid)]),
    { indent: "  " },
  ));
}

async function showInvitation(nodes: readonly NodeProcess[]): Promise<void> {
  const leader = await leaderOf(nodes);
  const [url] = nodes.filter((node) => node !== leader).map((node) => node.url);
  step("Your turn");
  showNodes(nodes, leader);
  console.log(`
  Ask any node:
    curl -G '${url}/db/query?pretty' --data-urlencode "q=SELECT * FROM cities WHERE name = 'Paris'"
    curl -G '${leader.url}/db/query?level=linearizable' --data-urlencode 'q=SELECT count(*) FROM cities'
  Write at any node:
    curl -XPOST '${url}/db/execute?pretty' -H 'Content-Type: application/json' -d '["DELETE FROM cities WHERE lat < 0"]'
  See the cluster, and one node:
    curl '${url}/nodes?pretty'; curl '${url}/readyz'; curl '${url}/status?pretty'
  Kill the leader yourself, and write again:
    kill -9 ${leader.pid}`);
}

/** Runs the demonstration; resolves to its exit code. */
async function main(args: readonly string[]): Promise<number> {
  const unknown: string[] = [];
  const flags = parseArgs([...args], {
    boolean: ["wait", "help"],
    negatable: ["wait"],
    default: { wait: true },
    alias: { help: "h" },
    unknown: (name: string) => void unknown.push(name),
  });
  if (flags.help || unknown.length > 0) {
    console.error(unknown.length > 0 ? `Cannot understand ${unknown.join(" ")}\n\n${USAGE}` : USAGE);
    return unknown.length > 0 ? 2 : 0;
  }
  const interrupted = interruption();
  const root = await Deno.makeTempDir({ prefix: "muster-demo-" });
  const stage = new Stage(root);
  const started = performance.now();
  console.log(`muster: a demonstration in ${root}`);
  let code = 130;
  try {
    const played = demonstrate(stage).then(() => code = 0);
    await Promise.race([played, interrupted]);
    if (code === 0) {
      console.log(`\nAll as expected, in ${thousands(Math.round((performance.now() - started) / 1000))} s.`);
      if (flags.wait) {
        await showInvitation(stage.nodes);
        console.log("\nCtrl-C stops the nodes and removes their data.");
        await interrupted;
      }
    }
  } catch (error) {
    code = 1;
    console.error(`\nFAILED: ${messageOf(error)}`);
    for (const node of stage.nodes) console.error(`\n── node ${node.place.id} said:\n${node.log.slice(-2000)}`);
  } finally {
    console.log("\nStopping the nodes …");
    await until("the end of all nodes", () => stage.end().then(() => true), 2 * STOP_MS);
  }
  console.log(`Nothing is left of ${root}.`);
  return code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));

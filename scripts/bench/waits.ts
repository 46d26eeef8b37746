/**
 * Blocking queries of an agent: what a change of the catalog costs while thousands wait for other nodes.
 * @module
 */
import { agentPlace, type AgentProcess, withAgents } from "../../tests/harness/agents.ts";
import { until } from "../../tests/harness/processes.ts";
import { processorSeconds } from "./machine.ts";

/** As many as the connections of one agent allow. */
const WAITING = 3500;
const CHANGES = 20;
const PAUSE_MS = 20;
const SETTLE_MS = 1000;
/** Of a change, in ms. */
interface Cost {
  readonly medianMs: number;
  readonly processorMs: number;
}

/** Changes one node, again and again. */
async function change(server: AgentProcess): Promise<Cost> {
  const took: number[] = [];
  const before = await processorSeconds(server.pid);
  for (let at = 0; at < CHANGES; at++) {
    const started = performance.now();
    const node = { Node: "changing", Address: `192.0.2.${Math.trunc(Math.random() * 255)}` };
    await server.http("PUT", "/v1/catalog/register", JSON.stringify(node));
    took.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const medianMs = took.sort((a, b) => a - b)[CHANGES / 2];
  return { medianMs, processorMs: (await processorSeconds(server.pid) - before) * 1000 / CHANGES };
}

/** Measures and prints. */
export async function benchWaits(): Promise<void> {
  for (const { waiting, medianMs, processorMs } of await costsOfWaiting([0, WAITING])) {
    const who = waiting === 0 ? "nobody waits" : `${waiting} wait for other nodes`;
    console.log(`${who}: ${medianMs.toFixed(1)} ms a change (median), ${processorMs.toFixed(1)} ms of a processor`);
  }
}

/** What a change costs while so many wait for other nodes. @param counts Rising. */
export async function costsOfWaiting(counts: readonly number[]): Promise<readonly (Cost & { waiting: number })[]> {
  const costs: (Cost & { waiting: number })[] = [];
  await withAgents(async (root, start) => {
    const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1");
    await server.up();
    await until("it leads", () => server.leader());
    await change(server); // warms up
    const head = (node: number) => `GET /v1/catalog/node/other-${node}?index=1&wait=10m HTTP/1.1\r\nHost: a\r\n\r\n`;
    const connections: Deno.Conn[] = [];
    const vars = async () => (await server.get("/debug/vars")).http.blocking;
    for (const waiting of counts) {
      while (connections.length < waiting) {
        const connection = await Deno.connect({ hostname: server.place.host, port: server.place.httpPort });
        await connection.write(new TextEncoder().encode(head(connections.length)));
        connections.push(connection);
      }
      await until("all wait", async () => await vars() === waiting || undefined);
      costs.push({ ...await change(server), waiting });
    }
    for (const connection of connections) connection.close();
  });
  return costs;
}

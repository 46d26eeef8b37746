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
  await withAgents(async (root, start) => {
    const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1");
    await server.up();
    await until("it leads", () => server.leader());
    const report = ({ medianMs, processorMs }: Cost, who: string) =>
      console.log(`${who}: ${medianMs.toFixed(1)} ms a change (median), ${processorMs.toFixed(1)} ms of a processor`);
    await change(server); // warms up
    report(await change(server), "nobody waits");
    const head = (node: number) => `GET /v1/catalog/node/other-${node}?index=1&wait=10m HTTP/1.1\r\nHost: a\r\n\r\n`;
    const connections: Deno.Conn[] = [];
    for (let node = 0; node < WAITING; node++) {
      const connection = await Deno.connect({ hostname: server.place.host, port: server.place.httpPort });
      await connection.write(new TextEncoder().encode(head(node)));
      connections.push(connection);
    }
    const vars = async () => (await server.get("/debug/vars")).http.blocking;
    await until("all wait", async () => await vars() === WAITING || undefined);
    report(await change(server), `${WAITING} wait for other nodes`);
    for (const connection of connections) connection.close();
  });
}

/**
 * A cluster that was started by `serve` becomes one of agents, node by node, on the same directories and ports, and takes
 * writes all the time; rqlite's port stays. One of them becomes a node of `serve` again.
 */
import { assertEquals } from "@std/assert";
import { agentPlace, type AgentProcess, withAgents } from "../harness/agents.ts";
import { leaderOf, startCluster, until, withNodes } from "../harness/processes.ts";

Deno.test("nodes of serve become agents one by one, with their data, under writes, and may go back", () =>
  withNodes((root, startNode) =>
    withAgents(async (_, startAgent) => {
      const nodes = await startCluster(root, startNode);
      const leader = await leaderOf(nodes);
      await leader.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)");
      let written = 0;
      const write = async (at: number) => {
        const url = `http://127.0.0.1:${nodes[at].place.httpPort}/db/execute`;
        await until("a write", async () => {
          const body = JSON.stringify([["INSERT INTO t VALUES(?) ON CONFLICT DO NOTHING", written + 1]]);
          const response = await fetch(url, { method: "POST", body: new TextEncoder().encode(body) });
          const { results } = await response.json();
          return results?.[0]?.error === undefined && results?.[0] !== undefined || undefined;
        });
        written++;
      };
      const agents: AgentProcess[] = [];
      for (const [at, node] of nodes.entries()) {
        await node.stop("SIGTERM");
        await write((at + 1) % nodes.length);
        const { directory, clusterPort: port, httpPort } = node.place;
        const place = { ...agentPlace(root, `agent-${at}`), directory, port };
        const join = agents.map((agent) => `-retry-join=127.0.0.1:${agent.place.port}`);
        const agent = startAgent(place, "-server", `-sql-port=${httpPort}`, ...join);
        agents.push(agent);
        await agent.up();
        await write(at);
      }
      await until("the catalog has all", async () =>
        (await agents[0].get("/v1/catalog/service/consul")).length === nodes.length || undefined);
      await write(0);
      assertEquals(await agents[1].sql("SELECT count(*) FROM t"), [[written]]);
      assertEquals(await agents[2].sql("SELECT count(*) FROM t JOIN muster.nodes"), [[written * nodes.length]]);

      await agents[0].stop("SIGTERM");
      const again = startNode(nodes[0].place);
      await again.ready();
      await write(0);
      assertEquals(await again.row("SELECT count(*) FROM t", "linearizable"), [written]);
    })
  ));

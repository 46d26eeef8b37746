/** A place for the client libraries of Consul to run: a server and a client agent, with what the programs ask. */
import { assertEquals } from "@std/assert";
import { agentPlace, type AgentProcess, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";
import { type ProgramOptions, run } from "./clients.ts";

/** A server that leads and a client agent that sees it; both are in the catalog. */
export interface AgentPair {
  readonly server: AgentProcess;
  readonly client: AgentProcess;
}

/** Runs a client with the addresses of the client agent's and of the server's HTTP as its last arguments. */
export type RunConsulClient = (command: string, args: readonly string[], options?: ProgramOptions) => Promise<void>;

/**
 * Starts the two agents and lets `work` install and run clients in a directory; all is gone afterwards. A client asserts
 * the values that it gets, and says so at its end.
 * @param configuration Of both agents, in HCL.
 */
export async function withAgentPair(
  work: (root: string, runClient: RunConsulClient, pair: AgentPair) => Promise<void>,
  configuration = "",
): Promise<void> {
  await withAgents(async (root, start) => {
    const file = `${root}/both.hcl`;
    Deno.writeTextFileSync(file, configuration);
    const both = `-config-file=${file}`;
    const server = start(agentPlace(root, "server"), both, "-server", "-bootstrap-expect=1");
    const client = start(agentPlace(root, "client"), both, `-retry-join=${server.addr}`);
    await Promise.all([server.up(), client.up()]);
    await until("it leads", () => server.leader());
    await until("both are in the catalog", async () => {
      return (await server.get("/v1/catalog/nodes")).length === 2 || undefined;
    });
    const addresses = [client, server].map(({ place }) => `${place.host}:${place.httpPort}`);
    const runClient: RunConsulClient = async (command, args, options) => {
      assertEquals(await run(command, [...args, ...addresses], options), "all as documented\n");
    };
    await work(root, runClient, { server, client });
  });
}

/** An agent that answers is ready: the next request of a client succeeds at once. */
import { assertEquals } from "@std/assert";
import { agentPlace, withAgents } from "../harness/agents.ts";
import { clusterAddrOf, nodePlace, withNodes } from "../harness/processes.ts";
import { splitAddress } from "../../src/base/codec/address.ts";

/** Resolves at the first answer. */
async function firstAnswer(url: string): Promise<void> {
  for (;;) {
    try {
      const response = await fetch(url);
      await response.body?.cancel();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1)); // nobody listens yet
    }
  }
}

async function connects(addr: string): Promise<boolean> {
  try {
    const { hostname, port } = splitAddress(addr);
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test("an agent whose HTTP answers takes a connection for a join, and a question to its name server", () =>
  withAgents(async (root, start) => {
    for (const flags of [["-server", "-bootstrap"], []]) {
      const agent = start(agentPlace(root, `ready${flags.length}`), ...flags);
      const { host, port, dnsPort } = agent.place;
      await firstAnswer(`${agent.url}/v1/agent/members`);
      assertEquals([await connects(`${host}:${port}`), await connects(`${host}:${dnsPort}`)], [true, true], agent.log);
    }
  }));

Deno.test("a node whose HTTP answers takes connections at its cluster port", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await firstAnswer(`${node.url}/readyz?noleader`);
    assertEquals(await connects(clusterAddrOf(node.place)), true, node.log);
  }));

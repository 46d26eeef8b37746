/** A real `serf` process in the pool of agents: it joins a server through its cluster port, which Raft has too, both ways. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { until } from "../harness/processes.ts";
import { SerfAgent } from "../harness/serf_agent.ts";
import { agentPlace, dig, withAgents } from "../harness/agents.ts";

const KEY = "l4C6PDiGKaSRwviKYvaI64OeaR0SUWjmRx8fWQ9oO7s=";

for (const key of [undefined, KEY]) {
  Deno.test(`a serf process joins agents and is joined by them, dies and leaves, ${key ? "encrypted" : "in plain text"}`, () =>
    withAgents(async (root, start) => {
      const encrypt = key === undefined ? [] : [`-encrypt=${key}`];
      const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1", ...encrypt);
      const client = start(agentPlace(root, "client"), `-retry-join=${server.addr}`, ...encrypt);
      await Promise.all([server.up(), client.up()]);
      await until("it leads", () => server.leader());
      const keyed = key === undefined ? {} : { key };
      const one = await SerfAgent.start("serf-one", { tags: { dc: "dc1" }, compression: true, ...keyed });
      const two = await SerfAgent.start("serf-two", { tags: { dc: "dc1", id: "x" }, ...keyed });
      const stranger = await SerfAgent.start("stranger", keyed);
      try {
        await one.must("join", server.addr);
        assertEquals((await client.muster("join", two.address)).code, 0);
        for (const name of ["server", "client", "serf-one", "serf-two"]) {
          await Promise.all([one, two].map((serf) => serf.sees(name, "alive", 15_000)));
          await Promise.all([server, client].map((agent) => agent.sees(name, "alive")));
        }
        assertEquals((await one.sees("server", "alive")).tags.role, "consul");
        const { stdout } = await client.muster("members");
        assertMatch(stdout, /serf-one +127\.0\.0\.1:\d+ +alive +unknown +< 0\.3 +\d +dc1/);
        await until(
          "its name",
          async () => await dig(client.place, "serf-one.node.consul", "+short") === "127.0.0.1" || undefined,
        );

        // An agent with no datacenter, or with another one, is not let in.
        await stranger.run("join", server.addr);
        await until(
          "it is refused",
          () => /Member 'stranger' part of wrong datacenter ''/.test(server.log) || undefined,
        );
        assertEquals((await server.members()).stranger, undefined);

        await stranger.kill();
        // While all that it gossips to are there: Serf itself takes one for failed whose intent to leave was lost.
        await one.must("leave");
        await one.ended();
        await client.sees("serf-one", "left");
        await two.kill();
        await server.sees("serf-two", "failed");
        await until("its name is gone", async () => {
          return /NXDOMAIN/.test(await dig(server.place, "serf-one.node.consul")) || undefined;
        });
        const allowed = /stranger/; // it was refused, and killed
        assertEquals(one.errors(allowed), []);
        assert(server.running && client.running);
      } finally {
        await Promise.all([one, two, stranger].map((serf) => serf.kill()));
      }
    }));
}

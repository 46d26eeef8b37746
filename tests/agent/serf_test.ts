/** A real `serf` process in the pool of agents: it joins a server through its cluster port, which Raft has too, both ways. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePort, until } from "../harness/processes.ts";
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

Deno.test("a serf process with the tags of a server is in the pool of all datacenters, one without them is not let in", () =>
  withAgents(async (root, start) => {
    const place = { ...agentPlace(root, "server"), wanPort: freePort() };
    const server = start(place, "-server", "-bootstrap-expect=1", `-encrypt=${KEY}`);
    await server.up();
    const wan = `${place.host}:${place.wanPort}`;
    const tags = {
      role: "consul",
      dc: "dc3",
      id: "x",
      port: "1",
      vsn: "2",
      vsn_min: "2",
      vsn_max: "3",
      build: "1.9.0",
    };
    const profile = ["-profile=wan"];
    const one = await SerfAgent.start("one.dc3", { tags, key: KEY, args: profile });
    const two = await SerfAgent.start("two.dc3", {
      tags: { ...tags, id: "y" },
      key: KEY,
      compression: true,
      args: profile,
    });
    const client = await SerfAgent.start("client.dc3", { tags: { ...tags, role: "node" }, key: KEY, args: profile });
    try {
      await one.must("join", wan);
      assertEquals((await server.muster("join", "-wan", two.address)).code, 0);
      const states = async () => {
        const list: { Name: string; Status: number }[] = await server.get("/v1/agent/members?wan=1");
        return Object.fromEntries(list.map(({ Name, Status }) => [Name, Status]));
      };
      const [alive, left] = [1, 3];
      for (const name of ["one.dc3", "two.dc3"]) {
        await until(`${name} is seen`, async () => (await states())[name] === alive || undefined);
      }
      await Promise.all(
        [one, two].flatMap((serf) => ["server.dc1", "one.dc3", "two.dc3"].map((name) => serf.sees(name, "alive"))),
      );
      const { stdout } = await server.muster("members", "-wan");
      assertMatch(stdout, /^one\.dc3 +127\.0\.0\.1:\d+ +alive +server +1\.9\.0 +2 +dc3/m);
      assertEquals(await server.get("/v1/catalog/datacenters"), ["dc1", "dc3"]);
      const { text } = await server.http("GET", "/v1/catalog/nodes?dc=dc3");
      assertMatch(text, /^Remote DC has no server currently reachable: Cannot reach 127\.0\.0\.1:1: /);

      await client.run("join", wan);
      await until("it is refused", () => /Member 'client\.dc3' is not a server/.test(server.log) || undefined);
      assertEquals((await states())["client.dc3"], undefined);
      await client.kill();
      await one.must("leave");
      await one.ended();
      await until("it has left", async () => (await states())["one.dc3"] === left || undefined);
      assertEquals(two.errors(/client\.dc3/), []);
    } finally {
      await Promise.all([one, two, client].map((serf) => serf.kill()));
    }
  }));

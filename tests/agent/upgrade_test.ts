/** A data directory of an earlier version: its catalog is brought up to date, with all that is in it. */
import { assert, assertEquals } from "@std/assert";
import { agentPlace, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

/** Of an agent that led alone, with a node that was registered by hand and a table of a user's. */
const DIRECTORY = new URL("../fixtures/agent_catalog_1.tar.gz", import.meta.url).pathname;

Deno.test("a catalog of version 1 is migrated through the log when its agent leads again", () =>
  withAgents(async (root, start) => {
    const { code } = await new Deno.Command("tar", { args: ["xzf", DIRECTORY, "-C", root] }).output();
    assertEquals(code, 0);
    const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1");
    await server.up();
    await until("it leads", () => server.leader());
    const version = "SELECT value FROM _muster_index WHERE name = 'version'";
    await until("the catalog is of version 2", async () => {
      const { results } = await server.get(`/db/query?q=${encodeURIComponent(version)}`);
      return results[0].values?.[0][0] === 2 || undefined;
    });
    const { results } = await server.get("/db/query?q=SELECT%20count(*)%20FROM%20t");
    assertEquals(results[0].values, [[3]]);
    const { Node: { Address, CreateIndex } } = await server.get("/v1/catalog/node/by-hand");
    assertEquals([Address, CreateIndex], ["192.0.2.7", 4]);

    const path = "/v1/catalog/node/BY-hand";
    const before = Number((await server.http("GET", path)).headers.get("x-consul-index"));
    const waiting = server.http("GET", `${path}?index=${before}&wait=25s`);
    await until("it waits", async () => (await server.get("/debug/vars")).http.blocking === 1 || undefined);
    const put = (Node: string) =>
      server.http("PUT", "/v1/catalog/register", JSON.stringify({ Node, Address: "192.0.2.8" }));
    assertEquals((await put("another")).text, "true");
    assertEquals((await server.get("/debug/vars")).http.blocking, 1, "another node is of no concern");
    assertEquals((await put("by-hand")).text, "true");
    const woken = await waiting;
    assert(Number(woken.headers.get("x-consul-index")) > before);
    assertEquals(JSON.parse(woken.text).Node.Address, "192.0.2.8");
  }));

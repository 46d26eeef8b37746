/** A data directory of an earlier version: its catalog is brought up to date, with all that is in it. */
import { assert, assertEquals } from "@std/assert";
import { CATALOG_VERSION } from "../../src/core/catalog/schema.ts";
import { agentPlace, type AgentProcess, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

/** Of an agent that led alone, with a node that was registered by hand and a table of a user's. */
const directoryOf = (version: number) =>
  new URL(`../fixtures/agent_catalog_${version}.tar.gz`, import.meta.url).pathname;

for (const before of [1, 2]) {
  Deno.test(`a catalog of version ${before} is migrated through the log when its agent leads again`, () =>
    withAgents(async (root, start) => {
      const server = await migrated(root, start, before);
      await afterwards(server);
    }));
}

/** The agent of an earlier version, when its catalog is of this one. */
async function migrated(
  root: string,
  start: (place: ReturnType<typeof agentPlace>, ...flags: string[]) => AgentProcess,
  before: number,
): Promise<AgentProcess> {
  const { code } = await new Deno.Command("tar", { args: ["xzf", directoryOf(before), "-C", root] }).output();
  assertEquals(code, 0);
  const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1");
  await server.up();
  await until("it leads", () => server.leader());
  const version = "SELECT value FROM _muster_index WHERE name = 'version'";
  await until("the catalog is of this version", async () => {
    const { results } = await server.get(`/db/query?q=${encodeURIComponent(version)}`);
    return results[0].values?.[0][0] === CATALOG_VERSION || undefined;
  });
  return server;
}

/** What was there is there, a change wakes whoever waits for it, and what is new works. */
async function afterwards(server: AgentProcess): Promise<void> {
  const { results } = await server.get("/db/query?q=SELECT%20count(*)%20FROM%20t");
  assertEquals(results[0].values, [[3]]);
  const { Node: { Address, CreateIndex } } = await server.get("/v1/catalog/node/by-hand");
  assertEquals([Address, CreateIndex > 0], ["192.0.2.7", true]);

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
  assertEquals((await server.http("PUT", "/v1/kv/a", "x")).text, "true");
  assertEquals((await server.http("PUT", "/v1/agent/service/register", `{"Name":"web","Port":80}`)).status, 200);
  await until(
    "the service is there",
    async () => (await server.get("/v1/health/service/web")).length === 1 || undefined,
  );
  assertEquals((await server.get("/v1/health/service/consul"))[0].Service.Weights, { Passing: 1, Warning: 1 });
}

/**
 * Prepared queries, entries of configuration, network distances and snapshots, over real processes (C7.7.1, C7.9 to C7.11).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { agentPlace, type AgentProcess, dig, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

async function send(agent: AgentProcess, method: string, path: string, body?: unknown): Promise<string> {
  const { status, text } = await agent.http(method, path, body === undefined ? undefined : JSON.stringify(body));
  return status === 200 ? text : `${status} ${text}`;
}

/** A server that leads, and a client agent, in one pool and in the catalog. */
async function pair(
  root: string,
  start: (place: ReturnType<typeof agentPlace>, ...flags: string[]) => AgentProcess,
): Promise<[AgentProcess, AgentProcess]> {
  const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1");
  const client = start(agentPlace(root, "client"), `-retry-join=${server.addr}`);
  await Promise.all([server.up(), client.up()]);
  await until("it leads", () => server.leader());
  await until("both are in the catalog", async () => (await server.get("/v1/catalog/nodes")).length === 2 || undefined);
  return [server, client];
}

Deno.test("prepared queries are kept, changed, executed by HTTP and DNS, and end with their session", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    for (const [agent, Tags] of [[server, ["a"]], [client, ["b"]]] as const) {
      await send(agent, "PUT", "/v1/agent/service/register", { Name: "web", Port: 80, Tags });
    }
    await until("both serve", async () => (await client.get("/v1/catalog/service/web")).length === 2 || undefined);
    const query = { Name: "pick", Service: { Service: "web", Tags: ["!a"], Near: "_agent" }, DNS: { TTL: "10s" } };
    const { ID } = JSON.parse(await send(client, "POST", "/v1/query", query));
    assertMatch(await send(client, "POST", "/v1/query", query), /^500 .*aliases an existing query name/);
    assertMatch(await send(client, "POST", "/v1/query", { Name: "x" }), /^400 Must provide a Service name/);
    const found = await client.get("/v1/query/pick/execute");
    assertEquals([found.Service, found.Nodes.length, found.Nodes[0].Node.Node], ["web", 1, "client"]);
    assertEquals(found.DNS, { TTL: "10s" });
    assertEquals((await server.get(`/v1/query/${ID}`))[0].Name, "pick");
    const answer = await dig(server.place, "pick.query.consul", "SRV", "+noall", "+answer");
    assertMatch(answer, /pick\.query\.consul\.\s+10\s+IN\s+SRV\s+1 1 80 client\.node\.dc1\.consul\./);
    assertEquals(await send(server, "PUT", `/v1/query/${ID}`, { ...query, Service: { Service: "web" } }), "");
    assertEquals((await client.get("/v1/query/pick/execute")).Nodes.length, 2);
    assertEquals((await client.get("/v1/query/pick/execute?limit=1&near=_agent")).Nodes[0].Node.Node, "client");
    const template = { Name: "", Service: { Service: "${name.full}" }, Template: { Type: "name_prefix_match" } };
    assert(JSON.parse(await send(client, "POST", "/v1/query", template)).ID);
    assertEquals((await client.get("/v1/query/web/execute")).Nodes.length, 2);
    assertEquals((await client.get("/v1/query/web/explain")).Query.Service.Service, "web");
    assertEquals((await client.get("/v1/query")).length, 2);
    assertEquals(await send(client, "DELETE", `/v1/query/${ID}`), "");
    assertMatch(await send(client, "GET", `/v1/query/${ID}`), /^404 Query not found/);
    const session = JSON.parse(await send(client, "PUT", "/v1/session/create", {})).ID;
    const bound = { Name: "bound", Session: session, Service: { Service: "web" } };
    assert(JSON.parse(await send(client, "POST", "/v1/query", bound)).ID);
    await send(client, "PUT", `/v1/session/destroy/${session}`);
    assertEquals((await client.get("/v1/query")).length, 1);
    assertMatch(await send(client, "POST", "/v1/query", bound), /^500 .*invalid session/);
  }));

Deno.test("entries of configuration are kept; nodes are sorted by their distance", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    const entry = { Kind: "service-defaults", Name: "web", Protocol: "http" };
    assertEquals(await send(client, "PUT", "/v1/config", entry), "true");
    assertEquals(await send(client, "PUT", "/v1/config?cas=1", { ...entry, Protocol: "tcp" }), "false");
    const shown = await server.get("/v1/config/service-defaults/web");
    assertEquals(shown.Protocol, "http");
    assertEquals(
      await send(client, "PUT", `/v1/config?cas=${shown.ModifyIndex}`, { ...entry, Protocol: "tcp" }),
      "true",
    );
    assertEquals((await server.get("/v1/config/service-defaults"))[0].Protocol, "tcp");
    assertMatch(await send(client, "PUT", "/v1/config", { Kind: "mesh", Name: "x" }), /^400 invalid config entry kind/);
    assertEquals(await send(client, "DELETE", "/v1/config/service-defaults/web"), "{}");
    assertMatch(await send(client, "GET", "/v1/config/service-defaults/web"), /^404 Config entry not found/);
    await until(
      "they know their distance",
      async () => (await client.get("/v1/coordinate/nodes")).length === 2 || undefined,
    );
    assertEquals((await client.get("/v1/coordinate/node/server"))[0].Coord.Vec.length, 8);
    for (const near of ["client", "server"]) {
      assertEquals((await client.get(`/v1/catalog/nodes?near=${near}`))[0].Node, near);
    }
  }));

Deno.test("a snapshot takes the place of what is there, and wakes whoever waits; a damaged one changes nothing", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    const put = async (key: string, value: string) =>
      await client.http("PUT", `/v1/kv/${key}?flags=9007199254740993`, value);
    for (let nth = 0; nth < 30; nth++) await put(`kept/${nth}`, `value ${nth}`);
    const lock = JSON.parse(await send(client, "PUT", "/v1/session/create", { TTL: "60s" })).ID;
    await client.http("PUT", `/v1/kv/lock?acquire=${lock}`, "held");
    const response = await fetch(`${client.url}/v1/snapshot`);
    assertEquals(response.headers.get("content-type"), "application/x-gzip");
    const archive = await response.bytes();
    await client.http("DELETE", "/v1/kv/?recurse");
    await put("new", "x");
    const index = Number((await client.http("GET", "/v1/kv/?recurse")).headers.get("x-consul-index"));
    const waiting = client.http("GET", `/v1/kv/?keys&index=${index}&wait=25s`);
    await until("it waits", async () => (await server.get("/debug/vars")).http.blocking === 1 || undefined);
    const restore = async (body: Uint8Array<ArrayBuffer>) => {
      const answer = await fetch(`${client.url}/v1/snapshot`, { method: "PUT", body });
      return `${answer.status} ${await answer.text()}`;
    };
    const damaged = archive.slice();
    damaged[Math.floor(damaged.length / 2)] ^= 0xff;
    assertMatch(await restore(damaged), /^400 failed to (read|verify) snapshot file/);
    assertMatch(await restore(new TextEncoder().encode("rubbish")), /^400 failed to read snapshot file/);
    assertEquals(await client.get("/v1/kv/?keys"), ["new"]);
    assertEquals(await restore(archive), "200 ");
    const keys = JSON.parse((await waiting).text);
    assertEquals([keys.length, keys.includes("new")], [31, false]);
    const one = await client.http("GET", "/v1/kv/kept/7");
    assertMatch(one.text, /"Flags":9007199254740993,"Value":"dmFsdWUgNw=="/);
    assert(Number(one.headers.get("x-consul-index")) > index);
    assertEquals((await client.get("/v1/kv/lock"))[0].Session, lock);
    assertEquals((await client.get(`/v1/session/info/${lock}`)).length, 1);
    assertEquals((await server.get("/v1/catalog/nodes")).length, 2);
  }));

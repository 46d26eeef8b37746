/**
 * Services and checks of agents, over real processes: from files and requests, in the catalog, by health and DNS, over
 * restarts, reloads and the loss of the leader (C5.3 to C5.5, C7.1 to C7.3, C8.3, C9.8).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { agentPlace, type AgentProcess, dig, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

type Start = (place: ReturnType<typeof agentPlace>, ...flags: string[]) => AgentProcess;

/** A server that leads. */
async function leader(root: string, start: Start, ...flags: string[]): Promise<AgentProcess> {
  const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1", ...flags);
  await server.up();
  await until("it leads", () => server.leader());
  return server;
}

async function put(agent: AgentProcess, path: string, body: unknown = ""): Promise<string> {
  const { status, text } = await agent.http("PUT", path, typeof body === "string" ? body : JSON.stringify(body));
  return status === 200 ? text : `${status} ${text}`;
}

/** Waits until the catalog has so many instances of a service that pass, on the server. */
async function passing(server: AgentProcess, service: string, count: number): Promise<void> {
  await until(`${count} instances of ${service} pass`, async () => {
    return (await server.get(`/v1/health/service/${service}?passing`)).length === count || undefined;
  });
}

Deno.test("a service in a file is there, is checked, is asked for by DNS and HTTP; a reload takes what the file says", () =>
  withAgents(async (root, start) => {
    const file = `${root}/web.json`;
    const write = (service: unknown) => Deno.writeTextFileSync(file, JSON.stringify({ service }));
    const check = { args: ["/bin/sh", "-c", "echo fine"], interval: "1s" };
    write({ name: "web", tags: ["rails"], port: 80, check });
    const server = await leader(root, start, `-config-file=${file}`, "-enable-local-script-checks");
    await passing(server, "web", 1);
    await until("DNS has it", async () => {
      return await dig(server.place, "web.service.consul", "+short") === "127.0.0.1" || undefined;
    });
    assertEquals(
      await dig(server.place, "rails.web.service.consul", "SRV", "+short"),
      "1 1 80 server.node.dc1.consul.",
    );
    assertEquals((await server.get("/v1/catalog/service/web"))[0].ServiceTags, ["rails"]);
    assertEquals(await server.get("/v1/catalog/services"), { consul: [], web: ["rails"] });
    assertEquals((await server.get("/v1/agent/checks"))["service:web"].Output, "fine\n");
    assertMatch(
      await put(server, "/v1/agent/service/register", { Name: "x", Check: { Args: ["true"], Interval: "1s" } }),
      /^500 Scripts are disabled on this agent from remote calls/,
    );

    // The check fails: away from DNS, still in the catalog.
    write({ name: "web", tags: ["rails"], port: 80, check: { ...check, args: ["/bin/sh", "-c", "echo bad; exit 2"] } });
    assertEquals(await put(server, "/v1/agent/reload"), "");
    await passing(server, "web", 0);
    await until("DNS has it no more", async () => {
      return (await dig(server.place, "web.service.consul")).includes("status: NXDOMAIN") || undefined;
    });
    assertEquals((await server.get("/v1/health/state/critical"))[0].Output, "bad\n");
    assertEquals((await server.get("/v1/catalog/service/web")).length, 1);

    write({ name: "other", port: 81, check });
    assertEquals(await put(server, "/v1/agent/reload"), "");
    await passing(server, "other", 1);
    await until("web is gone", async () => (await server.get("/v1/catalog/service/web")).length === 0 || undefined);
    Deno.writeTextFileSync(file, `{"service": {"nme": "typo"}}`);
    assertMatch(await put(server, "/v1/agent/reload"), /^500 .*nme/);
    assertEquals(Object.keys(await server.get("/v1/agent/services")), ["other"]);
  }));

Deno.test("what is registered by request comes back after a kill, and what is deregistered does not", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    const place = agentPlace(root, "client");
    const join = `-retry-join=${server.addr}`;
    let client = start(place, join);
    await client.up();
    for (const name of ["kept", "gone"]) {
      const service = {
        Name: name,
        Port: 80,
        Check: { TTL: "60s" },
        Meta: { a: "b" },
        Weights: { Passing: 5, Warning: 1 },
      };
      assertEquals(await put(client, "/v1/agent/service/register", service), "");
      assertEquals(await put(client, `/v1/agent/check/pass/service:${name}?note=well`), "");
      await passing(server, name, 1);
    }
    assertEquals((await client.http("GET", "/v1/agent/health/service/id/kept?format=text")).text, "passing");
    assertMatch(await put(client, "/v1/agent/service/deregister/none"), /^404 Unknown service ID "none"/);
    assertMatch(await put(client, "/v1/agent/check/pass/none"), /^404 Unknown check ID "none"/);
    assertMatch(await put(client, "/v1/agent/service/register", { Port: 1 }), /^400 Missing service name/);

    // Deregistered in the catalog, it comes back: its agent has it. Deregistered at the agent, it stays away.
    assertEquals(await put(server, "/v1/catalog/deregister", { Node: "client", ServiceID: "kept" }), "true");
    assertEquals(await put(client, "/v1/agent/service/deregister/gone"), "");
    await passing(server, "kept", 1);
    await until("it is gone", async () => (await server.get("/v1/catalog/service/gone")).length === 0 || undefined);

    await client.stop("SIGKILL");
    await passing(server, "kept", 0); // its node is not alive
    client = start(place, join);
    await client.up();
    await passing(server, "kept", 1);
    const { kept, gone } = await client.get("/v1/agent/services");
    assertEquals([kept.Meta, kept.Weights.Passing, gone], [{ a: "b" }, 5, undefined]);
    assertEquals((await client.get("/v1/agent/checks"))["service:kept"].Output, "well");
    assertEquals((await server.get("/v1/catalog/service/gone")).length, 0);

    // Maintenance, of a service and of the node, survives too.
    assertEquals(await put(client, "/v1/agent/service/maintenance/kept?enable=true&reason=because"), "");
    await passing(server, "kept", 0);
    assertEquals((await server.get("/v1/health/checks/kept")).map(({ Notes }: { Notes: string }) => Notes).sort(), [
      "",
      "because",
    ]);
    assertEquals(await put(client, "/v1/agent/service/maintenance/kept?enable=false"), "");
    await passing(server, "kept", 1);
    assertEquals(await put(client, "/v1/agent/maintenance?enable=true"), "");
    await passing(server, "kept", 0);
    assertEquals((await client.http("GET", "/v1/agent/health/service/name/kept")).status, 503);
    assertMatch(await put(client, "/v1/agent/maintenance"), /^400 Missing value for enable/);
  }));

Deno.test("checks by HTTP, TCP and alias; blocking queries for a service wake for what concerns it alone", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    let status = 200;
    const web = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response("hello", { status }));
    try {
      const url = `http://127.0.0.1:${web.addr.port}/`;
      const Checks = [{ HTTP: url, Interval: "1s" }, { TCP: `127.0.0.1:${web.addr.port}`, Interval: "1s" }];
      assertEquals(await put(server, "/v1/agent/service/register", { Name: "web", Checks }), "");
      assertEquals(await put(server, "/v1/agent/service/register", { Name: "idle" }), "");
      const alias = { Name: "side", Check: { AliasService: "web", Name: "as web" } };
      assertEquals(await put(server, "/v1/agent/service/register", alias), "");
      for (const name of ["web", "idle", "side"]) await passing(server, name, 1);
      const indexOf = async (name: string) =>
        Number((await server.http("GET", `/v1/health/service/${name}`)).headers.get("x-consul-index"));
      const wait = async (name: string) =>
        await server.http("GET", `/v1/health/service/${name}?index=${await indexOf(name)}&wait=20s`);
      const [ofWeb, ofIdle] = [wait("web"), wait("idle")];
      await until("both wait", async () => (await server.get("/debug/vars")).http.blocking === 2 || undefined);
      status = 429;
      const [{ Checks: seen }] = JSON.parse((await ofWeb).text);
      assertEquals(seen.map(({ Status }: { Status: string }) => Status).sort(), ["passing", "passing", "warning"]);
      assertEquals((await server.get("/debug/vars")).http.blocking, 1, "nothing has changed for the other");
      await until(
        "the alias follows",
        async () => (await server.get("/v1/health/checks/side"))[0].Status === "warning" || undefined,
      );
      status = 500;
      await until(
        "it is critical",
        async () => (await server.get("/v1/health/state/critical")).length === 2 || undefined,
      );
      const filter = encodeURIComponent(`Service.Service == "web" and Checks.Status == "critical"`);
      assertEquals((await server.get(`/v1/health/service/web?filter=${filter}`)).length, 1);
      assertEquals((await server.http("GET", "/v1/health/service/web?passing=x")).status, 400);
      assertEquals((await server.get("/v1/catalog/service/web?tag=none")).length, 0);
      await put(server, "/v1/agent/service/deregister/idle");
      assertEquals(JSON.parse((await ofIdle).text), []);
      const [same] = await Promise.all([server.get("/v1/agent/service/web")]);
      const blocked = server.get(`/v1/agent/service/web?hash=${same.ContentHash}&wait=20s`);
      await put(server, "/v1/agent/service/register", { Name: "web", Port: 9 });
      assertEquals((await blocked).Port, 9);
      assert((await server.get("/v1/agent/checks"))["service:web:1"], "checks that are not named again stay");
      await put(server, "/v1/agent/service/register?replace-existing-checks", { Name: "web", Port: 9 });
      assertEquals((await server.get("/v1/agent/checks"))["service:web:1"], undefined);
    } finally {
      await web.shutdown();
    }
  }));

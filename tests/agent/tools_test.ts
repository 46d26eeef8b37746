/**
 * What well-known programs ask of Consul, in the order in which they ask it, and what each of them relies on: consul-template,
 * registrator, Prometheus, Traefik, Vault, Terraform and Nomad (C6.2, C6.3, C7.1 to C7.6).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { agentPlace, type AgentProcess, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

/** Go's library sends bodies as JSON, flags with empty values and waits in milliseconds, and reads these headers as numbers. */
async function read(agent: AgentProcess, path: string): Promise<{ index: number; value: unknown; status: number }> {
  const { status, headers, text } = await agent.http("GET", path);
  assertMatch(headers.get("x-consul-index") ?? "", /^[1-9]\d*$/, `${path}: ${text}`);
  assertMatch(headers.get("x-consul-lastcontact") ?? "", /^\d+$/);
  assertMatch(headers.get("x-consul-knownleader") ?? "", /^(true|false)$/);
  return { index: Number(headers.get("x-consul-index")), value: text === "" ? undefined : JSON.parse(text), status };
}

async function put(agent: AgentProcess, path: string, body: unknown = ""): Promise<string> {
  const { status, text } = await agent.http("PUT", path, typeof body === "string" ? body : JSON.stringify(body));
  return status === 200 ? text : `${status} ${text}`;
}

async function registered(agent: AgentProcess, service: Record<string, unknown>): Promise<void> {
  assertEquals(await put(agent, "/v1/agent/service/register", service), "");
  const path = `/v1/catalog/service/${service.Name}`;
  await until(`${service.Name} is in the catalog`, async () => {
    const found: { ServiceID: string }[] = await agent.get(path);
    return found.some(({ ServiceID }) => ServiceID === (service.ID ?? service.Name)) || undefined;
  });
}

/** The names of services first, then each service, both waited for; the instances with their nodes' and their own labels. */
async function prometheus(client: AgentProcess): Promise<void> {
  const self = await client.get("/v1/agent/self");
  assertEquals(typeof self.Config.Datacenter, "string");
  const Meta = { "prometheus-path": "/metrics" };
  await registered(client, { ID: "p1", Name: "prom", Tags: ["a", "b"], Port: 9100, Meta });
  const list = "/v1/catalog/services?stale=&wait=120000ms";
  const first = await read(client, list);
  assertEquals(first.value, { consul: [], prom: ["a", "b"] });
  const waiting = read(client, `${list}&index=${first.index}`);
  const service = await read(client, "/v1/health/service/prom?stale=&tag=a&tag=b&wait=120000ms");
  const [{ Node, Service, Checks }] = await client.get("/v1/health/service/prom?stale=&tag=a&tag=b");
  assertEquals([Node.Node, Node.Address, Service.ID, Service.Address], ["client", "127.0.0.1", "p1", ""]);
  assertEquals([Service.Port, Service.Tags, Service.Meta], [9100, ["a", "b"], Meta]);
  assertEquals(Object.values(Node.TaggedAddresses).every((one) => typeof one === "string"), true);
  assertEquals(Checks.map(({ CheckID, Status }: Record<string, string>) => [CheckID, Status]), [[
    "serfHealth",
    "passing",
  ]]);
  // An answer without a change has the index that was asked with.
  const same = await read(client, `/v1/health/service/prom?stale=&wait=200ms&index=${service.index}`);
  assertEquals(same.index, service.index);
  // Waits are given up when a service is gone: the connection is closed under them.
  const cancel = new AbortController();
  const path = `${client.url}/v1/health/service/prom?stale=&wait=120000ms&index=${service.index}`;
  const given = fetch(path, { signal: cancel.signal }).then((response) => response.text());
  await registered(client, { ID: "p2", Name: "prom2" });
  const { value } = await waiting;
  assertEquals(value, { consul: [], prom: ["a", "b"], prom2: [] });
  cancel.abort();
  await given.then(() => undefined, () => undefined);
  for (const id of ["p1", "p2"]) await put(client, `/v1/agent/service/deregister/${id}`);
}

/** A template asks for a service, a key, a tree and the nodes, stale, and renders again when an index goes up. */
async function consulTemplate(client: AgentProcess, server: AgentProcess): Promise<void> {
  const paths = [
    "/v1/health/service/tpl?passing=1&stale=&wait=60000ms",
    "/v1/kv/tpl/one?stale=&wait=60000ms",
    "/v1/kv/tpl?recurse=&stale=&wait=60000ms",
    "/v1/catalog/nodes?stale=&wait=60000ms&near=_agent",
  ];
  const before = await Promise.all(paths.map((path) => read(client, path)));
  assertEquals(before.map(({ status }) => status), [200, 404, 404, 200]);
  assertEquals(before[0].value, []);
  const waiting = paths.slice(0, 3).map((path, at) => read(client, `${path}&index=${before[at].index}`));
  await registered(server, { Name: "tpl", Port: 1 });
  assertEquals(await put(server, "/v1/kv/tpl/one?flags=0", "x"), "true");
  const after = await Promise.all(waiting);
  for (const [at, { index, status }] of after.entries()) {
    assertEquals(status, 200);
    assert(index > before[at].index, "the index does not go back");
  }
  await put(server, "/v1/agent/service/deregister/tpl");
  await server.http("DELETE", "/v1/kv/tpl?recurse=");
}

/** A ping, the services of the agent, one registered with a check, and what is stale removed. */
async function registrator(client: AgentProcess): Promise<void> {
  assertMatch(await client.get("/v1/status/leader"), /^127\.0\.0\.1:\d+$/);
  const ID = "host1:container-name:80";
  const Check = { TTL: "30s", Status: "passing", DeregisterCriticalServiceAfter: "10m" };
  await registered(client, { ID, Name: "container", Port: 80, Tags: null, Address: "192.0.2.1", Check });
  const all = await client.get("/v1/agent/services");
  assertEquals([all[ID].Service, all[ID].Port, all[ID].Tags, all[ID].Address], ["container", 80, [], "192.0.2.1"]);
  assertEquals(await put(client, `/v1/agent/check/pass/service:${ID}?note=`), "");
  assertEquals(await put(client, `/v1/agent/service/deregister/${ID}`), "");
  assertEquals((await client.http("DELETE", "/v1/kv/service_attribute/attributes/x?recurse=")).text, "true");
  assertEquals(await client.get("/v1/agent/services"), {});
}

/** Instances from the catalog and their health are asked for one after the other and matched by their place in the list. */
async function traefik(client: AgentProcess, server: AgentProcess): Promise<void> {
  for (const [at, agent] of [client, server, client, server].entries()) {
    const Tags = [`traefik.enable=true`, `traefik.http.routers.web.rule=${"Host(`a.test`) || ".repeat(40)}Path(\`/\`)`];
    await registered(agent, { ID: `w${9 - at}`, Name: "traefik-web", Tags, Port: at + 1 });
  }
  const tag = "tag=traefik.enable%3Dtrue";
  for (const mode of ["", "&stale=", "&consistent=", "&cached="]) {
    const names = await client.get(`/v1/catalog/services?${mode.slice(1)}`);
    assertEquals(names["traefik-web"].length, 2);
    const instances = await client.get(`/v1/catalog/service/traefik-web?${tag}${mode}`);
    const health = await client.get(`/v1/health/service/traefik-web?${tag}${mode}`);
    assertEquals(
      instances.map(({ Node, ServiceID }: Record<string, string>) => [Node, ServiceID]),
      health.map(({ Node, Service }: Record<string, Record<string, string>>) => [Node.Node, Service.ID]),
    );
    assertEquals(instances.length, 4);
    assertEquals(instances[0].ServiceAddress, "");
  }
  for (const [at, agent] of [client, server, client, server].entries()) {
    await put(agent, `/v1/agent/service/deregister/w${9 - at}`);
  }
}

/** Values in transactions, folders by their keys, the lock of the active node, and a service with a check of its own. */
async function vault(client: AgentProcess): Promise<void> {
  assertEquals((await client.get("/v1/agent/self")).Member.Addr, "127.0.0.1");
  const ops = Array.from(
    { length: 63 },
    (_, at) => ({ KV: { Verb: "set", Key: `vault/a/${at}`, Value: btoa(`v${at}`) } }),
  );
  const txn = async (list: unknown) => JSON.parse(await put(client, "/v1/txn", list));
  assertEquals((await txn(ops)).Results.length, 63);
  const get = (Key: string) => ({ KV: { Verb: "get-or-empty", Key } });
  const { Results, Errors } = await txn([get("vault/a/0"), get("vault/none")]);
  assertEquals([Results[0].KV.Value, Results[1].KV.Value, Errors], [btoa("v0"), null, null]);
  assertEquals(await client.get("/v1/kv/vault/?keys=&separator=%2F"), ["vault/a/"]);
  assertEquals((await client.get("/v1/kv/vault/a/?keys=&separator=%2F")).length, 63);

  const session =
    JSON.parse(await put(client, "/v1/session/create", { Name: "Vault Lock", TTL: "15s", LockDelay: 0 })).ID;
  const flags = "3304740253564472344";
  assertEquals(await put(client, `/v1/kv/vault/core/lock?acquire=${session}&flags=${flags}`, "uuid"), "true");
  const held = await client.http("GET", "/v1/kv/vault/core/lock?consistent=");
  assertMatch(held.text, new RegExp(`"Flags":${flags},.*"Session":"${session}"`));
  assertEquals(await put(client, `/v1/kv/vault/core/lock?flags=${flags}&release=${session}`), "true");

  const ID = "vault:127.0.0.1:8200";
  const check = `${ID}:vault-sealed-check`;
  await registered(client, { ID, Name: "vault", Tags: ["standby"], Port: 8200, Address: "127.0.0.1", Check: null });
  const TTL = { ID: check, Name: "Vault Sealed Status", ServiceID: ID, TTL: "5s", Status: "critical" };
  assertEquals(await put(client, "/v1/agent/check/register", TTL), "");
  assertEquals(await put(client, `/v1/agent/check/fail/${check}?note=Vault+Sealed`), "");
  assertEquals(await put(client, `/v1/agent/check/pass/${check}?note=Vault+Unsealed`), "");
  // The tag changes: registered again without its check, which stays as it is.
  assertEquals(
    await put(client, "/v1/agent/service/register", { ID, Name: "vault", Tags: ["active"], Port: 8200 }),
    "",
  );
  await until("it is active and passes", async () => {
    return (await client.get("/v1/health/service/vault?tag=active&passing=1")).length === 1 || undefined;
  });
  assertEquals((await client.get("/v1/agent/checks"))[check].Output, "Vault Unsealed");
  await put(client, `/v1/agent/service/deregister/${ID}`);
  assertEquals(await client.get("/v1/agent/checks"), {}, "its check goes with it");
}

/** The state is locked, written by one compare-and-set, or in pieces where it is too large for that. */
async function terraform(client: AgentProcess): Promise<void> {
  const session = JSON.parse(
    await put(client, "/v1/session/create", { Name: "Consul API Lock", TTL: "15s", LockDelay: "5000ms" }),
  ).ID;
  assertEquals(await put(client, `/v1/kv/tf/state/.lock?acquire=${session}&flags=3304740253564472344`), "true");
  assertEquals(await put(client, "/v1/kv/tf/state/.lockinfo", { ID: session }), "true");
  const cas = (Index: number, value: string) =>
    put(client, "/v1/txn", [{ KV: { Verb: Index > 0 ? "cas" : "set", Key: "tf/state", Value: btoa(value), Index } }]);
  const [{ KV: { ModifyIndex } }] = JSON.parse(await cas(0, "one")).Results;
  const [{ KV: second }] = JSON.parse(await cas(ModifyIndex, "two")).Results;
  assert(second.ModifyIndex > ModifyIndex);
  assertMatch(await cas(ModifyIndex, "three"), /^409 .*index is stale/);
  assertMatch(await cas(second.ModifyIndex, "x".repeat(600_000)), /^413 .*too large/);
  assertEquals(await put(client, "/v1/kv/tf/state/tfstate.abc/0", "x".repeat(524_288)), "true");
  assertEquals((await client.http("GET", "/v1/kv/tf/state/tfstate.abc/0?raw=")).text.length, 524_288);
  const names = await client.get("/v1/kv/tf/state?keys=");
  assertEquals(names, ["tf/state", "tf/state/.lock", "tf/state/.lockinfo", "tf/state/tfstate.abc/0"]);
  // Another one waits for the lock for a second and reads who has it.
  const { index } = await read(client, "/v1/kv/tf/state/.lock?wait=1000ms");
  assertEquals((await read(client, `/v1/kv/tf/state/.lock?index=${index}&wait=1000ms`)).index, index);
  assertEquals((await client.get("/v1/kv/tf/state/.lockinfo"))[0].Value, btoa(JSON.stringify({ ID: session })));
  assertEquals(await put(client, `/v1/session/destroy/${session}`), "true"); // force-unlock
  assertEquals((await client.http("DELETE", "/v1/kv/tf/state?recurse=")).text, "true");
}

/** Services of the agent are compared with what should be there: removed, registered again, their checks likewise. */
async function nomad(client: AgentProcess): Promise<void> {
  const { Config, Stats } = await client.get("/v1/agent/self");
  // Compared as a semantic version; "ent" in its metadata would be the paid edition.
  assertMatch(Config.Version, /^1\.22\.0\+muster\.\d+\.\d+\.\d+$/); // semver >= 1.8.0
  assertEquals(typeof Stats, "object");
  assertEquals((await client.http("GET", "/v1/namespaces")).status, 404, "no namespaces: this is not the paid edition");
  const ID = "_nomad-task-6a1c2c1e-group-web-web-http";
  const service = {
    ...{ ID, Name: "nomad-web", Tags: ["v1"], Port: 21_000, Address: "127.0.0.1", EnableTagOverride: false },
    ...{ Kind: "", Meta: { "external-source": "nomad" }, Check: null, Checks: null, Proxy: null, Connect: null },
    ...{ TaggedAddresses: { lan_ipv4: { Address: "127.0.0.1", Port: 21_000 } }, Weights: null, Namespace: "" },
  };
  const check = {
    ...{ ID: "_nomad-check-1", Name: "alive", ServiceID: ID, Interval: "10s", Timeout: "2s", TCP: "127.0.0.1:1" },
    ...{ Status: "critical", Header: {}, TLSSkipVerify: false, FailuresBeforeCritical: 0, Namespace: "" },
  };
  await registered(client, service);
  assertEquals(await put(client, "/v1/agent/check/register", check), "");
  for (let round = 0; round < 2; round++) {
    const services = await client.get("/v1/agent/services?filter=");
    const { Kind = "", Service, Port, Address, Meta, Tags, TaggedAddresses, EnableTagOverride } = services[ID];
    const { Name, ...others } = service;
    assertEquals(
      { Kind, Service, Port, Address, Meta, Tags, EnableTagOverride, lan: TaggedAddresses.lan_ipv4 },
      {
        ...{ Kind: "", Service: Name, Port: others.Port, Address: others.Address, Meta: others.Meta },
        ...{ Tags: others.Tags, EnableTagOverride: false, lan: others.TaggedAddresses.lan_ipv4 },
      },
      "what differs is registered again each time",
    );
    const checks = await client.get("/v1/agent/checks?filter=");
    assertEquals(checks["_nomad-check-1"].ServiceID, ID);
    assertEquals(await put(client, "/v1/agent/service/register", service), "");
  }
  assertEquals(await put(client, "/v1/agent/check/deregister/_nomad-check-1"), "");
  assertMatch(await put(client, "/v1/agent/check/deregister/_nomad-check-1"), /^404 Unknown check ID/);
  assertEquals(await put(client, `/v1/agent/service/deregister/${ID}?ns=default`), "");
}

Deno.test("programs that use Consul find what they rely on", (t) =>
  withAgents(async (root, start) => {
    const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1");
    const client = start(agentPlace(root, "client"), `-retry-join=${server.addr}`);
    await Promise.all([server.up(), client.up()]);
    await until("it leads", () => server.leader());
    await until(
      "both are in the catalog",
      async () => (await server.get("/v1/catalog/nodes")).length === 2 || undefined,
    );
    const programs: Record<string, (client: AgentProcess, server: AgentProcess) => Promise<void>> = {
      ...{ Prometheus: prometheus, "consul-template": consulTemplate, registrator, Traefik: traefik },
      ...{ Vault: vault, Terraform: terraform, Nomad: nomad },
    };
    for (const [name, program] of Object.entries(programs)) {
      await t.step(name, async () => {
        await program(client, server);
        await until("nothing is left", async () => {
          return Object.keys(await server.get("/v1/catalog/services")).length === 1 || undefined;
        });
      });
    }
  }));

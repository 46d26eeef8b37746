/**
 * What is easily got wrong about services, keys, sessions and names, over real processes: sizes of DNS answers, waiting for
 * keys that are not there, broken files, a leader or all servers gone (C5.5, C6.3, C7.1 to C7.5, C8.3, C8.5, C9.8, C10).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { agentPlace, type AgentProcess, dig, leaderAmong, type StartAgent, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

async function pair(root: string, start: StartAgent, ...flags: string[]): Promise<[AgentProcess, AgentProcess]> {
  const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1");
  const client = start(agentPlace(root, "client"), `-retry-join=${server.addr}`, ...flags);
  await Promise.all([server.up(), client.up()]);
  await until("it leads", () => server.leader());
  await until("both are in the catalog", async () => (await server.get("/v1/catalog/nodes")).length === 2 || undefined);
  return [server, client];
}

async function put(agent: AgentProcess, path: string, body: unknown = ""): Promise<string> {
  const { status, text } = await agent.http("PUT", path, typeof body === "string" ? body : JSON.stringify(body));
  return status === 200 ? text : `${status} ${text}`;
}

async function passing(server: AgentProcess, service: string, count: number): Promise<void> {
  await until(`${count} instances of ${service} pass`, async () => {
    return (await server.get(`/v1/health/service/${service}?passing`)).length === count || undefined;
  });
}

/** Records of an answer, and whether it was truncated. */
async function answered(agent: AgentProcess, ...args: string[]): Promise<{ answers: number; isTruncated: boolean }> {
  const text = await dig(agent.place, ...args, "+ignore");
  const flags = /;; flags:([^;]*);.*ANSWER: (\d+)/.exec(text);
  if (!flags) throw new Error(text);
  return { answers: Number(flags[2]), isTruncated: flags[1].split(" ").includes("tc") };
}

Deno.test("ten instances: three records over plain UDP, what fits into a larger datagram, all over TCP, in changing order", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    for (let nth = 1; nth <= 10; nth++) {
      const service = { ID: `web${nth}`, Name: "web", Address: `192.0.2.${nth}`, Port: 8000 + nth };
      assertEquals(await put(client, "/v1/agent/service/register", service), "");
    }
    await passing(server, "web", 10);
    for (const agent of [server, client]) {
      const ask = (...args: string[]) => answered(agent, "web.service.consul", ...args);
      await until("DNS has them", async () => (await ask("+tcp")).answers === 10 || undefined);
      assertEquals(await ask("+noedns"), { answers: 3, isTruncated: false });
      assertEquals((await ask("SRV", "+noedns")).answers, 3);
      const usual = await ask();
      assert(usual.answers >= 3 && usual.answers <= 10, `${usual.answers}`);
      assertEquals((await ask("+bufsize=4096")).answers, 10);
      assertEquals(await ask("SRV", "+tcp"), { answers: 10, isTruncated: false });
      const orders = new Set<string>();
      for (let nth = 0; nth < 8; nth++) {
        orders.add(await dig(agent.place, "web.service.consul", "+tcp", "+short"));
      }
      assert(orders.size > 1, "the order never changes");
    }
    // One that is critical is neither in DNS nor among those that pass, and in the catalog all the same.
    assertEquals(
      await put(client, "/v1/agent/check/register", { ID: "c", Name: "c", TTL: "60s", ServiceID: "web1" }),
      "",
    );
    await passing(server, "web", 9);
    await until("DNS has nine", async () => (await answered(server, "web.service.consul", "+tcp")).answers === 9);
    assertEquals((await server.get("/v1/catalog/service/web")).length, 10);
    assertEquals((await server.get("/v1/health/service/web")).length, 10);
    // One that warns is in DNS, with its other weight.
    assertEquals(await put(client, "/v1/agent/check/warn/c"), "");
    await until("DNS has ten", async () => (await answered(server, "web.service.consul", "+tcp")).answers === 10);
    assertEquals((await server.get("/v1/health/service/web?passing")).length, 9);
  }));

Deno.test("a wait for keys that are not there ends with the first, by key and by prefix; a deletion raises the index", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    const waits = ["/v1/kv/a/b", "/v1/kv/a?recurse", "/v1/kv/a/?keys"];
    const missing = await Promise.all(waits.map((path) => client.http("GET", path)));
    for (const { status, text, headers } of missing) {
      assertEquals([status, text], [404, ""]);
      for (const name of ["x-consul-index", "x-consul-lastcontact"]) assertMatch(headers.get(name) ?? "", /^\d+$/);
      assertEquals(headers.get("x-consul-knownleader"), "true");
    }
    const waiting = waits.map((path, at) => {
      const index = missing[at].headers.get("x-consul-index");
      return client.http("GET", `${path}${path.includes("?") ? "&" : "?"}index=${index}&wait=20s`);
    });
    await until("all wait", async () => (await server.get("/debug/vars")).http.blocking === 3 || undefined);
    assertEquals(await put(server, "/v1/kv/ab", "other"), "true"); // has the prefix "a" alone
    assertEquals((await waiting[1]).status, 200);
    assertEquals((await server.get("/debug/vars")).http.blocking, 2);
    assertEquals(await put(server, "/v1/kv/a/b", "there"), "true");
    const found = await Promise.all(waiting);
    assertEquals(found.map(({ status }) => status), [200, 200, 200]);
    const before = (await client.http("GET", "/v1/kv/a/?recurse")).headers.get("x-consul-index");
    const gone = client.http("GET", `/v1/kv/a/?recurse&index=${before}&wait=20s`);
    await until("it waits", async () => (await server.get("/debug/vars")).http.blocking === 1 || undefined);
    await client.http("DELETE", "/v1/kv/a/b");
    const { status, headers } = await gone;
    assertEquals(status, 404);
    assert(Number(headers.get("x-consul-index")) > Number(before));
    // An index from before a restore, or of another cluster, is answered at once.
    const [{ ModifyIndex }] = await client.get("/v1/kv/ab");
    const started = performance.now();
    assertEquals((await client.http("GET", `/v1/kv/ab?index=${ModifyIndex + 1000}&wait=1s`)).status, 200);
    assert(performance.now() - started < 3000);
  }));

Deno.test("a broken file changes nothing: its agent goes on with what it had, says so, and takes the mended one", () =>
  withAgents(async (root, start) => {
    const file = `${root}/web.json`;
    const write = (text: string) => Deno.writeTextFileSync(file, text);
    write(`{"services": [{"name": "one", "port": 1}, {"name": "two", "port": 2}]}`);
    const [server, client] = await pair(root, start, `-config-file=${file}`);
    await passing(server, "two", 1);
    for (const text of [`{"services": [{"name": "one"`, `{"services": [{"name": "one"}, {"prot": 2}]}`]) {
      write(text);
      const before = client.log.length;
      Deno.kill(client.pid, "SIGHUP");
      await until("it says so", () => /\[ERR.*|reload/i.test(client.log.slice(before)) || undefined);
      assertEquals((await client.muster("reload")).code, 1);
      assertEquals(Object.keys(await client.get("/v1/agent/services")), ["one", "two"]);
    }
    write(`{"services": [{"name": "two", "port": 3}]}`);
    Deno.kill(client.pid, "SIGHUP");
    await until("it is taken", async () => (await server.get("/v1/catalog/service/two"))[0]?.ServicePort === 3);
    await until("one is gone", async () => (await server.get("/v1/catalog/service/one")).length === 0 || undefined);
  }));

Deno.test("an agent whose servers are gone says so, keeps taking services, and hands them in when they are back", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    assertEquals(await put(client, "/v1/agent/service/register", { Name: "early", Check: { TTL: "60s" } }), "");
    assertEquals(await put(client, "/v1/agent/check/pass/service:early"), "");
    await passing(server, "early", 1);
    await server.stop("SIGKILL");
    await client.sees("server", "failed");
    const paths = ["/v1/catalog/nodes", "/v1/kv/x", "/v1/health/service/early", "/v1/session/list"];
    const answers = await Promise.all(paths.map(async (path) => ({ path, ...await client.http("GET", path) })));
    for (const { path, status, text, headers } of answers) {
      assertEquals(status, 500, `${path}: ${text}`);
      assertMatch(text, /No known Consul servers|No cluster leader|rpc error/);
      assertMatch(headers.get("content-type") ?? "", /^text\/plain/);
    }
    assertEquals((await client.get("/v1/agent/members")).length, 2);
    assertEquals(await put(client, "/v1/agent/service/register", { Name: "late" }), "");
    assertEquals(await put(client, "/v1/agent/service/deregister/early"), "");
    const back = start(server.place, "-server", "-bootstrap-expect=1");
    await back.up();
    await passing(back, "late", 1);
    await until("early is gone", async () => (await back.get("/v1/catalog/service/early")).length === 0 || undefined);
  }));

Deno.test("the leader is killed: services, keys and locks go on with the next, and sessions last", () =>
  withAgents(async (root, start) => {
    const places = ["s1", "s2", "s3"].map((name) => agentPlace(root, name));
    const join = `-retry-join=${places[0].host}:${places[0].port}`;
    const servers = places.map((place) => start(place, "-server", "-bootstrap-expect=3", join));
    const client = start(agentPlace(root, "client"), join);
    await Promise.all([...servers, client].map((agent) => agent.up()));
    const leader = await leaderAmong(servers);
    await until("all are in the catalog", async () => {
      return (await client.get("/v1/catalog/nodes")).length === 4 || undefined;
    });
    const session = JSON.parse(await put(client, "/v1/session/create", { TTL: "10s" })).ID;
    assertEquals(await put(client, `/v1/kv/lock?acquire=${session}`, "mine"), "true");
    assertEquals(await put(client, "/v1/agent/service/register", { Name: "before" }), "");
    await passing(leader, "before", 1);
    const [{ ModifyIndex }] = await client.get("/v1/kv/lock");
    const waiting = client.http("GET", `/v1/kv/lock?index=${ModifyIndex}&wait=25s`);
    await leader.stop("SIGKILL");
    assertEquals(await put(client, "/v1/agent/service/register", { Name: "during" }), "");
    const others = servers.filter((server) => server !== leader);
    const next = await leaderAmong(others);
    await passing(next, "during", 1);
    await client.sees(leader.place.name, "failed");
    const nodes = async () => (await next.get("/v1/health/state/critical")).map(({ Node }: { Node: string }) => Node);
    await until("its node is critical", async () => (await nodes()).join() === leader.place.name || undefined);
    assertEquals(JSON.parse(await put(client, `/v1/session/renew/${session}`))[0].ID, session);
    assertEquals(await put(client, `/v1/kv/lock?acquire=${session}`, "still"), "true");
    const woken = await waiting;
    assert(woken.status === 200 || woken.status === 500, `${woken.status} ${woken.text}`);
    assertEquals((await next.get("/v1/kv/lock"))[0].LockIndex, 1);
    assertEquals(await put(client, `/v1/session/destroy/${session}`), "true");
  }));

/**
 * The API and the commands of agents, over real processes: events, keys, blocking queries and consistency, reload, monitor,
 * names in conflict, the domain name server with upstream servers and rubbish (C3.1 to C9.11).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { until } from "../harness/processes.ts";
import { DnsServer } from "../harness/peers/dns.ts";
import { agentPlace, type AgentProcess, dig, muster, withAgents } from "../harness/agents.ts";

const KEY = "l4C6PDiGKaSRwviKYvaI64OeaR0SUWjmRx8fWQ9oO7s=";

/** A server that leads, and a client, in one pool. */
async function pair(
  root: string,
  start: (place: ReturnType<typeof agentPlace>, ...flags: string[]) => AgentProcess,
  ...flags: string[]
): Promise<[server: AgentProcess, client: AgentProcess]> {
  const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1", ...flags);
  const client = start(agentPlace(root, "client"), `-retry-join=${server.addr}`, ...flags);
  await Promise.all([server.up(), client.up()]);
  await until("it leads", () => server.leader());
  await client.sees("server", "alive");
  await until("both are in the catalog", async () => (await server.get("/v1/catalog/nodes")).length === 2 || undefined);
  return [server, client];
}

Deno.test("reads block until the index passes, say how fresh they are, and follow their consistency mode", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    const first = await client.http("GET", "/v1/catalog/nodes");
    const index = Number(first.headers.get("x-consul-index"));
    assert(index > 0);
    assertEquals(first.headers.get("x-consul-knownleader"), "true");
    assertEquals(first.headers.get("x-consul-lastcontact"), "0");
    assertEquals(first.headers.get("x-consul-effective-consistency"), "leader");
    for (const mode of ["stale", "consistent"]) {
      const { headers, status } = await client.http("GET", `/v1/catalog/nodes?${mode}`);
      assertEquals([status, headers.get("x-consul-effective-consistency")], [200, mode]);
    }
    const both = await client.http("GET", "/v1/catalog/nodes?stale&consistent");
    assertEquals([both.status, both.text], [400, "Cannot specify ?stale with ?consistent, conflicting semantics."]);
    assertEquals((await client.http("GET", "/v1/catalog/nodes?index=x")).text, "Invalid index");
    assertEquals((await client.http("GET", "/v1/catalog/nodes?index=1&wait=x")).text, "Invalid wait time");
    assertEquals((await client.http("GET", "/v1/catalog/nodes?dc=other")).text, "No path to datacenter");
    const wrong = await client.http("GET", "/v1/agent/leave");
    assertEquals([wrong.status, wrong.text, wrong.headers.get("allow")], [405, "method GET not allowed", "PUT"]);
    assertEquals((await client.http("PUT", "/v1/catalog/nodes?dc=other")).status, 405);
    assertEquals((await client.http("GET", "/v1/none")).status, 404);

    // Nothing happens: the wait runs out, with the same index. Then something does.
    const quiet = await client.http("GET", `/v1/catalog/nodes?index=${index}&wait=100ms`);
    assertEquals(quiet.headers.get("x-consul-index"), String(index));
    const waiting = client.http("GET", `/v1/catalog/nodes?index=${index}&wait=25s`);
    await holds(server, 1);
    // Nobody waits for a client that has left: the server hears of it from the client agent.
    const gone = new AbortController();
    const left = fetch(`${client.url}/v1/catalog/nodes?index=${index}&wait=5m`, { signal: gone.signal });
    await holds(server, 2);
    gone.abort();
    await left.catch(() => {});
    await holds(server, 1);
    const put = JSON.stringify({ Node: "by-hand", Address: "192.0.2.7", NodeMeta: { made: "by hand" } });
    assertEquals((await client.http("PUT", "/v1/catalog/register", put)).text, "true");
    const woken = await waiting;
    assert(Number(woken.headers.get("x-consul-index")) > index);
    assertMatch(woken.text, /by-hand/);
    assertEquals((await server.get("/v1/catalog/nodes?node-meta=made:by%20hand")).length, 1);
    assertEquals(await dig(server.place, "by-hand.node.consul", "TXT", "+short"), '"made=by hand"');
    assertEquals((await client.http("PUT", "/v1/catalog/deregister", `{"Node":"by-hand"}`)).text, "true");
    assertEquals(await server.get("/v1/catalog/node/by-hand"), null);
    assertEquals((await client.http("PUT", "/v1/catalog/register", "{")).status, 400);
    await refusals(server, client);
    await filters(client);
    assertMatch((await client.http("GET", "/v1/catalog/nodes?pretty")).text, /^\[\n {4}\{/);

    // Without its server the client says so, and still knows the pool.
    await server.stop("SIGKILL");
    await client.sees("server", "failed");
    assertEquals((await client.http("GET", "/v1/catalog/nodes")).text, "No known Consul servers");
    assertMatch((await client.http("GET", "/db/query?q=SELECT+1")).text, /no servers known/);
  }));

/** Waits until a server holds so many blocking queries. */
async function holds(server: AgentProcess, count: number): Promise<void> {
  await until(`${count} blocking queries`, async () => {
    return (await server.get("/debug/vars")).http.blocking === count || undefined;
  });
}

/** Tests that filters select the right entries, wherever a filter is allowed. */
async function filters(client: AgentProcess): Promise<void> {
  const get = async (path: string, filter: string) => {
    const { status, text } = await client.http("GET", `/v1/${path}?filter=${encodeURIComponent(filter)}`);
    return status === 200 ? JSON.parse(text) : text;
  };
  const names = async (path: string, filter: string) =>
    (await get(path, filter)).map((one: { Node?: string; Name: string }) => one.Node ?? one.Name);
  assertEquals(await names("catalog/nodes", 'Node matches "^cli" and Meta["consul-version"] != ""'), ["client"]);
  assertEquals(await names("agent/members", "Tags.role == consul or Status == 4"), ["server"]);
  assertEquals(await names("health/state/any", `"serf" in CheckID and Node != server`), ["client"]);
  assertEquals(await get("catalog/services", "Node == server and ServiceName == consul"), { consul: [] });
  assertEquals(await get("catalog/services", "Node == client"), {});
  assertEquals(await names("catalog/service/consul", "ServicePort != 0"), ["server"]);
  assertEquals(await get("catalog/service/consul", "v1 in ServiceTags"), []);
  assertEquals(Object.keys((await get("catalog/node/server", "Service == consul")).Services), ["consul"]);
  assertEquals((await get("catalog/node/server", "Tags is not empty")).Services, {});
  assertEquals((await get("catalog/node-services/server", "Port != 0")).Services[0].Service, "consul");
  assertEquals((await get("catalog/node-services/server", "Port == 0")).Services, []);
  assertMatch(await get("catalog/nodes", "Nmae == x"), /^Failed to create filter: there is no field Nmae/);
  assertMatch(await get("catalog/services", "Port == 81"), /^Failed to create filter: there is no field Port/);
  assertEquals(await get("event/list", "Name == x"), "filter expressions are not supported here");
}

/** Tests that wrong requests are refused. */
async function refusals(server: AgentProcess, client: AgentProcess): Promise<void> {
  const put = async (body: Record<string, unknown>) => {
    const { status, text } = await client.http("PUT", "/v1/catalog/register", JSON.stringify(body));
    return [status, text.replace(/[0-9a-f-]{36}/, "ID")];
  };
  const [name, address] = ["url", "192.0.2.8"];
  assertEquals(await put({ Node: name, Address: address, NodeMeta: { at: "http://x:1/" } }), [200, "true"]);
  assertEquals((await server.get("/v1/catalog/nodes?node-meta=at:http://x:1/")).length, 1);
  assertEquals(await server.get("/v1/catalog/nodes?node-meta=other"), []);
  await put({ Node: name, Address: "192.0.2.9" });
  assertEquals((await server.get("/v1/catalog/node/url")).Node.TaggedAddresses.lan, "192.0.2.9");
  await client.http("PUT", "/v1/catalog/deregister", `{"Node":"url"}`);

  const reserved = "Node name CLIENT is reserved by node ID with name client (127.0.0.1)";
  assertEquals(await put({ Node: "CLIENT", Address: address, ID: crypto.randomUUID() }), [500, reserved]);
  assertEquals(await put({ Node: "x", Address: address, Datacenter: "dc9" }), [500, "No path to datacenter"]);
  assertEquals((await put({ Node: "nul\0x", Address: address }))[0], 400);
  assertEquals((await put({ Node: "x".repeat(300), Address: address }))[0], 400);
  assertEquals((await put({ Node: "x", Address: address, NodeMeta: { a: "x".repeat(600) } }))[0], 400);
  const curl = await new Deno.Command("curl", { args: ["-si", "--compressed", `${client.url}/v1/agent/self?pretty`] })
    .output();
  const answer = new TextDecoder().decode(curl.stdout);
  assertMatch(answer, /^content-encoding: gzip\r$/im);
  assertEquals(JSON.parse(answer.split("\r\n\r\n")[1]).Config.NodeName, "client");
  assertEquals(
    (await client.http("PUT", `/v1/agent/join/${server.addr}?wan=1`)).text,
    "Must be a server to join WAN cluster",
  );
  assertEquals((await client.http("PUT", "/v1/agent/join/a%0Ab")).status, 400);
  const wan = await client.muster("join", "-wan", server.addr);
  assertEquals([wan.code, wan.stderr.split("\n")[1]], [1, "Failed to join any nodes."]);
  assertEquals((await client.muster("force-leave", "-wan", "server")).code, 1);
  const options = await client.http("OPTIONS", "/v1/agent/self");
  assertEquals([options.status, options.headers.get("allow")], [200, "OPTIONS,GET,HEAD"]);
  assertEquals((await client.http("GET", "/")).text, "Consul Agent\n");
}

Deno.test("events, node metadata, info, list-peers, reload, monitor and keys by the command line", () =>
  withAgents(async (root, start) => {
    const settings = `${root}/settings`;
    await Deno.mkdir(settings);
    await Deno.writeTextFile(`${settings}/a.hcl`, `dns_config { node_ttl = "1s" }\nnode_meta { rack = "r1" }`);
    const [server, client] = await pair(root, start, `-config-dir=${settings}`, `-encrypt=${KEY}`);
    await client.says(/Gossip Encryption: true/);
    assert(!client.log.includes(KEY) && !server.log.includes(KEY), "a key is a secret");

    const fired = await client.muster("event", "-name=deploy", "-node=^ser", "payload");
    assertMatch(fired.stdout, /^Event ID: [0-9a-f-]{36}\n$/);
    await until("the server has heard it", async () => {
      const [event] = await server.get("/v1/event/list?name=deploy");
      return event?.Payload === btoa("payload") && event.NodeFilter === "^ser" || undefined;
    });
    assertEquals(await client.get("/v1/event/list"), []);

    await until("the metadata is in the catalog", async () => {
      return (await server.get("/v1/catalog/node/client")).Node.Meta.rack === "r1" || undefined;
    });
    const answer = await dig(client.place, "client.node.consul", "ANY", "+noall", "+answer");
    assertMatch(answer, /client\.node\.consul\.\s+1\s+IN\s+A\s+127\.0\.0\.1/);
    assertMatch(answer, /client\.node\.consul\.\s+1\s+IN\s+TXT\s+"rack=r1"/);

    const changed = `dns_config { node_ttl = "9s" }\nnode_meta { rack = "r2" }\nlog_level = "warn"`;
    await Deno.writeTextFile(`${settings}/a.hcl`, changed);
    const reloaded = await client.muster("reload");
    assertEquals([reloaded.code, reloaded.stdout], [0, "Configuration reload triggered\n"], reloaded.stderr);
    await until("the new time to live", async () => {
      return /\s9\s+IN\s+A\s/.test(await dig(client.place, "client.node.consul", "+noall", "+answer")) || undefined;
    });
    await until("the new metadata", async () => {
      return (await server.get("/v1/catalog/node/client")).Node.Meta.rack === "r2" || undefined;
    });
    await client.muster("join", server.addr);
    assert(!/joining: lan_addresses/.test(client.log), "the log is quieter now");
    await Deno.writeTextFile(`${settings}/a.hcl`, `dns_config { node_ttl = `);
    const broken = await client.muster("reload");
    assertEquals(broken.code, 1);
    assertMatch(broken.stderr, /Error reloading: .*a\.hcl: line 1: expected a value/);
    const invalid = await muster(["validate", settings]);
    assertEquals(invalid.code, 1);
    assertMatch(invalid.stderr, /^Config validation failed: .*line 1/);
    await Deno.writeTextFile(`${settings}/a.hcl`, `dns_config { node_ttl = "9s" }`);
    assertEquals((await muster(["validate", settings])).stdout, "Configuration is valid!\n");

    const { stdout: info } = await server.muster("info");
    assertMatch(info, /^agent:\n(\t.*\n)+build:\n/);
    assertMatch(info, /raft:\n(\t.*\n)*\tstate = Leader\n/);
    assertMatch(info, /serf_lan:\n(\t.*\n)*\tencrypted = true\n/);
    const { stdout: peers } = await client.muster("operator", "raft", "list-peers");
    assertMatch(
      peers,
      /^Node +ID +Address +State +Voter +RaftProtocol +Commit Index +Trails Leader By\nserver +\S{36} +\S+ +leader +true +3 +\d+ +_\n$/,
    );
    const nodes = await client.muster("catalog", "nodes");
    assertMatch(nodes.stdout, /^Node +ID +Address +DC\nclient +\w{8} +127\.0\.0\.1 +dc1\nserver/);
    assertEquals((await client.muster("operator", "raft", "remove-peer")).code, 1);

    const { stdout: second } = await muster(["keygen"]);
    const keys = async () => (await client.muster("keyring", "-list")).stdout;
    assertMatch(await keys(), new RegExp(`dc1 \\(LAN\\):\n  ${KEY.replace("+", "\\+")} \\[2/2\\]`));
    for (const [action, key] of [["install", second.trim()], ["use", second.trim()], ["remove", KEY]]) {
      const { code, stderr } = await client.muster("keyring", `-${action}=${key}`);
      assertEquals([code, stderr.trim()], [0, ""]);
    }
    const left = await keys();
    assert(left.includes(`  ${second.trim()} [2/2]`) && !left.includes(KEY), left);
    await server.sees("client", "alive");

    const monitor = fetch(`${client.url}/v1/agent/monitor?loglevel=info`);
    const reader = (await monitor).body?.pipeThrough(new TextDecoderStream()).getReader();
    await client.muster("join", server.addr);
    let said = "";
    await until("a line of the log", async () => {
      said += (await reader?.read())?.value ?? "";
      return /^\d{4}-\d\d-\d\dT.* \[INFO\] {2}http: \(LAN\) joining: lan_addresses=/m.test(said) || undefined;
    });
    await reader?.cancel();
  }));

Deno.test("a name or an id twice, another datacenter, another key: refused, and the pool goes on", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    const other = start(agentPlace(root, "other"), "-datacenter=dc2");
    const locked = start(agentPlace(root, "locked"), `-encrypt=${KEY}`);
    await Promise.all([other.up(), locked.up()]);
    const refused = await other.muster("join", server.addr);
    assertEquals(refused.code, 1);
    assertMatch(refused.stderr, /Failed to join any nodes/);
    await until(
      "the server says why",
      () => /Member 'other' part of wrong datacenter 'dc2'/.test(server.log) || undefined,
    );
    assertEquals((await locked.muster("join", server.addr)).code, 1);
    const { NodeID } = (await server.get("/v1/agent/self")).Config;
    const clone = start(agentPlace(root, "clone"), `-node-id=${NodeID}`);
    await clone.up();
    assertEquals((await clone.muster("join", server.addr)).code, 1);
    await server.says(/Member 'clone' has conflicting node ID/);
    assertEquals(Object.keys(await server.members()).sort(), ["client", "server"]);
    const known = async () => Object.keys(await server.get("/v1/catalog/services")).sort();
    await client.http("PUT", "/v1/agent/service/register", '{"Name":"web"}');
    await until("the service", async () => (await known()).includes("web") || undefined);
    const twin = start({ ...agentPlace(root, "client"), directory: `${root}/twin` }, `-retry-join=${server.addr}`);
    await server.says(/Conflicting address for a node: client/);
    assertEquals((await server.members()).client, "alive");
    await twin.says(/ERROR.*Node name client is reserved by node [0-9a-f-]+ \(127\.0\.0\.1\), which is alive/);
    await twin.http("PUT", "/v1/agent/service/register", '{"Name":"of-twin"}');
    const { length } = twin.log;
    await until("another attempt", () => twin.log.indexOf("reserved", length) > 0 || undefined);
    assertEquals(await known(), ["consul", "web"]);
    assert(twin.running);
  }));

Deno.test("the name server asks upstream servers for other names, and shrugs rubbish off", () =>
  withAgents(async (root, start) => {
    const upstream = await DnsServer.start(root);
    try {
      await upstream.setAddresses("www.peer.test", ["192.0.2.80"]);
      const [server, client] = await pair(root, start, `-recursor=127.0.0.1:1`, `-recursor=${upstream.address}`);
      for (const more of [[], ["+tcp"]]) {
        assertEquals(await dig(client.place, "www.peer.test", "+short", ...more), "192.0.2.80");
        assertMatch(await dig(client.place, "none.peer.test", ...more), /status: NXDOMAIN/);
      }
      assertMatch(await dig(client.place, "client.node.consul"), /flags: qr aa rd ra;/);
      assertEquals(await dig(server.place, "CLIENT.node.CONSUL", "+short", "+tcp"), "127.0.0.1");
      assertMatch(await dig(server.place, "CLIENT.node.CONSUL"), /;CLIENT\.node\.CONSUL\./);
      assertMatch(await dig(server.place, "client.node.consul", "+noedns"), /ANSWER: 1/);
      assertMatch(await dig(server.place, "client.node.consul", "+edns=7", "+noednsneg"), /status: BADVERS/);
      assertMatch(await dig(server.place, "client.node.consul", "AXFR", "+tcp"), /Transfer failed|NOTIMP/);
      assertMatch(await dig(server.place, "client.node.dc7.consul"), /status: NXDOMAIN/);
      assertEquals(await dig(server.place, "-x", "127.0.0.1", "+short").then((text) => text.split("\n").sort()), [
        "client.node.dc1.consul.",
        "server.node.dc1.consul.",
      ]);
      assertMatch(await dig(server.place, "consul", "NS"), /server\.node\.dc1\.consul\.\s+0\s+IN\s+A\s+127\.0\.0\.1/);

      const { host, dnsPort } = server.place;
      const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const to = { transport: "udp", hostname: host, port: dnsPort } as const;
      for (let length = 0; length < 600; length++) {
        await socket.send(crypto.getRandomValues(new Uint8Array(length)), to);
      }
      socket.close();
      // Half a query is answered FORMERR, with its id.
      const asker = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const half = Uint8Array.of(0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 5, 97);
      // It may be lost behind the rubbish, as anything over UDP: asked again until it is answered.
      const timer = setInterval(() => asker.send(half, to), 100);
      const [answer] = await asker.receive();
      clearInterval(timer);
      asker.close();
      assertEquals([answer[0], answer[1], answer[3] & 15], [0xab, 0xcd, 1]);
      for (const bytes of [[0, 0], [255, 255, 1], [0, 12, 1, 2, 3]]) {
        const conn = await Deno.connect({ hostname: host, port: dnsPort });
        await conn.write(Uint8Array.from(bytes));
        conn.close();
      }
      assertEquals(await dig(server.place, "client.node.consul", "+short"), "127.0.0.1");
    } finally {
      await upstream.stop();
    }
  }));

Deno.test("an agent without HTTP still answers names, and ends without a trace of what it cannot write", () =>
  withAgents(async (root, start) => {
    const quiet = start(agentPlace(root, "quiet"), "-server", "-bootstrap-expect=1", "-http-port=-1");
    await until(
      "it answers",
      async () => (await dig(quiet.place, "quiet.node.consul", "+short")) === "127.0.0.1" || undefined,
    );
    await quiet.says(/\(HTTP: -1, /);
    const both = start(agentPlace(root, "both"), "-client=127.0.0.1 127.0.0.9", `-retry-join=${quiet.addr}`);
    await both.up();
    await both.says(/Client Addr: \[127\.0\.0\.1 127\.0\.0\.9\] \(HTTP: \d+, /);
    await both.sees("quiet", "alive");
    const second = { ...both.place, host: "127.0.0.9" };
    for (const protocol of ["+notcp", "+tcp"]) {
      assertEquals(await dig(second, "quiet.node.consul", "+short", protocol), "127.0.0.1");
    }
    const members = await fetch(`http://127.0.0.9:${second.httpPort}/v1/agent/members`);
    assertEquals((await members.json()).length, 2);
    const flags = ["agent", "-bind=127.0.0.1", `-data-dir=${root}/none`, "-http-port=-1", "-dns-port=-1"];
    const wrong = await muster([...flags, `-serf-lan-port=${agentPlace(root, "x").port}`, `-pid-file=${root}/no/pid`]);
    assertEquals(wrong.code, 1);
    assertMatch(wrong.stderr, /^==> Cannot write the pid file .*\/no\/pid: No such file/m);
    assert(!wrong.stderr.includes("    at "), wrong.stderr);
    await Deno.writeTextFile(`${root}/file`, "");
    const file = await muster(["agent", "-bind=127.0.0.1", `-data-dir=${root}/file`]);
    assertEquals([file.code, file.stderr.trim()], [1, `==> data_dir "${root}/file" is not a directory`]);
  }));

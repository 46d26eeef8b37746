/** TLS of agents: HTTPS beside HTTP, calls to servers at the port of gossip, and who is refused (C5.2, C9.12). */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type AgentPlace, agentPlace, type AgentProcess, leaderAmong, muster, withAgents } from "../harness/agents.ts";
import { freePort, until } from "../harness/processes.ts";
import { authority, certificate, identity } from "../harness/tls.ts";

/** A configuration file; its path as a flag. */
async function settings(root: string, name: string, value: unknown): Promise<string> {
  await Deno.writeTextFile(`${root}/${name}.json`, JSON.stringify(value));
  return `-config-file=${root}/${name}.json`;
}

/** Paths of a certificate of `muster tls cert`, as the settings name them. */
function files(root: string, name: string, ca = root) {
  return { ca_file: `${ca}/muster-ca.pem`, cert_file: `${root}/${name}.pem`, key_file: `${root}/${name}-key.pem` };
}

async function ask(url: string, caCert: string, shown?: { cert: string; key: string }): Promise<string> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0, caCerts: [caCert], ...shown });
  const response = await fetch(url, { client, signal: AbortSignal.timeout(10_000) });
  return await response.text();
}

/** Serial number of the certificate that a port shows, as openssl prints it. */
async function serialShown(addr: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `openssl s_client -connect ${addr} -showcerts </dev/null 2>/dev/null | openssl x509 -noout -serial`],
    stdin: "null",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** Names in the catalog, as an agent tells them. */
async function catalog(agent: AgentProcess): Promise<string[]> {
  const nodes: { Node: string }[] = await agent.get("/v1/catalog/nodes");
  return nodes.map(({ Node }) => Node).sort();
}

Deno.test("an agent serves HTTPS beside HTTP, or alone, and asks for certificates if it is to", () =>
  withAgents(async (root, start) => {
    const caCert = await authority(root);
    await certificate(root, "one", "-days", "5");
    await certificate(root, "client");
    await Deno.mkdir(`${root}/authorities`);
    await Deno.copyFile(`${root}/muster-ca.pem`, `${root}/authorities/a.pem`);
    const place = agentPlace(root, "one");
    const httpsPort = freePort();
    const flags = ["-server", "-bootstrap", `-https-port=${httpsPort}`];
    const both = await settings(root, "both", { tls: { defaults: files(root, "one") } });
    const agent = start(place, ...flags, both);
    await agent.up();
    const url = `https://127.0.0.1:${httpsPort}`;
    assertEquals(JSON.parse(await ask(`${url}/v1/agent/members`, caCert)).length, 1);
    await agent.says(new RegExp(`HTTPS: ${httpsPort}`));
    await agent.says(/WARNING: the certificate in [^ ]+\/one\.pem expires in 4 days/);
    const tls = (await agent.get("/v1/agent/self")).DebugConfig.TLS;
    assertEquals([tls.HTTPS.CertFile, tls.HTTPS.VerifyIncoming], [`${root}/one.pem`, false]);
    await agent.stop("SIGKILL");

    const { cert_file, key_file } = files(root, "one");
    const authorities = { ca_path: `${root}/authorities`, cert_file, key_file };
    const mutual = await settings(root, "mutual", { ...authorities, verify_incoming_https: true });
    const closed = start({ ...place, httpPort: -1 }, ...flags, mutual);
    await closed.says(/service listening on [^\n]* \(HTTPS\)/);
    const certs = ["-ca-file", `${root}/muster-ca.pem`];
    const own = ["-client-cert", `${root}/client.pem`, "-client-key", `${root}/client-key.pem`];
    const listed = await until("the members", async () => {
      const { code, stdout } = await muster(["members", "-http-addr", url, ...certs, ...own]);
      return code === 0 ? stdout : undefined;
    });
    assertMatch(listed, /^one +127\.0\.0\.1:\d+ +alive +server/m);
    const withoutScheme = await muster(["members", ...certs, ...own], {
      CONSUL_HTTP_ADDR: `127.0.0.1:${httpsPort}`,
      CONSUL_HTTP_SSL: "true",
    });
    assertEquals(withoutScheme.code, 0, withoutScheme.stderr);
    assertEquals((await muster(["members", "-http-addr", url, ...certs])).code, 1, "no certificate");
    const members = (args: string[], env: Record<string, string> = {}) =>
      muster(["members", "-http-addr", url, ...own, ...args], env);
    assertEquals((await members(["-ca-path", `${root}/authorities`])).code, 0);
    assertEquals((await members([], { CONSUL_CAPATH: `${root}/authorities` })).code, 0);
    assertEquals((await members([...certs, "-tls-server-name", "localhost"])).code, 0);
    const misnamed = await members(certs, { CONSUL_TLS_SERVER_NAME: "other.example.com" });
    assertMatch(misnamed.stderr, /other\.example\.com/);
    assertEquals(misnamed.code, 1);
    // An authority that the system trusts is not trusted beside the one that is named.
    const trusted = { DENO_CERT: `${root}/muster-ca.pem` };
    await Deno.mkdir(`${root}/stranger`);
    await authority(`${root}/stranger`);
    assertEquals((await members([], trusted)).code, 0);
    assertEquals((await members(["-ca-file", `${root}/stranger/muster-ca.pem`], trusted)).code, 1);
    assertEquals((await members(["-ca-path", `${root}/stranger`], trusted)).code, 1);
    await closed.says(/refused a TLS connection from 127\.0\.0\.1:\d+: it has shown no certificate/);
    assertMatch(await ask(`${url}/readyz?noleader`, caCert, await identity(root, "client")), /node ok/);
    await assertRejects(() => ask(`${url}/readyz`, caCert));
    await assertRejects(() => fetch(`http://127.0.0.1:${httpsPort}/readyz`));
  }));

Deno.test("servers and a client agent that verify each other form a pool and a catalog, and keep strangers out", () =>
  withAgents(async (root, start) => {
    await authority(root);
    for (const name of ["one", "two"]) await certificate(root, name, "-host", "server.dc1.consul");
    await certificate(root, "client");
    const verify = { verify_incoming: true, verify_outgoing: true, verify_server_hostname: true };
    const tls = (name: string, from = root) => settings(root, name, { ...files(from, name, root), ...verify });
    const key = `-encrypt=${(await muster(["keygen"])).stdout.trim()}`;
    const [one, two, client] = ["one", "two", "client"].map((name) => agentPlace(root, name));
    const servers = [
      start(one, "-server", "-bootstrap-expect=2", key, await tls("one")),
      start(two, "-server", "-bootstrap-expect=2", key, await tls("two"), `-retry-join=127.0.0.1:${one.port}`),
    ];
    await Promise.all(servers.map((server) => server.up()));
    const leader = await leaderAmong(servers);
    const join = `-retry-join=${leader.addr}`;
    const third = start(client, key, await tls("client"), join);
    await third.up();
    const names = await until("three nodes in the catalog", async () => {
      const found = await catalog(third).catch(() => []);
      return found.length === 3 ? found : undefined;
    });
    assertEquals(names, ["client", "one", "two"]);
    assertEquals(await third.sql("CREATE TABLE t(a)", "INSERT INTO t VALUES(1)", "SELECT a FROM t"), [[1]]);
    const members: { Name: string; Tags: Record<string, string> }[] = await third.get("/v1/agent/members");
    assertEquals(members.filter(({ Tags }) => Tags.use_tls === "1").map(({ Name }) => Name).sort(), ["one", "two"]);

    // Gossip has no TLS: it lets the three in, and the servers answer none of their calls.
    const plain = start(agentPlace(root, "plain"), key, join);
    await Deno.mkdir(`${root}/other`);
    await authority(`${root}/other`);
    await certificate(`${root}/other`, "foreign", "-host", "server.dc1.consul");
    const foreign = start(agentPlace(root, "foreign"), key, join, await tls("foreign", `${root}/other`));
    const posing = start(
      agentPlace(root, "posing"),
      key,
      join,
      "-server",
      await settings(root, "posing", {
        ...files(root, "client"),
        ...verify,
      }),
    );
    const said: [AgentProcess, RegExp, readonly AgentProcess[]][] = [
      [plain, /refused node "[^"]+": Non-TLS connection attempted with verify_incoming set/, servers],
      [foreign, /refused a TLS connection from [^\n]*: no accepted authority has signed its certificate/, servers],
      [posing, /"join" needs the certificate of a server, as verify_server_hostname is set/, [posing]],
    ];
    for (const [agent, line, witnesses] of said) {
      await agent.up();
      await agent.sees("one", "alive");
      assertEquals((await agent.http("GET", "/v1/catalog/nodes?stale")).status, agent === posing ? 200 : 500);
      await until(`one saying ${line}`, () => witnesses.some(({ log }) => line.test(log)) || undefined);
    }
    const peers: string[] = await third.get("/v1/status/peers");
    assertEquals(peers.sort(), servers.map(({ addr }) => addr).sort());
    assertEquals(await third.sql("INSERT INTO t VALUES(2)", "SELECT count(*) FROM t"), [[2]]);
  }));

Deno.test("an agent uses renewed certificates at all its ports without a restart", () =>
  withAgents(async (root, start) => {
    await authority(root);
    await certificate(root, "one");
    await certificate(root, "client");
    await Deno.mkdir(`${root}/own`); // the client's authorities stay when the server's change
    await Deno.copyFile(`${root}/muster-ca.pem`, `${root}/own/muster-ca.pem`);
    const [one, two] = ["one", "two"].map((name) => agentPlace(root, name));
    const httpsPort = freePort();
    const verify = { verify_incoming: true, verify_outgoing: true };
    const server = start(
      one,
      "-server",
      "-bootstrap",
      `-https-port=${httpsPort}`,
      await settings(root, "one", { ...files(root, "one"), ...verify }),
    );
    await server.up();
    const client = start(
      two,
      `-join=${server.addr}`,
      await settings(root, "two", { ...files(root, "client", `${root}/own`), ...verify }),
    );
    await client.up();
    await until("a catalog", async () => (await catalog(client).catch(() => [])).length === 2 || undefined);
    const before = await serialShown(server.addr);
    assertMatch(before, /^serial=/);
    assertEquals(await serialShown(`127.0.0.1:${httpsPort}`), before);
    for (const name of ["one", "client"]) {
      await Deno.mkdir(`${root}/new-${name}`);
      await Promise.all(
        ["muster-ca.pem", "muster-ca-key.pem"].map((file) =>
          Deno.copyFile(`${root}/${file}`, `${root}/new-${name}/${file}`)
        ),
      );
      await certificate(`${root}/new-${name}`, name);
      for (const file of [`${name}-key.pem`, `${name}.pem`]) {
        await Deno.rename(`${root}/new-${name}/${file}`, `${root}/${file}`);
      }
    }
    await server.says(/new connections between nodes get the new certificate/);
    await server.says(/new connections of HTTPS get the new certificate/);
    await client.says(/new connections to servers get the new certificate/);
    const after = await serialShown(server.addr);
    assert(after !== before && after.startsWith("serial="), after);
    assertEquals(await serialShown(`127.0.0.1:${httpsPort}`), after);
    assertEquals((await catalog(client)).length, 2);

    // An authority that is accepted no longer: its connections end, and none begins.
    await Deno.mkdir(`${root}/other`);
    await authority(`${root}/other`);
    await Deno.copyFile(`${root}/other/muster-ca.pem`, `${root}/muster-ca.pem`);
    const refusal = /refused a TLS connection from [^\n]*: no accepted authority has signed its certificate/;
    await until("the refusal", async () => {
      const { status } = await client.http("GET", "/v1/catalog/nodes");
      return status === 500 && refusal.test(server.log.slice(server.log.lastIndexOf("get the new certificate"))) ||
        undefined;
    });
  }));

Deno.test("a pool changes to TLS agent by agent, and takes writes at every step", () =>
  withAgents(async (root, start) => {
    await authority(root);
    const names = ["one", "two", "three"];
    for (const name of names) await certificate(root, name, "-host", "server.dc1.consul");
    await certificate(root, "client");
    const places = [...names, "client"].map((name) => agentPlace(root, name));
    const joins = places.slice(0, 3).map(({ port }) => `-retry-join=127.0.0.1:${port}`);
    const steps: Record<string, boolean>[] = [
      {},
      { verify_outgoing: true },
      { verify_incoming: true, verify_outgoing: true, verify_server_hostname: true },
    ];
    const run = async (place: AgentPlace, step?: Record<string, boolean>) => {
      const flags = place.name === "client" ? [] : ["-server", "-bootstrap-expect=3"];
      if (step) flags.push(await settings(root, place.name, { ...files(root, place.name), ...step }));
      const agent = start(place, ...joins, ...flags);
      await agent.up();
      return agent;
    };
    const agents: AgentProcess[] = [];
    for (const place of places) agents.push(await run(place));
    await leaderAmong(agents.slice(0, 3));
    let rows = 0;
    await agents[0].sql("CREATE TABLE t(a)");
    for (const step of steps) {
      for (const [at, place] of places.entries()) {
        await agents[at].stop("SIGKILL");
        agents[at] = await run(place, step);
        await leaderAmong(agents.slice(0, 3));
        await until(`a write through the client, ${place.name} at ${JSON.stringify(step)}`, async () => {
          const client = agents[3];
          const result = await client.sql("INSERT INTO t VALUES(1)", "SELECT count(*) FROM t").catch(() => undefined);
          return result && (rows = Number(result[0][0]));
        });
      }
    }
    assertEquals(rows >= 12, true);
    for (const agent of agents.slice(0, 3)) {
      await until(
        "all rows everywhere",
        async () => Number((await agent.sql("SELECT count(*) FROM t"))[0][0]) === rows || undefined,
      );
    }
  }));

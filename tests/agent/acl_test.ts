/**
 * Access control in a pool of agents, two servers and a client: with everything denied by default, a token for one service can do
 * that and nothing else, by HTTP, DNS, SQL and the command line, at whichever agent it is shown. And two datacenters, each with
 * tokens of its own.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type AgentPlace, agentPlace, type AgentProcess, dig, musterWith, withAgents } from "../harness/agents.ts";
import { freePort, nodePlace, until, withNodes } from "../harness/processes.ts";

const ACL = `acl { enabled = true  default_policy = "deny"  enable_token_persistence = true }`;

/** Sends a request with a token. */
async function ask(
  agent: AgentProcess,
  token: string,
  path: string,
  init: RequestInit = {},
): Promise<[number, string]> {
  const headers = { "Content-Type": "application/json", ...(token === "" ? {} : { "X-Consul-Token": token }) };
  const response = await fetch(agent.url + path, { ...init, headers, signal: AbortSignal.timeout(30_000) });
  return [response.status, await response.text()];
}

/** Runs `muster acl …`, whose output is JSON. */
async function acl(agent: AgentProcess, token: string, ...args: string[]): Promise<Record<string, string>> {
  const shown = token === "" ? [] : [`-token=${token}`];
  const { code, stdout, stderr } = await agent.muster("acl", ...args, ...shown, "-format=json");
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test("a token for one service can do that and nothing else, by HTTP, DNS, SQL and the command line", () =>
  withAgents(async (root, start) => {
    const config = `${root}/acl.hcl`;
    Deno.writeTextFileSync(config, ACL);
    const place = (name: string): AgentPlace => agentPlace(root, name);
    const flags = [`-config-file=${config}`];
    const serverPlace = place("server");
    const server = start(serverPlace, ...flags, "-server", "-bootstrap-expect=1");
    const join = `-retry-join=${server.addr}`;
    const follower = start(place("follower"), ...flags, "-server", join);
    const client = start(place("client"), ...flags, join);
    const all = [server, follower, client];
    for (const agent of all) await agent.up();
    for (const agent of all) await until("it knows who leads", () => agent.leader());

    const { SecretID: strong } = await acl(server, "", "bootstrap");
    // What was just made can be used at once at an agent that may not have heard of it.
    for (const agent of all) assertEquals((await ask(agent, strong, "/v1/acl/token/self"))[0], 200, agent.place.name);
    const web = (await acl(client, strong, "token", "create", "-service-identity=web")).SecretID;
    for (const agent of all) await onlyWeb(agent, web, strong);
    await agentTokens(all, { web, strong });
    await names(all, { web, strong });
    await databases(all, { web, strong });
    await commands(client, { web, strong });
    await users(all, strong);

    // A token that is gone counts nowhere; the servers hold that at once.
    const { AccessorID } = JSON.parse((await ask(server, web, "/v1/acl/token/self"))[1]);
    assertEquals((await client.muster("acl", "token", "delete", `-id=${AccessorID}`, `-token=${strong}`)).code, 0);
    await until(
      "no server takes it",
      async () =>
        (await Promise.all(all.map((agent) => ask(agent, web, "/v1/catalog/services")))).every(([status, text]) =>
          status === 403 && text === "ACL not found"
        ) || undefined,
    );
    for (const { log } of all) assert(!log.includes(strong) && !log.includes(web));
    await server.stop("SIGTERM");
    await kept(start(serverPlace, ...flags, "-server", "-bootstrap-expect=1"));
  }));

Deno.test("a datacenter decides by its own tokens what it is asked for by another, about itself alone", () =>
  withAgents(async (root, start) => {
    const config = `${root}/acl.hcl`;
    Deno.writeTextFileSync(config, ACL);
    const key = btoa("of all datacenters: one gossip k");
    const flags = (dc: string) => [`-config-file=${config}`, `-datacenter=${dc}`, `-encrypt=${key}`];
    const server = (name: string, host: string) => ({ ...agentPlace(root, name, host), wanPort: freePort() });
    const placeA = server("a1", "127.0.1.1");
    const a1 = start(placeA, "-server", "-bootstrap-expect=1", ...flags("dc1"));
    const a2 = start(agentPlace(root, "a2", "127.0.1.2"), `-retry-join=${a1.addr}`, ...flags("dc1"));
    const toA = `-retry-join-wan=${placeA.host}:${placeA.wanPort}`;
    const b1 = start(server("b1", "127.0.2.1"), "-server", "-bootstrap-expect=1", toA, ...flags("dc2"));
    for (const agent of [a1, a2, b1]) await agent.up();
    for (const agent of [a1, a2, b1]) await until("it knows who leads", () => agent.leader());
    await until("dc2 is known", async () => (await a2.get("/v1/catalog/datacenters")).length === 2 || undefined);

    const { SecretID: strongA } = await acl(a1, "", "bootstrap");
    const { SecretID: strongB } = await acl(b1, "", "bootstrap");
    const rules = `key_prefix "x" { policy = "write" } event "e" { policy = "write" } sql = "read"`;
    // Tokens of another datacenter are made there, by whom it knows.
    const path = "/v1/acl/policy?dc=dc2";
    const policy = { method: "PUT", body: JSON.stringify({ Name: "some", Rules: rules }) };
    assertEquals(await ask(a2, strongA, path, policy), [403, "ACL not found"]);
    assertEquals((await ask(a2, strongB, path, policy))[0], 200);
    const made = { method: "PUT", body: JSON.stringify({ Policies: [{ Name: "some" }] }) };
    const seen = await a2.muster("acl", "policy", "list", "-datacenter=dc2", `-token=${strongB}`);
    assertMatch(seen.stdout, /^some:$/m, seen.stderr);
    const { SecretID: some } = JSON.parse((await ask(a2, strongB, "/v1/acl/token?dc=dc2", made))[1]);

    const put = { method: "PUT", body: "1" };
    for (const agent of [a1, a2]) {
      assertEquals(await ask(agent, some, "/v1/kv/x?dc=dc2", put), [200, "true"]);
      assertEquals((await ask(agent, some, "/v1/kv/y?dc=dc2", put))[0], 403);
      assertEquals((await ask(agent, "", "/v1/kv/x?dc=dc2", put))[0], 403);
      assertEquals(await ask(agent, some, "/v1/kv/x", put), [403, "ACL not found"], "it is none of this datacenter");
      assertEquals((await ask(agent, strongA, "/v1/kv/x?dc=dc2"))[0], 403);
      assertEquals((await ask(agent, some, "/v1/event/fire/e?dc=dc2", put))[0], 200);
      assertEquals((await ask(agent, some, "/v1/event/fire/f?dc=dc2", put))[0], 403);
      assertEquals((await ask(agent, some, "/v1/event/fire/e", put))[0], 403);
      // The keys of this datacenter's gossip are this one's, whatever the request names.
      assertEquals((await ask(agent, strongB, "/v1/operator/keyring?dc=dc2"))[0], 403);
      assertEquals((await ask(agent, strongA, "/v1/operator/keyring?local-only=true"))[0], 200);
      assertEquals((await ask(agent, strongA, "/v1/operator/keyring"))[0], 403, "and those of dc2 are not");
      const sql = (token: string, dc: string) => ask(agent, token, `/db/query?q=SELECT+1&dc=${dc}`);
      assertMatch((await sql(some, "dc2"))[1], /"values":\[\[1\]\]/);
      assertEquals([(await sql(some, "dc1"))[0], (await sql(strongA, "dc2"))[0], (await sql("", "dc2"))[0]], [
        403,
        403,
        403,
      ]);
      assertMatch(await dig(agent.place, "b1.node.dc2.consul"), /status: NXDOMAIN/);
    }
  }));

interface Tokens {
  readonly web: string;
  readonly strong: string;
}

/** Registrations of `web` and of another service, and the other parts of the API, at one agent. */
async function onlyWeb(agent: AgentProcess, web: string, strong: string): Promise<void> {
  const { name } = agent.place;
  const register = (token: string, Name: string) =>
    ask(agent, token, "/v1/agent/service/register", {
      method: "PUT",
      body: JSON.stringify({ Name, ID: `${Name}-${name}` }),
    });
  assertEquals(await register(web, "web"), [200, ""], name);
  assertEquals((await register(web, "db"))[0], 403);
  assertEquals((await register("", "web"))[0], 403);
  assertEquals((await register(strong, "db"))[0], 200);
  assertEquals((await ask(agent, web, "/v1/kv/a", { method: "PUT", body: "v" }))[0], 403);
  assertEquals((await ask(agent, strong, "/v1/kv/a", { method: "PUT", body: "v" }))[1], "true");
  assertEquals((await ask(agent, web, "/v1/kv/a"))[0], 403);
  assertEquals(await ask(agent, web, "/v1/kv/?keys"), [200, "[]"]);
  assertEquals((await ask(agent, web, "/v1/agent/self"))[0], 403);
  assertEquals((await ask(agent, web, "/v1/snapshot"))[0], 403);
}

/** Agents register what they have with its own token, and themselves with the agent's. */
async function agentTokens(all: readonly AgentProcess[], { web, strong }: Tokens): Promise<void> {
  for (const agent of all) {
    const { name } = agent.place;
    const { SecretID } = await acl(agent, strong, "token", "create", `-node-identity=${name}:dc1`);
    assertEquals((await agent.muster("acl", "set-agent-token", `-token=${strong}`, "agent", SecretID)).code, 0);
    assertEquals((await agent.muster("acl", "set-agent-token", `-token=${web}`, "agent", SecretID)).code, 1);
    await agent.says(new RegExp(`Synced service: service=web-${name}`));
    await agent.says(new RegExp(`Synced service: service=db-${name}`));
  }
  const [, text] = await ask(all[0], web, "/v1/health/service/web");
  assertEquals(JSON.parse(text).length, all.length);
}

/** The name server shows what its token may read. */
async function names(all: readonly AgentProcess[], { strong }: Tokens): Promise<void> {
  for (const { place } of all) assertEquals(await dig(place, "+short", "web.service.consul"), "");
  const rules = `service "web" { policy = "read" } node_prefix "" { policy = "read" }`;
  await acl(all[0], strong, "policy", "create", "-name=names", `-rules=${rules}`);
  const { SecretID } = await acl(all[0], strong, "token", "create", "-policy-name=names");
  for (const agent of all) {
    const body = JSON.stringify({ Token: SecretID });
    assertEquals((await ask(agent, strong, "/v1/agent/token/default", { method: "PUT", body }))[0], 200);
    await until(
      "names are answered",
      async () => (await dig(agent.place, "+short", "web.service.consul")) !== "" || undefined,
    );
    assertEquals(await dig(agent.place, "+short", "db.service.consul"), "");
    // It is the token of requests that show none as well.
    assertEquals(JSON.parse((await ask(agent, "", "/v1/catalog/services"))[1]), { web: [] });
  }
}

/** A token with `sql` uses the database, and not what the cluster keeps in it. */
async function databases(all: readonly AgentProcess[], { web, strong }: Tokens): Promise<void> {
  await acl(all[0], strong, "policy", "create", "-name=sql", `-rules=sql = "write"`);
  const { SecretID: sql } = await acl(all[0], strong, "token", "create", "-policy-name=sql");
  for (const agent of all) {
    const query = (token: string, text: string) => ask(agent, token, `/db/query?q=${encodeURIComponent(text)}`);
    const execute = (token: string, text: string) =>
      ask(agent, token, "/db/execute", { method: "POST", body: JSON.stringify([text]) });
    assertEquals((await execute(web, "CREATE TABLE IF NOT EXISTS t(a)"))[0], 403);
    assertMatch((await execute(sql, "CREATE TABLE IF NOT EXISTS t(a)"))[1], /"rows_affected":/);
    assertEquals((await query(sql, "SELECT * FROM t"))[0], 200);
    assertMatch((await query(sql, "SELECT * FROM muster.kv"))[1], /lacks permission 'key:read'/);
    assertMatch((await execute(sql, "INSERT INTO t SELECT name FROM main._muster_services"))[1], /'node:read'/);
    const joined = "FROM (SELECT 'x' AS name, 1 AS a) JOIN main._muster_services USING (name)";
    assertMatch((await execute(sql, `INSERT INTO t SELECT a ${joined}`))[1], /'node:read'/);
    assertMatch((await query(sql, `SELECT a ${joined}`))[1], /'node:read'/);
    assertMatch((await query(strong, "SELECT key FROM muster.kv"))[1], /\["a"\]/);
    assertEquals((await ask(agent, sql, "/db/backup"))[0], 403);
  }
  // A large body is read by another thread, and is looked at all the same.
  const large = (text: string) =>
    ask(all[0], sql, "/db/execute", {
      method: "POST",
      body: JSON.stringify([text, `SELECT '${"x".repeat(300_000)}'`]),
    });
  assertEquals((await large("INSERT INTO t VALUES(1)"))[0], 200);
  assertMatch((await large("INSERT INTO t SELECT key FROM muster.kv"))[1], /lacks permission 'key:read'/);
}

/** Commands show the token that they are given. */
async function commands(agent: AgentProcess, { web, strong }: Tokens): Promise<void> {
  const refused = await agent.muster("kv", "put", `-token=${web}`, "a", "x");
  assertEquals(refused.code, 1);
  assertMatch(refused.stderr, /lacks permission 'key:write' on "a"/);
  assertEquals((await agent.muster("kv", "get", `-token=${strong}`, "a")).stdout, "v\n");
  const catalog = await agent.muster("catalog", "services", `-token=${web}`);
  assertEquals([catalog.code, catalog.stdout.split("\n").includes("web")], [0, true]);
  const lock = await agent.muster("lock", `-token=${strong}`, "locks/a", "true");
  assertEquals(lock.code, 0, lock.stderr);
  assertEquals((await agent.muster("lock", `-token=${web}`, "locks/a", "true")).code, 1);
}

/** A user shows name and password at any agent, and nobody guesses one. */
async function users(all: readonly AgentProcess[], strong: string): Promise<void> {
  const [server, , client] = all;
  const made = await client.musterWith("old password", [
    "user",
    "create",
    `-token=${strong}`,
    "-policy-name=sql",
    "mary",
  ]);
  assertEquals(made.code, 0, made.stderr);
  const statusOf = async (agent: AgentProcess, password: string) => {
    const headers = { Authorization: `Basic ${btoa(`mary:${password}`)}` };
    const response = await fetch(`${agent.url}/db/query?q=SELECT+1`, { headers });
    await response.body?.cancel();
    return response.status;
  };
  for (const agent of all) {
    assertEquals([await statusOf(agent, "old password"), await statusOf(agent, "wrong")], [200, 401], agent.place.name);
  }
  assertMatch((await server.muster("user", "list", `-token=${strong}`)).stdout, /^mary +\S{36} +sql/m);
  const own = { CONSUL_HTTP_AUTH: "mary:old password" };
  const changed = await server.musterWith("new password", ["user", "password"], own);
  assertEquals(changed.code, 0, changed.stderr);
  for (const agent of [server, client]) {
    await until("the new one counts", async () => await statusOf(agent, "new password") === 200 || undefined);
  }
  assertEquals(await statusOf(server, "old password"), 401);
  let last = 0;
  for (let guess = 0; last !== 429; guess++) {
    assert(guess < 40, "guesses are limited");
    last = await statusOf(server, `guess ${guess}`);
  }
  assertEquals((await server.muster("user", "delete", `-token=${strong}`, "mary")).code, 0);
  for (const { log } of all) assert(!/(old|new) password/.test(log));
}

Deno.test("users of a cluster of databases without agents, which keeps them as its other tokens", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"), ["-acl-default-policy=deny"]);
    await node.ready();
    const run = async (args: readonly string[], input = "") =>
      await musterWith(input, args, { MUSTER_HTTP_ADDR: node.url });
    const { SecretID } = JSON.parse((await run(["acl", "bootstrap", "-format=json"])).stdout);
    const token = `-token=${SecretID}`;
    assertEquals((await run(["acl", "policy", "create", "-name=reader", `-rules=sql = "read"`, token])).code, 0);
    const made = await run(["user", "create", "-policy-name=reader", token, "mary"], "geheimnis");
    assertEquals(made.code, 0, made.stderr);
    const as = async (user: string, path: string, init: RequestInit = {}) => {
      const headers = { Authorization: `Basic ${btoa(user)}`, "Content-Type": "application/json" };
      const response = await fetch(node.url + path, { ...init, headers });
      return [response.status, await response.text()] as const;
    };
    assertMatch((await as("mary:geheimnis", "/db/query?q=SELECT+1"))[1], /"values":\[\[1\]\]/);
    assertEquals((await as("mary:falsch", "/db/query?q=SELECT+1"))[0], 401);
    const write = { method: "POST", body: `["CREATE TABLE t(a)"]` };
    assertMatch((await as("mary:geheimnis", "/db/execute", write))[1], /lacks permission 'sql:write'/);
    assertEquals((await as("mary:geheimnis", "/v1/kv/a"))[0], 404, "it is no agent for that");
  }));

/** An agent that starts again has the tokens that it was given, in a file that is its owner's alone. */
async function kept(server: AgentProcess): Promise<void> {
  await server.up();
  assertMatch(Deno.readTextFileSync(`${server.place.directory}/acl-tokens.json`), /"agent":/);
  assertEquals((Deno.statSync(`${server.place.directory}/acl-tokens.json`).mode ?? 0) & 0o777, 0o600);
  assertEquals(JSON.parse((await ask(server, "", "/v1/catalog/services?stale"))[1]), { web: [] });
}

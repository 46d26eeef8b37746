/**
 * Access control in a pool of agents, two servers and a client: with everything denied by default, a token for one service can do
 * that and nothing else, by HTTP, DNS, SQL and the command line, at whichever agent it is shown.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type AgentPlace, agentPlace, type AgentProcess, dig, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

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

/** An agent that starts again has the tokens that it was given, in a file that is its owner's alone. */
async function kept(server: AgentProcess): Promise<void> {
  await server.up();
  assertMatch(Deno.readTextFileSync(`${server.place.directory}/acl-tokens.json`), /"agent":/);
  assertEquals((Deno.statSync(`${server.place.directory}/acl-tokens.json`).mode ?? 0) & 0o777, 0o600);
  assertEquals(JSON.parse((await ask(server, "", "/v1/catalog/services?stale"))[1]), { web: [] });
}

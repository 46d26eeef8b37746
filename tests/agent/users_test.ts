/**
 * Users in a pool of agents: tokens at a server and at a client agent, what the agents ask of each other for themselves, and
 * the commands with `-token` (C6.6, Q17.1.3).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type AgentPlace, agentPlace, type AgentProcess, dig, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

const READER = "reader00-1111-2222-3333-444444444444";
const WRITER = "writer00-1111-2222-3333-444444444444";

const USERS = [
  { username: "*", perms: ["agent-read", "status"] }, // by which the test sees whether they are up
  { username: "reader", token: READER, perms: ["catalog-read", "query"] },
  { username: "writer", token: WRITER, password: "pw", perms: ["all"] },
];

async function ask(
  agent: AgentProcess,
  path: string,
  headers: Record<string, string>,
  method = "GET",
): Promise<number> {
  const response = await fetch(agent.url + path, { method, headers, signal: AbortSignal.timeout(30_000) });
  await response.text();
  return response.status;
}

/** Statuses of a read of the catalog and of a write, by what a client shows. */
async function statuses(agent: AgentProcess): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  const nodes = "/v1/catalog/nodes";
  found.stranger = await ask(agent, nodes, {});
  found.unknown = await ask(agent, nodes, { "X-Consul-Token": `${READER}0` });
  found.header = await ask(agent, nodes, { "X-Consul-Token": READER });
  found.bearer = await ask(agent, nodes, { Authorization: `Bearer ${READER}` });
  found.query = await ask(agent, `${nodes}?token=${READER}`, {});
  found.password = await ask(agent, nodes, { Authorization: `Basic ${btoa("writer:pw")}` });
  found.lacking = await ask(agent, "/v1/event/fire/deploy", { "X-Consul-Token": READER }, "PUT");
  found.writer = await ask(agent, "/v1/event/fire/deploy", { "X-Consul-Token": WRITER }, "PUT");
  found.sqlStranger = await ask(agent, "/db/query?q=SELECT%201", {});
  found.sql = await ask(agent, "/db/query?q=SELECT%201", { Authorization: `Bearer ${READER}` });
  return found;
}

const EXPECTED = {
  stranger: 401,
  unknown: 401,
  header: 200,
  bearer: 200,
  query: 200,
  password: 200,
  lacking: 403,
  writer: 200,
  sqlStranger: 401,
  sql: 200,
};

Deno.test("agents let tokens in, commands show them, and agents need none among themselves", () =>
  withAgents(async (root, start) => {
    const authFile = `${root}/auth.json`;
    Deno.writeTextFileSync(authFile, JSON.stringify(USERS));
    const place = (name: string): AgentPlace => agentPlace(root, name);
    const server = start(place("server"), "-server", "-bootstrap-expect=1", `-auth=${authFile}`);
    const join = `-retry-join=${server.addr}`;
    const guarded = start(place("guarded"), join, `-auth=${authFile}`, "-node-meta=role:web");
    const open = start(place("open"), join); // its servers check what it hands on
    for (const agent of [server, guarded, open]) await agent.up();
    for (const agent of [server, guarded, open]) await until("it knows who leads", () => agent.leader());

    // A client agent registers its own description in the catalog, and the name server asks without a token.
    const shown = { headers: { "X-Consul-Token": READER } };
    await until("the catalog says what describes the client", async () => {
      const response = await fetch(`${server.url}/v1/catalog/node/guarded`, shown);
      return (await response.json())?.Node?.Meta?.role === "web" || undefined;
    });
    for (const agent of [server, guarded]) {
      assertEquals(await dig(agent.place, "+short", "guarded.node.consul"), "127.0.0.1");
    }

    for (const agent of [server, guarded]) assertEquals(await statuses(agent), EXPECTED, agent.place.name);
    // The agent without users lets everybody do what concerns itself; what a server answers is the server's to allow.
    assertEquals(await statuses(open), { ...EXPECTED, lacking: 200 });

    const refused = await guarded.muster("catalog", "nodes");
    assertEquals(refused.code, 1);
    assertMatch(refused.stderr, /401 \(Permission denied: no valid token or password\)/);
    const listed = await guarded.muster("catalog", "nodes", "-token", READER);
    assertEquals(listed.code, 0, listed.stderr);
    assertMatch(listed.stdout, /guarded/);
    assertMatch(
      (await guarded.muster("reload", "-token", READER)).stderr,
      /403 \(Permission denied: user 'reader' lacks/,
    );

    // A reload takes a token away; a file with a fault changes nothing.
    Deno.writeTextFileSync(authFile, JSON.stringify(USERS.filter(({ token }) => token !== READER)));
    assertEquals((await guarded.muster("reload", "-token", WRITER)).code, 0);
    assertEquals(await ask(guarded, "/v1/catalog/nodes", shown.headers), 401);
    assertEquals(await ask(server, "/v1/catalog/nodes", shown.headers), 200);
    Deno.writeTextFileSync(authFile, `[{"username":"writer","token":"${WRITER}"`);
    const failed = await guarded.muster("reload", "-token", WRITER);
    assertEquals(failed.code, 1);
    assertMatch(failed.stderr, /failed to get credential store: .*auth\.json: \w+ at line 1, column \d+/);
    assertEquals(await ask(guarded, "/v1/catalog/nodes", { "X-Consul-Token": WRITER }), 200);
    for (const { log } of [server, guarded, open]) assert(!log.includes(READER) && !log.includes(WRITER));
  }));

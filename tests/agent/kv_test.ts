/**
 * Keys, sessions, locks and transactions through agents, over real processes: any server and any client agent does them, a
 * lock outlives its holder by its delay and nothing else, and SQL sees what is there (C7.4 to C7.6, C10).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { agentPlace, type AgentProcess, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

type Start = (place: ReturnType<typeof agentPlace>, ...flags: string[]) => AgentProcess;

/** A server that leads, and a client agent that sees it. */
async function pair(root: string, start: Start, ...flags: string[]): Promise<[AgentProcess, AgentProcess]> {
  const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1", ...flags);
  const client = start(agentPlace(root, "client"), `-retry-join=${server.addr}`, ...flags);
  await Promise.all([server.up(), client.up()]);
  await until("it leads", () => server.leader());
  await until("both are in the catalog", async () => (await server.get("/v1/catalog/nodes")).length === 2 || undefined);
  return [server, client];
}

async function put(agent: AgentProcess, path: string, body = ""): Promise<string> {
  const { status, text } = await agent.http("PUT", path, body);
  return status === 200 ? text : `${status} ${text}`;
}

Deno.test("keys are written, read, listed, watched and deleted, through any agent", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    assertEquals(await put(client, "/v1/kv/app/a?flags=18446744073709551615", "one"), "true");
    assertEquals(await put(client, "/v1/kv/app/b%2Fc", "two"), "true");
    assertEquals(await put(client, "/v1/kv/app2"), "true");
    const one = await server.http("GET", "/v1/kv/app/a");
    assertMatch(one.text, /"Flags":18446744073709551615,"Value":"b25l"/);
    const [{ CreateIndex, ModifyIndex, Key }] = JSON.parse(one.text);
    assertEquals([Key, CreateIndex], ["app/a", ModifyIndex]);
    assertEquals((await server.get("/v1/kv/app2"))[0].Value, null);
    const raw = await client.http("GET", "/v1/kv/app/b%2Fc?raw");
    assertEquals([raw.text, raw.headers.get("content-security-policy")], ["two", "sandbox"]);
    assertEquals(await client.get("/v1/kv/?keys"), ["app/a", "app/b/c", "app2"]);
    assertEquals(await client.get("/v1/kv/app?keys&separator=/"), ["app/", "app2"]);
    assertEquals((await client.get("/v1/kv/app/?recurse")).length, 2);
    const missing = await client.http("GET", "/v1/kv/none");
    assertEquals([missing.status, missing.text], [404, ""]);
    assert(Number(missing.headers.get("x-consul-index")) > 0);
    assertEquals(await put(client, `/v1/kv/app/a?cas=${ModifyIndex + 1}`, "x"), "false");
    assertEquals(await put(client, `/v1/kv/app/a?cas=${ModifyIndex}`, "three"), "true");
    assertEquals(await put(client, "/v1/kv/app/a?cas=0", "x"), "false");
    assertMatch(await put(client, "/v1/kv/app/a?cas=1&acquire=x"), /^400 Conflicting flags/);
    assertMatch(await put(client, "/v1/kv/big", "x".repeat(600_000)), /^413 Request body\(600000 bytes\) too large/);
    const rows = await server.sql([
      "SELECT key, CAST(value AS TEXT) FROM muster.kv WHERE key LIKE 'app/%' ORDER BY key",
    ]);
    assertEquals(rows, [["app/a", "three"], ["app/b/c", "two"]]);
    // The tables of the catalog go together with one's own, on any agent.
    await client.sql("CREATE TABLE owners (node TEXT, owner TEXT)", "INSERT INTO owners VALUES ('server', 'ann')");
    const join = () =>
      client.sql(
        `SELECT o.owner, s.name, k.key FROM owners o JOIN muster.services s USING (node)
        JOIN muster.kv k ON k.key = 'app/a' JOIN muster.checks c ON c.node = o.node AND c.status = 'passing'`,
      );
    const joined = await until("the server is in the catalog", async () => (await join())[0]);
    assertEquals(joined, ["ann", "consul", "app/a"]);

    // A change below a prefix wakes whoever waits for it, deletions too; another one does not.
    const index = Number((await client.http("GET", "/v1/kv/app/?recurse")).headers.get("x-consul-index"));
    const waiting = client.http("GET", `/v1/kv/app/?keys&index=${index}&wait=25s`);
    const created = client.http("GET", `/v1/kv/new?index=${index + 1000}&wait=25s`);
    await until("both wait", async () => (await server.get("/debug/vars")).http.blocking === 2 || undefined);
    await put(client, "/v1/kv/other", "x");
    assertEquals((await server.get("/debug/vars")).http.blocking, 2);
    assertEquals((await client.http("DELETE", "/v1/kv/app/a")).text, "true");
    assertEquals((await waiting).text, '["app/b/c"]');
    const { headers } = await client.http("DELETE", "/v1/kv/app?recurse").then(() =>
      client.http("GET", "/v1/kv/app?keys")
    );
    assert(Number(headers.get("x-consul-index")) > index, "the index of a prefix goes on when everything is gone");
    await put(client, "/v1/kv/new", "x");
    for (let nth = 0; nth < 1000; nth += 100) {
      await Promise.all(Array.from({ length: 100 }, () => put(client, "/v1/kv/new", crypto.randomUUID())));
    }
    assertEquals(JSON.parse((await created).text)[0].Key, "new");
  }));

Deno.test("a lock has one holder; it is free when its session ends, and for others after the delay", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    const session = async (body: unknown) =>
      JSON.parse(await put(client, "/v1/session/create", JSON.stringify(body))).ID;
    const one = await session({ Name: "one", LockDelay: "1s", TTL: "10s" });
    const two = await session({ Name: "two", LockDelay: 0, Behavior: "delete" });
    const take = (id: string) => put(client, `/v1/kv/lock?acquire=${id}`, id);
    assertEquals([await take(one), await take(two), await take(one)], ["true", "false", "true"]);
    const [held] = await server.get("/v1/kv/lock");
    assertEquals([held.LockIndex, held.Session], [1, one]);
    assertMatch(await take("11111111-2222-3333-4444-555555555555"), /^500 invalid session/);
    assertEquals(await put(client, `/v1/kv/lock?release=${two}`), "false");
    assertEquals(await put(client, `/v1/kv/lock?release=${one}`, "free"), "true");
    assertEquals(await take(two), "true");
    assertEquals(await put(client, `/v1/session/destroy/${two}`), "true");
    assertEquals((await client.http("GET", "/v1/kv/lock")).status, 404, "its session deletes what it held");
    assertEquals(await take(one), "true");
    assertEquals((await client.get(`/v1/session/info/${one}`))[0].NodeChecks, ["serfHealth"]);
    assertEquals((await client.get("/v1/session/node/client")).length, 1);
    assertEquals(JSON.parse(await put(client, `/v1/session/renew/${one}`))[0].TTL, "10s");
    assertMatch(await put(client, "/v1/session/renew/none"), /^404 Session id 'none' not found/);
    assertMatch(
      await put(client, "/v1/session/create", `{"TTL":"5s"}`),
      /^500 Invalid Session TTL '5000000000', must be between \[10s=24h0m0s\]/,
    );
    assertMatch(await put(client, "/v1/session/create", `{"Behavior":"x"}`), /^500 Invalid Behavior setting 'x'/);
    assertMatch(
      await put(client, "/v1/session/create", `{"Checks":["none"]}`),
      /^500 Missing check 'none' registration/,
    );
    assertMatch(await put(client, "/v1/session/create", `{"Node":"none"}`), /^500 Missing node registration/);

    // The node of the holder dies: the lock is free, and cannot be taken for its delay.
    const other = JSON.parse(await put(server, "/v1/session/create", `{"Node":"server"}`)).ID;
    await client.stop("SIGKILL");
    await until("it is free", async () => (await server.get("/v1/kv/lock"))[0].Session === undefined || undefined);
    assertEquals(await put(server, `/v1/kv/lock?acquire=${other}`), "false");
    await until(
      "its delay is over",
      async () => await put(server, `/v1/kv/lock?acquire=${other}`) === "true" || undefined,
    );
    assertEquals(await server.sql(["SELECT session = ? FROM muster.kv WHERE key = 'lock'", other]), [[1]]);
    assertEquals((await server.get("/v1/session/list")).length, 1);
  }));

Deno.test("a transaction is done as a whole or not at all, and says what was in its way", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    const txn = async (...ops: unknown[]) => {
      const { status, text } = await client.http("PUT", "/v1/txn", JSON.stringify(ops));
      return { status, body: status === 200 || status === 409 ? JSON.parse(text) : text };
    };
    const kv = (Verb: string, Key: string, more: Record<string, unknown> = {}) => ({ KV: { Verb, Key, ...more } });
    const done = await txn(
      kv("set", "a", { Value: btoa("one"), Flags: 7 }),
      kv("get", "a"),
      kv("delete", "a"),
      kv("check-not-exists", "a"),
      kv("cas", "b", { Value: btoa("two"), Index: 0 }),
      kv("get-tree", ""),
    );
    assertEquals(done.status, 200);
    const shown = done.body.Results.map(({ KV }: { KV: { Key: string; Value: string | null } }) => [KV.Key, KV.Value]);
    assertEquals(shown, [["a", null], ["a", btoa("one")], ["b", null], ["b", btoa("two")]]);
    const reasons: [unknown, string][] = [
      [kv("get", "none"), `key "none" doesn't exist`],
      [kv("cas", "b", { Index: 1 }), `failed to set key "b", index is stale`],
      [kv("delete-cas", "b", { Index: 1 }), `failed to delete key "b", index is stale`],
      [kv("check-not-exists", "b"), `key "b" exists`],
      [kv("unlock", "b", { Session: "x" }), `failed to unlock key "b", lock isn't held, or is held by another session`],
      [kv("check-session", "b", { Session: "x" }), `failed session check for key "b", current session "" != "x"`],
      [{ Node: { Verb: "get", Node: { Node: "none" } } }, `node "none" doesn't exist`],
    ];
    for (const [op, What] of reasons) {
      const { status, body } = await txn(kv("set", "undone", { Value: "" }), op);
      assertEquals([status, body], [409, { Results: null, Errors: [{ OpIndex: 1, What }] }]);
    }
    assertEquals((await server.http("GET", "/v1/kv/undone")).status, 404);
    const empty = await txn(kv("get-or-empty", "none"), kv("get-or-empty", "b"));
    const values = empty.body.Results.map(({ KV }: { KV: Record<string, unknown> }) => [KV.Key, KV.Value]);
    assertEquals(values, [["none", null], ["b", btoa("two")]]);
    const Node = { Node: "by-hand", Address: "192.0.2.7" };
    const Service = { ID: "s", Service: "db", Port: 1 };
    const Check = { Node: "by-hand", CheckID: "c", Name: "c", ServiceID: "s", Status: "passing" };
    const rows = await txn(
      { Node: { Verb: "set", Node } },
      { Service: { Verb: "set", Node: "by-hand", Service } },
      { Check: { Verb: "set", Check } },
    );
    assertEquals(rows.body.Results.map((one: object) => Object.keys(one)[0]), ["Node", "Service", "Check"]);
    assertEquals((await client.get("/v1/health/service/db?passing"))[0].Checks[0].ServiceName, "db");
    assertEquals((await txn({ Node: { Verb: "delete", Node } })).status, 200);
    assertEquals(await client.get("/v1/health/service/db"), []);
    assertEquals((await txn(...Array.from({ length: 129 }, () => kv("get", "a")))).status, 413);
    assertMatch((await txn(kv("what", "a"))).body, /unknown KV verb "what"/);
    for (const op of [{ KV: null }, { KV: { Verb: "get", Key: "a" }, Session: {} }]) {
      assertEquals((await txn(op)).body, "Failed to parse body: expected one kind in each operation");
    }
    assertEquals((await client.http("PUT", "/v1/txn", "{")).status, 400);
  }));

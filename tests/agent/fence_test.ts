/**
 * A holder that did not renew its session in time cannot write through a fence, whoever has the lock now.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { agentPlace, muster, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

const LOST = /lock "jobs" is lost: \d+ is not the token that holds it/;

Deno.test("whoever lost a lock finds its writes refused, the next holder does not; muster lock tells its program the token", () =>
  withAgents(async (root, start) => {
    const settings = `${root}/sessions.json`;
    await Deno.writeTextFile(settings, JSON.stringify({ session_ttl_min: "1s" }));
    const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1", `-config-file=${settings}`);
    const client = start(agentPlace(root, "client"), `-retry-join=127.0.0.1:${server.place.port}`);
    await until("it leads", () => server.leader());
    await server.sql("CREATE TABLE writes(who TEXT)");
    await until(
      "both are in the catalog",
      async () => (await client.get("/v1/catalog/nodes")).length === 2 || undefined,
    );

    const acquire = async (): Promise<{ session: string; token: number }> => {
      const body = JSON.stringify({ TTL: "1s", LockDelay: "0s", NodeChecks: [] });
      const session: string = JSON.parse((await server.http("PUT", "/v1/session/create", body)).text).ID;
      assertEquals((await server.http("PUT", `/v1/kv/jobs?acquire=${session}`)).text.trim(), "true");
      const [[token]] = await server.sql("SELECT token FROM muster.fences WHERE key = 'jobs'");
      return { session, token: Number(token) };
    };
    const write = async (who: string, token: number, path = "execute"): Promise<string> => {
      const fenced = ["INSERT INTO writes SELECT ? WHERE muster_fence('jobs', ?)", who, token];
      return (await client.http("POST", `/db/${path}`, JSON.stringify([fenced]))).text;
    };
    const written = async () => (await server.sql("SELECT who FROM writes ORDER BY rowid")).flat();

    const first = await acquire();
    assert((await write("first", first.token)).includes('"rows_affected":1'));
    await until(
      "its session has ended",
      async () => (await server.get("/v1/kv/jobs"))[0].Session === undefined || undefined,
    );
    assertMatch((JSON.parse(await write("first", first.token))).results[0].error, LOST);

    const second = await acquire();
    assert(second.token > first.token);
    assertMatch((JSON.parse(await write("first", first.token))).results[0].error, LOST);
    const all = JSON.stringify([
      ["INSERT INTO writes VALUES('first, unfenced')"],
      ["SELECT muster_fence('jobs', ?)", first.token],
    ]);
    assertMatch((await server.http("POST", "/db/request?transaction", all)).text.replaceAll('\\"', '"'), LOST);
    assert((await write("second", second.token)).includes('"rows_affected":1'));
    assertEquals(await written(), ["first", "second"]);

    const api = `http://${client.place.host}:${client.place.httpPort}`;
    const child =
      `curl -s -o ${root}/answer ${api}/db/execute -d "[[\\"INSERT INTO writes SELECT 'child' WHERE muster_fence(?, ?)\\", ` +
      `\\"$MUSTER_LOCK_KEY\\", $MUSTER_LOCK_TOKEN]]"`;
    const { code, stderr } = await muster(["lock", `-http-addr=${api}`, "-child-exit-code", "other", child], {
      SHELL: "/bin/sh",
    });
    assertEquals([code, stderr.trim()], [0, ""]);
    const answer = await Deno.readTextFile(`${root}/answer`);
    assertEquals(await written(), ["first", "second", "child"], answer);
  }));

Deno.test("one transaction changes tables, keys and the catalog together, under a lock, or nothing", () =>
  withAgents(async (root, start) => {
    const settings = `${root}/sessions.json`;
    await Deno.writeTextFile(settings, JSON.stringify({ session_ttl_min: "1s" }));
    const servers = ["a", "b", "c"].map((name) => agentPlace(root, name));
    const join = servers.map(({ port }) => `-retry-join=127.0.0.1:${port}`);
    const agents = servers.map((place) =>
      start(place, "-server", "-bootstrap-expect=3", `-config-file=${settings}`, ...join)
    );
    const client = start(agentPlace(root, "client"), `-config-file=${settings}`, ...join);
    await Promise.all([...agents, client].map((agent) => agent.up()));
    await until("there is a leader", () => client.leader());
    await until(
      "all are in the catalog",
      async () => (await client.get("/v1/catalog/nodes")).length === 4 || undefined,
    );
    await client.sql("CREATE TABLE accounts(name TEXT PRIMARY KEY, money REAL CHECK (money >= 0))");
    await client.sql("INSERT INTO accounts VALUES ('ann', 10), ('bob', 0)");
    const txn = async (...ops: unknown[]) => {
      const { status, text } = await client.http("PUT", "/v1/txn", JSON.stringify(ops).replaceAll('"2.0"', "2.0"));
      return { status, text, body: status === 200 || status === 409 ? JSON.parse(text) : undefined };
    };
    const move = (money: unknown) => [
      { SQL: ["UPDATE accounts SET money = money - ? WHERE name = 'ann'", money] },
      { SQL: ["UPDATE accounts SET money = money + $money WHERE name = 'bob'", { money }] },
    ];
    const done = await until("all servers have been seen", async () => {
      const answer = await txn(
        ...move("2.0"),
        { KV: { Verb: "set", Key: "last", Value: btoa("ann to bob") } },
        { Node: { Verb: "set", Node: { Node: "by-hand", Address: "192.0.2.7" } } },
        { SQL: ["SELECT name, money, typeof(money) AS kind, 9007199254740993 AS large FROM accounts ORDER BY name"] },
        { SQL: ["SELECT count(*) AS count FROM muster.nodes WHERE name = 'by-hand'"] },
      );
      return answer.status === 500 && answer.text.startsWith("SQL in a transaction needs") ? undefined : answer;
    });
    assertEquals(done.status, 200, done.text);
    assertEquals(done.body.Results[0].SQL.rows_affected, 1);
    assertMatch(done.text, /"kind":"real","large":9007199254740993,"money":8,"name":"ann"/);
    assertEquals(done.body.Results.at(-1).SQL.rows, [{ count: 1 }]);
    const state = async () => [
      await client.sql(["SELECT money FROM accounts ORDER BY name"]),
      (await client.get("/v1/kv/last"))[0].ModifyIndex,
    ];
    const before = await state();

    // A constraint, a key that is another, a table of the cluster's: each undoes all.
    const set = { KV: { Verb: "set", Key: "last", Value: btoa("x") } };
    const failed = async (...ops: unknown[]) => {
      const { status, body, text } = await txn(...ops);
      assertEquals(status, 409, text);
      assertEquals(await state(), before);
      return body.Errors[0];
    };
    assertEquals(await failed(set, ...move(100)), {
      OpIndex: 1,
      What: "CHECK constraint failed: money >= 0",
    });
    assertEquals((await failed(...move(1), { KV: { Verb: "cas", Key: "last", Index: 1, Value: "" } })).OpIndex, 2);
    assertMatch((await failed(set, { SQL: ["DELETE FROM muster.kv"] })).What, /belongs to the cluster/);
    assertMatch((await txn({ SQL: ["PRAGMA journal_mode = DELETE"] })).text, /disallowed pragma/);
    assertMatch((await txn({ SQL: {} })).text, /invalid request/);

    // Under a lock, with its token; when it is lost nothing is done.
    const session = JSON.parse(
      (await client.http("PUT", "/v1/session/create", JSON.stringify({ TTL: "1s", LockDelay: "0s", NodeChecks: [] })))
        .text,
    ).ID;
    const taken = await txn(
      { KV: { Verb: "lock", Key: "jobs", Session: session } },
      { SQL: ["SELECT token FROM muster.fences WHERE key = 'jobs'"] },
      ...move(1),
    );
    const [{ token }] = taken.body.Results[1].SQL.rows;
    const fence = { SQL: ["SELECT muster_fence('jobs', ?)", token] };
    assertEquals((await txn(fence, ...move(1))).status, 200);
    await until("it is lost", async () => (await client.get("/v1/kv/jobs"))[0].Session === undefined || undefined);
    const late = await txn(fence, ...move(1), set);
    assertEquals([late.status, late.body.Errors[0].OpIndex], [409, 0]);
    assertMatch(late.text.replaceAll('\\"', '"'), LOST);
    assertEquals(await client.sql(["SELECT money FROM accounts ORDER BY name"]), [[6], [4]]);

    // The next leader needs nobody to have been seen.
    const leader = await client.leader();
    await agents.find(({ addr }) => addr === leader)?.stop("SIGKILL");
    await until("the next one does it", async () => {
      const { status } = await txn({ SQL: ["INSERT INTO accounts VALUES ('eve', 1) ON CONFLICT DO NOTHING"] });
      return status === 200 || undefined;
    });
  }));

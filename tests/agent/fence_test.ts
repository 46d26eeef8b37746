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

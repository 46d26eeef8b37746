/**
 * What keys held before and how long they live, through agents and by the commands: the history answers as of any index that
 * it reaches back to and says when it does not, a key ends with its time whoever leads.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { agentPlace, muster, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

Deno.test("keys are read as they were at an index, and end with their time, under the next leader as well", () =>
  withAgents(async (root, start) => {
    const servers = ["a", "b", "c"].map((name) => agentPlace(root, name));
    const join = servers.map(({ port }) => `-retry-join=127.0.0.1:${port}`);
    const agents = servers.map((place) => start(place, "-server", "-bootstrap-expect=3", ...join));
    const client = start(agentPlace(root, "client"), ...join);
    await Promise.all([...agents, client].map((agent) => agent.up()));
    await until("there is a leader", () => client.leader());
    const put = async (path: string, body: string) => {
      const { status, text } = await client.http("PUT", path, body);
      return status === 200 ? text.trim() : `${status} ${text}`;
    };
    const indexOf = async (key: string): Promise<number> => (await client.get(`/v1/kv/${key}`))[0].ModifyIndex;
    const at = async (path: string) => {
      const { status, text } = await client.http("GET", path);
      return status === 200 ? text : `${status} ${text}`;
    };

    await put("/v1/kv/app/color", "blue");
    const blue = await indexOf("app/color");
    await put("/v1/kv/app/color", "green");
    const green = await indexOf("app/color");
    await put("/v1/kv/app/size", "1");
    assertEquals((await client.http("DELETE", "/v1/kv/app/color")).status, 200);
    await put("/v1/kv/app/size", "2");
    const size = await indexOf("app/size");

    assertEquals(await at(`/v1/kv/app/color?raw&at=${blue}`), "blue");
    assertEquals(await at(`/v1/kv/app/color?raw&at=${size - 1}`), "404 ", "it was deleted");
    assertEquals(JSON.parse(await at(`/v1/kv/app/?keys&at=${green}`)), ["app/color"]);
    const tree = JSON.parse(await at(`/v1/kv/app/?recurse&at=${size - 2}`));
    assertEquals(tree.map(({ Key, Value }: { Key: string; Value: string }) => [Key, atob(Value)]), [
      ["app/color", "green"],
      ["app/size", "1"],
    ]);
    assertMatch(
      await at(`/v1/kv/app/color?at=${size + 1000}`),
      /^400 Invalid at: \d+ is still to come, the last index is/,
    );
    assertMatch(
      await at("/v1/kv/app/none?at=1"),
      /^410 what was there at index 1 is not kept any more: the history begins at/,
    );
    assertMatch(await at("/v1/kv/app/color?at=0"), /^400 Invalid at/);
    const versions = JSON.parse(await at("/v1/kv/app/color?history"));
    assertEquals(
      versions.map((
        one: { Value: string; ModifyIndex: number; Deleted: boolean },
      ) => [atob(one.Value), one.ModifyIndex, one.Deleted]),
      [["green", green, true], ["blue", blue, false]],
    );
    assert(Date.parse(versions[1].EndTime) >= Date.parse(versions[1].ModifyTime));
    const sql = await client.sql([
      "SELECT CAST(value AS TEXT) FROM muster.kv_history WHERE key = 'app/color' ORDER BY modify_index",
    ]);
    assertEquals(sql.flat(), ["blue", "green"]);

    const api = `-http-addr=http://${client.place.host}:${client.place.httpPort}`;
    assertEquals((await muster(["kv", "get", api, `-at=${blue}`, "app/color"])).stdout, "blue\n");
    const listed = (await muster(["kv", "history", api, "app/color"])).stdout.split("\n");
    assertMatch(listed[0], /^Index +Time +Value$/);
    assertMatch(listed[1], /^\d+ +\S+Z +\(deleted\)$/);
    assertMatch(listed[2], new RegExp(`^${green} +\\S+Z +"green"$`));
    assertMatch((await muster(["kv", "history", api, "none"])).stderr, /Nothing is known of a key at: none/);

    // The limits are an entry of configuration.
    const entry = (more: Record<string, unknown>) =>
      put("/v1/config", JSON.stringify({ Kind: "kv-history", Name: "global", ...more }));
    assertMatch(await entry({ MaxBytes: "many" }), /^400 Expected MaxBytes/);
    assertEquals(await entry({ MaxBytes: 0 }), "true");
    await put("/v1/kv/app/size", "3");
    assertMatch(await at(`/v1/kv/app/?recurse&at=${size}`), /^410 /);
    assertEquals(await entry({ MaxBytes: 1000, MaxAge: "720h" }), "true");

    // A short time ends under this leader, a long one under the next.
    assertMatch(await put("/v1/kv/lease?ttl=no", "x"), /^400 Invalid ttl: expected a time from 1s to 87600h/);
    assertEquals(await put("/v1/kv/lease?ttl=1s", "x"), "true");
    assertEquals(await put("/v1/kv/lease?ttl=1s&cas=1", "y"), "false");
    assertMatch((await client.get("/v1/kv/lease"))[0].ExpireTime, /^20.*Z$/);
    const index = await indexOf("lease");
    const waited = await client.http("GET", `/v1/kv/lease?index=${index}&wait=30s`);
    assertEquals(waited.status, 404, "whoever waits for it hears of its end");
    assertEquals((await muster(["kv", "put", api, "-ttl=4s", "lease", "x"])).code, 0);
    const txn = [
      { KV: { Verb: "set", Key: "kept", Value: btoa("x") } },
      { KV: { Verb: "expire", Key: "kept", TTL: "4s" } },
      { KV: { Verb: "set", Key: "kept", Value: btoa("x") } },
    ];
    assertMatch(await put("/v1/txn", JSON.stringify(txn)), /"Errors":null/);
    const before = await client.leader();
    await agents.find(({ addr }) => addr === before)?.stop("SIGKILL");
    await until("it has ended", async () => (await at("/v1/kv/lease")) === "404 " || undefined);
    assertEquals(await at("/v1/kv/kept?raw"), "x", "what was written again has no time any more");
  }));

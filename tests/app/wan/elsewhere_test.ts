/** Requests for another datacenter, between nodes whose links the test plays: who does them, with which rights, and who does not. */
import { assertEquals, assertRejects } from "@std/assert";
import { OperationError, RemoteFailure } from "../../../src/app/database/errors.ts";
import { LocalNode, OTHER } from "../../harness/local_node.ts";
import type { PeerMessage } from "../../../src/drivers/replica/api.ts";

/** A server of dc1 whose calls to other datacenters `to` answers; all of them are noted. */
function serverTo(to: () => LocalNode, sent: PeerMessage[] = []): LocalNode {
  return new LocalNode({
    elsewhere: {
      forward(datacenter, call) {
        if (datacenter !== "dc2") return Promise.reject(new OperationError("No path to datacenter"));
        const head = { ...call.head, params: { ...Object(call.head.params), from: "dc1" } };
        sent.push({ head, body: call.body });
        return to().serve({ call: { head, body: call.body } });
      },
    },
  });
}

Deno.test("keys, the catalog and SQL of another datacenter are read and written there, and nowhere else", async () => {
  await using far = new LocalNode({ agent: { datacenter: "dc2" } });
  const sent: PeerMessage[] = [];
  await using node = serverTo(() => far, sent);
  assertEquals((await node.send("PUT", "/v1/kv/a?dc=dc2", "there")).text, "true");
  assertEquals((await node.send("GET", "/v1/kv/a?raw&dc=DC2")).text, "there");
  assertEquals((await node.send("GET", "/v1/kv/a?raw")).status, 404);
  assertEquals((await far.send("GET", "/v1/kv/a?raw")).text, "there");
  await node.json("PUT", "/v1/catalog/register", { Datacenter: "dc2", Node: "n2", Address: "192.0.2.2" });
  const [found] = await node.json("GET", "/v1/catalog/nodes?dc=dc2");
  assertEquals([found.Node, found.Datacenter], ["n2", "dc2"]);
  assertEquals(await node.json("GET", "/v1/catalog/nodes"), []);
  await node.json("POST", "/db/execute?dc=dc2", ["CREATE TABLE t(v)", "INSERT INTO t VALUES (7)"]);
  assertEquals((await node.json("GET", "/db/query?dc=dc2&q=SELECT+v+FROM+t")).results[0].values, [[7]]);
  assertEquals((await far.json("GET", "/db/query?q=SELECT+v+FROM+t")).results[0].values, [[7]]);
  assertEquals((await node.json("GET", "/db/query?q=SELECT+v+FROM+t")).results[0].error, "no such table: t");
  const count = sent.length;
  assertEquals((await node.send("GET", "/v1/kv/a?raw&dc=dc1")).status, 404);
  assertEquals(sent.length, count, "the own name is no other datacenter");
});

Deno.test("what can only be done here is refused for another datacenter, and not done", async () => {
  await using far = new LocalNode({ agent: { datacenter: "dc2" } });
  await using node = serverTo(() => far);
  for (
    const [method, path] of [["POST", "/db/load"], ["POST", "/db/execute?queue"], ["GET", "/db/backup"], [
      "GET",
      "/status",
    ]]
  ) {
    const mark = path.includes("?") ? "&" : "?";
    const { status, text } = await node.send(method, `${path}${mark}dc=dc2`, "CREATE TABLE t(v)");
    assertEquals(status, 400, path);
    assertEquals(text.startsWith("another datacenter (dc) is for /db/query"), true, text);
  }
  assertEquals((await node.send("GET", "/v1/kv/a?dc=dc9")).text, "No path to datacenter");
  await using alone = new LocalNode();
  assertEquals((await alone.send("GET", "/v1/kv/a?dc=dc2")).text, "No path to datacenter");
});

Deno.test("a client agent asks a server of its own, which asks the other datacenter, whose follower asks its leader", async () => {
  await using leader = new LocalNode({ agent: { datacenter: "dc2" } });
  await using follower = new LocalNode({ agent: { datacenter: "dc2" } });
  await follower.send("GET", "/v1/kv/a"); // it has heard who leads at the start
  follower.lead(OTHER);
  follower.replica.forward = (forward) => leader.serve(forward);
  const sent: PeerMessage[] = [];
  await using server = serverTo(() => follower, sent);
  await using client = new LocalNode({ agent: { isServer: false } });
  client.replica.forward = (forward) => server.serve(forward);
  assertEquals((await client.send("PUT", "/v1/kv/a?dc=dc2", "x", { authorization: "Bearer t" })).text, "true");
  assertEquals((await leader.send("GET", "/v1/kv/a?raw")).text, "x");
  const { operation, by } = Object(sent[0].head);
  assertEquals([operation, by.k, by.authorization], ["elsewhere", "client", "Bearer t"]);
});

Deno.test("a server is asked for its own datacenter alone; one that knows no such request refuses it by name", async () => {
  await using node = new LocalNode({ agent: { datacenter: "dc3" } });
  const params = { datacenter: "dc2", from: "dc1", operation: "raftPeers", params: {} };
  const head = { operation: "elsewhere", by: { k: "node" }, timeoutMs: 1, retries: 0, params };
  const { answer } = await node.serve({ call: { head, body: new Uint8Array(0) } });
  const failure = Object(answer.head.failure);
  assertEquals(failure.message, 'a server of datacenter "dc3" was asked for "dc2": its address has moved');
  const older = { ...head, params: { ...params, datacenter: "dc3", operation: "ofTomorrow" } };
  const { answer: refused } = await node.serve({ call: { head: older, body: new Uint8Array(0) } });
  assertEquals(
    Object(refused.head.failure).message,
    'Expected an operation that this version knows, found "ofTomorrow": upgrade this node',
  );
  await using asker = serverTo(() => node);
  const asked = asker.services.operations.run("catalogRead", {
    query: { k: "nodes" },
    consistency: "stale",
    index: 0,
    waitMs: 0,
  }, { by: { k: "node" }, timeoutMs: 1000, datacenter: "dc2" });
  await assertRejects(() => asked, RemoteFailure, "its address has moved");
});

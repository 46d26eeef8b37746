/** Loads in steps, between nodes and through the leader, and the first database of a node alone. */
import { assertEquals } from "@std/assert";
import { answerOf, LocalNode, OTHER } from "../../harness/local_node.ts";

/** A database file with a table of two rows. */
async function databaseFile(): Promise<Uint8Array> {
  await using node = new LocalNode();
  await node.json("POST", "/db/execute", ["CREATE TABLE t(a)", "INSERT INTO t VALUES(1),(2)"]);
  const { stream } = await node.ask("GET", "/db/backup?fmt=delete");
  const pieces: Uint8Array[] = [];
  for await (const piece of stream?.pieces(new Promise(() => {})) ?? []) {
    if (typeof piece !== "string") pieces.push(piece);
  }
  return new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}

const count = async (node: LocalNode) =>
  (await node.json("GET", "/db/query?level=none&q=SELECT+count(*)+FROM+t")).results[0].values?.[0][0];

Deno.test("a follower has the leader load a file step by step, and tells why it did not", async () => {
  const file = await databaseFile();
  await using leader = new LocalNode();
  await using follower = new LocalNode();
  follower.lead(OTHER);
  const steps: unknown[] = [];
  follower.replica.forward = async (forward) => {
    steps.push(Object(forward.call.head.params).k);
    return await leader.serve(forward);
  };
  const load = async () => {
    const { status, text } = await follower.send("POST", "/db/load", file, { contentType: "application/octet-stream" });
    return [status, text.trim()];
  };
  assertEquals(await load(), [200, '{"results":[]}']);
  assertEquals([await count(leader), steps], [2, ["part", "install"]]);

  follower.replica.forward = () => answerOf(undefined, "", { k: "load", message: "it is damaged" });
  assertEquals(await load(), [200, '{"results":[],"error":"nothing was loaded: it is damaged"}']);
  follower.replica.forward = () => answerOf(undefined, "", { k: "refused", why: { k: "unknown" } });
  assertEquals(await load(), [401, "remote load not authorized"]);
});

Deno.test("a step that is none is refused, and one elsewhere than on the leader", async () => {
  await using node = new LocalNode();
  const step = async (params: unknown) => {
    const head = {
      operation: "loadStep",
      by: { k: "client", authorization: "", address: "" },
      timeoutMs: 1000,
      retries: 0,
    };
    const { answer } = await node.serve({ call: { head: { ...head, params }, body: new Uint8Array(0) } });
    return answer.head.failure;
  };
  const failed = (message: string) => ({ k: "failed", message });
  const cases = [
    [{ k: "other", id: "x", number: 1 }, `Expected "k" to be one of part, install, drop, in the step of a load`],
    [{ k: "part", id: "x", number: -1 }, `Expected "number" to be a whole number from 0 to`],
    [{ k: "drop", id: "x".repeat(65), number: 1 }, `Expected "id" to be a text of at most 64`],
    [{ k: "drop", id: "x", number: 0, y: 1 }, `Expected no field "y" in the step of a load; known are k, id, number`],
    ["drop", "Expected the step of a load to be an object"],
  ] as const;
  for (const [params, message] of cases) {
    const failure = Object(await step(params));
    assertEquals({ ...failure, message: failure.message.slice(0, message.length) }, failed(message));
  }
  assertEquals(Object(await step({ k: "install", id: "none", number: 10 })).k, "load");
  assertEquals(await step({ k: "drop", id: "none", number: 0 }), undefined);
  node.lead(OTHER);
  assertEquals(await step({ k: "drop", id: "none", number: 0 }), { k: "notLeader" });
});

Deno.test("a node that is a cluster by itself takes a file as its first database", async () => {
  const file = await databaseFile();
  await using node = new LocalNode();
  const boot = async (body: Uint8Array | string) => {
    const { status, text } = await node.send("POST", "/boot", body);
    return [status, text.trim()];
  };
  assertEquals(await boot(file), [503, "not single-node"]);
  node.tell({ k: "members", members: node.services.replica.members.slice(0, 1) });
  assertEquals(await boot(""), [503, "EOF"]);
  assertEquals(await boot("SELECT 1"), [400, "invalid SQLite data"]);
  node.replica.snapshot = () => ({ done: true });
  assertEquals(await boot(file), [200, ""]);
  assertEquals([await count(node), node.services.counters.boots], [2, 1]);
  const damaged = file.slice();
  damaged.fill(7, 100, 4000);
  assertEquals((await boot(damaged))[0], 400);
  node.replica.snapshot = () => Promise.reject(new Error("timeout"));
  assertEquals(await boot(file), [503, "timeout"]);
  node.lead(OTHER);
  assertEquals(await boot(file), [503, "not leader"]);
});

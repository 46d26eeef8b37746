/** Loads in steps, between nodes and through the leader, and the first database of a node alone. */
import { assertEquals } from "@std/assert";
import { LocalNode, OTHER } from "../../harness/local_node.ts";

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
  const steps: string[] = [];
  follower.replica.forward = async ({ request }) => {
    steps.push(new URL(`http://x${request.target}`).searchParams.get("muster_load") ?? "");
    const { status, text } = await leader.send(request.method, request.target, request.body, { forwarded: true });
    return { status, contentType: "", servedBy: "o:1", body: new TextEncoder().encode(text) };
  };
  const load = async () => {
    const { status, text } = await follower.send("POST", "/db/load", file, { contentType: "application/octet-stream" });
    return [status, text.trim()];
  };
  assertEquals(await load(), [200, '{"results":[]}']);
  assertEquals([await count(leader), steps], [2, ["part", "install"]]);

  const answering = (status: number, text: string) => {
    follower.replica.forward = () => ({
      status,
      contentType: "",
      servedBy: "o:1",
      body: new TextEncoder().encode(text),
    });
  };
  answering(422, "it is damaged");
  assertEquals(await load(), [200, '{"results":[],"error":"nothing was loaded: it is damaged"}']);
});

Deno.test("a step that is none is refused, and one elsewhere than on the leader", async () => {
  await using node = new LocalNode();
  const step = async (query: string) => {
    const { status, text } = await node.send("POST", `/db/load?${query}`, "", { forwarded: true });
    return [status, text.trim()];
  };
  const name = "muster_load";
  for (
    const query of [`${name}=other&id=x&n=1`, `${name}=part&id=x&n=-1`, `${name}=install&id=${"x".repeat(65)}&n=1`]
  ) {
    assertEquals(await step(query), [400, "no step of a load"], query);
  }
  assertEquals((await step(`${name}=install&id=none&n=10`))[0], 422);
  assertEquals(await step(`${name}=drop&id=none&n=0`), [200, ""]);
  node.lead(OTHER);
  assertEquals(await step(`${name}=drop&id=none&n=0`), [503, "not leader"]);
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

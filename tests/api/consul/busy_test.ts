/** Writes below `/v1/` that are refused for now: 503 and the reason, wherever the leader is (C6.1.1). */
import { assertEquals } from "@std/assert";
import { answerOf, LocalNode, OTHER } from "../../harness/local_node.ts";
import { encodeFailure } from "../../../src/app/database/failure.ts";
import { BusyError } from "../../../src/app/database/errors.ts";

const WRITES: readonly [method: string, path: string, body?: unknown][] = [
  ["PUT", "/v1/kv/a", "b"],
  ["PUT", "/v1/kv/a?cas=0", "b"],
  ["DELETE", "/v1/kv/a"],
  ["PUT", "/v1/txn", [{ KV: { Verb: "set", Key: "a", Value: "" } }]],
  ["PUT", "/v1/catalog/register", { Node: "n", Address: "192.0.2.1" }],
  ["PUT", "/v1/catalog/register", { Node: "n", Address: "192.0.2.1", Service: { Service: "s" } }],
  ["PUT", "/v1/catalog/deregister", { Node: "n" }],
  ["PUT", "/v1/session/create", { Node: "there", NodeChecks: [] }],
  ["PUT", "/v1/session/destroy/11111111-2222-3333-4444-555555555555"],
  ["POST", "/v1/query", { Service: { Service: "s" } }],
  ["PUT", "/v1/config", { Kind: "service-defaults", Name: "s" }],
  ["DELETE", "/v1/config/service-defaults/s"],
  ["PUT", "/v1/operator/autopilot/configuration", {}],
];

Deno.test("a write that is refused as the disk is full, or for a while, is answered 503 on every path", async () => {
  await using node = new LocalNode();
  assertEquals(await node.json("PUT", "/v1/catalog/register", { Node: "there", Address: "192.0.2.1" }), true);
  for (const code of ["storage_full", "queue_full", "behind"] as const) {
    node.refusal = code;
    for (const [method, path, body] of WRITES) {
      const { status, text } = await node.send(method, path, body);
      assertEquals([path, status, text], [path, 503, `refused: ${code}`]);
    }
  }
  assertEquals((await node.send("GET", "/v1/kv/?keys")).status, 200);
});

Deno.test("the same from the leader, when that is another node", async () => {
  await using node = new LocalNode();
  node.lead(OTHER);
  const failure = encodeFailure(new BusyError("no space left on the disk of the leader"));
  node.replica.forward = () => answerOf(undefined, "", failure);
  const { status, text } = await node.send("PUT", "/v1/kv/a", "b");
  assertEquals([status, text], [503, "no space left on the disk of the leader"]);
});

/** `/v1/txn` and `/v1/kv` over a database in this thread: what is refused, and that nothing of it is done. */
import { assertEquals } from "@std/assert";
import { addServiceAndCheck } from "./rows.ts";
import { LocalNode } from "../../harness/local_node.ts";

const ID = "11111111-2222-3333-4444-555555555555";
const OTHER_ID = "99999999-2222-3333-4444-555555555555";

/** A node that is alive in the catalog, with a service and a check of it. */
async function withNode(
  work: (node: LocalNode, txn: (...ops: unknown[]) => Promise<[status: number, what: string]>) => Promise<void>,
): Promise<void> {
  await using node = new LocalNode();
  const alpha = { Node: "alpha", Address: "192.0.2.1", ID };
  assertEquals(await node.json("PUT", "/v1/catalog/register", alpha), true);
  await addServiceAndCheck(node.services.catalog);
  await work(node, async (...ops) => {
    const { status, text } = await node.send("PUT", "/v1/txn", ops);
    return [status, status === 409 ? JSON.parse(text).Errors[0].What : text];
  });
}

const nodeOp = (verb: string, node: Record<string, unknown>) => ({ Node: { Verb: verb, Node: node } });
const kvOp = (verb: string, more: Record<string, unknown>) => ({ KV: { Verb: verb, ...more } });

Deno.test("a transaction does not take the name or the id of a node that is alive, and a node keeps its id", () =>
  withNode(async (node, txn) => {
    const address = "192.0.2.9";
    const taken = `Node name ALPHA is reserved by node ${ID} with name alpha (192.0.2.1)`;
    const theirs = { Node: "ALPHA", Address: address, ID: OTHER_ID };
    assertEquals(await txn(nodeOp("set", theirs)), [409, taken]);
    const { Node: { ModifyIndex } } = await node.json("GET", "/v1/catalog/node/alpha");
    assertEquals(await txn(nodeOp("cas", { ...theirs, ModifyIndex })), [409, taken]);
    const renamed = { Node: "beta", Address: address, ID };
    assertEquals(await txn(nodeOp("set", renamed)), [409, `Node ID ${ID} is reserved by node alpha (192.0.2.1)`]);
    assertEquals(await txn(nodeOp("set", { Address: address })), [409, "Must provide node"]);
    assertEquals(await txn(nodeOp("delete", { Address: address })), [409, "Must provide node"]);
    assertEquals(await txn(nodeOp("set", { Node: "beta" })), [409, "Must provide address"]);
    assertEquals((await node.json("GET", "/v1/catalog/nodes")).length, 1);

    assertEquals((await txn(nodeOp("set", { Node: "alpha", Address: address })))[0], 200);
    const { Node } = await node.json("GET", "/v1/catalog/node/alpha");
    assertEquals([Node.ID, Node.Address], [ID, address]);
    assertEquals((await txn(nodeOp("set", { Node: "alpha", Address: address, ID })))[0], 200);
    assertEquals((await node.json("GET", "/v1/catalog/node/alpha")).Node.ModifyIndex, Node.ModifyIndex);
  }));

Deno.test("a service that a transaction renames has its name in its checks", () =>
  withNode(async (node, txn) => {
    const check = { Node: "alpha", CheckID: "c", Name: "c", ServiceID: "web-1", Status: "passing" };
    const service = { ID: "web-1", Service: "shop", Port: 80 };
    const done = await txn({ Check: { Verb: "set", Check: check } }, {
      Service: { Verb: "set", Node: "alpha", Service: service },
    });
    assertEquals(done[0], 200);
    assertEquals((await node.json("GET", "/v1/health/checks/shop")).length, 1);
  }));

Deno.test("a key without a name or too long a one is refused, and nobody locks or unlocks without a session", () =>
  withNode(async (node, txn) => {
    const value = btoa("other");
    await node.send("PUT", "/v1/kv/b", "precious");
    for (const verb of ["lock", "unlock"]) {
      assertEquals(await txn(kvOp(verb, { Key: "b", Value: value })), [409, "missing session"]);
    }
    for (const flag of ["acquire", "release"]) {
      const { status, text } = await node.send("PUT", `/v1/kv/b?${flag}=`, "other");
      assertEquals([status, text], [500, "missing session"]);
    }
    const [{ Value, LockIndex }] = await node.json("GET", "/v1/kv/b");
    assertEquals([Value, LockIndex], [btoa("precious"), 0]);

    for (const verb of ["set", "get", "cas", "delete", "check-not-exists"]) {
      assertEquals(await txn(kvOp(verb, { Value: value })), [409, "Must provide key"]);
    }
    assertEquals((await txn(kvOp("get-tree", {})))[0], 200);
    const long = "x".repeat(4097);
    const tooLong = "Invalid key: it is longer than 4096 characters";
    assertEquals(await txn(kvOp("set", { Key: long })), [400, tooLong]);
    assertEquals((await node.send("PUT", `/v1/kv/${long}`, "")).text, tooLong);
    assertEquals((await txn(kvOp("lock", { Key: "b", Session: "x".repeat(256) })))[0], 400);
    const { agent } = node.services;
    if (agent) agent.options = { ...agent.options, limits: { ...agent.options.limits, kvValueBytes: 4 } };
    assertEquals(await txn(kvOp("set", { Key: "c", Value: value })), [
      413,
      'Value for key "c" is too large (5 > 4 bytes)',
    ]);
    assertEquals((await node.send("PUT", "/v1/kv/c", "other")).status, 413);
    assertEquals((await node.json("GET", "/v1/kv/?keys")).length, 1);
  }));

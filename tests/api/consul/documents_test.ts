/** Prepared queries and entries of configuration over a database in this thread: what is refused, in Consul's words. */
import { assertEquals } from "@std/assert";
import { LocalNode } from "../../harness/local_node.ts";

Deno.test("a prepared query that cannot be meant so is refused when it is made, and when it is changed", async () => {
  await using node = new LocalNode();
  const answer = async (method: string, path: string, body: unknown) => {
    const { status, text } = await node.send(method, path, body);
    return [status, text];
  };
  const query = (more: Record<string, unknown>, failover: Record<string, unknown> = {}) => ({
    Service: { Service: "web", Failover: failover },
    ...more,
  });
  const wrong: [body: unknown, why: string][] = [
    [query({ DNS: { TTL: "-1s" } }), "DNS TTL '-1s', must be >=0"],
    [query({ DNS: { TTL: "soon" } }), "Bad DNS TTL 'soon'"],
    [query({ dns: { ttl: 5 } }), "Bad DNS TTL '5'"],
    [query({}, { NearestN: -1 }), "Bad NearestN '-1', must be >= 0"],
    [query({}, { NearestN: "x" }), "Bad NearestN 'x', must be >= 0"],
    [{ Name: "x" }, "Must provide a Service name to query"],
  ];
  const right = query({ DNS: { TTL: "99999999h" } }, { NearestN: 0 });
  const { ID } = await node.json("POST", "/v1/query", right);
  for (const [body, why] of wrong) {
    assertEquals(await answer("POST", "/v1/query", body), [400, why]);
    assertEquals(await answer("PUT", `/v1/query/${ID}`, body), [400, why]);
  }
  const own = "ID must be empty when creating a new prepared query";
  assertEquals(await answer("POST", "/v1/query", { ...query({}), ID }), [400, own]);
  assertEquals(await answer("PUT", `/v1/query/${ID}`, { ...query({ DNS: { TTL: "" } }), ID }), [200, ""]);
  assertEquals((await node.json("GET", "/v1/query")).length, 1);
});

Deno.test("the defaults of proxies are one entry, and have one name", async () => {
  await using node = new LocalNode();
  const put = async (Name: string) => {
    const { status, text } = await node.send("PUT", "/v1/config", { Kind: "proxy-defaults", Name });
    return [status, text];
  };
  assertEquals(await put("notglobal"), [400, 'invalid name ("notglobal"), only "global" is supported']);
  assertEquals(await put(""), [400, 'invalid name (""), only "global" is supported']);
  assertEquals(await put("global"), [200, "true"]);
  assertEquals((await node.json("GET", "/v1/config/proxy-defaults")).length, 1);
});

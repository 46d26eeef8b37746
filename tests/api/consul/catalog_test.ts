/** Consul's catalog endpoints over a database in this thread: registration, reads, filters, blocking queries, forwarding. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { addServiceAndCheck } from "./rows.ts";
import { until } from "../../harness/processes.ts";
import { answerOf, CodedError, LocalNode, OTHER } from "../../harness/local_node.ts";

const ID = "11111111-2222-3333-4444-555555555555";

async function withNode(work: (node: LocalNode) => Promise<void>): Promise<void> {
  await using node = new LocalNode();
  const alpha = {
    Node: "alpha",
    Address: "192.0.2.1",
    ID,
    NodeMeta: { rack: "r1" },
    TaggedAddresses: { wan: "198.51.100.1" },
  };
  assertEquals(await node.json("PUT", "/v1/catalog/register", alpha), true);
  assertEquals(await node.json("PUT", "/v1/catalog/register", { Node: "beta", Address: "2001:db8::1" }), true);
  await addServiceAndCheck(node.services.catalog);
  await work(node);
}

Deno.test("nodes are listed with their addresses and metadata, found by name and id, and filtered", () =>
  withNode(async (node) => {
    const [alpha, beta] = await node.json("GET", "/v1/catalog/nodes");
    const { CreateIndex, ModifyIndex, ...rest } = alpha;
    assertEquals(rest, {
      ID,
      Node: "alpha",
      Address: "192.0.2.1",
      Datacenter: "dc1",
      TaggedAddresses: { lan: "192.0.2.1", lan_ipv4: "192.0.2.1", wan: "198.51.100.1" },
      Meta: { rack: "r1" },
    });
    assert(CreateIndex > 0 && ModifyIndex >= CreateIndex);
    assertEquals(beta.TaggedAddresses, { lan: "2001:db8::1", lan_ipv6: "2001:db8::1" });
    const names = async (query: string) =>
      (await node.json("GET", `/v1/catalog/nodes${query}`)).map(({ Node }: { Node: string }) => Node);
    assertEquals(await names("?node-meta=rack:r1"), ["alpha"]);
    assertEquals(await names("?node-meta=rack:r2"), []);
    assertEquals(await names(`?filter=${encodeURIComponent('Address matches "db8"')}`), ["beta"]);
    const wrong = await node.send("GET", "/v1/catalog/nodes?filter=Nmae==x");
    assertEquals(wrong.status, 400);
    assertMatch(wrong.text, /^Failed to create filter: there is no field Nmae/);

    for (const name of ["alpha", ID]) {
      const { Node, Services } = await node.json("GET", `/v1/catalog/node/${name}`);
      assertEquals([Node.Node, Object.keys(Services)], ["alpha", ["web-1"]]);
    }
    assertEquals(await node.json("GET", "/v1/catalog/node/none"), null);
    assertEquals((await node.send("GET", "/v1/catalog/node/")).text, "Missing node name");
    const list = await node.json("GET", "/v1/catalog/node-services/alpha");
    assertEquals([list.Services[0].Service, list.Services[0].Port, list.Services[0].Tags], ["web", 80, ["v1", "v2"]]);
    assertEquals((await node.json("GET", "/v1/catalog/node-services/none")).Node, null);
    assertEquals(await node.json("GET", "/v1/catalog/datacenters"), ["dc1"]);
    assertMatch((await node.send("GET", "/v1/catalog/nodes?pretty")).text, /^\[\n {4}\{/);
  }));

Deno.test("services are found by name, tag and filter, and so are checks by node and state", () =>
  withNode(async (node) => {
    assertEquals(await node.json("GET", "/v1/catalog/services"), { web: ["v1", "v2"] });
    assertEquals(await node.json("GET", "/v1/catalog/services?filter=Node==beta"), {});
    const [web] = await node.json("GET", "/v1/catalog/service/WEB");
    assertEquals([web.Node, web.Address, web.ServiceID, web.ServicePort], ["alpha", "192.0.2.1", "web-1", 80]);
    assertEquals((await node.json("GET", "/v1/catalog/service/web?tag=v1&tag=v2")).length, 1);
    assertEquals(await node.json("GET", "/v1/catalog/service/web?tag=v1&tag=v3"), []);
    assertEquals(await node.json("GET", "/v1/catalog/service/web?filter=ServicePort==81"), []);
    assertEquals((await node.send("GET", "/v1/catalog/service/")).text, "Missing service name");

    const [check] = await node.json("GET", "/v1/health/node/alpha");
    assertEquals([check.CheckID, check.Status, check.Output], ["serfHealth", "passing", "Agent alive and reachable"]);
    assertEquals((await node.json("GET", "/v1/health/state/any")).length, 1);
    assertEquals((await node.json("GET", "/v1/health/state/passing"))[0].Node, "alpha");
    assertEquals(await node.json("GET", "/v1/health/state/critical"), []);
    assertEquals((await node.send("GET", "/v1/health/state/")).text, "Missing check state");
  }));

Deno.test("a registration replaces the one before, unless the name is that of another node that is alive", () =>
  withNode(async (node) => {
    const put = async (body: unknown) => {
      const { status, text } = await node.send("PUT", "/v1/catalog/register", body);
      return [status, text];
    };
    assertEquals(await put({ Node: "alpha", Address: "192.0.2.9", ID }), [200, "true"]);
    const { Node } = await node.json("GET", "/v1/catalog/node/alpha");
    assertEquals([Node.Address, Node.TaggedAddresses.lan, Node.Meta], ["192.0.2.9", "192.0.2.9", {}]);
    const reserved = `Node name ALPHA is reserved by node ${ID} with name alpha (192.0.2.9)`;
    assertEquals(await put({ Node: "ALPHA", Address: "192.0.2.7", ID: ID.replaceAll("1", "9") }), [500, reserved]);
    const other = { Node: "alpha", ID: ID.replaceAll("1", "9"), SkipNodeUpdate: true, Service: { Service: "x" } };
    assertEquals(await put(other), [500, reserved.replace("ALPHA", "alpha")]);
    const another = `Node ID ${ID} is reserved by node alpha (192.0.2.9)`;
    assertEquals(await put({ Node: "beta", Address: "192.0.2.7", ID }), [500, another]);
    assertEquals(await put({ Node: "beta", Address: "192.0.2.7", ID: "x" }), [500, 'Bad node ID: "x" is not a UUID']);
    assertEquals(await put({ Address: "192.0.2.7" }), [500, "Must provide node"]);
    assertEquals(await put({ Node: "x" }), [500, "Must provide address if SkipNodeUpdate is not set"]);
    assertEquals(await put({ Node: "x", Address: "y", Service: {} }), [400, "Missing service name"]);
    const ofOther = { Node: "y", CheckID: "c", Name: "c" };
    assertEquals(await put({ Node: "x", Address: "y", Check: ofOther }), [
      500,
      'check node "y" does not match node "x"',
    ]);
    const ofMissing = { CheckID: "c", Name: "c", ServiceID: "none" };
    assertEquals(await put({ Node: "x", Address: "y", Checks: [ofMissing] }), [
      500,
      "Unknown service ID 'none' for check ID 'c'",
    ]);
    assertEquals(await put({ Node: "x", Address: "y", Datacenter: "dc9" }), [500, "No path to datacenter"]);
    for (
      const body of [
        "{",
        "[]",
        { Node: 1 },
        { Node: "nul\0" },
        { Node: "x".repeat(300) },
        {
          Node: "x",
          Address: "y",
          NodeMeta: { a: 1 },
        },
        { Node: "x", Address: "y", NodeMeta: { a: "x".repeat(600) } },
        {
          Node: "x",
          Address: "y",
          NodeMeta: Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`k${at}`, ""])),
        },
      ]
    ) assertEquals((await put(body))[0], 400, JSON.stringify(body));
  }));

Deno.test("what is deregistered is gone: a check, a service, a node with all that it has", () =>
  withNode(async (node) => {
    const gone = async (body: unknown) => (await node.send("PUT", "/v1/catalog/deregister", body)).text;
    assertEquals(await gone({ Node: "alpha", ServiceID: "web-1" }), "true");
    assertEquals(await node.json("GET", "/v1/catalog/services"), {});
    assertEquals(await gone({ Node: "alpha", CheckID: "serfHealth" }), "true");
    assertEquals(await node.json("GET", "/v1/health/node/alpha"), []);
    assertEquals(await gone({ Node: "alpha" }), "true");
    assertEquals(await node.json("GET", "/v1/catalog/node/alpha"), null);
    assertEquals(await gone({}), "Must provide node");
  }));

Deno.test("a blocking query ends with a change of what it reads, at its time limit, or when its client leaves", () =>
  withNode(async (node) => {
    const read = async (query: string, rest = {}) => {
      const { status, headers = {}, text } = await node.send("GET", `/v1/catalog/nodes${query}`, "", rest);
      return { status, index: Number(headers["X-Consul-Index"]), headers, text };
    };
    const { index, headers } = await read("");
    assertEquals(
      [headers["X-Consul-KnownLeader"], headers["X-Consul-LastContact"], headers["X-Consul-Effective-Consistency"]],
      ["true", "0", "leader"],
    );
    assertEquals((await read(`?index=${index - 1}&wait=10s`)).index, index, "it has changed since");
    assertEquals((await read(`?index=${index}&wait=20ms`)).index, index);
    const woken = read(`?index=${index}&wait=20s`);
    const { promise: whenOver, resolve: leave } = Promise.withResolvers<void>();
    const left = read(`?index=${index + 1000}&wait=20s`, { whenOver: () => whenOver });
    await node.json("PUT", "/v1/catalog/register", { Node: "gamma", Address: "192.0.2.3" });
    assert((await woken).index > index);
    assertMatch((await woken).text, /gamma/);
    leave();
    assertEquals((await left).status, 200);
    assertEquals(node.services.catalog.waiting, 0);

    const stuck = read(`?index=${index + 1000}&wait=20s`);
    await until("it waits", () => node.services.catalog.waiting === 1 || undefined);
    node.lead(OTHER);
    node.services.catalog.wakeAll();
    assertEquals([(await stuck).status, (await stuck).text], [500, "No cluster leader"]);
    const stale = await read("?stale");
    assertEquals([stale.status, stale.headers["X-Consul-Effective-Consistency"]], [200, "stale"]);
    node.lead({ id: "1", addr: "h:2", apiUrl: "" });
    assertEquals((await read("?stale&consistent")).status, 400);
    assertEquals((await read("?index=x")).text, "Invalid index");
    assertEquals((await read("?index=1&wait=x")).text, "Invalid wait time");
    assertEquals((await read("?dc=other")).text, "No path to datacenter");
    assertEquals((await read("?consistent")).headers["X-Consul-Effective-Consistency"], "consistent");
  }));

Deno.test("a server that does not lead hands reads and registrations to the leader, with their wait", () =>
  withNode(async (node) => {
    node.lead(OTHER);
    const asked: unknown[] = [];
    node.replica.forward = ({ call: { head }, timeoutMs }) => {
      const params = Object(head.params);
      asked.push([head.operation, timeoutMs, ...(params.index ? [params.index, params.waitMs] : [])]);
      if (head.operation !== "catalogRead") return answerOf(undefined);
      return answerOf(
        { query: params.query, isLeaderKnown: true, lastContactMs: 0 },
        '[{"rows":[{"value":7}]},{"rows":[]}]',
      );
    };
    const found = await node.send("GET", "/v1/catalog/nodes");
    assertEquals([found.text, found.headers?.["X-Consul-Index"], found.servedBy], ["[]", "7", "o:1"]);
    await node.send("GET", "/v1/catalog/nodes?index=5");
    await node.send("PUT", "/v1/catalog/register", { Node: "x", Address: "y" });
    await node.send("PUT", "/v1/catalog/deregister", { Node: "x" });
    assertEquals(asked, [
      ["catalogRead", 10_000],
      ["catalogRead", 328_750, 5, 300_000],
      ["register", 10_000],
      ["deregister", 10_000],
    ]);
    const failed = async (code: string) => {
      node.replica.forward = () => Promise.reject(new CodedError("it broke", code));
      const { status, text } = await node.send("GET", "/v1/catalog/nodes");
      return [status, text];
    };
    assertEquals(await failed("no_leader"), [500, "No cluster leader"]);
    assertEquals(await failed("canceled"), [503, "this node stops"]);
    assertEquals(await failed("no_servers"), [500, "No known Consul servers"]);
    assertEquals(await failed("not_sent"), [500, "rpc error making call: it broke"]);
    // Another node takes this one for the leader: it asks nobody else.
    node.replica.forward = (forward) => node.serve(forward);
    assertEquals((await node.send("GET", "/v1/catalog/nodes")).text, "No cluster leader");
  }));

Deno.test("a client agent asks a server for what is replicated, and itself for the rest", async () => {
  await using node = new LocalNode({ agent: { isServer: false } });
  await using server = new LocalNode();
  const asked: unknown[] = [];
  node.replica.forward = async (forward) => {
    asked.push([forward.call.head.operation, forward.call.head.relayed]);
    return await server.serve(forward);
  };
  server.replica.nodes = () => [];
  for (
    const [target, text] of [
      ["/v1/catalog/nodes", "[]"],
      ["/v1/status/leader", '"h:2"'],
      ["/db/query?q=SELECT+1", '{"results":[{"columns":["1"],"types":["integer"],"values":[[1]]}]}'],
      ["/nodes", "{}"],
    ]
  ) assertEquals((await node.send("GET", target)).text, text);
  assertEquals(asked, ["catalogRead", "raftPeers", "query", "nodes"].map((name) => [name, true]));
  assertEquals(await node.json("GET", "/v1/event/list"), []);
  const { status, text } = await node.send("POST", "/boot");
  assertEquals(status, 501);
  assertMatch(text, /a client agent does not relay \/boot/);
  assertEquals((await node.send("GET", "/")).text, "Consul Agent\n");
});

Deno.test("methods, paths and nodes that are no agents have their answers", async () => {
  await using node = new LocalNode();
  const wrong = await node.send("GET", "/v1/agent/leave");
  assertEquals([wrong.status, wrong.text, wrong.headers?.Allow], [405, "method GET not allowed", "PUT"]);
  const options = await node.send("OPTIONS", "/v1/agent/self");
  assertEquals([options.status, options.headers?.Allow], [200, "OPTIONS,GET,HEAD"]);
  assertEquals((await node.send("GET", "/v1/none")).status, 404);
  assertEquals((await node.send("GET", "/v1/event/list?filter=Name==x")).status, 501);
  assertEquals((await node.send("GET", "/v1/catalog/node/%")).status, 400);
  await using plain = new LocalNode({ agent: null });
  assertEquals(
    (await plain.send("GET", "/v1/agent/self")).text,
    "this node is not an agent: start it with muster agent",
  );
});

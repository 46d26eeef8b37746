/** Consul's endpoints about agents, events, keys and the Raft configuration, over a pool and a replica that a test plays. */
import { assertEquals, assertMatch } from "@std/assert";
import type { MemberRecord, MembershipEvent } from "../../../src/drivers/membership/api.ts";
import { answerOf, CodedError, LocalNode, OTHER } from "../../harness/local_node.ts";

const VERSIONS = { protocolMin: 1, protocolMax: 5, protocolCur: 2, delegateMin: 2, delegateMax: 5, delegateCur: 4 };
const MEMBERS: readonly MemberRecord[] = [
  { name: "n", addr: "192.0.2.1", port: 8301, tags: { role: "consul", id: "1" }, status: "alive", ...VERSIONS },
  { name: "m", addr: "192.0.2.2", port: 8301, tags: { role: "node" }, status: "failed", ...VERSIONS },
];

const CORE = {
  id: "1",
  role: "leader",
  term: 3,
  leader: "1",
  last: { index: 9, term: 3 },
  commit: 9,
  applied: 8,
  progress: [{ id: "2", match: 7 }],
  config: {
    at: 2,
    clusterId: "c",
    members: [
      { id: "1", storageId: "d1", addr: "h:2", role: "voter" },
      { id: "2", storageId: "d2", addr: "o:2", role: "nonvoter" },
    ],
  },
};

function withPool(options = {}): LocalNode {
  const node = new LocalNode(options);
  node.pool.members = () => MEMBERS;
  node.pool.stats = () => ({ members: "2" });
  node.pool.coordinate = () => ({ vec: [0, 1], error: 1.5, adjustment: 0, height: 1e-5 });
  node.replica.status = () => ({ core: CORE, lastContact: 0, lastSnapshot: { index: 4, term: 2 } });
  return node;
}

Deno.test("an agent describes itself and its members", async () => {
  await using node = withPool();
  const { Config, Coord, Member, Stats, Meta } = await node.json("GET", "/v1/agent/self");
  assertEquals([Config.NodeName, Config.NodeID, Config.Datacenter, Config.Server], ["n", "1", "dc1", true]);
  assertEquals(Coord, { Vec: [0, 1], Error: 1.5, Adjustment: 0, Height: 1e-5 });
  assertEquals([Member.Name, Member.Status, Member.ProtocolCur], ["n", 1, 2]);
  assertEquals(Stats.consul, {
    acl: "disabled",
    bootstrap: "false",
    known_datacenters: "1",
    leader: "true",
    leader_addr: "h:2",
    server: "true",
  });
  assertEquals([Stats.raft.state, Stats.raft.fsm_pending, Stats.serf_lan.members], ["Leader", "1", "2"]);
  assertEquals(Meta, {});
  const all = await node.json("GET", "/v1/agent/members");
  assertEquals(all.map(({ Name, Status }: Record<string, unknown>) => [Name, Status]), [["n", 1], ["m", 4]]);
  assertEquals((await node.json("GET", "/v1/agent/members?filter=Status==4"))[0].Name, "m");
  assertEquals(await node.json("GET", "/v1/agent/members?wan=1"), []);
  await using client = withPool({ agent: { isServer: false } });
  assertEquals((await client.json("GET", "/v1/agent/self")).Stats.consul, {
    acl: "disabled",
    known_servers: "1",
    server: "false",
  });
});

Deno.test("joins, leaves and reloads are carried out, and their failures told", async () => {
  await using node = withPool();
  const joined: unknown[] = [];
  node.pool.join = ({ addresses }) => {
    joined.push(...addresses);
    return addresses[0] === "gone"
      ? { joined: 0, others: 0, errors: ["gone: refused"] }
      : { joined: 1, others: 1, errors: [] };
  };
  const put = async (path: string) => {
    const { status, text } = await node.send("PUT", path);
    return [status, text];
  };
  assertEquals(await put("/v1/agent/join/192.0.2.9"), [200, ""]);
  assertEquals(await put("/v1/agent/join/gone"), [500, "gone: refused"]);
  assertEquals(joined, ["192.0.2.9", "gone"]);
  assertEquals(await put("/v1/agent/join/"), [400, "Missing address to join"]);
  assertEquals((await put("/v1/agent/join/a%0Ab"))[0], 400);
  assertEquals(await put("/v1/agent/join/x?wan=1"), [
    500,
    "There is no pool across datacenters: ports.serf_wan is -1",
  ]);

  const left: unknown[] = [];
  node.pool.forceLeave = (params) => {
    left.push(params);
    return null;
  };
  assertEquals(await put("/v1/agent/force-leave/m?prune"), [200, ""]);
  assertEquals(left, [{ name: "m", prune: true }]);
  assertEquals(await put("/v1/agent/force-leave/none"), [500, "agent: No node found with name 'none'"]);
  node.pool.forceLeave = () => Promise.reject(new Error("it is alive"));
  assertEquals(await put("/v1/agent/force-leave/m"), [500, "it is alive"]);
  assertEquals(await put("/v1/agent/reload"), [500, "there is no supervisor here"]);
  assertEquals((await put("/v1/agent/leave"))[0], 500);
});

Deno.test("an event is fired with its filters, and the list waits for the next", async () => {
  await using node = withPool();
  const fired: { name: string; payload: Uint8Array }[] = [];
  node.pool.fireEvent = ({ name, payload }) => {
    fired.push({ name, payload });
    return null;
  };
  await node.send("PUT", "/v1/agent/service/register", { Name: "web", Tags: ["v1"] });
  const event = await node.json("PUT", "/v1/event/fire/deploy?node=^n$&service=web&tag=v1", "1.2.3");
  assertEquals([event.Name, event.Payload, event.NodeFilter, event.LTime], ["deploy", "MS4yLjM=", "^n$", 0]);
  const payload = JSON.parse(new TextDecoder().decode(fired[0].payload));
  assertEquals(payload, {
    ID: event.ID,
    Payload: "MS4yLjM=",
    NodeFilter: "^n$",
    ServiceFilter: "web",
    TagFilter: "v1",
  });
  const told = (name: string, of: unknown): MembershipEvent => ({
    type: "user",
    name,
    payload: new TextEncoder().encode(JSON.stringify(of)),
    ltime: 5n,
    coalesce: false,
  });
  const events = node.services.agent?.events;
  if (!events) throw new Error("this is no agent");
  events.take(told(fired[0].name, payload));
  events.take(told(fired[0].name, { ...payload, NodeFilter: "other" }));
  events.take(told(fired[0].name, { ...payload, ServiceFilter: "db" }));
  events.take(told(fired[0].name, { ...payload, TagFilter: "v2" }));
  events.take(told("serf-event", payload));
  events.take(told(fired[0].name, 1));
  const list = await node.send("GET", "/v1/event/list?name=deploy");
  assertEquals(JSON.parse(list.text), [{ ...event, LTime: 5 }]);
  const index = list.headers?.["X-Consul-Index"];
  const waiting = node.send("GET", `/v1/event/list?index=${index}&wait=20s`);
  events.take(told(fired[0].name, { ...payload, ID: "22222222-2222-3333-4444-555555555555" }));
  assertEquals(JSON.parse((await waiting).text).length, 2);
  assertEquals(await node.json("GET", "/v1/event/list?name=none"), []);

  const refused = async (path: string) => (await node.send("PUT", path)).text;
  assertEquals(await refused("/v1/event/fire/"), "Missing name");
  assertEquals(await refused("/v1/event/fire/x?tag=v1"), "Cannot provide tag filter without service filter.");
  assertMatch(await refused("/v1/event/fire/x?node=("), /^Invalid filter "\(": /);
  node.pool.fireEvent = () => Promise.reject(new Error("user event exceeds the limit"));
  assertEquals(await refused("/v1/event/fire/x"), "user event exceeds the limit");
});

Deno.test("keys are listed and changed; what a member refuses is told", async () => {
  await using node = withPool();
  const result = { members: 2, responses: 2, failures: 0, messages: {}, keys: { k: 2 }, primaryKeys: { k: 2 } };
  const asked: unknown[] = [];
  node.pool.keysList = () => result;
  for (const method of ["keysInstall", "keysUse", "keysRemove"] as const) {
    node.pool[method] = (params) => {
      asked.push([method, params]);
      return result;
    };
  }
  assertEquals(await node.json("GET", "/v1/operator/keyring"), [
    { WAN: false, Datacenter: "dc1", Segment: "", Keys: { k: 2 }, PrimaryKeys: { k: 2 }, NumNodes: 2 },
  ]);
  for (const method of ["POST", "PUT", "DELETE"]) {
    assertEquals((await node.send(method, "/v1/operator/keyring?relay-factor=2", { Key: "k" })).status, 200);
  }
  const params = { key: "k", relayFactor: 2 };
  assertEquals(asked, [["keysInstall", params], ["keysUse", params], ["keysRemove", params]]);
  assertEquals((await node.send("PUT", "/v1/operator/keyring", "{}")).status, 400);
  assertEquals((await node.send("GET", "/v1/operator/keyring?relay-factor=6")).status, 400);
  node.pool.keysUse = () => ({ ...result, failures: 1, messages: { m: "no such key" } });
  const failed = await node.send("PUT", "/v1/operator/keyring", { Key: "k" });
  assertEquals([failed.status, failed.text], [500, "1 of 2 nodes did it: m: no such key"]);
  node.pool.keysList = () => Promise.reject(new Error("encryption is not enabled"));
  assertEquals((await node.send("GET", "/v1/operator/keyring")).text, "encryption is not enabled");
});

Deno.test("the Raft configuration is told, changed and handed on", async () => {
  await using node = withPool();
  assertEquals(await node.json("GET", "/v1/status/leader"), "h:2");
  assertEquals(await node.json("GET", "/v1/status/peers"), ["h:2", "o:2"]);
  const { Servers, Index } = await node.json("GET", "/v1/operator/raft/configuration");
  assertEquals(Index, 2);
  const common = { ProtocolVersion: "3" };
  assertEquals(Servers, [
    { ID: "1", Node: "n", Address: "h:2", Leader: true, Voter: true, LastIndex: 9, ...common },
    { ID: "2", Node: "(unknown)", Address: "o:2", Leader: false, Voter: false, LastIndex: 7, ...common },
  ]);
  const removed: string[] = [];
  node.replica.remove = ({ id }) => {
    removed.push(id);
    return { removed: true };
  };
  const drop = async (query: string) => {
    const { status, text } = await node.send("DELETE", `/v1/operator/raft/peer${query}`);
    return [status, text];
  };
  assertEquals(await drop("?id=2"), [200, ""]);
  assertEquals(await drop("?address=o:2"), [200, ""]);
  assertEquals(removed, ["2", "2"]);
  assertEquals(await drop("?id=9"), [500, 'id "9" was not found in the Raft configuration']);
  assertEquals((await drop(""))[0], 400);
  assertEquals((await drop("?id=1&address=h:2"))[0], 400);
  const targets: unknown[] = [];
  node.replica.transfer = ({ to }) => {
    targets.push(to);
    return { leader: "2" };
  };
  assertEquals(await node.json("POST", "/v1/operator/raft/transfer-leader?id=2"), { Success: true });
  assertEquals(await node.json("PUT", "/v1/operator/raft/transfer-leader"), { Success: true });
  assertEquals(targets, ["2", undefined]);
  node.replica.transfer = () => Promise.reject(new CodedError("no other voter", "failed"));
  assertEquals((await node.send("POST", "/v1/operator/raft/transfer-leader")).text, "no other voter");

  node.lead(OTHER);
  const asked: unknown[] = [];
  node.replica.forward = ({ call: { head } }) => {
    asked.push(head.operation);
    return answerOf(head.operation === "raftConfiguration" ? { servers: [], index: 1 } : undefined);
  };
  await node.send("GET", "/v1/operator/raft/configuration");
  await drop("?id=2");
  await node.send("POST", "/v1/operator/raft/transfer-leader");
  assertEquals(asked, ["raftConfiguration", "raftRemovePeer", "raftTransfer"]);
  assertEquals((await node.json("GET", "/v1/operator/raft/configuration?stale")).Index, 2);
});

Deno.test("the log is streamed at the level asked for, as text or as JSON", async () => {
  await using node = withPool();
  assertEquals((await node.send("GET", "/v1/agent/monitor?loglevel=loud")).text, "Unknown log level: loud");
  const over = Promise.withResolvers<void>();
  const channel = new BroadcastChannel("muster-log");
  const streams = await Promise.all(["?loglevel=WARN", "?logjson&loglevel=err"].map(async (query) => {
    const { stream } = await node.ask("GET", `/v1/agent/monitor${query}`);
    return stream?.pieces(over.promise)[Symbol.asyncIterator]();
  }));
  const firsts = streams.map((stream) => stream?.next());
  for (const level of ["info", "warn", "error"]) {
    channel.postMessage({ atMs: 0, level, part: "http", line: `a ${level}` });
  }
  const [text, json] = (await Promise.all(firsts)).map((one) => String(one?.value));
  assertEquals(text, "1970-01-01T00:00:00.000Z [WARN]  http: a warn\n");
  assertEquals(JSON.parse(json), {
    "@level": "error",
    "@message": "a error",
    "@module": "http",
    "@timestamp": "1970-01-01T00:00:00.000Z",
  });
  over.resolve();
  await Promise.all(streams.map((stream) => stream?.return?.(undefined)));
  channel.close();
});

/**
 * The npm package consul as its documentation shows it: `node client.js CLIENT SERVER`, each the HOST:PORT of an agent's
 * HTTP. Fails at the first wrong value.
 */
import assert from "node:assert/strict";
const { default: Consul } = await import("consul"); // which only node has here

const [client, server] = process.argv.slice(2).map((address) => {
  const [host, port] = address.split(":");
  return new Consul({ host, port });
});
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `check` gives something that is true. */
async function until(what, check) {
  for (const started = Date.now(); Date.now() - started < 15_000; await pause(20)) {
    const found = await check();
    if (found) return found;
  }
  throw new Error(`${what} did not happen`);
}

async function keys() {
  const { kv } = client;
  assert.equal(await kv.get("js/none"), undefined);
  assert.equal(await kv.set("js/a", "one"), true);
  const { CreateIndex, ModifyIndex, ...one } = await kv.get("js/a");
  assert.deepEqual(one, { LockIndex: 0, Key: "js/a", Flags: 0, Value: "one" });
  assert.equal(CreateIndex, ModifyIndex);
  assert.equal(await kv.set({ key: "js/a", value: "two", cas: "0" }), undefined); // its way to say false
  assert.equal(await kv.set({ key: "js/a", value: "two", cas: String(ModifyIndex), flags: 7 }), true);
  assert.equal(await kv.set("js/empty", ""), true);
  assert.equal((await kv.get("js/empty")).Value, null);
  assert.deepEqual(await kv.get({ key: "js/a", raw: true }), Buffer.from("two"));
  assert.deepEqual((await kv.get({ key: "js/a", buffer: true })).Value, Buffer.from("two"));
  await kv.set("js/b/c d", "ä");
  const list = await kv.get({ key: "js/", recurse: true });
  assert.deepEqual(list.map(({ Key, Value }) => [Key, Value]), [["js/a", "two"], ["js/b/c d", "ä"], [
    "js/empty",
    null,
  ]]);
  assert.deepEqual(await kv.keys({ key: "js/", separator: "/" }), ["js/a", "js/b/", "js/empty"]);
  await assert.rejects(kv.keys("nothing"), /not found/i);
  assert.equal(await kv.del("js/a"), true);
  assert.equal(await kv.del({ key: "js/", recurse: true }), true);
  assert.equal(await kv.get({ key: "js/", recurse: true }), undefined);
  const done = await client.transaction.create([
    { KV: { Verb: "set", Key: "js/t", Value: Buffer.from("x").toString("base64") } },
    { KV: { Verb: "get", Key: "js/t" } },
  ]);
  assert.equal(done.Results[1].KV.Value, "eA==");
  await assert.rejects(client.transaction.create([{ KV: { Verb: "check-not-exists", Key: "js/t" } }]), /conflict/i);
}

async function sessions() {
  const { session, kv } = client;
  const { ID } = await session.create({ name: "js", ttl: "10s", lockdelay: "1ms", behavior: "release" });
  const { LockDelay, Name, Node, Behavior, TTL } = await session.get(ID);
  assert.deepEqual({ LockDelay, Name, Node, Behavior, TTL }, {
    LockDelay: 1e6,
    Name: "js",
    Node: "client",
    Behavior: "release",
    TTL: "10s",
  });
  assert.equal((await session.list()).length, 1);
  assert.equal((await session.node("client")).length, 1);
  assert.equal((await session.renew(ID))[0].ID, ID);
  assert.equal(await kv.set({ key: "js/lock", value: "me", acquire: ID }), true);
  assert.equal((await kv.get("js/lock")).Session, ID);
  assert.equal(await kv.set({ key: "js/lock", value: "", release: ID }), true);
  assert.equal((await kv.get("js/lock")).Session, undefined);
  await session.destroy(ID);
  assert.equal(await session.get(ID), undefined);
  await assert.rejects(session.renew(ID), /not found/i);
}

async function services() {
  const { service, check } = client.agent;
  await service.register({
    name: "js-web",
    id: "js-web-1",
    tags: ["a"],
    port: 80,
    meta: { v: "1" },
    check: { ttl: "10s", notes: "n" },
  });
  await check.pass({ id: "service:js-web-1", note: "well" });
  const [found] = await until("it passes", async () => {
    const list = await server.health.service({ service: "js-web", passing: true });
    return list.length === 1 && list;
  });
  assert.deepEqual([found.Service.Port, found.Service.Tags, found.Service.Meta], [80, ["a"], { v: "1" }]);
  await check.warn("service:js-web-1");
  await check.fail({ id: "service:js-web-1", note: "no" });
  assert.equal((await check.list())["service:js-web-1"].Status, "critical");
  await check.register({ name: "own", ttl: "10s", serviceid: "js-web-1" });
  assert.equal((await client.health.checks("js-web")).length >= 1, true);
  await check.deregister("own");
  assert.deepEqual(Object.keys(await service.list()), ["js-web-1"]);
  await service.maintenance({ id: "js-web-1", enable: true, reason: "x" });
  await service.maintenance({ id: "js-web-1", enable: false });
  await client.agent.maintenance({ enable: true });
  await client.agent.maintenance({ enable: false });
  const [instance] = await server.catalog.service.nodes("js-web");
  assert.deepEqual([instance.Node, instance.ServicePort], ["client", 80]);
  await service.deregister("js-web-1");
  await assert.rejects(service.deregister("js-web-1"), /not found/);
  await until("it is gone", async () => (await server.catalog.service.nodes("js-web")).length === 0);
}

async function catalog() {
  const { catalog, health } = client;
  assert.deepEqual(await catalog.datacenters(), ["dc1"]);
  await catalog.register({ node: "js-node", address: "192.0.2.5", service: { service: "js-db", port: 1 } });
  assert.deepEqual((await catalog.node.list()).map(({ Node }) => Node).sort(), ["client", "js-node", "server"]);
  assert.deepEqual(await catalog.service.list(), { consul: [], "js-db": [] });
  assert.equal((await catalog.node.services("js-node")).Services["js-db"].Port, 1);
  await catalog.deregister({ node: "js-node" });
  assert.equal((await health.node("server"))[0].CheckID, "serfHealth");
  assert.equal((await health.state("passing")).length, 2);
}

/** A watch says what is there, and each change. */
async function watches() {
  const watch = client.watch({ method: client.kv.get, options: { key: "js/watched", wait: "10s" } });
  const seen = [];
  watch.on("change", (data) => seen.push(data?.Value));
  watch.on("error", (error) => seen.push(error));
  await until("nothing", () => seen.length === 1);
  for (const value of ["one", "two"]) {
    await server.kv.set("js/watched", value);
    await until(value, () => seen.at(-1) === value);
  }
  watch.end();
  assert.equal(watch.isRunning(), false);
  const health = client.watch({ method: client.health.service, options: { service: "js-watched", passing: true } });
  const counts = [];
  health.on("change", (data) => counts.push(data.length));
  await until("none", () => counts.length === 1);
  await server.agent.service.register("js-watched");
  await until("one", () => counts.at(-1) === 1);
  await server.agent.service.deregister("js-watched");
  await until("none again", () => counts.at(-1) === 0);
  health.end();
}

async function agents() {
  const { Config, Member } = await client.agent.self();
  assert.deepEqual([Config.NodeName, Config.Server, Member.Name, Member.Status], ["client", false, "client", 1]);
  const members = await client.agent.members();
  assert.deepEqual(members.map(({ Name }) => Name).sort(), ["client", "server"]);
  const [address] = members.filter(({ Name }) => Name === "server").map(({ Addr, Port }) => `${Addr}:${Port}`);
  await client.agent.join(address);
  await client.agent.reload();
  assert.equal(await client.status.leader(), address);
  assert.deepEqual(await client.status.peers(), [address]);
  const event = await client.event.fire("js-event", "payload");
  assert.deepEqual([event.Name, event.Payload], ["js-event", "payload"]);
  await until("the event", async () => (await server.event.list("js-event")).some(({ ID }) => ID === event.ID));
}

async function queries() {
  const { query } = client;
  await server.agent.service.register({ name: "js-query", port: 5 });
  const { ID } = await query.create({ name: "js-q", service: { service: "js-query" }, dns: { ttl: "5s" } });
  assert.equal((await query.get(ID)).Name, "js-q");
  assert.equal((await query.list()).length, 1);
  await query.update({ query: ID, name: "js-q2", service: { service: "js-query", onlypassing: true } });
  await until("an answer", async () => (await query.execute({ query: "js-q2", near: "_agent" })).Nodes.length === 1);
  await query.destroy(ID);
  await assert.rejects(query.execute("js-q2"), /not found/i);
  await server.agent.service.deregister("js-query");
}

for (const part of [keys, sessions, services, catalog, watches, agents, queries]) await part();
console.log("all as documented");
process.exit();

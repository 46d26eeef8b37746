/**
 * Features of the class and the Worker beyond the protocol: handed-in streams, files, labels, coalescing, admission.
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { freePort, until } from "../../harness/processes.ts";
import type {
  FromMembership,
  MemberRecord,
  MembershipEvent,
  ToMembership,
} from "../../../src/drivers/membership/api.ts";
import { refuseCalls, serveCalls } from "../../../src/drivers/membership/calls.ts";
import { PoolClient, PoolError } from "../../../src/drivers/membership/client.ts";
import { SnapshotFile } from "../../../src/drivers/membership/files.ts";
import { Coalescer } from "../../../src/drivers/membership/coalescer.ts";
import { PortStream } from "../../../src/base/net/byte_stream.ts";
import { LimitedLog } from "../../../src/base/worker/log_limit.ts";
import { Membership } from "../../../src/drivers/membership/membership.ts";
import { isOwnAddress, splitJoinAddress } from "../../../src/drivers/membership/join_address.ts";
import { formatIp, parseIp } from "../../../src/base/codec/ip.ts";
import { OurNode } from "../../harness/our_node.ts";

async function withNodes(work: (start: typeof OurNode.start) => Promise<void>): Promise<void> {
  const nodes: OurNode[] = [];
  try {
    await work(async (...args) => {
      const node = await OurNode.start(...args);
      nodes.push(node);
      return node;
    });
  } finally {
    await Promise.all(nodes.map((node) => node.membership.close()));
  }
}

Deno.test("streams that are handed in through a port are as good as accepted ones", async () => {
  await withNodes(async (start) => {
    const port = freePort();
    const inside = await start("inside", { bind: { host: "127.0.0.1", port }, ownListener: false });
    const outside = await start("outside");
    // who owns the cluster port hands each connection over, as another Worker would
    const listener = Deno.listen({ hostname: "127.0.0.1", port });
    const accepting = (async () => {
      for await (const conn of listener) {
        const { port1, port2 } = new MessageChannel();
        inside.membership.serveStream(new PortStream(port2), "test");
        const stream = new PortStream(port1);
        const inward = async () => {
          const chunk = new Uint8Array(7); // small pieces
          for (let count = await conn.read(chunk); count !== null; count = await conn.read(chunk)) {
            await stream.write(chunk.subarray(0, count));
          }
        };
        const outward = async () => {
          for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) await conn.write(bytes);
          conn.close();
        };
        Promise.all([inward(), outward()]).catch(() => {}).finally(() => stream.close());
      }
    })();
    await outside.join(inside.address);
    await inside.sees("outside", "alive");
    await outside.sees("inside", "alive");
    listener.close();
    await accepting.catch(() => {});
  });
});

Deno.test("calls through a port: results, errors, events, answers of queries, a second client", async () => {
  await withNodes(async (start) => {
    const { port1, port2 } = new MessageChannel();
    const heard: FromMembership[] = [];
    const clients = new Set([port2]);
    const membership = await Membership.start(
      { name: "w", bind: { host: "127.0.0.1", port: 0 }, tags: { a: "b" }, profile: "local" },
      { onEvent: (event) => clients.forEach((client) => client.postMessage({ k: "event", event })) },
    );
    try {
      serveCalls(membership, port2, clients);
      port1.onmessage = ({ data }: MessageEvent<FromMembership>) => void heard.push(data);
      let ref = 0;
      const call = async (method: string, params: unknown) => {
        const own = ++ref;
        port1.postMessage({ k: "call", ref: own, method, params });
        return await until(`answer of ${method}`, () => heard.find((one) => one.k === "answer" && one.ref === own));
      };
      const other = await start("other");
      assertEquals(await call("join", { addresses: [other.address] }), {
        k: "answer",
        ref: 1,
        result: { joined: 1, others: 1, errors: [] },
      });
      await other.sees("w", "alive");
      const { port1: second, port2: handed } = new MessageChannel();
      const message: ToMembership = { k: "client", port: handed };
      port1.postMessage(message, [handed]);
      const open = Promise.withResolvers<FromMembership>();
      second.onmessage = ({ data }: MessageEvent<FromMembership>) => open.resolve(data);
      assertEquals(await open.promise, { k: "open", local: membership.local });
      await call("query", { name: "q", timeoutMs: 300, wantAck: true });
      assert(heard.some((one) => one.k === "query-answer" && one.answer.from === "other"));
      const refused = await call("forceLeave", { name: "nobody", prune: false });
      assertEquals(refused.k === "answer" && refused.error, "No node found with name 'nobody'");
      assertEquals((await call("setTags", { tags: { a: "x".repeat(600) } })).k, "answer");
      const event = heard.find((one) =>
        one.k === "event" && one.event.type === "member-join" && one.event.members[0].name === "other"
      );
      assert(event !== undefined);
      second.close();
    } finally {
      await membership.close();
      port1.close();
      for (const client of clients) client.close();
    }
  });
});

Deno.test("labels keep pools apart, with encryption and without (K28)", async () => {
  await withNodes(async (start) => {
    for (const encryptionKey of [undefined, btoa("0123456789abcdef")]) {
      const key = { encryptionKey };
      const [a, b] = [await start("a", { ...key, label: "blue" }), await start("b", { ...key, label: "blue" })];
      const [green, none] = [await start("green", { ...key, label: "green" }), await start("none", key)];
      await a.join(b.address);
      await b.sees("a", "alive");
      for (const stranger of [green, none]) {
        assertEquals((await stranger.membership.join([a.address])).joined, 0);
        assertEquals((await a.membership.join([stranger.address])).joined, 0);
      }
      assertEquals(a.membership.members().length, 2);
    }
  });
});

Deno.test("admission: another datacenter and a second node of one id are refused, with Consul's words (G5.13)", async () => {
  await withNodes(async (start) => {
    const admission = { sameTags: ["dc"], uniqueTag: "id" };
    const a = await start("a", { tags: { dc: "dc1", id: "1" }, admission });
    const b = await start("b", { tags: { dc: "dc2", id: "2" }, admission });
    const c = await start("c", { tags: { dc: "dc1", id: "1" }, admission });
    const d = await start("d", { tags: { dc: "dc1", id: "4" }, admission });
    const [error] = (await b.membership.join([a.address])).errors;
    assert(error.includes("Member 'a' part of wrong datacenter 'dc1'"), error);
    const [conflict] = (await c.membership.join([a.address])).errors;
    assert(conflict.includes("Member 'a' has conflicting node ID '1' with this agent's ID"), conflict);
    await d.join(a.address);
    await a.sees("d", "alive");
    assertEquals(a.membership.members().map(({ name }) => name).toSorted(), ["a", "d"]);
  });
});

Deno.test("the pool of all datacenters takes servers of any datacenter, and nobody else (G5.13)", async () => {
  await withNodes(async (start) => {
    const admission = { requiredTags: { role: "consul" } };
    const wan = { admission, profile: "wan", delegateProtocol: 4 } as const;
    const a = await start("a.dc1", { ...wan, tags: { role: "consul", dc: "dc1" } });
    const b = await start("b.dc2", { ...wan, tags: { role: "consul", dc: "dc2" } });
    const client = await start("c.dc1", { ...wan, tags: { role: "node", dc: "dc1" } });
    await b.join(a.address);
    await a.sees("b.dc2", "alive");
    await client.membership.join([a.address]);
    assertEquals(a.membership.members().map(({ name }) => name).toSorted(), ["a.dc1", "b.dc2"]);
    const refused = (await a.membership.join([client.address])).errors;
    assert(refused[0].includes("Member 'c.dc1' is not a server"), refused[0]);
  });
});

Deno.test("calls to a pool that is not there fail, and say why", async () => {
  const { port1, port2 } = new MessageChannel();
  refuseCalls(port2, "the port is taken");
  try {
    const pool = new PoolClient(port1);
    await assertRejects(() => pool.members(), PoolError, "the port is taken");
    await assertRejects(() => pool.call("leave", {}), PoolError, "the port is taken");
  } finally {
    port1.close();
    port2.close();
  }
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    console.warn("no IPv6 on this machine: its test is skipped");
    return false;
  }
}

const ipv6Test = {
  name: "IPv6: a pool on ::1, and nodes bound to all addresses that are reached by IPv4",
  ignore: !hasIpv6(),
};
Deno.test(ipv6Test, async () => {
  await withNodes(async (start) => {
    const at = (host: string) => ({ bind: { host, port: freePort() } });
    const [a, b] = [await start("a", at("::1")), await start("b", at("::1"))];
    assertEquals((await a.membership.join([`[::1]:${b.membership.local.port}`])).joined, 1);
    await b.sees("a", "alive");
    const all = at("::");
    const c = await start("c", { ...all, advertise: { host: "127.0.0.1", port: all.bind.port } });
    const d = await start("d");
    await c.join(d.address);
    await until("c pings d", () => c.membership.coordinate("d"), 10_000);
    await until("d pings c", () => d.membership.coordinate("c"), 10_000);
    assertEquals(d.member("c")?.addr, "127.0.0.1");
  });
});

Deno.test("a node that cannot be started says why, and leaves nothing behind", async () => {
  const bind = { host: "127.0.0.1", port: freePort() };
  const config = { name: "n", bind, tags: {} };
  await assertRejects(() => start({ ...config, name: "" }), RangeError, "node name");
  await assertRejects(() => start({ ...config, tags: { x: "y".repeat(600) } }), Error, "512 bytes");
  await assertRejects(() => start({ ...config, encryptionKey: "short" }), Error, "key");
  await assertRejects(() => start({ ...config, bind: { host: "0.0.0.0", port: bind.port } }), RangeError, "advertise");
  const first = await start(config);
  await assertRejects(() => start(config), Error, `cannot listen for gossip on 127.0.0.1:${bind.port}`);
  await first.close();

  async function start(given: Parameters<typeof Membership.start>[0]): Promise<Membership> {
    return await Membership.start(given);
  }
});

Deno.test("events are gathered: the last word of a member, the latest of a name", async () => {
  const told: MembershipEvent[] = [];
  const wait = { periodMs: 1000, quietMs: 30 };
  const coalescer = new Coalescer({ members: wait, users: wait }, (event) => told.push(event));
  const member = (name: string): MemberRecord => ({
    name,
    addr: "1.2.3.4",
    port: 1,
    tags: {},
    status: "alive",
    protocolMin: 1,
    protocolMax: 5,
    protocolCur: 2,
    delegateMin: 2,
    delegateMax: 5,
    delegateCur: 5,
  });
  const happen = (type: "member-join" | "member-failed", name: string) =>
    coalescer.add({ type, members: [member(name)] });
  const fire = (name: string, ltime: bigint, coalesce: boolean) =>
    coalescer.add({ type: "user", name, payload: new Uint8Array(0), ltime, coalesce });
  happen("member-join", "a");
  happen("member-join", "b");
  happen("member-failed", "b");
  fire("x", 2n, true);
  fire("x", 3n, true);
  fire("x", 1n, true);
  fire("y", 1n, false);
  assertEquals(told.map(({ type }) => type), ["user"]);
  await until("they are told", () => told.length === 4 || undefined);
  const summary = () =>
    told.map((event) =>
      "members" in event
        ? `${event.type} ${event.members.map(({ name }) => name)}`
        : event.type === "user"
        ? `${event.name} ${event.ltime}`
        : ""
    );
  assertEquals(summary().toSorted(), ["member-failed b", "member-join a", "x 3", "y 1"]);
  happen("member-failed", "a");
  happen("member-join", "a");
  happen("member-join", "c");
  await until("the last is told", () => told.length === 5 || undefined);
  assertEquals(summary()[4], "member-join c");
  coalescer.close();
});

Deno.test("addresses: what can be joined, and IPv6 as text", () => {
  const cases: [string, string, number][] = [["a", "a", 7946], ["a:1", "a", 1], ["[::1]:2", "::1", 2], [
    "::1",
    "::1",
    7946,
  ], ["n1/1.2.3.4:5", "1.2.3.4", 5]];
  for (const [text, host, port] of cases) assertEquals(splitJoinAddress(text, 7946), { host, port });
  for (const text of ["::", "::1", "2001:db8::1", "fe80::1:2:3:4", "1:2:3:4:5:6:7:8", "1.2.3.4"]) {
    assertEquals(formatIp(parseIp(text) ?? new Uint8Array(0)), text);
  }
  assertEquals(formatIp(parseIp("::ffff:1.2.3.4") ?? new Uint8Array(0)), "1.2.3.4");
  for (const text of ["", "1.2.3", "1.2.3.256", ":::", "1::2::3", "12345::", "g::"]) {
    assertEquals(parseIp(text), undefined);
  }
});

Deno.test("a node knows its own addresses", () => {
  const to = (host: string, port = 8301) => ({ host, port });
  const bound = { local: to("127.0.0.51"), advertise: to("203.0.113.9", 9000) };
  assertEquals([isOwnAddress(to("127.0.0.51"), bound), isOwnAddress(to("203.0.113.9", 9000), bound)], [true, true]);
  for (const other of [to("127.0.0.51", 1), to("127.0.0.52"), to("203.0.113.9"), to("::1")]) {
    assertEquals(isOwnAddress(other, bound), false, other.host);
  }
  const anywhere = { local: to("::"), machine: ["10.0.0.1", "2001:db8::1"] };
  for (const host of ["10.0.0.1", "2001:DB8:0::1", "127.0.0.1", "::1"]) {
    assertEquals([isOwnAddress(to(host), anywhere), isOwnAddress(to(host, 1), anywhere)], [true, false], host);
  }
  assertEquals(isOwnAddress(to("10.0.0.2"), anywhere), false);
});

Deno.test("the log lets so many lines through, and counts the rest", () => {
  const lines: string[] = [];
  const log = new LimitedLog((_, text) => lines.push(text));
  for (let at = 0; at < 1000; at++) log.write("warn", `line ${at}`, 0);
  assertEquals(lines.length, 50);
  log.write("warn", "later", 1000);
  assertEquals(lines.slice(50), ["950 lines were left out", "later"]);
});

Deno.test("the snapshot file stays small and keeps who is alive (K36)", async () => {
  const directory = await Deno.makeTempDir({ prefix: "muster-snapshot-" });
  const errors: unknown[] = [];
  const open = () =>
    new SnapshotFile(directory, { rejoinAfterLeave: false, onError: (error) => errors.push(error), onRecovery() {} });
  try {
    const file = open();
    for (let at = 0; at < 20_000; at++) {
      const name = `node ${at % 50}`;
      if (at % 3 === 0) file.add({ k: "not-alive", name });
      else file.add({ k: "alive", name, address: `10.0.0.1:${1 + at}` });
      if (at % 100 === 0) file.flush();
    }
    file.add({ k: "clocks", clocks: { member: 5n, event: 6n, query: 7n } });
    const { alive } = file.snapshot;
    file.close();
    const path = `${directory}/members.snapshot`;
    assert((await Deno.stat(path)).size < 140_000);
    await Deno.writeTextFile(path, "alive: torn 10.0", { append: true });
    const again = open();
    assertEquals([again.snapshot.alive, again.snapshot.clocks], [alive, { member: 5n, event: 6n, query: 7n }]);
    again.close();
    assertEquals(errors, []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

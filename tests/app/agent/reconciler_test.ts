/** The leader's writes to the catalog for the members that gossip reports (C9.6). */
import { assertEquals } from "@std/assert";
import { catalogWrites } from "../../../src/app/agent/reconciler.ts";
import type { MemberRecord } from "../../../src/drivers/membership/api.ts";

const OWN = { datacenter: "dc1", nodeName: "me" };

function member(name: string, status: MemberRecord["status"], role = "node"): MemberRecord {
  return {
    name,
    addr: "10.0.0.1",
    port: 8301,
    status,
    tags: { role, dc: "dc1", id: `id-${name}`, build: "1.2.3:abc", ...(role === "consul" ? { port: "8300" } : {}) },
    protocolMin: 1,
    protocolMax: 5,
    protocolCur: 2,
    delegateMin: 2,
    delegateMax: 5,
    delegateCur: 4,
  };
}

type Found = Parameters<typeof catalogWrites>[1];
const EMPTY: Found = { nodes: new Map(), services: new Map(), checks: new Map(), members: new Map() };

/** Table and first value of each write. */
function said(writes: ReturnType<typeof catalogWrites>): string[] {
  return writes.map(({ sql, positional }) => {
    const [, verb, table] = /^(INSERT INTO|DELETE FROM) _muster_(\w+)/.exec(sql) ?? [];
    return `${verb === "INSERT INTO" ? "+" : "-"}${table} ${positional[0]}`;
  });
}

/** The catalog after the writes of upserts. */
function after(members: readonly MemberRecord[]): Found {
  const found = { nodes: new Map(), services: new Map(), checks: new Map(), members: new Map() };
  for (const { sql, positional } of catalogWrites(members, EMPTY, OWN)) {
    const [, table, columns] = /^INSERT INTO _muster_(\w+)\(([^)]*)\)/.exec(sql) ?? [];
    const names = columns.split(", ");
    const row = Object.fromEntries(positional.map((value, at) => [names[at], value]));
    found[table as keyof Found].set(String(positional[0]).toLowerCase(), row);
  }
  return found;
}

Deno.test("a server has the address that it has in the pool of all datacenters, and keeps it while that is not known", () => {
  const pool = [member("me", "alive", "consul")];
  const tagged = (writes: ReturnType<typeof catalogWrites>) => {
    const write = writes.find(({ sql }) => sql.startsWith("INSERT INTO _muster_nodes"));
    return write && JSON.parse(String(write.positional.find((value) => String(value).includes('"lan"'))));
  };
  const far = { lan: "10.0.0.1", lan_ipv4: "10.0.0.1", wan: "203.0.113.7", wan_ipv4: "203.0.113.7" };
  const wanAddrs = new Map([["me.dc1", "203.0.113.7"], ["me.dc2", "203.0.113.8"]]);
  assertEquals(tagged(catalogWrites(pool, EMPTY, { ...OWN, wanAddrs })), far);
  const known = {
    ...after(pool),
    nodes: new Map([["me", { address: "10.0.0.1", tagged_addresses: JSON.stringify(far) }]]),
  };
  assertEquals(tagged(catalogWrites(pool, known, OWN)), far);
  const moved = [{ ...pool[0], addr: "10.0.0.2" }];
  assertEquals(tagged(catalogWrites(moved, known, OWN)).wan, "10.0.0.2");
});

Deno.test("a member that is alive is registered with its check, a server with its service too; nothing is written twice", () => {
  const pool = [member("me", "alive", "consul"), member("Two", "alive")];
  assertEquals(said(catalogWrites(pool, EMPTY, OWN)), [
    "+members me",
    "+nodes me",
    "+services me",
    "+checks me",
    "+members Two",
    "+nodes Two",
    "+checks Two",
  ]);
  assertEquals(catalogWrites(pool, after(pool), OWN), []);
});

Deno.test("a member that failed keeps its place with a critical check; one that left or is unknown goes; others stay", () => {
  const before = after([
    member("me", "alive", "consul"),
    member("two", "alive"),
    member("three", "alive"),
    member("four", "alive"),
  ]);
  const byHand = { name: "external" };
  const found: Found = { ...before, nodes: new Map([...before.nodes, ["external", byHand]]) };
  const pool = [member("me", "alive", "consul"), member("two", "failed"), member("three", "left")];
  const writes = catalogWrites(pool, found, OWN);
  assertEquals(said(writes), [
    "+members two",
    "+checks two",
    "+members three",
    "-services three",
    "-checks three",
    "-nodes three",
    "-services four",
    "-checks four",
    "-nodes four",
    "-members four",
  ]);
  assertEquals(writes[1].positional.includes("critical"), true);
});

Deno.test("the leader never deregisters itself", () => {
  const before = after([member("me", "alive", "consul")]);
  assertEquals(said(catalogWrites([member("me", "left", "consul")], before, OWN)), ["+members me"]);
});

Deno.test("of two members whose names differ in case alone, one that is up has the name, and keeps it", () => {
  const [first, second] = [member("A_b", "alive"), member("a_B", "alive")];
  const before = after([first, second]);
  assertEquals([...before.nodes.values()].map(({ name }) => name), ["A_b"]);
  assertEquals(catalogWrites([second, first], before, OWN), []);
  const writes = catalogWrites([member("A_b", "failed"), second], before, OWN);
  assertEquals(said(writes).slice(0, 2), ["+members a_B", "+nodes a_B"]);
});

Deno.test("a server that comes back as a client loses its service, and no other one", () => {
  const before = after([member("me", "alive", "consul"), member("Two", "alive", "consul")]);
  const pool = [member("me", "alive", "consul"), member("two", "alive")];
  const writes = catalogWrites(pool, before, OWN).filter(({ sql }) => sql.includes("_services"));
  assertEquals([said(writes), writes[0].positional], [["-services Two"], ["Two", "consul"]]);
  const byHand = new Map([["two", { node: "two", id: "consul", name: "bridge" }]]);
  const found = { ...after(pool), services: new Map([...after(pool).services, ...byHand]) };
  assertEquals(catalogWrites(pool, found, OWN), []);
});

/**
 * The leader and its address as HTTP learns them, also when the leader moves or its address becomes known after the
 * election.
 */
import { assert, assertEquals } from "@std/assert";
import type { LeaderInfo } from "../../../src/drivers/replica/api.ts";
import { KnownLeader } from "../../../src/drivers/cluster/known_leader.ts";

const SELF = { id: "1", addr: "127.0.0.1:1", apiUrl: "http://127.0.0.1:11" };

/** A node that knows addresses as the maps say, and what it told. */
function knows(): { leader: KnownLeader; addrs: Map<string, string>; urls: Map<string, string>; told: unknown[] } {
  const addrs = new Map<string, string>();
  const urls = new Map<string, string>();
  const told: (LeaderInfo | null)[] = [];
  const leader = new KnownLeader({
    self: SELF,
    addrOf: (id) => addrs.get(id),
    apiUrlOf: (id) => urls.get(id),
    takesProposals: () => false,
    tell: (info) => void told.push(info),
  });
  return { leader, addrs, urls, told };
}

Deno.test("KnownLeader tells of a leader that is taken for one before its new address is known", () => {
  const { leader, addrs, urls, told } = knows();
  addrs.set("2", "127.0.0.2:1");
  assert(leader.set("2"));
  addrs.set("2", "127.0.0.12:1");
  leader.update();
  urls.set("2", "http://127.0.0.12:11");
  leader.update();
  leader.update();
  assertEquals(told, [
    { id: "2", addr: "127.0.0.2:1", apiUrl: "" },
    { id: "2", addr: "127.0.0.12:1", apiUrl: "" },
    { id: "2", addr: "127.0.0.12:1", apiUrl: "http://127.0.0.12:11" },
  ]);
  assertEquals(leader.info, told[2]);
});

Deno.test("KnownLeader tells of nobody while the leader's address is unknown, and counts who leads", () => {
  const { leader, addrs, told } = knows();
  assert(leader.set("3"));
  assertEquals([leader.id, leader.info], ["3", null]);
  addrs.set("3", "127.0.0.3:1");
  leader.update();
  assert(leader.set(null));
  assert(!leader.set(null));
  assert(leader.set("1"));
  assertEquals(told, [{ id: "3", addr: "127.0.0.3:1", apiUrl: "" }, null, SELF]);
  assertEquals(leader.changes, 3);
});

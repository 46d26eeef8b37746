/** A node notices that it was taken out: what is committed counts, and what happened while it was down is not told again. */
import { assertEquals } from "@std/assert";
import { Removal } from "../../../src/drivers/cluster/removal.ts";

const SELF = { nodeId: "1", storageId: "s1" };

function membership(at: number, disks: Readonly<Record<string, string>>, { commit = at, isRemoved = false } = {}) {
  const members = Object.entries(disks).map(([id, storageId]) => ({
    id,
    storageId,
    addr: "h:1",
    role: "voter" as const,
  }));
  return { config: { clusterId: "c", at, members }, commit, isRemoved };
}

Deno.test("a removal is told once, when it is committed, and again when the node was taken in meanwhile", () => {
  const removal = new Removal(SELF);
  removal.placed();
  const look = (...args: Parameters<typeof membership>) => [removal.isNew(membership(...args)), removal.isOut];
  assertEquals(look(5, { 1: "s1", 2: "s2" }), [false, false]);
  assertEquals(look(6, { 2: "s2" }, { commit: 5 }), [false, false], "it may be taken back");
  assertEquals(look(6, { 2: "s2" }), [true, true]);
  assertEquals(look(6, { 2: "s2" }, { commit: 9 }), [false, true]);
  assertEquals(look(10, { 1: "s1", 2: "s2" }), [false, false]);
  assertEquals(look(10, { 1: "s1", 2: "s2" }, { isRemoved: true }), [true, true], "another node says so");
  assertEquals(look(11, { 1: "s9", 2: "s2" }), [false, true], "another data directory has its id");
});

Deno.test("a new node that catches up has not been removed, and neither is one told of what it missed", () => {
  const fresh = new Removal(SELF);
  fresh.placed();
  assertEquals(fresh.isNew(membership(3, { 2: "s2" }, { commit: 4 })), false);
  assertEquals(fresh.isOut, false);
  const returned = new Removal(SELF);
  assertEquals(returned.isNew(membership(3, { 1: "s1" })), false);
  assertEquals(returned.isNew(membership(4, { 2: "s2" })), false);
  assertEquals([returned.isOut, returned.isOutOf(membership(4, { 2: "s2" }))], [true, true]);
});

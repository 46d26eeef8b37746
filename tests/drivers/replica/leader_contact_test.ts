import { assertEquals } from "@std/assert";
import type { Message } from "../../../src/core/raft/message.ts";
import { LeaderContact } from "../../../src/drivers/replica/leader_contact.ts";

const TICK_MS = 100;
const PEERS = { from: "b", to: "a", round: 1 };

const append = (term: number, commit: number): Message[] => [
  { k: "appendEntries", ...PEERS, term, prev: { index: 0, term: 0 }, entries: [], commit },
];
const heartbeat = (term: number, index: number): Message[] => [
  { k: "heartbeat", ...PEERS, term, commit: { index, term } },
];

Deno.test("LeaderContact counts what the leader says once this node has committed as much", () => {
  const contact = new LeaderContact(TICK_MS, 1000);
  assertEquals(contact.committed(3, 7), undefined, "nothing heard");
  contact.heard(append(3, 9), 1010);
  assertEquals(contact.committed(3, 8), undefined, "behind");
  contact.heard(append(3, 20), 1020);
  assertEquals(contact.committed(3, 9), 1010, "as old as the word that it has caught up with");
  contact.heard(heartbeat(3, 9), 1030);
  assertEquals(contact.committed(3, 9), 1030);
  assertEquals(contact.committed(3, 9), undefined, "no newer one");
});

Deno.test("LeaderContact counts no message of another term, nor one that is no leader's", () => {
  const contact = new LeaderContact(TICK_MS, 1000);
  contact.heard(append(3, 9), 1010);
  assertEquals(contact.committed(4, 9), undefined, "of a term that has passed");
  contact.heard(append(4, 9), 1020);
  assertEquals(contact.committed(3, 9), undefined, "of a term not heard of yet");
  assertEquals(contact.committed(4, 9), 1020);
  contact.heard([{ k: "preVote", from: "b", to: "a", term: 4, last: { index: 9, term: 4 } }], 1030);
  assertEquals(contact.committed(4, 9), undefined);
});

Deno.test("LeaderContact takes what comes right after a suspension for old", () => {
  const contact = new LeaderContact(TICK_MS, 1000);
  contact.ticked(1100);
  contact.heard(append(3, 9), 9000);
  assertEquals(contact.committed(3, 9), undefined, "read before the first tick");
  contact.ticked(9010);
  contact.heard(append(3, 9), 9020);
  assertEquals(contact.committed(3, 9), undefined, "read after it");
  contact.ticked(9110);
  contact.heard(append(3, 9), 9120);
  assertEquals(contact.committed(3, 9), 9120);
});

Deno.test("LeaderContact goes on after the wall clock was set back", () => {
  const contact = new LeaderContact(TICK_MS, 9000);
  contact.ticked(1000);
  contact.heard(append(3, 9), 1010);
  assertEquals(contact.committed(3, 9), undefined);
  contact.ticked(1100);
  contact.heard(append(3, 9), 1110);
  assertEquals(contact.committed(3, 9), 1110);
});

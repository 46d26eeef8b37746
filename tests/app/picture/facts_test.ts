/** What a node says of itself for the picture of the cluster. */
import { assertEquals } from "@std/assert";
import { factsTeller, type PictureOperationsParts } from "../../../src/app/picture/picture_operations.ts";
import { Activity, ACTIVITY_BYTES } from "../../../src/base/shared/activity.ts";
import { NODE_STATE_BYTES, NodeState } from "../../../src/base/shared/node_state.ts";

const DIFFERING = { index: 7, nodes: ["2"] };

/** A node that is ready, and counts how often its replica is asked. */
function node(answer: () => Promise<typeof DIFFERING | null> = () => Promise.resolve(DIFFERING)) {
  const state = new NodeState(new SharedArrayBuffer(NODE_STATE_BYTES));
  const activity = new Activity(new SharedArrayBuffer(8 + ACTIVITY_BYTES), 8);
  state.ready = true;
  let asked = 0;
  const replica = { leader: null, leaderSinceMs: 5, call: () => (asked++, answer()) };
  const options = {
    nodeId: "1",
    programVersion: "1",
    advertisedAddr: "a:1",
    bindAddrs: [],
    tlsAddrs: [],
    startedMs: 0,
  };
  const parts = {
    state,
    activity,
    // deno-lint-ignore no-explicit-any -- of the many methods, one is asked for
    replica: replica as any as PictureOperationsParts["replica"],
    agent: undefined,
    expiry: { http: undefined, node: undefined },
    options,
    disk: () => Promise.resolve({ usedBytes: 1 }),
    picture: () => Promise.reject(new Error("not asked for")),
  };
  return { state, activity, tell: factsTeller(parts), asked: () => asked };
}

Deno.test("the leader tells of replicas that differ; another node does not ask", async () => {
  const { state, tell, asked } = node();
  assertEquals([(await tell()).differing, asked()], [undefined, 0]);
  state.role = "leader";
  assertEquals([(await tell()).differing, asked()], [DIFFERING, 1]);
});

Deno.test("a replica that does not answer leaves the other facts as they are", async () => {
  for (const answer of [() => Promise.reject(new Error("closed")), () => new Promise<null>(() => {})]) {
    const { state, tell } = node(answer);
    state.role = "leader";
    const { differing, isLeader } = await tell();
    assertEquals([differing, isLeader], [undefined, true]);
  }
});

Deno.test("what the database works on is told when committed entries wait for it too long", async () => {
  const { state, activity, tell } = node();
  activity.begin("entries", 12);
  state.waitingSinceMs = Date.now() - 1000;
  assertEquals((await tell()).busyWith, undefined);
  state.waitingSinceMs = Date.now() - 60_000;
  const { busyWith, fault } = await tell();
  assertEquals([busyWith, fault?.startsWith("a committed entry has waited for 60 s")], [{ index: 12, steps: 0 }, true]);
  activity.end();
  assertEquals((await tell()).busyWith, undefined);
});

/** Reads that a node may answer without asking other nodes, and states in which its store is not ready. */
import { assertEquals } from "@std/assert";
import { isConfirmedLeader, isFresh } from "../../../src/app/database/freshness.ts";
import { storeFault } from "../../../src/api/rqlite/nodes.ts";
import { NODE_STATE_BYTES, NodeState } from "../../../src/base/shared/node_state.ts";

const OPTIONS = { heartbeatTimeoutMs: 1000 };
const LONG_MS = 60_000;

function nodeState(role: "leader" | "follower"): NodeState {
  const state = new NodeState(new SharedArrayBuffer(NODE_STATE_BYTES));
  state.role = role;
  state.term = state.appliedTerm = 3;
  state.commit = state.applied = 7;
  return state;
}

Deno.test("isFresh() asks a follower for its contact with the leader, a leader for the last word of a majority", () => {
  const [leader, follower] = [nodeState("leader"), nodeState("follower")];
  leader.leaderContactMs = follower.confirmedMs = Date.now(); // of no matter
  const bound = { limitMs: LONG_MS, isStrict: false };
  for (const state of [leader, follower]) assertEquals(isFresh({ state }, bound), false, "never");
  for (const state of [leader, follower]) assertEquals(isFresh({ state }, { ...bound, limitMs: Infinity }), false);
  leader.confirmedMs = follower.leaderContactMs = Date.now() - LONG_MS / 2;
  for (const state of [leader, follower]) assertEquals(isFresh({ state }, bound), true);
  for (const state of [leader, follower]) assertEquals(isFresh({ state }, { ...bound, limitMs: 100 }), false);
  leader.confirmedMs = follower.leaderContactMs = Date.now() + 2 * LONG_MS;
  for (const state of [leader, follower]) assertEquals(isFresh({ state }, bound), false, "the clock was set back");
  for (const state of [leader, follower]) assertEquals(isFresh({ state }, { ...bound, limitMs: 0 }), true, "no bound");
  leader.confirmedMs = Infinity;
  assertEquals(isFresh({ state: leader }, { limitMs: 1e-6, isStrict: true }), true, "it is a majority by itself");
});

Deno.test("isFresh() with a strict bound counts what is committed and not applied", () => {
  const state = nodeState("follower");
  state.leaderContactMs = Date.now();
  state.commit++;
  state.leaderAppendedMs = Date.now() - 2 * LONG_MS;
  assertEquals(isFresh({ state }, { limitMs: LONG_MS, isStrict: false }), true);
  assertEquals(isFresh({ state }, { limitMs: LONG_MS, isStrict: true }), false);
  assertEquals(isFresh({ state }, { limitMs: 3 * LONG_MS, isStrict: true }), true);
  state.applied++;
  assertEquals(isFresh({ state }, { limitMs: LONG_MS, isStrict: true }), true);
});

Deno.test("isConfirmedLeader() wants a recent word of a majority, and all that was committed before the term", () => {
  const state = nodeState("leader");
  assertEquals(isConfirmedLeader({ state, options: OPTIONS }), false);
  state.confirmedMs = Date.now();
  assertEquals(isConfirmedLeader({ state, options: OPTIONS }), true);
  state.appliedTerm = 2;
  assertEquals(isConfirmedLeader({ state, options: OPTIONS }), false);
  state.appliedTerm = 3;
  state.confirmedMs = Date.now() - 1500;
  assertEquals(isConfirmedLeader({ state, options: OPTIONS }), false);
  state.confirmedMs = Infinity;
  assertEquals(isConfirmedLeader({ state, options: OPTIONS }), true);
});

Deno.test("storeFault() says how many committed entries wait, and since when, once that is long", () => {
  const state = nodeState("leader");
  assertEquals(storeFault(state, 100_000), "");
  state.ready = true;
  assertEquals(storeFault(state, 100_000), undefined);
  state.waitingSinceMs = 90_000;
  state.commit = 10;
  assertEquals(storeFault(state, 95_000), undefined);
  assertEquals(
    storeFault(state, 97_000),
    ": 3 committed entries wait to be applied, the first since 1970-01-01T00:01:30.000Z (7s)",
  );
  state.commit = 8;
  assertEquals(
    storeFault(state, 97_000),
    ": 1 committed entry waits to be applied, the first since 1970-01-01T00:01:30.000Z (7s)",
  );
});

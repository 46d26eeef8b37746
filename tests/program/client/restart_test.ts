/** When a child is started again, how soon, and how often. */
import { assertEquals } from "@std/assert";
import { nextAfter, type RestartPolicy, STEADY_MS } from "../../../src/program/client/restart.ts";

const POLICY: RestartPolicy = { reason: "on-failure", delayMs: 1000, limit: 0 };
const CRASH = { isFailure: true, ranMs: 10, row: 0 };

/** The pauses of a child that fails at once, until there is none. */
function pauses(policy: RestartPolicy, most: number): number[] {
  const found: number[] = [];
  for (let row = 0; found.length < most;) {
    const next = nextAfter({ ...CRASH, row }, policy);
    if (next.k === "over") break;
    found.push(next.delayMs);
    row = next.row;
  }
  return found;
}

Deno.test("nextAfter() restarts for the reasons of the policy", () => {
  const decided = (reason: RestartPolicy["reason"], isFailure: boolean) =>
    nextAfter({ ...CRASH, isFailure }, { ...POLICY, reason }).k;
  assertEquals([decided("never", true), decided("never", false)], ["over", "over"]);
  assertEquals([decided("on-failure", true), decided("on-failure", false)], ["restart", "over"]);
  assertEquals([decided("always", true), decided("always", false)], ["restart", "restart"]);
});

Deno.test("nextAfter() doubles the pause up to 30 s, or to the first one where that is longer", () => {
  assertEquals(pauses(POLICY, 7), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  assertEquals(pauses({ ...POLICY, delayMs: 60_000 }, 3), [60_000, 60_000, 60_000]);
  assertEquals(nextAfter({ ...CRASH, row: 5000 }, POLICY), { k: "restart", delayMs: 30_000, row: 5001 });
});

Deno.test("nextAfter() ends a row of too many restarts, and begins a new one after a child that ran for a minute", () => {
  const policy = { ...POLICY, limit: 3 };
  assertEquals(pauses(policy, 10), [1000, 2000, 4000]);
  assertEquals(nextAfter({ ...CRASH, row: 3 }, policy), { k: "over", isLimit: true });
  assertEquals(nextAfter({ ...CRASH, row: 3, ranMs: STEADY_MS }, policy), { k: "restart", delayMs: 1000, row: 1 });
});

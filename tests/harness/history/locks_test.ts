/**
 * The checker of locks: hand-made histories, right and wrong.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { checkLocks, type Holding, type LockAnswer, type LockOperation, type LockRequest } from "./locks.ts";

const OPTIONS = { delay: 100, slack: 10 };

type Time = readonly [from: number, to: number];

function operation(kind: LockRequest["kind"], session: string, [from, to]: Time, answer: LockAnswer): LockOperation {
  const request = { key: 1, kind, session };
  return { process: 1, invokedAt: from, returnedAt: to, request, outcome: "done", answer };
}

const acquire = (session: string, time: Time, answer = true) => operation("acquire", session, time, answer);
const release = (session: string, time: Time, answer = true) => operation("release", session, time, answer);
const destroy = (session: string, time: Time) => operation("destroy", session, time, true);
const lookup = (time: Time, holding: Holding) => operation("lookup", "", time, holding);
const held = (session: string, token: number): Holding => ({ session, token });
const unknown = ({ answer: _, ...rest }: LockOperation): LockOperation => ({
  ...rest,
  outcome: "unknown",
  returnedAt: Infinity,
});
const otherKey = (one: LockOperation): LockOperation => ({ ...one, request: { ...one.request, key: 2 } });

const RIGHT: Readonly<Record<string, readonly LockOperation[]>> = {
  "one after the other": [
    acquire("a", [1, 2]),
    lookup([3, 4], held("a", 1)),
    acquire("b", [4, 5], false),
    release("a", [6, 7]),
    acquire("b", [7, 9]),
    lookup([10, 11], held("b", 2)),
    release("b", [12, 13]),
  ],
  "acquired while the release is under way": [
    acquire("a", [1, 2]),
    release("a", [3, 8]),
    acquire("b", [4, 5]),
    release("b", [9, 10]),
  ],
  "after the delay": [acquire("a", [1, 2]), destroy("a", [3, 4]), acquire("b", [5, 102])],
  "a release that may have taken place": [
    acquire("a", [1, 2]),
    unknown(release("a", [3, 4])),
    acquire("b", [6, 7]),
    lookup([8, 9], held("b", 2)),
  ],
  "two keys": [acquire("a", [1, 2]), otherKey(acquire("b", [3, 4])), release("a", [5, 6])],
  "lost without the holder's knowledge": [
    acquire("a", [1, 2]),
    acquire("b", [150, 151]),
    release("a", [152, 153], false),
  ],
};

const WRONG: Readonly<Record<string, readonly [RegExp, readonly LockOperation[]]>> = {
  "two holders": [
    /two sessions held one key/,
    [acquire("a", [1, 2]), acquire("b", [1, 4]), release("a", [6, 7]), release("b", [8, 9])],
  ],
  "an acquisition while another holds": [
    /another answer while a session held the key/,
    [acquire("a", [1, 2]), acquire("b", [3, 4]), release("a", [5, 6])],
  ],
  "nobody named while one holds": [
    /another answer while a session held the key/,
    [acquire("a", [1, 2]), lookup([3, 4], { session: null, token: 1 }), release("a", [5, 6])],
  ],
  "a token twice": [
    /higher token/,
    [
      acquire("a", [1, 2]),
      lookup([3, 4], held("a", 1)),
      release("a", [5, 6]),
      acquire("b", [7, 8]),
      lookup([9, 10], held("b", 1)),
      release("b", [11, 12]),
    ],
  ],
  "a token that changes": [
    /several tokens/,
    [acquire("a", [1, 2]), lookup([3, 4], held("a", 1)), lookup([5, 6], held("a", 2))],
  ],
  "too early after a session's end": [
    /within the lock delay/,
    [acquire("a", [1, 2]), lookup([3, 4], held("a", 1)), destroy("a", [5, 6]), acquire("b", [7, 92])],
  ],
};

Deno.test("checkLocks() accepts what a lock does", () => {
  for (const [name, operations] of Object.entries(RIGHT)) {
    assertEquals(checkLocks(operations, OPTIONS).faults, [], name);
  }
});

Deno.test("checkLocks() rejects what no lock does", () => {
  for (const [name, [pattern, operations]] of Object.entries(WRONG)) {
    const { faults } = checkLocks(operations, OPTIONS);
    assertEquals(faults.length > 0, true, name);
    assertMatch(faults.join("\n"), pattern, name);
  }
});

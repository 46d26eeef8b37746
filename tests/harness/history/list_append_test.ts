/**
 * The checker of transactions: hand-made histories, and random ones beside a search through all orders.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { generate, hasOrder, type Model } from "./brute_force.ts";
import { RIGHT_LISTS, WRONG_LISTS } from "./canned.ts";
import {
  checkListAppend,
  explainAnomaly,
  type Micro,
  type Transaction,
  type TransactionAnswer,
} from "./list_append.ts";

type Lists = Readonly<Record<number, readonly number[]>>;

const MODEL: Model<readonly Micro[], TransactionAnswer, Lists> = {
  initial: {},
  apply: (state, request) => {
    let next = state;
    const answer: (readonly number[])[] = [];
    for (const micro of request) {
      const list = next[micro.key] ?? [];
      if (micro.kind === "read") answer.push(list);
      else next = { ...next, [micro.key]: [...list, micro.element] };
    }
    return { answer, next };
  },
};
const KEYS = [1, 2];

/** Transactions of one to three steps on two lists, with elements of their own. */
function requests(): (number: number) => Micro[] {
  let element = 0;
  return (number) =>
    Array.from({ length: 1 + number % 3 }, (_, at) => {
      const bits = number >> (2 + 2 * at);
      const key = KEYS[bits & 1];
      return bits & 2 ? { kind: "append", key, element: ++element } : { kind: "read", key };
    });
}

/** All lists read once more at the end. */
function withLastRead(transactions: readonly Transaction[]): Transaction[] {
  const lists: Record<number, number[]> = { 1: [], 2: [] };
  // Longest of what was read, then what else took place: any state that the last read may have had will do.
  for (const { request, answer } of transactions) {
    let reads = 0;
    for (const micro of request) {
      const read = micro.kind === "read" ? answer?.[reads++] : undefined;
      if (read && read.length > lists[micro.key].length) lists[micro.key] = [...read];
    }
  }
  for (const { request, outcome } of transactions) {
    for (const micro of request) {
      if (micro.kind !== "append" || outcome !== "done" || lists[micro.key].includes(micro.element)) continue;
      lists[micro.key].push(micro.element);
    }
  }
  const end = Math.max(0, ...transactions.map(({ returnedAt, invokedAt }) => Math.min(returnedAt, invokedAt + 1e6)));
  const request: Micro[] = KEYS.map((key) => ({ kind: "read", key }));
  return [...transactions, {
    process: 99,
    invokedAt: end + 1,
    returnedAt: end + 2,
    request,
    outcome: "done",
    answer: [lists[1], lists[2]],
  }];
}

/** The history with a read that lacks its last elements, has one more, or two in another order. */
function mutated(transactions: readonly Transaction[], number: number): Transaction[] {
  const at = number % transactions.length;
  const { answer = [] } = transactions[at];
  const which = Math.floor(number / 8) % Math.max(1, answer.length);
  const change = (list: readonly number[]): readonly number[] =>
    [list.slice(0, -1), [...list, 1 + number % 5], list.toReversed(), list.slice(1)][Math.floor(number / 64) % 4];
  return transactions.map((one, place) =>
    place === at && answer.length > 0
      ? { ...one, answer: answer.map((list, read) => read === which ? change(list) : list) }
      : one
  );
}

Deno.test("list-append: what a serial database does is accepted", () => {
  for (const { name, operations } of RIGHT_LISTS) assertEquals(checkListAppend(operations), [], name);
});

Deno.test("list-append: what none does is rejected by its name", () => {
  for (const { name, kind, operations } of WRONG_LISTS) {
    const kinds = checkListAppend(operations).map((anomaly) => anomaly.kind);
    assert(kinds.includes(kind), `${name}: ${kinds}`);
  }
});

Deno.test("list-append: a cycle is shown with its edges and transactions", () => {
  const half = WRONG_LISTS.find(({ name }) => name === "a cycle of two: half of a transaction");
  const [anomaly] = checkListAppend(half?.operations ?? []);
  assertEquals(
    explainAnomaly(anomaly),
    `G-single: T1 appended 1 to 1, read by T2, T2 read 2 before an append of T1
  process 1: {append 1: 1, append 2: 2} done [1.000, 9.000]
  process 2: {read 1: [1], read 2: []} done [1.000, 9.000]`,
  );
});

Deno.test("list-append: random right histories are accepted, with one read changed as all orders say", () => {
  let rejected = 0;
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 3 * 4096 }), { minLength: 6, maxLength: 18 }),
      fc.nat({ max: 100_000 }),
      (moves, number) => {
        const transactions = generate(moves, MODEL, requests());
        assertEquals(checkListAppend(transactions), []);
        if (transactions.length === 0) return;
        const changed = mutated(transactions, number);
        const isRight = hasOrder(changed, MODEL);
        if (isRight) assertEquals(checkListAppend(changed), [], "no false alarm");
        const complete = withLastRead(changed);
        const isRightToTheEnd = hasOrder(complete, MODEL);
        if (!isRightToTheEnd) rejected++;
        assertEquals(checkListAppend(complete).length === 0, isRightToTheEnd);
      },
    ),
    { numRuns: 3000 },
  );
  assert(rejected > 100, `${rejected} wrong histories`);
});

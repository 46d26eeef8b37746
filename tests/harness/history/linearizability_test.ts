/**
 * The checker of linearizability: hand-made histories, and random ones beside a search through all orders.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { generate, hasOrder, type Model } from "./brute_force.ts";
import { RIGHT_REGISTERS, WRONG_REGISTERS } from "./canned.ts";
import { checkLinearizability, explainViolation } from "./linearizability.ts";
import {
  applyRegister,
  type Content,
  type RegisterAnswer,
  type RegisterOperation,
  type RegisterRequest,
} from "./register.ts";

const MODEL: Model<RegisterRequest, RegisterAnswer, Content> = { initial: null, apply: applyRegister };
const VALUES = ["a", "b", "c"];

function requestOf(number: number): RegisterRequest {
  const value = VALUES[Math.floor(number / 4) % 3];
  const expected = VALUES[Math.floor(number / 12) % 3];
  return ([
    { key: 1, kind: "read" },
    { key: 1, kind: "write", value },
    { key: 1, kind: "cas", expected, value },
    { key: 1, kind: "append", value },
  ] as const)[number % 4];
}

/** The history with another answer at one place; undefined when that one has no other. */
function mutated(operations: readonly RegisterOperation[], number: number): RegisterOperation[] | undefined {
  const at = number % operations.length;
  const { request, outcome, answer } = operations[at];
  if (outcome !== "done" || (request.kind !== "read" && request.kind !== "cas")) return undefined;
  const contents: readonly Content[] = [null, ...VALUES, "ab", "ba"];
  const other = request.kind === "cas" ? !answer : contents[Math.floor(number / operations.length) % contents.length];
  return operations.map((operation, place) => place === at ? { ...operation, answer: other } : operation);
}

Deno.test("linearizability: what a register does is accepted", () => {
  for (const { name, operations } of RIGHT_REGISTERS) {
    const { violations, undecided } = checkLinearizability(operations);
    assertEquals([violations, undecided], [[], []], name);
  }
});

Deno.test("linearizability: what no register does is rejected", () => {
  for (const { name, operations } of WRONG_REGISTERS) {
    assertEquals(checkLinearizability(operations).violations.length, 1, name);
  }
});

Deno.test("linearizability: a violation is explained by what fits and what does not", () => {
  const stale = WRONG_REGISTERS.find(({ name }) => name === "stale read");
  const [violation] = checkLinearizability(stale?.operations ?? []).violations;
  assertEquals(
    explainViolation(violation),
    `key 1 is not linearizable. The longest order that fits:
  process 1: key 1 write "a" = true [1.000, 2.000]
  process 1: key 1 write "b" = true [3.000, 4.000]
  leads to "b"; after it there is no place for
  process 2: key 1 read = "a" [5.000, 6.000]`,
  );
});

Deno.test("linearizability: a search that is too long is undecided, not wrong", () => {
  const [{ operations }] = WRONG_REGISTERS;
  assertEquals(checkLinearizability(operations, 2), { keys: 1, violations: [], undecided: [1] });
});

Deno.test("linearizability: random right histories are accepted, with one answer changed as all orders say", () => {
  let rejected = 0;
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 3 * 36 * 16 }), { minLength: 6, maxLength: 21 }),
      fc.nat({ max: 10_000 }),
      (moves, number) => {
        const operations = generate(moves, MODEL, requestOf);
        assertEquals(checkLinearizability(operations).violations, []);
        const changed = mutated(operations, number);
        if (changed === undefined) return;
        const isRight = hasOrder(changed, MODEL);
        if (!isRight) rejected++;
        assertEquals(checkLinearizability(changed).violations.length, isRight ? 0 : 1);
      },
    ),
    { numRuns: 3000 },
  );
  assert(rejected > 100, `${rejected} wrong histories`);
});

Deno.test("linearizability: 500 operations of ten clients with some of unknown outcome are decided", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3 * 36 * 16 }), { minLength: 1400, maxLength: 1500 }), (moves) => {
      const { violations, undecided } = checkLinearizability(generate(moves, MODEL, requestOf));
      assertEquals([violations, undecided], [[], []]);
    }),
    { numRuns: 10 },
  );
});

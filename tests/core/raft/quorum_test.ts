import { assertEquals } from "@std/assert";
import { majority, quorumValue } from "../../../src/core/raft/quorum.ts";
import { Random } from "../../harness/random.ts";

Deno.test("quorumValue() is the largest value that a majority has reached", () => {
  for (let seed = 1; seed <= 2000; seed++) {
    const random = new Random(seed);
    const values = Array.from({ length: random.between(1, 9) }, () => random.below(12));
    const reached = (value: number): number => values.filter((each) => each >= value).length;
    const candidates = [0, ...values].filter((value) => reached(value) >= majority(values.length));
    assertEquals(quorumValue(values.slice()), Math.max(...candidates), `seed ${seed}: ${values}`);
  }
});

Deno.test("quorumValue() is 0 when there are no voters", () => {
  assertEquals(quorumValue([]), 0);
});

Deno.test("majority() of any two sets of the same voters overlaps", () => {
  for (let voters = 1; voters <= 9; voters++) assertEquals(2 * majority(voters) > voters, true, `${voters} voters`);
});

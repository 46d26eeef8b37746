/**
 * The log as a witness.
 */
import { assert, assertEquals } from "@std/assert";
import { RIGHT_WITNESS, WRONG_WITNESS } from "./canned.ts";
import { checkLogWitness } from "./log_witness.ts";

Deno.test("log witness: answers that agree with their indexes are accepted", () => {
  for (const { name, operations } of RIGHT_WITNESS) assertEquals(checkLogWitness(operations).faults, [], name);
  assertEquals(checkLogWitness(RIGHT_WITNESS[2].operations), { compared: 1, skipped: 3, faults: [] });
});

Deno.test("log witness: answers that do not are rejected, with the operations", () => {
  for (const { name, operations } of WRONG_WITNESS) {
    const { faults } = checkLogWitness(operations);
    assert(faults.length === 1 && faults[0].includes("process"), `${name}: ${faults}`);
  }
});

/**
 * Which errors end the process with exit code 3, so that nothing starts it again before somebody has looked.
 */
import { assert } from "@std/assert";
import { InvariantError } from "../../../src/invariant.ts";
import { LostEntriesError } from "../../../src/core/raft/lost_entries.ts";
import { isDamage } from "../../../src/drivers/replica/damage.ts";
import { LogDamageError } from "../../../src/drivers/log/recovery.ts";

Deno.test("isDamage() holds for a damaged log and for one that is an older copy of itself (B3)", () => {
  assert(isDamage(new LogDamageError("the log is damaged")));
  assert(isDamage(LostEntriesError.ofEntry(5, 4)));
});

Deno.test("isDamage() does not hold for what a new start may mend", () => {
  assert(!isDamage(new InvariantError("two leaders in one term (E11)")));
  assert(!isDamage(new Error("no space left")));
});

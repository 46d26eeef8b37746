import { assert, assertEquals } from "@std/assert";
import { Log } from "../../../src/core/raft/log.ts";
import type { Entry } from "../../../src/core/raft/message.ts";
import { Random } from "../../harness/random.ts";

/** A log with the given terms, and the rest of what storage would know. */
function logOf(terms: readonly number[], base = { index: 0, term: 0 }): Log {
  const runs: { first: number; term: number }[] = [];
  terms.forEach((term, at) => {
    if (runs.at(-1)?.term !== term) runs.push({ first: base.index + at + 1, term });
  });
  return new Log({
    id: "a",
    hard: { term: 99, vote: null },
    base,
    last: { index: base.index + terms.length, term: terms.at(-1) ?? base.term },
    terms: runs,
    bytesOf: () => 1,
    configs: [],
    commit: base.index,
    applied: base.index,
  });
}

function entry(index: number, term: number, bytes = 1): Entry {
  return { index, term, kind: "command", body: new Uint8Array(bytes) };
}

function risingTerms(random: Random, length: number, first = 1): number[] {
  let term = first;
  return Array.from({ length }, () => term += random.chance(0.4) ? random.between(1, 3) : 0);
}

Deno.test("Log answers as an array of entries when entries come and go", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const model = risingTerms(random, random.below(6)).map((term, at) => entry(at + 1, term));
    const disk = model.slice();
    const log = logOf(model.map(({ term }) => term));
    for (let step = 0; step < 60; step++) {
      const choice = random.below(4);
      if (choice === 0 && model.length > 0) {
        const from = random.between(1, model.length);
        log.truncate(from);
        model.length = from - 1;
      } else if (choice === 1) {
        const { truncateFrom, append } = log.takeUnsaved();
        assert(truncateFrom === undefined || truncateFrom <= disk.length, `seed ${seed}: truncates what is not there`);
        if (truncateFrom !== undefined) disk.length = truncateFrom - 1;
        disk.push(...append);
        assertEquals(disk, model, `seed ${seed}, step ${step}: the writes do not add up to the log (O7)`);
      } else {
        const term = (model.at(-1)?.term ?? 1) + (random.chance(0.3) ? 1 : 0);
        const added = entry(model.length + 1, term, random.below(9));
        model.push(added);
        log.append(added);
      }
      assertEquals(log.last, model.length, `seed ${seed}, step ${step}`);
      assertEquals(log.termAt(0), 0);
      assertEquals(log.termAt(model.length + 1), undefined);
      for (const { index, term } of model) assertEquals(log.termAt(index), term, `seed ${seed}, index ${index}`);
    }
  }
});

Deno.test("Log.lastIndexAtMost() is the largest index at or below the given one whose term is not higher", () => {
  for (let seed = 1; seed <= 1000; seed++) {
    const random = new Random(seed);
    const terms = risingTerms(random, random.below(12));
    const log = logOf(terms);
    const index = random.below(15);
    const term = random.below(20);
    let expected = Math.min(index, terms.length);
    while (expected > 0 && terms[expected - 1] > term) expected--;
    assertEquals(log.lastIndexAtMost(index, term), expected, `seed ${seed}: ${terms}, index ${index}, term ${term}`);
  }
});

Deno.test("Log.lastIndexAtMost() takes what was compacted for a possible match", () => {
  const log = logOf([5, 6], { index: 10, term: 5 });
  assertEquals(log.lastIndexAtMost(12, 5), 11);
  assertEquals(log.lastIndexAtMost(10, 5), 10);
  assertEquals(log.lastIndexAtMost(12, 4), 9);
  assertEquals(log.lastIndexAtMost(7, 1), 7);
});

/** Probes as leader and follower do, and returns where they match and after how many rejections. */
function backOff(leader: Log, follower: Log): { match: number; rejections: number } {
  let next = leader.last + 1;
  for (let rejections = 0;; rejections++) {
    const prev = next - 1;
    const term = leader.termAt(prev) ?? -1;
    if (follower.termAt(prev) === term) return { match: prev, rejections };
    // The follower's hint, then the leader's answer to it (L6), as in replication.ts.
    const index = follower.lastIndexAtMost(Math.min(prev, follower.last), term);
    const back = leader.lastIndexAtMost(index, follower.termAt(index) ?? 0);
    assert(back < prev, "a rejection did not move the probe back");
    next = back + 1;
  }
}

Deno.test("the backoff of L6 ends at the last common entry, after at most a rejection per term", () => {
  for (let seed = 1; seed <= 2000; seed++) {
    const random = new Random(seed);
    const common = risingTerms(random, random.below(8));
    const last = common.at(-1) ?? 1;
    // Behind the common part the logs have no term in common: a term has one leader, and one log.
    const ours = risingTerms(random, random.below(8), last).map((term) => 2 * term + 100);
    const theirs = risingTerms(random, random.below(8), last).map((term) => 2 * term + 101);
    const leader = logOf([...common, ...ours]);
    const follower = logOf([...common, ...theirs]);
    let match = common.length;
    while (match < leader.last && match < follower.last && leader.termAt(match + 1) === follower.termAt(match + 1)) {
      match++;
    }
    const found = backOff(leader, follower);
    assertEquals(found.match, match, `seed ${seed}`);
    const terms = Math.min(new Set(ours).size, new Set(theirs).size);
    assert(found.rejections <= terms + 1, `seed ${seed}: ${found.rejections} rejections for ${terms} terms`);
  }
});

Deno.test("Log keeps few sizes when many entries were committed, and asks for the others", () => {
  const log = logOf([]);
  for (let index = 1; index <= 40_000; index++) {
    log.append(entry(index, 1, 3));
    if (index % 1000 === 0) {
      log.takeUnsaved();
      log.trimSizes(index);
    }
  }
  assertEquals(log.bytesAt(1), 1, "an old entry's size comes from the driver");
  assertEquals(log.bytesAt(40_000), 3);
  assertEquals(log.bytesBetween(39_999, 40_000), 6);
});

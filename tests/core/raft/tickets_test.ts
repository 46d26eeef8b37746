import { assertEquals } from "@std/assert";
import { Tickets } from "../../../src/core/raft/tickets.ts";
import { Random } from "../../harness/random.ts";

/** A disk that replays whole writes and knows, per index, the version of the entry it holds. */
class NaiveDisk {
  readonly stored: number[] = [];
  readonly writes: { from: number; versions: number[] }[] = [];

  complete(): void {
    const write = this.writes.shift();
    if (write === undefined) return;
    if (write.from <= this.stored.length) this.stored.length = write.from - 1;
    this.stored.push(...write.versions);
  }
}

Deno.test("Tickets never calls an entry durable that the disk does not hold or a write may replace (O3)", () => {
  for (let seed = 1; seed <= 1000; seed++) {
    const random = new Random(seed);
    const tickets = new Tickets(0);
    const disk = new NaiveDisk();
    let log: number[] = [];
    let version = 0;
    let touched = Infinity;
    let acknowledged = 0;
    for (let step = 0; step < 80; step++) {
      const choice = random.below(4);
      if (choice === 0 && log.length > 0) {
        const from = random.between(1, log.length);
        log = log.slice(0, from - 1);
        touched = Math.min(touched, from);
        tickets.touch(from);
      } else if (choice === 1) {
        log.push(++version);
        touched = Math.min(touched, log.length);
        tickets.touch(log.length);
      } else if (choice === 2 && touched < Infinity) {
        tickets.issue({ last: log.length, hard: false, now: step });
        disk.writes.push({ from: touched, versions: log.slice(touched - 1) });
        touched = Infinity;
      } else if (disk.writes.length > 0) {
        disk.complete();
        tickets.persisted(++acknowledged);
      }
      // The durable entries are the common prefix of log and disk that no later write touches.
      const low = Math.min(touched, ...disk.writes.map(({ from }) => from));
      let expected = 0;
      while (expected + 1 < low && expected < log.length && disk.stored[expected] === log[expected]) expected++;
      assertEquals(tickets.durable, expected, `seed ${seed}, step ${step}`);
    }
  }
});

Deno.test("Tickets.gate() waits for the newest write that the log up to an index relies on", () => {
  const tickets = new Tickets(5);
  assertEquals(tickets.gate(5), 0);
  tickets.touch(6);
  tickets.issue({ last: 8, hard: false, now: 0 });
  tickets.touch(9);
  tickets.issue({ last: 9, hard: false, now: 0 });
  assertEquals([tickets.gate(5), tickets.gate(7), tickets.gate(9)], [0, 1, 2]);
  tickets.issue({ last: 9, hard: true, now: 0 });
  assertEquals(tickets.gate(5), 3, "every promise relies on the term");
  tickets.persisted(3);
  assertEquals([tickets.gate(9), tickets.newest, tickets.durable], [0, 0, 9]);
});

import { assertEquals } from "@std/assert";
import { Window } from "../../../src/core/raft/progress.ts";
import { Random } from "../../harness/random.ts";

Deno.test("Window is full when a queue of the same messages is, by count or by bytes (F1)", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = new Random(seed);
    const messages = random.between(1, 6);
    const bytesMax = random.between(1, 40);
    const window = new Window({ messages, bytes: bytesMax });
    let model: { last: number; bytes: number }[] = [];
    let last = 0;
    for (let step = 0; step < 100; step++) {
      const bytes = model.reduce((sum, each) => sum + each.bytes, 0);
      assertEquals(window.isFull, model.length >= messages || bytes >= bytesMax, `seed ${seed}, step ${step}`);
      assertEquals(window.count, model.length);
      if (!window.isFull && random.chance(0.7)) {
        last += random.between(1, 3);
        const pushed = { last, bytes: random.below(20) };
        window.push(pushed.last, pushed.bytes);
        model.push(pushed);
      } else if (random.chance(0.1)) {
        window.clear();
        model = [];
      } else {
        const match = random.below(last + 2);
        window.release(match);
        while (model.length > 0 && model[0].last <= match) model = model.slice(1);
      }
    }
  }
});

/** A heap is collected when it has grown and is at rest, not under load, and not again and again where that was in vain. */
import { assert, assertEquals } from "@std/assert";
import { collector, HeapAtRest } from "../../../src/base/worker/heap_at_rest.ts";

const MIB = 1 << 20;

/** What is decided about heaps of these sizes, in MiB: all of it, and what is filled. */
function decisions(heap: HeapAtRest, sizes: readonly (readonly [number, number])[]): boolean[] {
  return sizes.map(([total, used]) => heap.isDue({ heapTotal: total * MIB, heapUsed: used * MIB }));
}

Deno.test("a heap is collected when it has been at rest for two looks", () => {
  const heap = new HeapAtRest();
  assertEquals(decisions(heap, [[8, 5], [8, 5], [8, 5]]), [false, false, false], "small");
  assertEquals(decisions(heap, [[90, 30], [90, 55], [90, 20], [90, 40]]), [false, false, false, false], "load");
  assertEquals(decisions(heap, [[90, 41], [90, 60], [90, 60.5], [90, 61]]), [false, false, false, true]);
  heap.collected({ heapTotal: 9 * MIB, heapUsed: 6 * MIB });
  assertEquals(decisions(heap, [[9, 6], [9, 6], [9, 7]]), [false, false, false]);
});

Deno.test("a heap that is in use is not collected again until it has grown", () => {
  const heap = new HeapAtRest();
  assertEquals(decisions(heap, [[90, 80], [90, 80], [90, 80]]), [false, false, true]);
  heap.collected({ heapTotal: 85 * MIB, heapUsed: 80 * MIB });
  assertEquals(decisions(heap, [[85, 80], [85, 80], [85, 80], [95, 90], [95, 90], [95, 90]]), Array(6).fill(false));
  assertEquals(decisions(heap, [[110, 90], [110, 90], [110, 90]]), [false, false, true]);
  heap.collected({ heapTotal: 110 * MIB, heapUsed: 90 * MIB });
  assertEquals(decisions(heap, [[20, 15], [95, 20], [95, 20], [95, 20]]), [false, false, false, true], "it had shrunk");
});

Deno.test("the runtime's collector makes a heap small that is full of garbage", async () => {
  const collect = await collector();
  if (collect === undefined) throw new Error("this runtime has no collector");
  collect();
  const before = Deno.memoryUsage().heapTotal;
  const filled = Array.from({ length: 500_000 }, (_, i) => ({ i }));
  const full = Deno.memoryUsage().heapTotal;
  assert(filled.length > 0 && full > before + 8 * MIB, `from ${before} to ${full}`);
  filled.length = 0;
  collect();
  const after = Deno.memoryUsage().heapTotal;
  assert(after < (before + full) / 2, `from ${full} to ${after}`);
});

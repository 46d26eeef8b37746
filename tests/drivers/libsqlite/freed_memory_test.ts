/** Memory is given back when it has grown and is at rest, and not again and again where that was in vain. */
import { assertEquals } from "@std/assert";
import { FreedMemory, TIMES } from "../../../src/drivers/libsqlite/freed_memory.ts";
import { openLibrary } from "../../../src/drivers/libsqlite/library.ts";

const MB = 1e6;

/** What the start has left is given back already. */
function started(resident: number): FreedMemory {
  const memory = new FreedMemory();
  assertEquals(memory.isDue(resident * MB), false, "the first look");
  for (let more = TIMES; more > 0; more--) {
    assertEquals(memory.isDue(resident * MB), true, `after the start, ${more} times`);
    memory.given(resident * MB);
  }
  assertEquals(memory.isDue(resident * MB), false);
  return memory;
}

Deno.test("memory is given back when it has grown and is at rest", () => {
  const memory = started(150);
  const looks = (...residents: number[]) => residents.map((resident) => memory.isDue(resident * MB));
  assertEquals(looks(150, 150, 151), [false, false, false], "at rest");
  assertEquals(looks(400, 500, 450, 250), [false, false, false, false], "under load, and while the heaps shrink");
  assertEquals(looks(251), [true]);
  memory.given(220 * MB);
  assertEquals(looks(220), [true], "what was collected meanwhile");
  for (let more = TIMES - 2; more > 0; more--) {
    memory.given(160 * MB);
    assertEquals(looks(160), [true], `${more} times`);
  }
  memory.given(160 * MB);
  assertEquals(looks(160, 161, 185), [false, false, false], "what was kept is in use");
  assertEquals(looks(300, 301), [false, true]);
});

Deno.test("memory is given back when a load ends under which that was in vain", () => {
  const memory = started(110);
  assertEquals([110, 440, 441].map((resident) => memory.isDue(resident * MB)), [false, false, true]);
  for (let more = TIMES; more > 0; more--) {
    memory.given(440 * MB);
    assertEquals(memory.isDue(442 * MB), more > 1, `${more} times`);
  }
  assertEquals([441, 443, 203, 203].map((resident) => memory.isDue(resident * MB)), [false, false, false, true]);
});

Deno.test("the library leads to the allocator of the C library where that can give memory back", () => {
  const { malloc_trim: trim } = openLibrary();
  assertEquals(typeof trim, Deno.build.os === "linux" ? "function" : "object");
  assertEquals([0, 1].includes(trim?.(0n) ?? 0), true);
});

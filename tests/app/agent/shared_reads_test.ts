/** Reads of the catalog that are shared: one reading between two changes, a failed or a large one for nobody else. */
import { assertEquals, assertRejects } from "@std/assert";
import { SharedReads } from "../../../src/app/agent/shared_reads.ts";

/** Reads that are counted, of a catalog whose version is set. */
function counted() {
  const state = { version: 1, readings: 0 };
  const reads = new SharedReads<{ rows: string[][]; text: string; index: number }>(() => String(state.version));
  const read = (text: string) => () => Promise.resolve({ rows: [[text]], text, index: ++state.readings });
  return { state, reads, read };
}

Deno.test("SharedReads reads once for all that ask until the version differs", async () => {
  const { state, reads, read } = counted();
  const [first, second] = await Promise.all([reads.get("a", read("x")), reads.get("a", read("x"))]);
  assertEquals([first, second, await reads.get("a", read("x"))], Array(3).fill({ rows: [["x"]], text: "x", index: 1 }));
  assertEquals((await reads.get("b", read("y"))).index, 2, "another question");
  state.version = 2;
  assertEquals(await reads.get("a", read("z")), { rows: [["z"]], text: "z", index: 3 });
});

Deno.test("SharedReads does not serve a reading that a change has overtaken", async () => {
  const { state, reads, read } = counted();
  const { promise, resolve } = Promise.withResolvers<{ rows: string[][]; text: string; index: number }>();
  const overtaken = reads.get("a", () => promise);
  state.version = 2;
  const later = reads.get("a", read("new"));
  resolve({ rows: [], text: "old", index: 0 });
  assertEquals([(await overtaken).text, (await later).text, (await reads.get("a", read("x"))).text], [
    "old",
    "new",
    "new",
  ]);
});

Deno.test("SharedReads keeps neither a failure nor many rows, and a bounded number of others", async () => {
  const { state, reads, read } = counted();
  await assertRejects(() => reads.get("a", () => Promise.reject(new Error("no room"))), Error, "no room");
  assertEquals((await reads.get("a", read("x"))).index, 1);
  const rows = [Array(10_001).fill("x")];
  const large = () => Promise.resolve({ rows, text: "", index: ++state.readings });
  await reads.get("large", large);
  await reads.get("large", large);
  assertEquals(state.readings, 3);
  for (let nth = 0; nth < 1000; nth++) await reads.get(`k${nth}`, read(""));
  state.readings = 0;
  await reads.get("a", read("x"));
  assertEquals(state.readings, 1, "made way for others");
});

import { assertEquals } from "@std/assert";
import { ByteWriter } from "../../../src/base/codec/cursor.ts";
import { freeBuffer } from "../../../src/base/codec/free.ts";
import { FrameDecoder, writeFrame } from "../../../src/base/codec/frame.ts";
import { packOwned, unpack } from "../../../src/base/codec/packed.ts";

const BYTES = 100_000;

function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

Deno.test("a freed buffer has no bytes, freeing it again does nothing, and small or shared ones stay", () => {
  const large = filled(BYTES, 1);
  const view = large.subarray(5);
  freeBuffer(view);
  freeBuffer(view);
  assertEquals([large.length, view.length], [0, 0]);
  const small = filled(10, 1);
  freeBuffer(small);
  const shared = new Uint8Array(new SharedArrayBuffer(BYTES));
  freeBuffer(shared);
  assertEquals([small.length, shared.length], [10, BYTES]);
});

Deno.test("owned byte strings are packed with their content and freed, a single one moves", () => {
  const parts = [filled(BYTES, 1), filled(3, 2), filled(BYTES, 3)];
  assertEquals(unpack(packOwned(parts)), [filled(BYTES, 1), filled(3, 2), filled(BYTES, 3)]);
  assertEquals(parts.map(({ length }) => length), [0, 3, 0]);
  const alone = filled(BYTES, 4);
  assertEquals(packOwned([alone]).bytes, alone);
});

Deno.test("a writer that outgrows its buffer keeps what was written, and frames survive the growth of their decoder", () => {
  const writer = new ByteWriter(BYTES);
  const payloads = [filled(BYTES, 1), filled(3 * BYTES, 2), filled(60 * BYTES, 3)];
  payloads.forEach((payload, at) => writeFrame(writer, at, (to) => to.raw(payload)));
  const decoder = new FrameDecoder(100 * BYTES);
  const found: Uint8Array[] = [];
  for (let at = 0; at < writer.length; at += BYTES) {
    decoder.push(writer.view().subarray(at, at + BYTES));
    for (let frame = decoder.next(); frame; frame = decoder.next()) found.push(frame.payload);
  }
  assertEquals(found.map(({ length, [0]: first }) => [length, first]), payloads.map((one) => [one.length, one[0]]));
});

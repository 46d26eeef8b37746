import { assertEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../../src/base/codec/cursor.ts";
import { freeBuffer } from "../../../src/base/codec/free.ts";
import { FrameDecoder, writeFrame } from "../../../src/base/codec/frame.ts";
import { Packer, unpack } from "../../../src/base/codec/packed.ts";

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

Deno.test("a packer lays end to end what is written, without what failed, and begins anew", () => {
  const packer = new Packer();
  const add = (bytes: Uint8Array) => packer.add((writer) => writer.raw(bytes));
  const fail = (writer: ByteWriter) => {
    writer.raw(filled(5, 9));
    throw new Error("in the midst");
  };
  for (const large of [BYTES, 20 * BYTES]) {
    add(filled(large, 1));
    assertThrows(() => packer.add(fail), Error, "in the midst");
    add(filled(3, 2));
    const packed = packer.take();
    assertEquals(unpack(packed), [filled(large, 1), filled(3, 2)]);
    add(filled(10, 3)); // not into what was taken
    assertEquals([packed.bytes[0], unpack(packer.take())], [1, [filled(10, 3)]]);
  }
  assertEquals(packer.take().ends, []);
  const some = [filled(3, 4), filled(4, 5)];
  assertThrows(() => packer.packAll(some, (writer, item) => item.length === 3 ? writer.raw(item) : fail(writer)));
  assertEquals(unpack(packer.packAll(some, (writer, item) => writer.raw(item))), some);
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

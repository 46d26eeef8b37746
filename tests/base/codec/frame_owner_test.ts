/** Ownership of received frames: an entry keeps its bytes for as long as the node runs (seeded bug 20). */
import { assertEquals } from "@std/assert";
import { ByteWriter } from "../../../src/base/codec/cursor.ts";
import { FrameDecoder, writeFrame } from "../../../src/base/codec/frame.ts";

function frameOf(byte: number): Uint8Array {
  const writer = new ByteWriter();
  writeFrame(writer, 1, (payload) => payload.raw(new Uint8Array(100).fill(byte)));
  return writer.copy();
}

Deno.test("FrameDecoder hands over payloads that stay as they are when the next frames arrive", () => {
  const decoder = new FrameDecoder(1000);
  const chunk = new Uint8Array(109);
  const payloads: Uint8Array[] = [];
  // As a connection does: every frame is read into the same chunk.
  for (let byte = 1; byte <= 3; byte++) {
    chunk.set(frameOf(byte));
    decoder.push(chunk);
    const frame = decoder.next();
    if (frame !== undefined) payloads.push(frame.payload);
  }
  assertEquals(payloads.map((payload) => new Set(payload)), [new Set([1]), new Set([2]), new Set([3])]);
});

import { assertEquals, assertThrows } from "@std/assert";
import { ByteWriter, DecodeError } from "../../../src/base/codec/cursor.ts";
import { FrameDecoder } from "../../../src/base/codec/frame.ts";
import { decodeTraces, writeTraces } from "../../../src/drivers/transport/trace_frames.ts";
import { decodeRaftMessage, FRAME } from "../../../src/drivers/transport/wire.ts";

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

function payloadOf(traces: readonly { ref: number; trace: string }[]): Uint8Array {
  const writer = new ByteWriter();
  writeTraces(writer, traces);
  const decoder = new FrameDecoder(1 << 20);
  decoder.push(writer.take());
  const frame = decoder.next();
  if (!frame) throw new Error("a frame was written");
  assertEquals(frame.kind, FRAME.traces);
  return frame.payload.slice();
}

Deno.test("the traces of writes and calls arrive as they were sent, and what is none counts for none", () => {
  const payload = payloadOf([{ ref: 7, trace: TRACE }, { ref: 8, trace: "rubbish" }, { ref: 2 ** 40, trace: TRACE }]);
  assertEquals([...decodeTraces(payload)], [[7, TRACE], [2 ** 40, TRACE]]);
});

Deno.test("a version that knows no traces takes their frame for no message, and skips it", () => {
  assertEquals(decodeRaftMessage(FRAME.traces, payloadOf([{ ref: 1, trace: TRACE }])), undefined);
});

Deno.test("a frame of traces that is cut off, or counts too many, is a DecodeError", () => {
  const payload = payloadOf([{ ref: 7, trace: TRACE }]);
  for (let length = 0; length < payload.length; length++) {
    assertThrows(() => decodeTraces(payload.subarray(0, length)), DecodeError);
  }
  assertThrows(() => decodeTraces(new Uint8Array([0xff, 0xff, 0xff, 0xff])), DecodeError);
});

/**
 * The traces that writes for the leader and calls belong to: a frame before the frame with them, where one of them is traced.
 * Older versions skip it, so a trace ends at them and everything else is as before.
 *
 *     traces  count u32 | (ref u64, traceparent: text)…
 *
 * A ref is that of the write in the frame that follows, or the number of the call. What is no traceparent counts for none.
 * Decoding is bounded and throws {@linkcode DecodeError}. Pure.
 * @module
 */
import { ByteReader, type ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import { writeFrame } from "../../base/codec/frame.ts";
import { parseTraceparent, TRACEPARENT_LENGTH } from "../../core/traces/context.ts";
import { FRAME } from "./wire.ts";

/** Traces of one frame, as many as there may be writes in the next one. */
const TRACES_MAX = 65_536;

/** Appends the traces of what follows. */
export function writeTraces(
  writer: ByteWriter,
  traces: readonly { readonly ref: number; readonly trace: string }[],
): void {
  writeFrame(writer, FRAME.traces, (payload) => {
    payload.u32(traces.length);
    for (const { ref, trace } of traces) payload.u64(ref).string(trace);
  });
}

/** Decodes them, by ref. */
export function decodeTraces(payload: Uint8Array): Map<number, string> {
  const reader = new ByteReader(payload);
  const count = reader.u32();
  if (count > TRACES_MAX) throw new DecodeError(`Expected at most ${TRACES_MAX} traces in a frame, found ${count}`);
  const traces = new Map<number, string>();
  for (let left = count; left > 0; left--) {
    const ref = reader.u64();
    const trace = reader.string();
    if (trace.length === TRACEPARENT_LENGTH && parseTraceparent(trace)) traces.set(ref, trace);
  }
  reader.end();
  return traces;
}

/**
 * A client of HTTP/2 (RFC 9113) for one ping or one request on a connection of its own. `node:http2` is not used: it takes
 * 1.5 ms of processor time for a request, ten times as much as this, and on Deno 2.7 neither answers a ping nor takes a
 * connection with TLS.
 * @module
 */
import type { Conn } from "../../base/net/conn.ts";
import { writeAll } from "./dial.ts";
import { decodeFields, encodeFields } from "./hpack.ts";

/** Longest frame, which is what a server may send that was told nothing else. */
const FRAME_BYTES_MAX = 16_384;
/** Bytes of an answer, with all frames. */
const ANSWER_BYTES_MAX = 1024 * 1024;
const HEAD_BYTES = 9;
const encoder = new TextEncoder();
const PREFACE = encoder.encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const PING_BYTES = encoder.encode("mustercp");

const FRAME = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  continuation: 9,
} as const;
const FLAG = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;
/** The server shall compress no header with a dynamic table, and push nothing (RFC 9113 §6.5.2). */
const SETTINGS = new Uint8Array([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
/** The only stream. */
const STREAM = 1;

/** Names of error codes (RFC 9113 §7). */
const ERRORS = ("NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED " +
  "FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY " +
  "HTTP_1_1_REQUIRED").split(" ");

/** The other end does not speak HTTP/2 as it should, or has refused. */
export class Http2Error extends Error {
  /** Always `Http2Error`. */
  override readonly name = "Http2Error";
}

/** An answer. */
export interface Http2Answer {
  /** Headers by name; trailers are among them. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/**
 * Sends a ping, and waits for its answer.
 * @throws {Http2Error} When there is none.
 */
export async function ping(conn: Conn): Promise<void> {
  await writeAll(conn, joined([PREFACE, frame(FRAME.settings, 0, 0, SETTINGS), frame(FRAME.ping, 0, 0, PING_BYTES)]));
  for await (const { type, flags, payload } of frames(conn)) {
    if (type === FRAME.ping && (flags & FLAG.ack) !== 0 && String(payload) === String(PING_BYTES)) return;
    if (type === FRAME.goAway) throw gone(payload);
  }
}

/**
 * Sends a request, and takes the whole answer.
 * @throws {Http2Error} When there is none.
 * @throws {import("./hpack.ts").HpackError} When its headers cannot be read.
 */
export async function request(
  conn: Conn,
  fields: readonly (readonly [string, string])[],
  body: Uint8Array,
): Promise<Http2Answer> {
  await writeAll(
    conn,
    joined([
      PREFACE,
      frame(FRAME.settings, 0, 0, SETTINGS),
      frame(FRAME.headers, FLAG.endHeaders, STREAM, encodeFields(fields)),
      frame(FRAME.data, FLAG.endStream, STREAM, body),
    ]),
  );
  const received = new Map<string, string>();
  const [content, block]: Uint8Array[][] = [[], []];
  let isLast = false;
  for await (const { type, flags, stream, payload } of frames(conn)) {
    if (type === FRAME.goAway && (errorCode(payload, 4) !== 0 || errorCode(payload, 0) < STREAM)) throw gone(payload);
    if (stream !== STREAM) continue;
    if (type === FRAME.rstStream) throw new Http2Error(`the stream was reset: ${errorName(errorCode(payload, 0))}`);
    if (type === FRAME.data) content.push(unpadded(payload, flags));
    if (type === FRAME.headers) block.push(unpadded(payload, flags).subarray(flags & FLAG.priority ? 5 : 0));
    if (type === FRAME.continuation) block.push(payload);
    if (type === FRAME.data || type === FRAME.headers) isLast ||= (flags & FLAG.endStream) !== 0;
    if ((type === FRAME.headers || type === FRAME.continuation) && (flags & FLAG.endHeaders) !== 0) {
      for (const [name, value] of decodeFields(joined(block.splice(0)))) received.set(name, value);
    }
    if (isLast && block.length === 0) break;
  }
  return { fields: received, body: joined(content) };
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

/**
 * Frames of the other end, until whoever takes them leaves. Settings and pings are answered before they are given out.
 * @throws {Http2Error} When the connection ends.
 */
async function* frames(conn: Conn): AsyncGenerator<Frame> {
  let buffer = new Uint8Array(0);
  const chunk = new Uint8Array(HEAD_BYTES + FRAME_BYTES_MAX);
  let isFirst = true;
  for (let left = ANSWER_BYTES_MAX; left > 0;) {
    const count = await conn.read(chunk);
    if (count === null) throw new Http2Error("the connection was closed");
    left -= count;
    buffer = joined([buffer, chunk.subarray(0, count)]);
    for (let found = firstFrame(buffer, isFirst); found; found = firstFrame(buffer, isFirst)) {
      isFirst = false;
      buffer = buffer.subarray(HEAD_BYTES + found.payload.length);
      const { type, flags, payload } = found;
      if ((flags & FLAG.ack) === 0 && type === FRAME.settings) await writeAll(conn, frame(type, FLAG.ack, 0));
      if ((flags & FLAG.ack) === 0 && type === FRAME.ping) await writeAll(conn, frame(type, FLAG.ack, 0, payload));
      if (type === FRAME.pushPromise) throw new Http2Error("the server pushes, which it was told not to");
      yield found;
    }
  }
  throw new Http2Error("the answer is too large");
}

/** The frame that the bytes begin with; undefined where it is not whole yet. */
function firstFrame(bytes: Uint8Array, isFirst: boolean): Frame | undefined {
  // An answer of HTTP/1 is told from the very beginning: its first bytes are no length of a frame of settings.
  if (isFirst && bytes.length >= 4 && bytes[3] !== FRAME.settings) throw new Http2Error("the server speaks no HTTP/2");
  if (bytes.length < HEAD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = view.getUint32(0) >>> 8;
  if (length > FRAME_BYTES_MAX) throw new Http2Error("a frame is too large");
  if (bytes.length < HEAD_BYTES + length) return undefined;
  const payload = bytes.subarray(HEAD_BYTES, HEAD_BYTES + length);
  return { type: bytes[3], flags: bytes[4], stream: view.getUint32(5) & 0x7fffffff, payload };
}

/** A frame (RFC 9113 §4.1). */
function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length << 8 | type);
  bytes[4] = flags;
  view.setUint32(5, stream);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

/** Without the padding, whose length comes first where there is any. */
function unpadded(payload: Uint8Array, flags: number): Uint8Array {
  if ((flags & FLAG.padded) === 0) return payload;
  if (payload.length === 0 || payload[0] >= payload.length) throw new Http2Error("a frame has wrong padding");
  return payload.subarray(1, payload.length - payload[0]);
}

function errorCode(payload: Uint8Array, at: number): number {
  if (payload.length < at + 4) throw new Http2Error("a frame is too short");
  return new DataView(payload.buffer, payload.byteOffset).getUint32(at);
}

function errorName(code: number): string {
  return ERRORS[code] ?? `error ${code}`;
}

function gone(payload: Uint8Array): Http2Error {
  return new Http2Error(`the server closes the connection: ${errorName(errorCode(payload, 4))}`);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

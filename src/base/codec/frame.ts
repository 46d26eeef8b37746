/**
 * Frames on a byte stream, integers big-endian:
 *
 *     payload length u32 | crc32c of kind and payload u32 | kind u8 | payload
 *
 * A frame longer than the reader's limit, or with a wrong checksum, is a {@linkcode DecodeError}: the stream cannot be
 * trusted after it and is to be closed. Pure.
 * @module
 */
import { crc32c } from "./crc32c.ts";
import { freeBuffer } from "./free.ts";
import { type ByteWriter, DecodeError } from "./cursor.ts";

/** Bytes in front of a frame's payload. */
export const FRAME_HEADER_BYTES = 9;

/** One frame as read. */
export interface Frame {
  /** Kind of the payload, as the protocol defines it. */
  readonly kind: number;
  /** A copy that the receiver owns. */
  readonly payload: Uint8Array;
}

/** Appends a frame to `writer`; `writePayload` writes the payload in place. */
export function writeFrame(writer: ByteWriter, kind: number, writePayload: (writer: ByteWriter) => void): void {
  const start = writer.reserve(8);
  writer.u8(kind);
  writePayload(writer);
  const end = writer.length;
  writer.setU32(start, end - start - FRAME_HEADER_BYTES);
  writer.setU32(start + 4, crc32c(writer.view().subarray(start + 8, end)));
}

/** Cuts a byte stream into frames. */
export class FrameDecoder {
  #frameBytesMax: number;
  #buffer = new Uint8Array(64 * 1024);
  #start = 0;
  #end = 0;

  /** @param frameBytesMax Longest payload accepted, in bytes. */
  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Accepts frames of another length from now on. */
  set frameBytesMax(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Whether nothing is held: no frame, and no part of one. */
  get isEmpty(): boolean {
    return this.#start === this.#end;
  }

  /** Takes bytes as they arrive; they are copied. */
  push(chunk: Uint8Array): void {
    if (chunk.length > this.#buffer.length - this.#end) this.#makeRoom(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  #makeRoom(count: number): void {
    const held = this.#end - this.#start;
    const roomy = held + count > this.#buffer.length ? new Uint8Array((held + count) * 2) : this.#buffer;
    roomy.set(this.#buffer.subarray(this.#start, this.#end));
    if (roomy !== this.#buffer) freeBuffer(this.#buffer);
    this.#buffer = roomy;
    this.#start = 0;
    this.#end = held;
  }

  /**
   * Returns the next whole frame, or undefined while it has not arrived.
   * @throws {DecodeError} When the frame is too long or damaged.
   */
  next(): Frame | undefined {
    const held = this.#end - this.#start;
    if (held < FRAME_HEADER_BYTES) return undefined;
    const header = new DataView(this.#buffer.buffer, this.#start, FRAME_HEADER_BYTES);
    const length = header.getUint32(0);
    if (length > this.#frameBytesMax) {
      throw new DecodeError(`Expected a frame of at most ${this.#frameBytesMax} bytes: it announces ${length}`);
    }
    if (held < FRAME_HEADER_BYTES + length) return undefined;
    const end = this.#start + FRAME_HEADER_BYTES + length;
    if (crc32c(this.#buffer.subarray(this.#start + 8, end)) !== header.getUint32(4)) {
      throw new DecodeError("Expected a frame with a matching checksum: it is damaged");
    }
    const frame = { kind: header.getUint8(8), payload: this.#buffer.slice(this.#start + FRAME_HEADER_BYTES, end) };
    this.#start = end;
    if (this.#start === this.#end) this.#reset();
    return frame;
  }

  /** Forgets the space of a frame that was much larger than usual. */
  #reset(): void {
    this.#start = this.#end = 0;
    if (this.#buffer.length <= 4 * 1024 * 1024) return;
    freeBuffer(this.#buffer);
    this.#buffer = new Uint8Array(64 * 1024);
  }
}

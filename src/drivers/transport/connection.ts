/**
 * One connection between nodes: frames in, frames out. Frames written while a write is under way go out together with
 * the next one. What the other end does not take is bounded: above the limit, frames are refused and the caller drops
 * them, which Raft treats as a loss on the network.
 * @module
 */
import { ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import type { Conn, TlsTrust } from "../../base/net/conn.ts";
import { connectTo } from "../../base/net/tls.ts";
import { splitAddress } from "../../base/codec/address.ts";
import { freeBuffer } from "../../base/codec/free.ts";
import { type Frame, FrameDecoder } from "../../base/codec/frame.ts";
import type { RecordOpener, RecordSealer } from "./record.ts";

/** Bytes that may wait for the other end to take them. */
export const SEND_QUEUE_BYTES_MAX = 96 * 1024 * 1024;

/** A buffer of this size is used again: a snapshot fills some megabytes at a time, and making them anew takes memory. */
const KEPT_BYTES = 4 * 1024 * 1024;

/** A stream of frames over TCP. */
export class Connection {
  readonly #conn: Conn;
  readonly #decoder: FrameDecoder;
  readonly #chunk = new Uint8Array(256 * 1024);
  #waiting = new ByteWriter(16 * 1024);
  #writing = new ByteWriter(16 * 1024);
  #flushing = false;
  /** Resolves when the last long frame has left. */
  #long: Promise<void> = Promise.resolve();
  #closed = false;
  /** Present once both ends have proved that they share a secret. */
  #records: { readonly sealer: RecordSealer; readonly opener: RecordOpener } | undefined;
  #heardMs = performance.now();

  /**
   * @param conn Owned from now on.
   * @param frameBytesMax Longest payload that is believed.
   */
  constructor(conn: Conn, frameBytesMax: number) {
    this.#conn = conn;
    this.#decoder = new FrameDecoder(frameBytesMax);
    if ("setNoDelay" in conn && typeof conn.setNoDelay === "function") conn.setNoDelay(true);
  }

  /** Connects, giving up after `timeoutMs`. */
  static async dial(
    addr: string,
    { timeoutMs, frameBytesMax, trust }: { timeoutMs: number; frameBytesMax: number; trust?: TlsTrust | undefined },
  ): Promise<Connection> {
    const { hostname, port } = splitAddress(addr);
    const controller = new AbortController();
    const timer = setTimeout(
      () => controller.abort(new Error(`no answer from ${addr} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      const conn = await connectTo({ hostname, port }, { signal: controller.signal, trust });
      return new Connection(conn, frameBytesMax);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Believes frames of another length from now on. */
  set frameBytesMax(frameBytesMax: number) {
    this.#decoder.frameBytesMax = frameBytesMax;
  }

  /** Whether it has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The time at which bytes arrived last, by `performance.now()`. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** The other end's address, for log lines. */
  get remote(): string {
    const addr = this.#conn.remoteAddr;
    return addr.transport === "tcp" ? `${addr.hostname}:${addr.port}` : "unknown";
  }

  /** Whether it is encrypted, at a port that takes plain connections, too; known after the first read. */
  get isEncrypted(): boolean {
    return this.#conn.isEncrypted ?? false;
  }

  /** Whether the other end has shown a certificate that is accepted and is for `name`; known after the first read. */
  isFor(name: string): boolean {
    return this.#conn.isFor?.(name) ?? false;
  }

  /**
   * Queues what `write` appends.
   * @returns false when the queue is full or the connection closed: nothing was queued.
   */
  send(write: (writer: ByteWriter) => void): boolean {
    if (this.#closed || this.#waiting.length > SEND_QUEUE_BYTES_MAX) return false;
    write(this.#waiting);
    if (!this.#flushing) this.#flush();
    return true;
  }

  /** Sends raw bytes outside the frame format: the preamble, or a word to a stranger. */
  sendRaw(bytes: Uint8Array): boolean {
    return this.send((writer) => writer.raw(bytes));
  }

  async #flush(): Promise<void> {
    this.#flushing = true;
    try {
      await Promise.resolve(); // lets the sender finish its turn: its frames leave in one write
      while (this.#waiting.length > 0 && !this.#closed) {
        [this.#waiting, this.#writing] = [this.#writing, this.#waiting];
        const bytes = this.#writing.view();
        if (this.#records) { for (const record of this.#records.sealer.seal(bytes)) await this.#write(record); }
        else await this.#write(bytes);
        if (this.#writing.length > KEPT_BYTES) freeBuffer(this.#writing.take());
        else this.#writing.clear();
      }
    } catch {
      this.close(); // the reader reports the end
    } finally {
      this.#flushing = false;
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) written += await this.#conn.write(bytes.subarray(written));
  }

  /**
   * Sends and takes nothing but records from now on, after what was queued before (record.ts).
   * @throws {DecodeError} When bytes have arrived before the first record.
   */
  async seal({ sends, takes }: { sends: Uint8Array; takes: Uint8Array }): Promise<void> {
    // Loaded for those that need it: hashing in turn takes some megabytes of the runtime.
    const { RecordOpener, RecordSealer } = await import("./record.ts");
    await this.drained();
    if (!this.#decoder.isEmpty) {
      throw new DecodeError("Expected records after the proof of the secret: bytes came in between");
    }
    this.#records = { sealer: new RecordSealer(sends), opener: new RecordOpener(takes) };
  }

  /** Queues a long frame once the long ones before it have left, so that the queue never holds more than one; resolves when it has left. */
  async sendLong(write: (writer: ByteWriter) => void): Promise<void> {
    const before = this.#long;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#long = promise;
    await before;
    await this.#untilShort();
    this.send(write);
    await this.#untilShort();
    resolve();
  }

  async #untilShort(): Promise<void> {
    const isLong = () => !this.#closed && this.#waiting.length + this.#writing.length > KEPT_BYTES;
    while (isLong()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Resolves when everything queued was handed to the system. */
  async drained(): Promise<void> {
    while (this.#flushing && !this.#closed) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /**
   * Reads exactly `count` bytes that stand before the first frame.
   * @throws {DecodeError} When the stream ends before.
   */
  async readRaw(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    for (let read = 0; read < count;) {
      const more = await this.#conn.read(bytes.subarray(read));
      if (more === null) throw new DecodeError(`Expected ${count} bytes: the stream ended after ${read}`);
      read += more;
    }
    return bytes;
  }

  /** Reads whatever comes next, outside the frame format; null at the end of the stream. */
  async readSome(): Promise<Uint8Array | null> {
    const count = await this.#conn.read(this.#chunk).catch(() => null);
    return count === null ? null : this.#chunk.slice(0, count);
  }

  /**
   * Reads the next frame.
   * @returns undefined at the end of the stream.
   * @throws {DecodeError} When what arrives is not a frame.
   */
  async read(): Promise<Frame | undefined> {
    for (;;) {
      const frame = this.#decoder.next();
      if (frame) return frame;
      const count = await this.#conn.read(this.#chunk).catch(() => null);
      if (count === null) return undefined;
      this.#heardMs = performance.now();
      const bytes = this.#chunk.subarray(0, count);
      if (this.#records) { for (const proven of this.#records.opener.open(bytes)) this.#decoder.push(proven); }
      else this.#decoder.push(bytes);
    }
  }

  /** A frame that has arrived already, without waiting. */
  readNow(): Frame | undefined {
    return this.#decoder.next();
  }

  /** Closes both ways; harmless when repeated. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // the system closed it first
    }
  }
}

/**
 * Streams of gossip, both ways: requests are answered, and made. Streams, their time and the bytes that wait are limited.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import type { Endpoint } from "../../core/swim/endpoint.ts";
import { FirstLayerError, type StreamDecoder, type StreamMessage } from "../../core/swim/stream.ts";
import type { ExchangeResult } from "../../core/swim/swim_state.ts";
import type { ByteStream } from "../../base/net/byte_stream.ts";
import type { Engine } from "./engine.ts";
import { TcpStream } from "../../base/net/byte_stream.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Requests under way at a time (G3.3). */
export const STREAMS_MAX = 128;
/** Bytes of requests and answers that are not complete, all streams together. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;
/** Bytes that are read of a refused request, so that its sender gets the refusal. */
const DRAINED_BYTES_MAX = 1024 * 1024;

/** Answers and makes requests. */
export class StreamService {
  readonly #timeoutMs: number;
  readonly #open = new Set<ByteStream>();
  #serving = 0;
  #bufferedBytes = 0;
  #engine: Engine | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** The engine that answers; must be set before the first stream arrives. */
  set engine(engine: Engine) {
    this.#engine = engine;
  }

  /** Takes a stream that somebody else opened. */
  async serve(stream: ByteStream, remote: string): Promise<void> {
    const engine = this.#engine;
    if (!engine || this.#serving >= STREAMS_MAX) {
      engine?.turn(({ state }) => state.net.drop("Too many streams"));
      return stream.close();
    }
    this.#serving++;
    this.#open.add(stream);
    const limit = new TimeLimit(stream, this.#timeoutMs);
    try {
      await this.#answer(engine, stream, limit);
    } catch (error) {
      const text = messageOf(error);
      engine.turn(({ state }) => state.net.drop("failed to receive on a stream", `${text} from=${remote}`));
    } finally {
      limit.clear();
      this.#serving--;
      this.#open.delete(stream);
      stream.close();
    }
  }

  async #answer(engine: Engine, stream: ByteStream, limit: TimeLimit): Promise<void> {
    let request: StreamMessage;
    try {
      request = await this.#read(stream, engine.serf.state.swim.decoder("request"));
    } catch (error) {
      if (error instanceof FirstLayerError) {
        await stream.write(engine.serf.state.swim.answerFault(error.message));
        await drain(stream);
      }
      throw error;
    }
    limit.renew();
    const reply = engine.turn(({ state }, nowMs) => state.swim.answer(request, nowMs));
    if (reply) await stream.write(reply);
    const refusal = engine.turn(({ state }, nowMs) => state.swim.absorb(request, nowMs));
    if (refusal !== undefined) throw new Error(`Failed push/pull merge: ${refusal}`);
  }

  /** Reads the one message of a stream. */
  async #read(stream: ByteStream, decoder: StreamDecoder): Promise<StreamMessage> {
    let counted = 0;
    try {
      for (;;) {
        const chunk = await stream.read();
        if (chunk === null) throw new DecodeError("the stream ended before its message");
        const message = decoder.push(chunk);
        if (message) return message;
        this.#bufferedBytes += decoder.bufferedBytes - counted;
        counted = decoder.bufferedBytes;
        if (this.#bufferedBytes > BUFFERED_BYTES_MAX) throw new DecodeError("too many bytes wait in all streams");
      }
    } finally {
      this.#bufferedBytes -= counted;
    }
  }

  /** Dials, sends, reads one answer; never rejects. */
  async exchange(
    { to, request, timeoutMs }: { to: Endpoint; request: Uint8Array; timeoutMs: number },
  ): Promise<ExchangeResult> {
    const controller = new AbortController();
    const timer = setTimeout(
      () => controller.abort(new Error(`no answer within ${Math.round(timeoutMs)} ms`)),
      timeoutMs,
    );
    let stream: ByteStream | undefined;
    try {
      stream = await TcpStream.dial(to, controller.signal);
      this.#open.add(stream);
      controller.signal.addEventListener("abort", () => stream?.close());
      await stream.write(request);
      const engine = this.#engine;
      if (!engine) throw new Error("not started");
      return await this.#read(stream, engine.serf.state.swim.decoder("reply"));
    } catch (error) {
      const cause: unknown = controller.signal.aborted ? controller.signal.reason : error;
      return { type: "failed", error: messageOf(cause), isRefused: cause instanceof Deno.errors.ConnectionRefused };
    } finally {
      clearTimeout(timer);
      stream?.close();
      if (stream) this.#open.delete(stream);
    }
  }

  /** Closes all streams. */
  close(): void {
    for (const stream of this.#open) stream.close();
  }
}

/** Closes a stream when its time is over. */
class TimeLimit {
  readonly #stream: ByteStream;
  readonly #ms: number;
  #timer: ReturnType<typeof setTimeout>;

  constructor(stream: ByteStream, ms: number) {
    this.#stream = stream;
    this.#ms = ms;
    this.#timer = setTimeout(() => stream.close(), ms);
  }

  renew(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#stream.close(), this.#ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** Reads on for a while: closing with bytes unread would reset the connection, and the answer with it. */
async function drain(stream: ByteStream): Promise<void> {
  let left = DRAINED_BYTES_MAX;
  while (left > 0) {
    const chunk = await stream.read().catch(() => null);
    if (chunk === null) return;
    left -= chunk.length;
  }
}

/**
 * The body of a request as a stream with backpressure: a large body is never in memory as a whole.
 * @module
 */
import { ChunkedDecoder, type RequestHead } from "./http1.ts";
import { freeBuffer } from "../../base/codec/free.ts";
import { HttpError } from "./problem.ts";

/** Source of a connection's bytes. */
export interface BodySource {
  /** Bytes that have arrived and were not taken yet; valid until the next call. */
  arrived(): Uint8Array;
  /** Takes bytes of what has arrived. */
  take(count: number): void;
  /** Waits for more. Rejects when the client has left, or is too slow. */
  more(): Promise<void>;
}

/** A body on its way. */
export class IncomingBody {
  readonly #length: RequestHead["body"];
  readonly #source: BodySource;
  #isRead: boolean;

  constructor({ body }: RequestHead, source: BodySource) {
    this.#length = body;
    this.#source = source;
    this.#isRead = body === 0;
  }

  /** Whether all of it was taken: the next request can be read. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /**
   * Its pieces, in order; to be taken once. Each is valid until the next one is asked for.
   * @throws {HttpError} When it is not coded as it says.
   */
  async *pieces(): AsyncGenerator<Uint8Array> {
    if (this.#length === "chunked") yield* this.#chunks();
    else yield* this.#plain(this.#length);
    this.#isRead = true;
  }

  async *#plain(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0;) {
      const piece = this.#source.arrived().subarray(0, left);
      if (piece.length === 0) {
        await this.#source.more();
        continue;
      }
      yield piece;
      this.#source.take(piece.length);
      left -= piece.length;
    }
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    const decoder = new ChunkedDecoder(Infinity, () => new HttpError(413, ""));
    for (;;) {
      this.#source.take(decoder.push(this.#source.arrived()));
      for (const chunk of decoder.take()) {
        yield chunk;
        freeBuffer(chunk);
      }
      if (decoder.done) return;
      await this.#source.more();
    }
  }
}

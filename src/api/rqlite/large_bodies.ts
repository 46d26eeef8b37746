/**
 * Large bodies are read by a Worker of their own: reading one as JSON takes tens of milliseconds for each megabyte, in which
 * this thread would answer nobody else. The Worker is started for the first large body, and ended when none has come for a
 * while, as it keeps what the largest one has taken. How many bytes may wait for it is limited where bodies arrive
 * (http/connection.ts).
 * @module
 */
import { RequestError } from "../../app/database/errors.ts";
import { Caller, type ToCallee, type ToCaller } from "../../base/worker/channel.ts";
import type { EncodedStatements } from "../../core/sql/command.ts";
import { HttpError } from "../http/problem.ts";

/** Bodies of this length and more are large: this thread would take about ten milliseconds for the smallest. */
export const LARGE_BODY_BYTES = 256 * 1024;
/** Time without a large body, in ms, after which the Worker ends. */
export const IDLE_MS = 10_000;

/** A body, and whether it is SQL text and not JSON. */
export interface LargeBody {
  readonly bytes: Uint8Array;
  readonly isText: boolean;
}

/** What the Worker does. */
export interface ParserMethods {
  /** Reads the statements of a body, checks and encodes them. */
  readonly parse: { readonly params: LargeBody; readonly result: EncodedStatements };
}

/** To the Worker. */
export type ToParser = ToCallee<ParserMethods> | { readonly k: "end" };

/** Code of an {@linkcode HttpError}: this, and its status behind it. */
export const HTTP_CODE = "http ";
/** Code of a {@linkcode RequestError}. */
export const REQUEST_CODE = "request";

/** The line to the Worker, where it runs. */
interface ParserLine {
  readonly port: MessagePort;
  readonly caller: Caller<ParserMethods>;
}

/** Reads large bodies. */
export class LargeBodies {
  readonly #start: () => void;
  readonly #idleMs: number;
  #line: PromiseWithResolvers<ParserLine> | undefined;
  #running = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param start Has the Worker started: {@linkcode LargeBodies.connect} is to follow.
   * @param idleMs Time after which it ends. @default {IDLE_MS}
   */
  constructor(start: () => void, idleMs = IDLE_MS) {
    this.#start = start;
    this.#idleMs = idleMs;
  }

  /** The line to the Worker that was asked for. */
  connect(port: MessagePort): void {
    const caller = new Caller<ParserMethods>(port, { callee: "the Worker that reads large requests", failure });
    port.onmessage = ({ data }: MessageEvent<ToCaller>) => caller.settle(data);
    this.#line?.resolve({ port, caller });
  }

  /**
   * Reads a body.
   * @param body Moves to the Worker where its buffer holds nothing else.
   * @throws {HttpError | RequestError} As the body would have it in this thread.
   */
  async parse(body: LargeBody): Promise<EncodedStatements> {
    clearTimeout(this.#idle);
    this.#running++;
    try {
      if (this.#line === undefined) {
        this.#line = Promise.withResolvers();
        this.#start();
      }
      const { caller } = await this.#line.promise;
      const { buffer, byteLength } = body.bytes;
      const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
      return await caller.call("parse", body, { transfer: isOwn ? [buffer] : [] });
    } finally {
      this.#running--;
      if (this.#running === 0) this.#idle = setTimeout(() => this.#end(), this.#idleMs);
    }
  }

  #end(): void {
    const line = this.#line;
    this.#line = undefined;
    line?.promise.then(({ port }) => {
      const message: ToParser = { k: "end" };
      port.postMessage(message);
    });
  }

  /** Whether a body is one for the Worker. */
  takes({ length }: Uint8Array): boolean {
    return length >= LARGE_BODY_BYTES;
  }

  /** Ends the Worker. */
  close(): void {
    clearTimeout(this.#idle);
    this.#end();
  }
}

function failure(message: string, code: string): Error {
  if (code.startsWith(HTTP_CODE)) return new HttpError(Number(code.slice(HTTP_CODE.length)), message);
  return code === REQUEST_CODE ? new RequestError(message) : new Error(message);
}

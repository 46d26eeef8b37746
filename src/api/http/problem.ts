/**
 * The one place where errors become answers (Q2.4). Handlers throw; the router catches and asks here.
 * @module
 */

import {
  BusyError,
  LoadError,
  NoLeaderError,
  NotLeaderError,
  OperationError,
  QueueWaitError,
  RemoteFailure,
  RequestError,
  TooLargeError,
} from "../../app/database/errors.ts";
import type { HeldAnswer } from "../../app/database/held_answer.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Type of an answer that names none. */
export const JSON_TYPE = "application/json; charset=utf-8";

/** A body that is sent as it comes, as quickly as the client takes it. */
export interface BodyStream {
  /** Bytes of the whole, where they are known; without, the body is sent in chunks. */
  readonly length?: number;
  /**
   * Its pieces, ending soon after `over` has resolved: nobody waits for them any more. Each is freed once it is sent. Where
   * they break off with an error, the connection is broken off, so that the client notices.
   */
  pieces(over: Promise<void>): AsyncIterable<string | Uint8Array>;
}

/** An answer, before the headers that every answer has. */
export interface HttpResponse {
  readonly status: number;
  readonly body: string | Uint8Array;
  /** @default {JSON_TYPE} */
  readonly contentType?: string;
  /** HTTP address of the node that did the work. */
  readonly servedBy?: string;
  /** For redirects. */
  readonly location?: string;
  /** Further headers; of this program's making, never a client's text. */
  readonly headers?: Readonly<Record<string, string>>;
  /** In the place of a body: what is sent as it comes. */
  readonly stream?: BodyStream;
  /** In the place of a body: a long answer in parts. Whoever gets the response releases it. */
  readonly held?: HeldAnswer;
  /** Seconds after which a refused request may be tried again. */
  readonly retryAfter?: number;
  /** Nothing was done, as no leader is known here or it cannot be reached: another node may know more, or this one soon. */
  readonly leaderless?: boolean;
}

/** A request that cannot be answered as asked: a status and a text. */
export class HttpError extends Error {
  /** Always `HttpError`. */
  override readonly name = "HttpError";
  readonly status: number;
  readonly retryAfter: number | undefined;
  /** See {@linkcode HttpResponse.leaderless}. */
  readonly leaderless: boolean;
  /** For redirects. */
  readonly location: string | undefined;

  /** @param message Goes to the client; empty for no body. */
  constructor(
    status: number,
    message: string,
    options: { retryAfter?: number; leaderless?: boolean; location?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.status = status;
    this.retryAfter = options.retryAfter;
    this.leaderless = options.leaderless ?? false;
    this.location = options.location;
  }
}

const PLAIN = "text/plain; charset=utf-8";

/** Converts an error of an operation to its HTTP status, if it has one. */
function asHttpError(error: unknown): unknown {
  if (error instanceof BusyError) return new HttpError(503, error.message, { retryAfter: 1 });
  if (error instanceof TooLargeError) return new HttpError(413, error.message);
  if (error instanceof NoLeaderError) return new HttpError(503, error.message, { leaderless: true });
  if (error instanceof QueueWaitError) return new HttpError(408, error.message);
  if (error instanceof OperationError) return new HttpError(500, error.message);
  // Of another node, which was asked as the leader and is not.
  if (error instanceof NotLeaderError) return new RequestError(error.message, "none", { leaderless: true });
  return error instanceof LoadError ? new RequestError(error.message) : error;
}

/**
 * The answer to a request that failed. One about data that failed as a whole has status 200 and a top-level `error`, as
 * rqlite's clients expect; `outcome` is muster's addition.
 */
export function problem(thrown: unknown, log: (line: string) => void): HttpResponse {
  if (thrown instanceof RemoteFailure) return { ...problem(thrown.cause, log), servedBy: thrown.servedBy };
  const error = asHttpError(thrown);
  if (error instanceof RequestError) {
    const outcome = error.outcome === "unknown" ? `,"outcome":"unknown"` : "";
    const body = `{"results":[],"error":${JSON.stringify(error.message)}${outcome}}`;
    return { status: 200, body, ...(error.leaderless ? { leaderless: true } : {}) };
  }
  if (error instanceof HttpError) {
    const { location } = error;
    if (location !== undefined) return { status: error.status, body: "", location };
    if (error.message === "") return { status: error.status, body: "", contentType: "" };
    return {
      status: error.status,
      body: `${error.message}\n`,
      contentType: PLAIN,
      ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }),
      ...(error.leaderless ? { leaderless: true } : {}),
    };
  }
  const message = messageOf(error);
  log(`a request failed unexpectedly: ${error instanceof Error ? error.stack : message}`);
  return { status: 500, body: `${message}\n`, contentType: PLAIN };
}

/**
 * A request as handlers see it, whether a client sent it here or another node forwarded it.
 * @module
 */
import type { Params } from "./params.ts";

/** One request, its body read. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query string, as sent. */
  readonly target: string;
  readonly params: Params;
  readonly contentType: string;
  readonly authorization: string;
  /** Empty where it is taken as it comes. */
  readonly body: Uint8Array;
  /** The body as it comes, on the routes that want it so; to be taken once. */
  readonly incoming?: AsyncIterable<Uint8Array>;
  /** Another node sent it on: it is answered here or not at all. */
  readonly forwarded: boolean;
  /** When it arrived, in ms of the monotonic clock. */
  readonly startedMs: number;
  /** Resolves when waiting on is of no use: the client has left, or this node stops. Absent where no client waits. */
  readonly whenOver?: () => Promise<void>;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The body as text; what is not UTF-8 becomes U+FFFD. A byte order mark stays: it is no JSON. */
export function textOf(body: Uint8Array): string {
  return utf8.decode(body);
}

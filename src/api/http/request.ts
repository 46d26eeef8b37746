/**
 * A request of a client as handlers see it.
 * @module
 */
import type { WhenOver } from "../../app/database/operation.ts";
import type { ActiveSpan } from "../../app/traces/active_span.ts";
import type { Proof } from "../../app/users/users.ts";
import type { Params } from "./params.ts";

/** One request, its body read. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query string, as sent. */
  readonly target: string;
  readonly params: Params;
  readonly contentType: string;
  /** Value of the header, empty for none. @default {""} */
  readonly accept?: string;
  /** Value of the header, empty for none. @default {""} */
  readonly acceptEncoding?: string;
  /** Value of the header, empty for none. @default {""} */
  readonly ifNoneMatch?: string;
  /** Value of the header `Last-Event-ID`, empty for none. @default {""} */
  readonly lastEventId?: string;
  /** Value of the header, or the token of `X-Consul-Token` or the query as a bearer token; empty for none. */
  readonly authorization: string;
  /** IP address of the client; empty where it is not known. */
  readonly address: string;
  /** Credentials that were right on the same connection. */
  readonly proof?: Proof;
  /** Empty where it is taken as it comes. */
  readonly body: Uint8Array;
  /** The body as it comes, on the routes that want it so; to be taken once. */
  readonly incoming?: AsyncIterable<Uint8Array>;
  /** Value of the header `traceparent`, empty for none. @default {""} */
  readonly traceparent?: string;
  /** Present where the request is traced. */
  readonly span?: ActiveSpan;
  /** When it arrived, in ms of the monotonic clock. */
  readonly startedMs: number;
  /** Absent in tests. */
  readonly whenOver?: WhenOver;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The body as text; what is not UTF-8 becomes U+FFFD. A byte order mark stays: it is no JSON. */
export function textOf(body: Uint8Array): string {
  return utf8.decode(body);
}

/**
 * A request as handlers see it, whether a client sent it here or another node forwarded it.
 * @module
 */
import type { Proof } from "../../app/users/users.ts";
import type { ForwardedRequest } from "../../drivers/replica/api.ts";
import type { Params } from "./params.ts";

/** One request, its body read. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query string, as sent. */
  readonly target: string;
  readonly params: Params;
  readonly contentType: string;
  /** Value of the header, or the token of `X-Consul-Token` or the query as a bearer token; empty for none. */
  readonly authorization: string;
  /** IP address of the client, whichever node it asked; empty where it is not known. */
  readonly address: string;
  /** Credentials that were right on the same connection; absent where it was forwarded. */
  readonly proof?: Proof;
  /** Empty where it is taken as it comes. */
  readonly body: Uint8Array;
  /** The body as it comes, on the routes that want it so; to be taken once. */
  readonly incoming?: AsyncIterable<Uint8Array>;
  /** Another node sent it on: it is answered here or not at all. */
  readonly forwarded: boolean;
  /** Another node asks for itself, not for a client. Only the port between nodes can say so. */
  readonly isOfNode?: boolean;
  /** When it arrived, in ms of the monotonic clock. */
  readonly startedMs: number;
  /** Resolves when waiting on is of no use: the client has left, or this node stops. Absent where no client waits. */
  readonly whenOver?: () => Promise<void>;
}

/** A request forwarded to another node. It has the client's credentials, since that node checks them again. */
export function forwardedOf(request: HttpRequest): ForwardedRequest {
  const { method, target, contentType, authorization, address, isOfNode, body } = request;
  return { method, target, contentType, authorization, address, ...(isOfNode ? { isOfNode } : {}), body };
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The body as text; what is not UTF-8 becomes U+FFFD. A byte order mark stays: it is no JSON. */
export function textOf(body: Uint8Array): string {
  return utf8.decode(body);
}

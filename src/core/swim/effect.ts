/**
 * The effects that the core requests. Types only. The driver carries them out in their order; the core waits for none.
 * @module
 */
import type { Endpoint } from "./endpoint.ts";

/** How loud a line is. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Something to do. `E` is what the layer above tells. */
export type Effect<E> =
  /** Send a datagram. */
  | { readonly k: "packet"; readonly to: Endpoint; readonly bytes: Uint8Array }
  /** Dial, send, read one answer, and report it by its `ref`, within the time. */
  | {
    readonly k: "exchange";
    readonly ref: number;
    readonly to: Endpoint;
    readonly request: Uint8Array;
    readonly timeoutMs: number;
  }
  | { readonly k: "log"; readonly level: LogLevel; readonly text: string }
  /** Tell the application. */
  | { readonly k: "event"; readonly event: E };

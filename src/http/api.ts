/**
 * The messages between the HTTP Worker and the supervisor, and what the Worker is told at its start. Types only.
 * @module
 */

/** First message to the Worker. */
export interface OpenHttp {
  readonly k: "open";
  readonly options: HttpOptions;
  /** Shared memory of the node's state (src/rpc/node_state.ts). */
  readonly state: SharedArrayBuffer;
  readonly replica: MessagePort;
  /** Carries the outcomes of writes, straight from the writer. */
  readonly writer: MessagePort;
}

/** What the command line decides about HTTP. */
export interface HttpOptions {
  readonly nodeId: string;
  readonly version: string;
  readonly bindAddr: string;
  /** Advertised HTTP address, `host:port`. */
  readonly advertisedAddr: string;
  /** Advertised cluster address. */
  readonly clusterAddr: string;
  readonly isVoter: boolean;
  readonly allowOrigin: string;
  /** Bytes of a request's body. @default {67108864} */
  readonly bodyBytesMax: number;
  /** Requests at a time; more are answered 503. @default {8192} */
  readonly requestsMax: number;
  /** Connections at a time. @default {4096} */
  readonly connectionsMax: number;
  /** Time for a client to send its body. @default {60000} */
  readonly bodyTimeoutMs: number;
  /** Limit of a read where the request names none. @default {60000} */
  readonly queryTimeoutMs: number;
  /** Facts for `/status` that do not change while the node runs. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Start of the process, wall clock in ms. */
  readonly startedMs: number;
}

/** Supervisor → HTTP Worker. */
export type ToHttpWorker =
  | OpenHttp
  | { readonly k: "reader"; readonly port: MessagePort } // one more to share reads among
  | { readonly k: "shutdown" };

/** HTTP Worker → supervisor. */
export type FromHttpWorker =
  | { readonly k: "listening"; readonly port: number }
  | { readonly k: "replaceReader" } // one is stuck in a statement: another is wanted
  | { readonly k: "stopped" }
  | { readonly k: "failed"; readonly message: string };

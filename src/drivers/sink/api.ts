/**
 * The messages of the Workers that deliver to a sink: changed rows, metrics, traces. And what they are told to do. Types only.
 *
 * The plan may hold keys: it is handed to the Worker and to nobody else, and no part of the program prints it.
 * @module
 */

/** Where changes go to. */
export type Sink =
  | { readonly k: "stdout" }
  /** A file that lines are added to; absolute. */
  | { readonly k: "file"; readonly path: string }
  | HttpSink;

/** A web server that gets them by POST. */
export interface HttpSink {
  readonly k: "http";
  /** Without user and password. */
  readonly url: string;
  /** Where traces go, at a collector; on the same server. */
  readonly tracesUrl?: string;
  /** Value of the header; empty for none. */
  readonly authorization: string;
  /** PEM of authorities, of the certificate and its key; empty for none. */
  readonly caCert: string;
  readonly cert: string;
  readonly key: string;
}

/** What `-cdc-config` says. */
export interface CdcPlan {
  readonly sink: Sink;
  readonly options: CdcOptions;
}

/** How changes are delivered; holds no secrets. */
export interface CdcOptions {
  /** As it is shown. */
  readonly endpoint: string;
  /** Goes with each batch; empty for none. */
  readonly serviceId: string;
  /** Whether events are without the rows. */
  readonly rowIdsOnly: boolean;
  /** Source of the regular expression that names of tables match; empty: all tables. */
  readonly tableFilter: string;
  /** Transactions of one batch. */
  readonly batchMax: number;
  /** How long a batch waits for more. */
  readonly batchDelayMs: number;
  /** How often the cluster is told how far the delivery is. */
  readonly watermarkIntervalMs: number;
  /** Time for one attempt. */
  readonly timeoutMs: number;
  /** Attempts after the first; a batch that fails all of them is dropped. Undefined: for ever. */
  readonly retriesMax: number | undefined;
  /** Whether pauses double. */
  readonly isExponential: boolean;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

/** How metrics and traces are pushed. */
export interface OtlpOptions {
  /** As it is shown. */
  readonly endpoint: string;
  readonly intervalMs: number;
  /** Share of the requests without a `traceparent` that are traced, 0 to 1. */
  readonly traceRatio: number;
  /** Whether spans carry the text of statements. */
  readonly showsSql: boolean;
}

/** What is delivered, and where to. */
export interface SinkPlans {
  readonly cdc: CdcPlan | undefined;
  /** Metrics and traces. */
  readonly otlp: { readonly sink: HttpSink; readonly options: OtlpOptions } | undefined;
}

/** First message to the Worker. */
export interface OpenSink {
  readonly sink: Sink;
  /** Carries calls of {@linkcode SinkMethods}. */
  readonly port: MessagePort;
}

/** What the Worker can be asked; errors are for people. */
export interface SinkMethods {
  /** Delivers a batch; resolves when the sink has it. */
  deliver: {
    params: {
      readonly body: string;
      readonly timeoutMs: number;
      /** @default {what the sink is for} */
      readonly what?: "traces";
    };
    result: void;
  };
}

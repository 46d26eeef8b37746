/**
 * Where metrics and traces are pushed to (`-otlp-endpoint` and its fellows): a collector that takes OTLP over HTTP in JSON. Pure.
 * @module
 */
import { ConfigError } from "../../base/codec/fields.ts";
import type { HttpSink } from "./api.ts";

/** The port of OTLP over HTTP; that of gRPC is another. */
const PORT = "4318";
const GRPC_PORT = "4317";
const PATH = "/v1/metrics";
const TRACES_PATH = "/v1/traces";

/** The flags. */
export interface OtlpFlags {
  /** `host`, `host:port`, or a URL. */
  readonly endpoint: string;
  /** Whether there is no TLS, where the endpoint is no URL. */
  readonly isInsecure: boolean;
  /** PEM; empty for none. */
  readonly caCert: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * The collector.
 * @throws {ConfigError} When the flags name none.
 */
export function otlpSink({ endpoint, isInsecure, caCert, cert, key }: OtlpFlags): HttpSink {
  const scheme = isInsecure ? "http" : "https";
  const isUrl = /^https?:\/\//.test(endpoint);
  const url = URL.parse(isUrl ? endpoint : `${scheme}://${endpoint}`);
  if (!url || url.username !== "" || url.password !== "" || !isUrl && url.pathname !== "/") {
    throw new ConfigError("-otlp-endpoint: expected host:port, or a URL (http, https) without a user");
  }
  if (url.port === GRPC_PORT) {
    throw new ConfigError(
      `-otlp-endpoint: port ${GRPC_PORT} is that of gRPC: name the one for OTLP over HTTP, ${PORT} in most collectors`,
    );
  }
  if (!isUrl && url.port === "" && !/:\d+$/.test(endpoint)) url.port = PORT;
  if (url.pathname === "/") url.pathname = PATH;
  if ((cert === "") !== (key === "")) throw new ConfigError("-otlp-cert and -otlp-key go together");
  const traces = new URL(url);
  traces.pathname = `${url.pathname.replace(/\/v1\/metrics\/?$/, "").replace(/\/$/, "")}${TRACES_PATH}`;
  return { k: "http", url: url.href, tracesUrl: traces.href, authorization: "", caCert, cert, key };
}

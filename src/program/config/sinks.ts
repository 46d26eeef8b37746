/**
 * Reads what the delivery of changes and the pushes of metrics need from outside, before the process gives up the rights to do so.
 * @module
 */
import { ConfigError } from "../../base/codec/fields.ts";
import type { SinkPlans } from "../../drivers/sink/api.ts";
import { cdcPlan } from "../../drivers/sink/cdc_config.ts";
import { otlpSink } from "../../drivers/sink/otlp_config.ts";
import type { NodeConfig } from "./config.ts";
import { readTextFile } from "./outside.ts";

const FILE_BYTES_MAX = 1024 * 1024;
const INTERVAL_MS_MIN = 100;

/**
 * The sinks that a configuration asks for.
 * @throws {ConfigError} When one cannot be used.
 */
export function readSinks(
  { cdcConfig, isVoter, otlp }: Pick<NodeConfig, "cdcConfig" | "isVoter" | "otlp">,
  warn: (line: string) => void,
): SinkPlans {
  const file = (path: string, forKey: string) => readTextFile(path, { forKey, bytesMax: FILE_BYTES_MAX });
  if (cdcConfig !== "" && !isVoter) throw new ConfigError("CDC cannot be enabled on non-voting nodes");
  return {
    cdc: cdcConfig === "" ? undefined : cdcPlan(cdcConfig, { file, warn }),
    otlp: otlp.endpoint === "" ? undefined : otlpPlan(otlp, file),
  };
}

function otlpPlan(
  { endpoint, intervalMs, traceRatio, tracesSql, isInsecure, skipsVerification, caCert, cert, key }: NodeConfig["otlp"],
  file: (path: string, forKey: string) => string,
): SinkPlans["otlp"] {
  if (skipsVerification) {
    throw new ConfigError("-otlp-no-verify is not supported: name the collector's authority with -otlp-ca-cert");
  }
  if (!(intervalMs >= INTERVAL_MS_MIN)) throw new ConfigError(`-otlp-interval must be ${INTERVAL_MS_MIN}ms or more`);
  if (!(traceRatio >= 0 && traceRatio <= 1)) throw new ConfigError("-otlp-trace-sample-ratio must be from 0 to 1");
  const read = (path: string, flag: string) => path === "" ? "" : file(path, flag);
  const sink = otlpSink({
    endpoint,
    isInsecure,
    caCert: read(caCert, "-otlp-ca-cert"),
    cert: read(cert, "-otlp-cert"),
    key: read(key, "-otlp-key"),
  });
  return { sink, options: { endpoint: sink.url, intervalMs, traceRatio, showsSql: tracesSql } };
}

/**
 * `-cdc-config` (Q19.1): a URL, the word `stdout`, or a file of JSON. Durations are in Go's notation or in nanoseconds, as
 * rqlite's documentation and its program have them. Pure.
 * @module
 */
import { ConfigError, Fields, type Schema } from "../../base/codec/fields.ts";
import { parseJson } from "../../base/codec/json_text.ts";
import type { CdcOptions, CdcPlan, Sink } from "./api.ts";

const SCHEMA: Schema = {
  endpoint: "text",
  service_id: "text",
  row_ids_only: "boolean",
  table_filter: "text",
  tls: "object",
  max_batch_size: "integer",
  max_batch_delay: "duration",
  high_watermark_interval: "duration",
  transmit_timeout: "duration",
  transmit_max_retries: "integer",
  transmit_min_backoff: "duration",
  transmit_max_backoff: "duration",
};
const TLS: Schema = {
  ca_cert_file: "text",
  cert_file: "text",
  key_file: "text",
  insecure_skip_verify: "boolean",
  server_name: "text",
};
/** Names of the policies, and rqlite's numbers for them. */
const POLICIES: Readonly<Record<string, boolean>> = {
  linear: false,
  linearretrypolicy: false,
  "0": false,
  exponential: true,
  exponentialretrypolicy: true,
  "1": true,
};
const BATCH_MAX = 10_000;
const TIMER_MS_MAX = 2 ** 31 - 1;
const DEFAULTS: CdcOptions = {
  endpoint: "",
  serviceId: "",
  rowIdsOnly: false,
  tableFilter: "",
  batchMax: 10,
  batchDelayMs: 200,
  watermarkIntervalMs: 1000,
  timeoutMs: 5000,
  retriesMax: undefined,
  isExponential: false,
  backoffMinMs: 1000,
  backoffMaxMs: 30_000,
};

/** What the plan may refer to. */
export interface CdcParts {
  /** Text of a file that the flag, or its file, names. @throws {ConfigError} */
  file(path: string, forKey: string): string;
  warn(line: string): void;
}

/** Whether the flag names a sink itself, and no file. */
export function isSink(value: string): boolean {
  return value === "stdout" || /^https?:\/\//.test(value);
}

/**
 * The plan that the flag asks for.
 * @throws {ConfigError} When it cannot be used.
 */
export function cdcPlan(value: string, parts: CdcParts): CdcPlan {
  if (isSink(value)) return { sink: sinkOf(value), options: { ...DEFAULTS, endpoint: shown(value) } };
  const where = "-cdc-config";
  const text = parts.file(value, where);
  const parsed = parseJson(text, where);
  const policy = policyOf(parsed, where);
  const fields = new Fields(withoutPolicy(parsed), SCHEMA, { where, warn: (line) => parts.warn(line) });
  const endpoint = fields.text("endpoint");
  if (endpoint === "") throw new ConfigError(`${where}: "endpoint" is missing: a URL, "stdout", or "file:///PATH"`);
  return {
    sink: withTls(sinkOf(endpoint), fields, parts),
    options: { ...optionsOf(fields, where), ...policy, endpoint: shown(endpoint) },
  };
}

function optionsOf(fields: Fields, where: string): CdcOptions {
  const duration = (name: string, otherwise: number, least: number) => {
    const ms = fields.durationMs(name, otherwise);
    if (ms >= least && ms <= TIMER_MS_MAX) return ms;
    throw new ConfigError(`${where}: "${name}" must be a duration such as "5s", ${least} ms or more, at most 24 days`);
  };
  const batchMax = fields.number("max_batch_size", DEFAULTS.batchMax);
  if (batchMax < 1 || batchMax > BATCH_MAX) {
    throw new ConfigError(`${where}: "max_batch_size" must be from 1 to ${BATCH_MAX}`);
  }
  const retriesMax = fields.has("transmit_max_retries") ? fields.number("transmit_max_retries", 0) : undefined;
  if (retriesMax !== undefined && retriesMax < 0) {
    throw new ConfigError(`${where}: "transmit_max_retries" must be 0 or more`);
  }
  const tableFilter = fields.text("table_filter");
  try {
    new RegExp(tableFilter, "u");
  } catch {
    throw new ConfigError(`${where}: "table_filter" must be a regular expression, such as "^(users|orders)$"`);
  }
  return {
    ...DEFAULTS,
    serviceId: fields.text("service_id"),
    rowIdsOnly: fields.boolean("row_ids_only"),
    tableFilter,
    batchMax,
    retriesMax,
    batchDelayMs: duration("max_batch_delay", DEFAULTS.batchDelayMs, 0),
    watermarkIntervalMs: duration("high_watermark_interval", DEFAULTS.watermarkIntervalMs, 10),
    timeoutMs: duration("transmit_timeout", DEFAULTS.timeoutMs, 1),
    backoffMinMs: duration("transmit_min_backoff", DEFAULTS.backoffMinMs, 1),
    backoffMaxMs: duration("transmit_max_backoff", DEFAULTS.backoffMaxMs, 1),
  };
}

const POLICY = "transmit_retry_policy";

function policyOf(parsed: unknown, where: string): Pick<CdcOptions, "isExponential"> {
  const value = typeof parsed === "object" && parsed !== null
    ? Object.entries(parsed).find(([name]) => name.toLowerCase() === POLICY)?.[1] ?? "linear"
    : "linear";
  const isExponential = POLICIES[String(value).toLowerCase()];
  if (isExponential !== undefined) return { isExponential };
  throw new ConfigError(`${where}: "${POLICY}" must be "linear" (0) or "exponential" (1)`);
}

/** It is a text or a number, which no kind of field is. */
function withoutPolicy(parsed: unknown): unknown {
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return parsed;
  return Object.fromEntries(Object.entries(parsed).filter(([name]) => name.toLowerCase() !== POLICY));
}

/** @throws {ConfigError} When it names no sink. */
function sinkOf(endpoint: string): Sink {
  if (endpoint === "stdout") return { k: "stdout" };
  const url = URL.parse(endpoint);
  if (url?.protocol === "file:" && url.host === "" && url.pathname.length > 1) {
    return { k: "file", path: decodeURIComponent(url.pathname) };
  }
  if (!url || !["http:", "https:"].includes(url.protocol)) {
    throw new ConfigError(`-cdc-config: "endpoint" must be a URL (http, https, file) or "stdout"`);
  }
  const { username, password } = url;
  url.username = url.password = "";
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = username === "" && password === "" ? "" : `Basic ${new TextEncoder().encode(pair).toBase64()}`;
  return { k: "http", url: url.href, authorization, caCert: "", cert: "", key: "" };
}

/** An endpoint without what is secret. */
function shown(endpoint: string): string {
  const url = URL.parse(endpoint);
  if (!url) return endpoint;
  url.username = url.password = url.search = "";
  return url.href;
}

function withTls(sink: Sink, fields: Fields, { file }: CdcParts): Sink {
  const tls = fields.object("tls", TLS);
  if (!tls || sink.k !== "http") return sink;
  const refused = ["insecure_skip_verify", "server_name"].find((name) => tls.has(name) && tls.text(name, "x") !== "");
  if (refused !== undefined && (refused !== "insecure_skip_verify" || tls.boolean(refused))) {
    throw new ConfigError(
      `-cdc-config: tls: "${refused}" is not supported: name the authority of the server in "ca_cert_file"`,
    );
  }
  const read = (name: string) => tls.text(name) === "" ? "" : file(tls.text(name), `-cdc-config: tls: ${name}`);
  const [caCert, cert, key] = ["ca_cert_file", "cert_file", "key_file"].map(read);
  if ((cert === "") !== (key === "")) {
    throw new ConfigError(`-cdc-config: tls: "cert_file" and "key_file" go together`);
  }
  return { ...sink, caCert, cert, key };
}

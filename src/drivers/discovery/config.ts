/**
 * `-disco-config`: what each way of discovery can be told, and how that becomes {@linkcode DiscoveryOptions}
 * (Q16.1 to Q16.5). Pure: variables and files are read through the caller.
 *
 * muster adds to rqlite's keys: `server` (DNS modes), `dead_after` (key-value modes), and the file and text keys of
 * Consul's `tls_config` in etcd's `TLS`.
 * @module
 */
import { decodeBase64 } from "../../base/codec/base64.ts";
import { splitAddress } from "../../base/codec/address.ts";
import { parseDuration } from "../../base/codec/duration.ts";
import type {
  ConsulOptions,
  Credentials,
  DiscoveryOptions,
  DnsOptions,
  EtcdOptions,
  HttpServer,
  NameServer,
  SrvOptions,
  TlsOptions,
} from "./api.ts";
import { ConfigError, Fields, type Schema } from "../../base/codec/fields.ts";
import { parseJson } from "../../base/codec/json_text.ts";
import { parseIp } from "../../base/codec/ip.ts";

/** The ways of discovery. */
export const MODES = ["consul-kv", "etcd-kv", "dns", "dns-srv"] as const;

/** Access to the environment and files that the configuration may refer to. */
export interface ConfigParts {
  /** Environment variable; undefined when unset. */
  variable(name: string): string | undefined;
  /** Text of a file; throws a {@linkcode ConfigError} that names the key `forKey` when it cannot be read. */
  file(path: string, forKey: string): string;
  /** Texts of the files of a directory. */
  directory(path: string, forKey: string): readonly string[];
  /** The certificates that the system trusts. */
  systemCertificates(): readonly string[];
  /** Told of what is ignored. */
  warn(line: string): void;
}

/** The discovery flags of the command line. */
export interface ConfigInput {
  readonly mode: typeof MODES[number];
  /** `-disco-key`. */
  readonly key: string;
  /** JSON, its variables replaced; empty for none. */
  readonly text: string;
  /** Port that this node listens on for other nodes. */
  readonly clusterPort: number;
}

const WHERE = "-disco-config";
const DEAD_AFTER = "60s";
const REQUEST_TIMEOUT_MS = 5000;

/**
 * Reads a configuration.
 * @throws {ConfigError} When it cannot be used.
 */
export function discoveryOptions(input: ConfigInput, parts: ConfigParts): DiscoveryOptions {
  const value = input.text.trim() === "" ? undefined : parseJson(input.text, WHERE);
  const warn = (line: string) => parts.warn(line);
  const fields = (schema: Schema) => new Fields(value ?? {}, schema, { where: WHERE, warn });
  switch (input.mode) {
    case "dns":
      return dnsOptions(fields({ name: "text", port: "integer", server: "texts" }), input, parts);
    case "dns-srv":
      return srvOptions(fields({ name: "text", service: "text", server: "texts" }));
    case "consul-kv":
      return consulOptions(fields(CONSUL), { ...input, hasConfig: value !== undefined }, parts);
    case "etcd-kv":
      return etcdOptions(fields(ETCD), { ...input, hasConfig: value !== undefined }, parts);
  }
}

function dnsOptions(fields: Fields, { clusterPort }: ConfigInput, { variable }: ConfigParts): DnsOptions {
  const port = fields.number("port", 0) || clusterPort;
  if (port < 1 || port > 65535) throw new ConfigError(`${WHERE}: "port" must be between 1 and 65535`);
  const hosts = (variable("RQLITE_DISCO_DNS_HOSTS") ?? "").split(",").map((host) => host.trim()).filter((host) => host);
  for (const host of hosts) {
    const at = addressOf(host);
    if (!at || at.port === 0) throw new ConfigError(`RQLITE_DISCO_DNS_HOSTS: invalid address ${host}`);
  }
  return { mode: "dns", name: domainName(fields, "name"), port, servers: nameServers(fields), hosts };
}

function srvOptions(fields: Fields): SrvOptions {
  return {
    mode: "dns-srv",
    name: domainName(fields, "name"),
    service: domainName(fields, "service").replace(/^_/, ""),
    servers: nameServers(fields),
  };
}

function domainName(fields: Fields, key: string): string {
  const name = fields.text(key, "rqlite");
  if (name === "" || name.length > 253 || /[\s/:@]/.test(name)) {
    throw new ConfigError(`${WHERE}: "${key}" must be a domain name of 1 to 253 characters`);
  }
  return name;
}

function nameServers(fields: Fields): NameServer[] {
  const listed = fields.texts("server").flatMap((text) => text.split(",")).map((text) => text.trim());
  return listed.filter((text) => text !== "").map((text) => {
    const bare = /^\[(.+)\]$/.exec(text)?.[1] ?? text;
    const at = parseIp(bare) ? { hostname: bare, port: 53 } : addressOf(text);
    if (!at || !parseIp(at.hostname) || at.port === 0) {
      throw new ConfigError(`${WHERE}: "server" must be the IP address of a name server, with or without :port`);
    }
    return { ipAddr: at.hostname, port: at.port };
  });
}

function addressOf(text: string): { hostname: string; port: number } | undefined {
  try {
    return splitAddress(text);
  } catch {
    return undefined; // the caller says what was expected
  }
}

const TLS: Schema = {
  address: "text",
  ca_file: "text",
  ca_path: "text",
  ca_pem: "text",
  cert_file: "text",
  cert_pem: "text",
  key_file: "text",
  key_pem: "text",
  insecure_skip_verify: "boolean",
};

const CONSUL: Schema = {
  address: "text",
  scheme: "text",
  datacenter: "text",
  namespace: "text",
  partition: "text",
  basic_auth: "object",
  token: "text",
  token_file: "text",
  tls_config: "object",
  dead_after: "text",
};

interface StoreInput extends ConfigInput {
  readonly hasConfig: boolean;
}

function consulOptions(fields: Fields, { key, hasConfig }: StoreInput, parts: ConfigParts): ConsulOptions {
  const { variable } = parts;
  const of = (name: string, otherwise: string) => fields.text(name) || (variable(otherwise) ?? "");
  const configured = fields.text("address");
  if (configured.startsWith("http")) throw new ConfigError(`${WHERE}: address should not contain HTTP or HTTPS`);
  const address = of("address", "CONSUL_HTTP_ADDR") || "127.0.0.1:8500";
  const [, prefix, rest] = /^(?:([a-z]+):\/\/)?(.*?)\/?$/s.exec(address) ?? [];
  if (prefix !== undefined && prefix !== "http" && prefix !== "https") {
    throw new ConfigError(`${WHERE}: Consul's address must be host:port; ${prefix} is not supported`);
  }
  const scheme = fields.text("scheme") || prefix || (isTrue(variable("CONSUL_HTTP_SSL")) ? "https" : "http");
  if (scheme !== "http" && scheme !== "https") throw new ConfigError(`${WHERE}: "scheme" must be http or https`);
  const at = hostAndPort(rest, scheme === "https" ? 443 : 80, "address");
  const tokenFile = fields.text("token_file") || (hasConfig ? "" : variable("CONSUL_HTTP_TOKEN_FILE") ?? "");
  return {
    mode: "consul-kv",
    key: `${key}/leader`.replace(/^\//, ""),
    deadAfterMs: deadAfter(fields),
    server: { ...at, tls: scheme === "https" ? consulTls(fields, parts) : undefined, timeoutMs: REQUEST_TIMEOUT_MS },
    datacenter: fields.text("datacenter"),
    namespace: of("namespace", "CONSUL_NAMESPACE"),
    partition: of("partition", "CONSUL_PARTITION"),
    token: header(tokenFile === "" ? of("token", "CONSUL_HTTP_TOKEN") : parts.file(tokenFile, "token_file"), "token"),
    basicAuth: consulAuth(fields, hasConfig ? undefined : variable("CONSUL_HTTP_AUTH")),
  };
}

function consulAuth(fields: Fields, fromVariable: string | undefined): Credentials | undefined {
  const given = fields.object("basic_auth", { username: "text", password: "text" });
  if (given) return { username: given.text("username"), password: given.text("password") };
  if (!fromVariable) return undefined;
  const [username, ...rest] = fromVariable.split(":");
  return { username, password: rest.join(":") };
}

function consulTls(fields: Fields, parts: ConfigParts): TlsOptions {
  const given = fields.object("tls_config", TLS) ??
    new Fields({}, TLS, { where: `${WHERE}: tls_config`, warn: () => {} });
  const { variable } = parts;
  const verify = variable("CONSUL_HTTP_SSL_VERIFY");
  return tlsOptions(given, parts, {
    caFile: variable("CONSUL_CACERT"),
    caPath: variable("CONSUL_CAPATH"),
    certFile: variable("CONSUL_CLIENT_CERT"),
    keyFile: variable("CONSUL_CLIENT_KEY"),
    serverName: given.text("address") || variable("CONSUL_TLS_SERVER_NAME"),
    insecure: given.boolean("insecure_skip_verify") || verify !== undefined && /^(0|f|false)$/i.test(verify),
  });
}

interface TlsDefaults {
  readonly caFile?: string;
  readonly caPath?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly serverName?: string;
  readonly insecure: boolean;
}

/** Certificates stand in the configuration itself (base64 of PEM, or PEM) or in files; what is in it comes first. */
function tlsOptions(given: Fields, parts: ConfigParts, standard: TlsDefaults): TlsOptions {
  const pem = (name: string, otherwise = "") => {
    const file = given.text(`${name}_file`) || otherwise;
    if (given.has(`${name}_pem`)) return certificate(given.text(`${name}_pem`), `${name}_pem`);
    return file === "" ? "" : certificate(parts.file(file, `${name}_file`), `${name}_file`);
  };
  const ca = pem("ca", standard.caFile);
  const path = given.text("ca_path") || standard.caPath || "";
  const own = ca !== "" ? [ca] : path === "" ? [] : parts.directory(path, "ca_path");
  const [cert, key] = [pem("cert", standard.certFile), pem("key", standard.keyFile)];
  if ((cert === "") !== (key === "")) throw new ConfigError(`${WHERE}: a client certificate and its key go together`);
  const trusted = own.length > 0 || standard.insecure ? own : parts.systemCertificates();
  return { ca: trusted, cert, key, serverName: standard.serverName ?? "", insecure: standard.insecure };
}

function certificate(text: string, key: string): string {
  if (text.includes("-----BEGIN ")) return text;
  const decoded = decodeBase64(text.replace(/\s/g, ""));
  if (decoded?.includes("-----BEGIN ")) return decoded;
  throw new ConfigError(`${WHERE}: "${key}" must be in PEM format`);
}

/** etcd's client has these too; they tune its own connection and retries, which muster does not have. */
const ETCD_WITHOUT_EFFECT = [
  "auto-sync-interval",
  "dial-keep-alive-time",
  "dial-keep-alive-timeout",
  "reject-old-cluster",
  "permit-without-stream",
  "max-unary-retries",
  "backoff-wait-between",
  "backoff-jitter-fraction",
  "backoff-exponent",
  "backoff-max-wait-between",
  "MaxCallSendMsgSize",
  "MaxCallRecvMsgSize",
];

const ETCD: Schema = {
  endpoints: "texts",
  username: "text",
  password: "text",
  token: "text",
  "auto-sync-interval": "integer",
  "dial-timeout": "integer",
  "dial-keep-alive-time": "integer",
  "dial-keep-alive-timeout": "integer",
  "reject-old-cluster": "boolean",
  "permit-without-stream": "boolean",
  "max-unary-retries": "integer",
  "backoff-wait-between": "integer",
  "backoff-jitter-fraction": "number",
  "backoff-exponent": "number",
  "backoff-max-wait-between": "integer",
  MaxCallSendMsgSize: "integer",
  MaxCallRecvMsgSize: "integer",
  TLS: "object",
  dead_after: "text",
};

function etcdOptions(fields: Fields, { key, hasConfig }: StoreInput, parts: ConfigParts): EtcdOptions {
  const listed = hasConfig ? fields.texts("endpoints").map((text) => text.trim()) : ["localhost:2379"];
  if (listed.length === 0) throw new ConfigError("etcdclient: no available endpoints");
  for (const name of ETCD_WITHOUT_EFFECT) {
    if (fields.has(name)) parts.warn(`${WHERE}: "${name}" has no effect here`);
  }
  const tls = etcdTls(fields, listed, parts);
  const username = fields.text("username");
  return {
    mode: "etcd-kv",
    key: `/${key}/leader`,
    deadAfterMs: deadAfter(fields),
    endpoints: listed.map((text) => endpoint(text, tls, fields.number("dial-timeout", 0) / 1e6)),
    auth: username === "" ? undefined : { username, password: fields.text("password") },
    token: header(fields.text("token"), "token"),
  };
}

function endpoint(text: string, tls: TlsOptions | undefined, timeoutMs: number): HttpServer {
  const [, scheme, rest] = /^(?:([a-z]+):\/\/)?(.*?)\/?$/s.exec(text) ?? [];
  if (scheme !== undefined && scheme !== "http" && scheme !== "https") {
    throw new ConfigError(`${WHERE}: "endpoints" must be host:port, http://host:port or https://host:port`);
  }
  const at = hostAndPort(rest, 2379, "endpoints");
  return { ...at, tls: scheme === "http" ? undefined : tls, timeoutMs: timeoutMs > 0 ? timeoutMs : REQUEST_TIMEOUT_MS };
}

/** Without a `TLS` object, only an endpoint that says `https` is spoken to in TLS. */
function etcdTls(fields: Fields, listed: readonly string[], parts: ConfigParts): TlsOptions | undefined {
  const schema: Schema = { ...TLS, ServerName: "text", InsecureSkipVerify: "boolean" };
  const given = fields.object("TLS", schema);
  if (!given && !listed.some((text) => text.startsWith("https://"))) return undefined;
  const from = given ?? new Fields({}, schema, { where: `${WHERE}: TLS`, warn: () => {} });
  return tlsOptions(from, parts, {
    serverName: from.text("ServerName") || from.text("address"),
    insecure: from.boolean("InsecureSkipVerify") || from.boolean("insecure_skip_verify"),
  });
}

function hostAndPort(text: string, port: number, key: string): { hostname: string; port: number } {
  const complete = /:\d+$/.test(text) ? text : `${text}:${port}`;
  const at = addressOf(complete);
  if (!at || text === "" || text.startsWith(":") || /[\s/@?#]/.test(text) || at.port === 0) {
    throw new ConfigError(`${WHERE}: "${key}" must be host:port, without user, path or query`);
  }
  return at;
}

function deadAfter(fields: Fields): number {
  const ms = parseDuration(fields.text("dead_after", DEAD_AFTER));
  if (ms === undefined || ms < 0) {
    throw new ConfigError(`${WHERE}: "dead_after" must be a duration such as "60s", or "0"`);
  }
  return ms;
}

/** A text that goes into a header: what surrounds it in a file is cut off. */
function header(text: string, key: string): string {
  const trimmed = text.trim();
  // deno-lint-ignore no-control-regex -- they would end the header
  if (/[\x00-\x1f\x7f-\uffff]/.test(trimmed)) throw new ConfigError(`${WHERE}: "${key}" must be printable ASCII`);
  return trimmed;
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(1|t|true)$/i.test(text);
}

/**
 * The kinds of checks: what each does, and how one is read from a definition. Pure.
 * @module
 */
import { DefinitionError, type DefinitionFields, malformed, textsOf } from "./definition_fields.ts";

/** How a check over TLS knows its server. */
export interface CheckTls {
  /** Name to expect in the certificate of the server; empty: the host of the address. */
  readonly tlsServerName: string;
  /** Whether any certificate is accepted. */
  readonly tlsSkipVerify: boolean;
}

/** A check that is critical unless its status is updated through the API within `ttlMs`. */
export interface TtlKind {
  /** Tells the kinds apart. */
  readonly k: "ttl";
  /** Longest time between two updates, in milliseconds. */
  readonly ttlMs: number;
}

/** A check that runs a program: exit code 0 is passing, 1 warning, any other critical. */
export interface ScriptKind {
  /** Tells the kinds apart. */
  readonly k: "script";
  /** Program and arguments; with `shell` one string alone. */
  readonly args: readonly string[];
  /** Path of the shell that runs the string, as `SHELL -c STRING`; undefined: no shell. */
  readonly shell?: string;
}

/** A check that sends an HTTP request: 2xx is passing, 429 warning, any other status critical. */
export interface HttpKind extends CheckTls {
  /** Tells the kinds apart. */
  readonly k: "http";
  /** `http:` or `https:`. */
  readonly url: string;
  /** Method of the request. @default {"GET"} */
  readonly method: string;
  /** Values by name of the header. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** Body of the request; may be empty. */
  readonly body: string;
  /** Whether a redirect is the answer itself, and not followed. */
  readonly disableRedirects: boolean;
}

/** A check that connects. */
export interface TcpKind extends CheckTls {
  /** Tells the kinds apart. */
  readonly k: "tcp";
  /** `host:port`. */
  readonly address: string;
  /** Whether the connection is to be TLS. */
  readonly useTls: boolean;
}

/** A check that sends a datagram: passing unless the port is unreachable. */
export interface UdpKind {
  /** Tells the kinds apart. */
  readonly k: "udp";
  /** `host:port`. */
  readonly address: string;
}

/** A check that asks the standard health service of gRPC. */
export interface GrpcKind extends CheckTls {
  /** Tells the kinds apart. */
  readonly k: "grpc";
  /** `host:port`. */
  readonly address: string;
  /** Name of the service to ask for; empty: the server as a whole. */
  readonly service: string;
  /** Whether the connection is to be TLS. */
  readonly useTls: boolean;
}

/** A check that sends a ping of HTTP/2. */
export interface H2PingKind extends CheckTls {
  /** Tells the kinds apart. */
  readonly k: "h2ping";
  /** `host:port`. */
  readonly address: string;
  /** Whether the connection is to be TLS. @default {true} */
  readonly useTls: boolean;
}

/** A check that has the status of another service, or of another node. */
export interface AliasKind {
  /** Tells the kinds apart. */
  readonly k: "alias";
  /** Name of the node; empty: this one. */
  readonly node: string;
  /** ID of the service; empty: the node itself. */
  readonly service: string;
}

/** A check of the catalog that no agent runs. */
export interface NoKind {
  /** Tells the kinds apart. */
  readonly k: "none";
}

/** The kinds that an agent runs at an interval. */
export type IntervalKind = ScriptKind | HttpKind | TcpKind | UdpKind | GrpcKind | H2PingKind;

/** What a check does. */
export type CheckKind = TtlKind | IntervalKind | AliasKind | NoKind;

/** Names of the fields that say what a check does. */
export const KIND_FIELDS =
  "ttl args script_args script shell http method header body disable_redirects tcp tcp_use_tls " +
  "udp grpc grpc_use_tls h2ping h2ping_use_tls alias_node alias_service tls_server_name tls_skip_verify " +
  "docker_container_id os_service";

const TEXT_CHARACTERS_MAX = 4096;
const BODY_CHARACTERS_MAX = 65_536;
const ARGS_MAX = 256;
const HEADERS_MAX = 64;
const NAME_CHARACTERS_MAX = 255;
const SHELL = "/bin/sh";

/** What each kind is read from, in the order in which errors name them. */
const READERS: readonly [CheckKind["k"], (fields: DefinitionFields) => CheckKind | undefined][] = [
  ["ttl", ttl],
  ["script", script],
  ["http", http],
  ["tcp", tcp],
  ["udp", udp],
  ["grpc", grpc],
  ["h2ping", h2ping],
  ["alias", alias],
];

/**
 * Reads what a check does.
 * @throws {DefinitionError} When a field is not of its form, or there are several kinds.
 */
export function checkKind(fields: DefinitionFields): CheckKind {
  for (const name of ["docker_container_id", "os_service"]) {
    if (fields.text(name, TEXT_CHARACTERS_MAX) !== "") {
      throw new DefinitionError(`Invalid check: ${name} is not supported`);
    }
  }
  const found = READERS.flatMap(([, read]) => read(fields) ?? []);
  if (found.length < 2) return found[0] ?? { k: "none" };
  if (found.some(({ k }) => k === "alias") && found.some(({ k }) => k === "ttl")) {
    throw new DefinitionError("Invalid check: TTL must be not be set for Alias checks");
  }
  throw new DefinitionError(`Invalid check: only one kind can be specified, not ${found.map(({ k }) => k).join(", ")}`);
}

function ttl(fields: DefinitionFields): TtlKind | undefined {
  const ttlMs = fields.durationMs("ttl");
  return ttlMs > 0 ? { k: "ttl", ttlMs } : undefined;
}

function script(fields: DefinitionFields): ScriptKind | undefined {
  const limits = { countMax: ARGS_MAX, charactersMax: TEXT_CHARACTERS_MAX };
  const [args, others] = [fields.texts("args", limits), fields.texts("script_args", limits)];
  const line = fields.text("script", TEXT_CHARACTERS_MAX);
  const shell = fields.word("shell", TEXT_CHARACTERS_MAX) || SHELL;
  const program = args.length > 0 ? args : others;
  if (program.length > 0 && line !== "") {
    throw new DefinitionError("Invalid check: only one of args and script can be specified");
  }
  if (program.length > 0) return { k: "script", args: program };
  return line === "" ? undefined : { k: "script", args: [line], shell };
}

function http(fields: DefinitionFields): HttpKind | undefined {
  const url = fields.word("http", TEXT_CHARACTERS_MAX);
  if (url === "") return undefined;
  return {
    k: "http",
    url,
    method: fields.word("method", NAME_CHARACTERS_MAX) || "GET",
    headers: headers(fields),
    body: fields.text("body", BODY_CHARACTERS_MAX),
    disableRedirects: fields.flag("disable_redirects"),
    ...tls(fields),
  };
}

function headers(fields: DefinitionFields): Record<string, readonly string[]> {
  const entries = fields.entries("header");
  if (entries.length > HEADERS_MAX) throw malformed(`Expected "header" to have at most ${HEADERS_MAX} names`);
  return Object.fromEntries(entries.map(([name, values]) => {
    const found = textsOf(typeof values === "string" ? [values] : values, TEXT_CHARACTERS_MAX);
    if (found && found.length <= HEADERS_MAX && name.length <= NAME_CHARACTERS_MAX) return [name, found];
    throw malformed('Expected each name of "header" to have a list of strings');
  }));
}

function tcp(fields: DefinitionFields): TcpKind | undefined {
  const address = fields.word("tcp", TEXT_CHARACTERS_MAX);
  return address === "" ? undefined : { k: "tcp", address, useTls: fields.flag("tcp_use_tls"), ...tls(fields) };
}

function udp(fields: DefinitionFields): UdpKind | undefined {
  const address = fields.word("udp", TEXT_CHARACTERS_MAX);
  return address === "" ? undefined : { k: "udp", address };
}

function grpc(fields: DefinitionFields): GrpcKind | undefined {
  const target = fields.word("grpc", TEXT_CHARACTERS_MAX);
  if (target === "") return undefined;
  const slash = target.indexOf("/");
  const [address, service] = slash < 0 ? [target, ""] : [target.slice(0, slash), target.slice(slash + 1)];
  return { k: "grpc", address, service, useTls: fields.flag("grpc_use_tls"), ...tls(fields) };
}

function h2ping(fields: DefinitionFields): H2PingKind | undefined {
  const address = fields.word("h2ping", TEXT_CHARACTERS_MAX);
  if (address === "") return undefined;
  return { k: "h2ping", address, useTls: fields.flag("h2ping_use_tls", true), ...tls(fields) };
}

function alias(fields: DefinitionFields): AliasKind | undefined {
  const node = fields.word("alias_node", NAME_CHARACTERS_MAX);
  const service = fields.word("alias_service", NAME_CHARACTERS_MAX);
  return node === "" && service === "" ? undefined : { k: "alias", node, service };
}

function tls(fields: DefinitionFields): CheckTls {
  return {
    tlsServerName: fields.word("tls_server_name", NAME_CHARACTERS_MAX),
    tlsSkipVerify: fields.flag("tls_skip_verify"),
  };
}

/** The fields that {@linkcode checkKind} reads the same kind from. */
export function kindFields(kind: CheckKind): Record<string, unknown> {
  switch (kind.k) {
    case "ttl":
      return { ttl: kind.ttlMs };
    case "script":
      return kind.shell === undefined ? { args: kind.args } : { script: kind.args[0], shell: kind.shell };
    case "http": {
      const { url, method, headers, body, disableRedirects } = kind;
      return { http: url, method, header: headers, body, disable_redirects: disableRedirects, ...tlsFields(kind) };
    }
    case "tcp":
      return { tcp: kind.address, tcp_use_tls: kind.useTls, ...tlsFields(kind) };
    case "udp":
      return { udp: kind.address };
    case "grpc": {
      const target = kind.service === "" ? kind.address : `${kind.address}/${kind.service}`;
      return { grpc: target, grpc_use_tls: kind.useTls, ...tlsFields(kind) };
    }
    case "h2ping":
      return { h2ping: kind.address, h2ping_use_tls: kind.useTls, ...tlsFields(kind) };
    case "alias":
      return { alias_node: kind.node, alias_service: kind.service };
    case "none":
      return {};
  }
}

function tlsFields({ tlsServerName, tlsSkipVerify }: CheckTls): Record<string, unknown> {
  return { tls_server_name: tlsServerName, tls_skip_verify: tlsSkipVerify };
}

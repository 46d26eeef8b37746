/**
 * The settings of an agent from its configuration files, one after the other, and then its flags (C5.1). The last of
 * several values wins, lists are joined, blocks are merged. An unknown key is an error; a key of Consul that muster
 * does not support yet is ignored with a warning.
 * @module
 */
import { AGENT_FLAGS } from "./agent_flags.ts";
import { FOREIGN_KEYS, KEY_ALIASES } from "./consul_keys.ts";
import { parseDuration } from "../../base/codec/duration.ts";
import type { Flags } from "./flags.ts";
import { parseHclOrJson } from "../../base/codec/hcl.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** A configuration that cannot be used; the message says where and what was expected. */
export class SettingsError extends Error {
  /** Always `SettingsError`. */
  override readonly name = "SettingsError";
}

/** Type of a setting. `secret` is a string that no message shows, `objects` one object or a list of them. */
type Kind =
  | "text"
  | "secret"
  | "texts"
  | "number"
  | "flag"
  | "duration"
  | "texts by name"
  | "objects"
  | "later"
  | Block;
/** Keys within a block. */
interface Block {
  readonly [key: string]: Kind;
}

/** Keys of a block that Consul knows and that have no effect here, or not yet. */
function laterKeys(names: string): Record<string, "later"> {
  return Object.fromEntries(names.split(" ").map((name) => [name, "later"]));
}

const PORTS: Block = {
  dns: "number",
  http: "number",
  https: "number",
  serf_lan: "number",
  serf_wan: "number",
  server: "number",
  sql: "number",
  ...laterKeys("grpc grpc_tls sidecar_min_port sidecar_max_port expose_min_port expose_max_port"),
  ...laterKeys("proxy_min_port proxy_max_port"),
};
const GOSSIP: Block = {
  gossip_interval: "duration",
  gossip_nodes: "number",
  probe_interval: "duration",
  probe_timeout: "duration",
  retransmit_mult: "number",
  suspicion_mult: "number",
};
const DNS: Block = {
  node_ttl: "duration",
  only_passing: "flag",
  service_ttl: "texts by name",
  udp_answer_limit: "number",
  a_record_limit: "number",
  enable_truncate: "flag",
  enable_additional_node_meta_txt: "flag",
  disable_compression: "flag",
  recursor_timeout: "duration",
  recursor_strategy: "text",
  soa: { refresh: "number", retry: "number", expire: "number", min_ttl: "number" },
  ...laterKeys("allow_stale max_stale use_cache cache_max_age prefer_namespace"),
};

/** Keys of every part of the block `tls`. */
const TLS: Block = {
  ca_file: "text",
  ca_path: "text",
  cert_file: "text",
  key_file: "text",
  tls_cipher_suites: "text",
  tls_min_version: "text",
  verify_incoming: "flag",
};
/** Keys of calls to servers. */
const TLS_CALLS: Block = { ...TLS, verify_outgoing: "flag", verify_server_hostname: "flag" };

/** Keys and their kinds. */
const KEYS: Block = {
  ...TLS_CALLS,
  addresses: { dns: "text", http: "text", https: "text", ...laterKeys("grpc grpc_tls") },
  advertise_addr: "text",
  advertise_addr_wan: "text",
  alt_domain: "text",
  atlas_ca_file: "text",
  atlas_endpoint: "text",
  atlas_infrastructure: "text",
  atlas_join: "flag",
  atlas_token: "secret",
  acl: {
    enabled: "flag",
    default_policy: "text",
    down_policy: "text",
    enable_key_list_policy: "flag",
    enable_token_persistence: "flag",
    token_ttl: "duration",
    tokens: {
      agent: "secret",
      agent_master: "secret",
      agent_recovery: "secret",
      config_file_service_registration: "secret",
      default: "secret",
      dns: "secret",
      initial_management: "secret",
      master: "secret",
      replication: "secret",
      ...laterKeys("managed_service_provider"),
    },
    ...laterKeys("enable_token_replication msp_disable_bootstrap policy_ttl role_ttl"),
  },
  auth: "text",
  auto_encrypt: { tls: "flag", allow_tls: "flag", ...laterKeys("dns_san ip_san") },
  autopilot: {
    cleanup_dead_servers: "flag",
    last_contact_threshold: "duration",
    max_trailing_logs: "number",
    min_quorum: "number",
    server_stabilization_time: "duration",
    ...laterKeys("disable_upgrade_migration redundancy_zone_tag upgrade_version_tag"),
  },
  bind_addr: "text",
  bootstrap: "flag",
  bootstrap_expect: "number",
  cdc_config: "text",
  check: "objects",
  check_output_max_size: "number",
  check_update_interval: "duration",
  checks: "objects",
  client_addr: "text",
  discard_check_output: "flag",
  enable_local_script_checks: "flag",
  enable_script_checks: "flag",
  cluster_name: "text",
  cluster_secret_file: "text",
  cluster_secret_optional: "flag",
  data_dir: "text",
  datacenter: "text",
  default_query_time: "duration",
  dns_config: DNS,
  domain: "text",
  encrypt: "secret",
  gossip_lan: GOSSIP,
  gossip_wan: GOSSIP,
  leave_on_terminate: "flag",
  limits: {
    kv_max_value_size: "number",
    txn_max_req_len: "number",
    ...laterKeys(
      "http_max_conns_per_client https_handshake_timeout request_limits rpc_client_timeout rpc_handshake_timeout " +
        "rpc_max_burst rpc_max_conns_per_client rpc_rate",
    ),
  },
  log_level: "text",
  max_query_time: "duration",
  node_id: "text",
  node_meta: "texts by name",
  node_name: "text",
  otlp: {
    ca_cert: "text",
    cert: "text",
    endpoint: "text",
    insecure: "flag",
    interval: "duration",
    key: "text",
    no_verify: "flag",
    trace_sample_ratio: "text",
    trace_sql: "flag",
  },
  pid_file: "text",
  ports: PORTS,
  raft_lease_reads: "flag",
  read_replica: "flag",
  reconnect_timeout: "duration",
  reconnect_timeout_wan: "duration",
  recursors: "texts",
  rejoin_after_leave: "flag",
  rejoin_damaged: "flag",
  rendezvous: { enabled: "flag", addr: "text", cert_file: "text", key_file: "text" },
  retry_interval: "duration",
  retry_interval_wan: "duration",
  retry_join: "texts",
  retry_join_wan: "texts",
  retry_max: "number",
  retry_max_wan: "number",
  serf_wan: "text",
  server: "flag",
  service: "objects",
  services: "objects",
  session_ttl_min: "duration",
  skip_leave_on_interrupt: "flag",
  start_join: "texts",
  start_join_wan: "texts",
  tls: {
    defaults: { ...TLS_CALLS, ...laterKeys("use_auto_cert") },
    https: { ...TLS, ...laterKeys("verify_outgoing verify_server_hostname use_auto_cert") },
    internal_rpc: { ...TLS_CALLS, ...laterKeys("use_auto_cert") },
    ...laterKeys("grpc enable_agent_tls_for_checks"),
  },
  ui: "flag",
  ui_config: {
    enabled: "flag",
    content_path: "text",
    ...laterKeys("dir metrics_provider metrics_provider_files metrics_provider_options_json metrics_proxy"),
    ...laterKeys("dashboard_url_templates hcp_enabled"),
  },
  verify_incoming_https: "flag",
  verify_incoming_rpc: "flag",
  watches: "objects",
};

/** Keys of Consul that have no effect here, or not yet. */
const LATER: ReadonlySet<string> = new Set(
  ("advertise_reconnect_timeout auto_reload_config " +
    "config_entries connect disable_anonymous_signature " +
    "disable_coordinates disable_host_node_id disable_keyring_file disable_remote_exec disable_update_check " +
    "enable_debug enable_syslog encrypt_verify_incoming " +
    "encrypt_verify_outgoing http_config log_file log_json log_rotate_bytes log_rotate_duration " +
    "log_rotate_max_files performance primary_datacenter protocol raft_logstore raft_protocol " +
    "raft_snapshot_interval raft_snapshot_threshold raft_trailing_logs " +
    "rpc segments serf_lan server_rejoin_age_max " +
    "syslog_facility telemetry tls_prefer_server_cipher_suites translate_wan_addrs ui_dir unix_sockets use_streaming_backend")
    .split(" "),
);

const NO_EFFECT = "has no effect in this version";

/** The merged settings, typed at the moment of reading; every value was checked when it was loaded. */
export class Settings {
  readonly #values: Record<string, unknown> = {};
  /** Messages about ignored settings. */
  readonly warnings: string[] = [];

  /**
   * Reads files and flags.
   * @throws {SettingsError} Naming the file and the key.
   */
  static load(flags: Flags): Settings {
    const settings = new Settings();
    for (const { name, value } of flags.inOrder(["config-file", "config-dir"])) {
      if (name === "config-file") settings.addFile(value);
      else settings.addDirectory(value);
    }
    settings.#addFlags(flags);
    return settings;
  }

  /** Adds a file, or the files of a directory. */
  addPath(path: string): void {
    let info: Deno.FileInfo;
    try {
      info = Deno.statSync(path);
    } catch (error) {
      throw new SettingsError(`Cannot read ${path}: ${messageOf(error)}`);
    }
    if (info.isDirectory) this.addDirectory(path);
    else this.addFile(path);
  }

  /** Adds the `.json` and `.hcl` files of a directory, in the order of their names. */
  addDirectory(directory: string): void {
    let entries: Deno.DirEntry[];
    try {
      entries = [...Deno.readDirSync(directory)].sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      throw new SettingsError(
        `Cannot read the directory ${directory}: ${messageOf(error)}`,
      );
    }
    for (const { name, isDirectory } of entries) {
      if (isDirectory) continue;
      if (/\.(json|hcl)$/.test(name)) this.addFile(`${directory}/${name}`);
      else this.warnings.push(`skipping file ${directory}/${name}, extension must be .hcl or .json`);
    }
  }

  /** Adds a file. */
  addFile(path: string): void {
    let parsed: unknown;
    try {
      const text = Deno.readTextFileSync(path);
      parsed = path.endsWith(".hcl") ? parseHclOrJson(text) : JSON.parse(text);
    } catch (error) {
      throw new SettingsError(`Error parsing ${path}: ${messageOf(error)}`);
    }
    if (!isObject(parsed)) throw new SettingsError(`Error parsing ${path}: expected an object of settings`);
    for (const [given, value] of settingsIn(parsed)) {
      const key = keyOf(given, (name) => Object.hasOwn(KEYS, name) || LATER.has(name) || FOREIGN_KEYS.has(name));
      if (Object.hasOwn(KEYS, key)) {
        const where = { path: `${path}: ${key}`, warnings: this.warnings };
        merge(this.#values, key, checked(where, value, KEYS[key]));
      } else if (LATER.has(key) || FOREIGN_KEYS.has(key)) {
        this.warnings.push(`${path}: "${key}" ${NO_EFFECT}`);
        merge(this.#values, key, foreignBlock(value)); // some of them are refused
      } else throw new SettingsError(`${path}: invalid config key ${key}`);
    }
  }

  #addFlags(flags: Flags): void {
    for (const { name, kind, key } of AGENT_FLAGS) {
      if (key === "" || !flags.has(name)) continue;
      const [block, inner] = key.split(".");
      const value = key === "node_meta"
        ? pairs(flags.all(name))
        : kind === "strings"
        ? flags.all(name)
        : kind === "bool"
        ? flags.bool(name)
        : kind === "int"
        ? flags.int(name)
        : flags.string(name);
      merge(this.#values, block, inner === undefined ? value : { [inner]: value });
    }
  }

  #at(key: string): unknown {
    return key.split(".").reduce<unknown>((value, name) => isObject(value) ? value[name] : undefined, this.#values);
  }

  /** Whether it was set. */
  has(key: string): boolean {
    return this.#at(key) !== undefined;
  }

  text(key: string, otherwise = ""): string {
    const value = this.#at(key);
    return typeof value === "string" ? value : otherwise;
  }

  number(key: string, otherwise: number): number {
    const value = this.#at(key);
    return typeof value === "number" ? value : otherwise;
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.#at(key);
    return typeof value === "boolean" ? value : otherwise;
  }

  texts(key: string): readonly string[] {
    const value = this.#at(key);
    return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
  }

  /** The objects of several keys. */
  objects(...keys: readonly string[]): readonly Readonly<Record<string, unknown>>[] {
    return keys.flatMap((key) => {
      const value = this.#at(key);
      return Array.isArray(value) ? value.filter(isObject) : [];
    });
  }

  /** A duration in ms. */
  durationMs(key: string, otherwise: number): number {
    const value = this.#at(key);
    return typeof value === "string" ? parseDuration(value) ?? otherwise : otherwise;
  }

  /** Texts by name. */
  map(key: string): Readonly<Record<string, string>> {
    const value = this.#at(key);
    if (!isObject(value)) return {};
    return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function pairs(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map((text) => {
    const colon = text.indexOf(":");
    return colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
  }));
}

function merge(target: Record<string, unknown>, key: string, value: unknown): void {
  const before = target[key];
  if (Array.isArray(before) && Array.isArray(value)) target[key] = [...before, ...value];
  else if (isObject(before) && isObject(value)) {
    const both = { ...before };
    for (const [inner, one] of Object.entries(value)) merge(both, inner, one);
    target[key] = both;
  } else target[key] = value;
}

/** Settings of an object; what is `null` is not set, as in Consul. */
function settingsIn(object: Record<string, unknown>): [key: string, value: unknown][] {
  return Object.entries(object).filter(([, value]) => value !== null);
}

/** A block of Consul that is not checked, with its keys in lower case. */
function foreignBlock(value: unknown): unknown {
  const block = Array.isArray(value) && value.length === 1 ? value[0] : value; // a block of HCL
  if (!isObject(block)) return value;
  return Object.fromEntries(settingsIn(block).map(([key, inner]) => [key.toLowerCase(), inner]));
}

/** The key that is meant: as in Consul, letter case does not matter, and some have two names. */
function keyOf(given: string, isKnown: (name: string) => boolean): string {
  const lower = given.toLowerCase();
  return KEY_ALIASES.get(lower) ?? (isKnown(lower) ? lower : given);
}

/** Place of a value, and the list for warnings about ignored settings. */
interface Where {
  readonly path: string;
  readonly warnings: string[];
}

function checkedBlock({ path, warnings }: Where, block: Record<string, unknown>, kinds: Block): unknown {
  const settings = settingsIn(block).map(([given, value]): [string, unknown] => [
    keyOf(given, (name) => Object.hasOwn(kinds, name)),
    value,
  ]);
  const known = settings.filter(([key]) => {
    if (!Object.hasOwn(kinds, key)) throw new SettingsError(`${path}: invalid config key ${key}`);
    if (kinds[key] === "later") warnings.push(`${path}: "${key}" ${NO_EFFECT}`);
    return kinds[key] !== "later";
  });
  return Object.fromEntries(
    known.map(([key, value]) => [key, checked({ path: `${path}.${key}`, warnings }, value, kinds[key])]),
  );
}

/** The value in the form in which it is kept. */
function checked(where: Where, value: unknown, kind: Kind): unknown {
  const fail = (wanted: string): never => {
    const found = kind === "secret" ? "another kind of value" : JSON.stringify(value);
    throw new SettingsError(`${where.path}: expected ${wanted}, found ${found}`);
  };
  if (typeof kind === "object") {
    if (Array.isArray(value) && value.length === 1) value = value[0]; // a block of HCL
    return isObject(value) ? checkedBlock(where, value, kind) : fail("a block");
  }
  switch (kind) {
    case "text":
    case "secret":
      return typeof value === "string" ? value : fail("a text");
    case "number":
      return typeof value === "number" && Number.isInteger(value) ? value : fail("a whole number");
    case "flag":
      return typeof value === "boolean" ? value : fail("true or false");
    case "duration":
      return typeof value === "string" && parseDuration(value) !== undefined ? value : fail('a duration such as "10s"');
    case "texts":
      if (typeof value === "string") return [value];
      return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : fail("a list of texts");
    case "objects": {
      const list = Array.isArray(value) ? value : [value];
      return list.every(isObject) ? list : fail("an object, or a list of objects");
    }
    case "texts by name":
      if (Array.isArray(value) && value.length === 1) value = value[0];
      return isObject(value) && Object.values(value).every((one) => typeof one === "string")
        ? value
        : fail("texts by name");
    default:
      return value;
  }
}

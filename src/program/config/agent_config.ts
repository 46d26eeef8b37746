/**
 * From an agent's settings to the one configuration of a node, with Consul's rules and words (C3.1).
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import { joinAddress, socketPath } from "../../base/codec/address.ts";
import {
  type Addresses,
  addressesOf,
  AddressReader,
  isAnyAddress,
  type Machine,
  recursorAddress,
} from "./addresses.ts";
import { AUTOPILOT_DEFAULTS } from "../../app/agent/autopilot.ts";
import { aclSettings } from "./acl.ts";
import { agentTls } from "./agent_tls.ts";
import type { AgentConfig, AgentTls, NodeConfig } from "./config.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import { watchDefinitions } from "./watches.ts";
import { localServices } from "./local_services.ts";
import { refuseUnsafe } from "./refused_settings.ts";
import { type Settings, SettingsError } from "./settings.ts";
import { linksOf } from "../../core/provider/link.ts";
import { parseProvider, type ProviderOptions } from "../../core/provider/provider.ts";
import { isProviderString, ProviderError } from "../../core/provider/provider_string.ts";
import { gossipTuning, joinAddresses, wanAdvice, wanSettings } from "./wan.ts";
import { atlasSettings, rendezvousSettings } from "./rendezvous.ts";

/** Ports by default (C2.1). */
const PORT = { http: 8500, dns: 8600, cluster: 8301 };
const RETRY_INTERVAL_MS = 30_000;
/** Waits of blocking queries (C6.3). */
const QUERY_TIME_MS = { standard: 300_000, most: 600_000 };
/** A value, and a transaction (C7.4, C7.6). */
const WRITE_BYTES_MAX = 512 * 1024;
const SESSION_TTL_MS_MIN = 10_000;
const RECONNECT_TIMEOUT_MS = 72 * 3_600_000;
const RECONNECT_TIMEOUT_MS_MIN = 8 * 3_600_000;
const DOMAIN = /^\.?[\w-]{1,63}(\.[\w-]{1,63}){0,8}\.?$/;
/** Words that an alternative domain cannot begin with. */
const KEYWORDS = ["service", "connect", "node", "query", "addr"];

/** A configuration and what an operator should know of it. */
export interface AgentSetup {
  readonly config: NodeConfig;
  readonly agent: AgentConfig;
  readonly warnings: readonly string[];
}

/**
 * Makes the configuration.
 * @param standard What an agent does not set.
 * @throws {SettingsError} With Consul's words where it has some.
 */
export function agentSetup(
  settings: Settings,
  { isDev, standard, machine, devDirectory, validateOnly = false }: {
    isDev: boolean;
    standard: NodeConfig;
    machine: Machine;
    /** For `-dev`: where everything is kept for as long as it runs. */
    devDirectory: string;
    /** Whether a data directory may be missing, which a flag may give later. */
    validateOnly?: boolean;
  },
): AgentSetup {
  const isServer = isDev || settings.flag("server", false);
  check(settings, { isDev, isServer });
  refuseUnsafe(settings);
  const dataDirectory = isDev ? devDirectory : settings.text("data_dir");
  if (dataDirectory === "" && !validateOnly) {
    throw new SettingsError("data_dir cannot be empty: name a directory with -data-dir, or try it out with -dev");
  }
  const reader = new AddressReader(machine, validateOnly);
  const { bind, advertise, clients } = addressesOf(settings, reader, { isDev, machine });
  const port = settings.number("ports.serf_lan", PORT.cluster);
  const httpPort = settings.number("ports.http", PORT.http);
  const httpsPort = settings.number("ports.https", -1);
  const sqlPort = settings.number("ports.sql", -1);
  const isVoter = !settings.flag("read_replica", false);
  const expect = settings.number("bootstrap_expect", 0);
  const tls = agentTls(settings, {
    hasHttps: httpsPort >= 0,
    datacenter: datacenterOf(settings),
    domain: domains(settings)[0],
    isServer,
  });
  const own = { bind, advertise };
  const [httpHost = advertise] = (httpPort < 0 ? clients.https : clients.http).filter((host) => !isSocket(host));
  const serverPort = isServer ? Math.max(0, settings.number("ports.server", 0)) : 0;
  const agent = agentConfig(settings, {
    gossipPort: port,
    serverPort,
    serverAddr: serverPort === 0 || serverPort === port ? "" : joinAddress(bind, serverPort),
    isDev,
    isServer,
    clients,
    machine,
    tls: tls.tls,
    own,
    reader,
  });
  return {
    agent,
    config: {
      ...standard,
      ...tls.config,
      dataDirectory,
      nodeId: settings.text("node_id"),
      httpAddrs: [
        ...(httpPort < 0 ? [] : clients.http.map((host) => isSocket(host) ? host : joinAddress(host, httpPort))),
        ...(sqlPort < 0
          ? []
          : clients.http.filter((host) => !isSocket(host)).map((host) => joinAddress(host, sqlPort))),
      ],
      httpsAddrs: httpsPort < 0 ? [] : clients.https.map((host) => joinAddress(host, httpsPort)),
      httpAdvertisedAddr: joinAddress(
        isAnyAddress(httpHost) ? advertise : httpHost,
        Math.max(httpPort < 0 ? httpsPort : httpPort, 0),
      ),
      console: settings.flag("ui_config.enabled", settings.flag("ui", true)),
      authFile: settings.text("auth"),
      clusterAddr: joinAddress(bind, port),
      clusterAdvertisedAddr: joinAddress(advertise, serverPort || port),
      isVoter,
      bootstrapExpect: isServer ? expect : 0,
      bootstrapTimeoutMs: Infinity,
      rejoinsDamaged: settings.flag("rejoin_damaged", false),
      leaseReads: settings.flag("raft_lease_reads", false),
      clusterName: settings.text("cluster_name"),
      clusterSecretFile: settings.text("cluster_secret_file"),
      clusterSecretOptional: settings.flag("cluster_secret_optional", false),
      agent,
    },
    warnings: [
      ...settings.warnings,
      ...tls.warnings,
      ...advice(settings, { expect, nodeName: agent.nodeName }),
      ...wanAdvice(settings, isServer),
    ],
  };
}

function check(settings: Settings, { isDev, isServer }: { isDev: boolean; isServer: boolean }): void {
  const expect = settings.number("bootstrap_expect", 0);
  const bootstrap = settings.flag("bootstrap", false);
  const faults: [boolean, string][] = [
    [expect < 0, "bootstrap_expect cannot be negative"],
    [expect > 0 && isDev, "'bootstrap_expect > 0' not allowed in dev mode"],
    [expect > 0 && !isServer, "'bootstrap_expect > 0' requires 'server = true'"],
    [bootstrap && !isServer, "'bootstrap = true' requires 'server = true'"],
    [expect > 0 && bootstrap, "'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive"],
    [settings.has("node_name") && settings.text("node_name") === "", "node_name cannot be empty"],
    [settings.has("bind_addr") && settings.text("bind_addr") === "", "bind_addr cannot be empty"],
    [
      settings.has("reconnect_timeout") && settings.durationMs("reconnect_timeout", 0) < RECONNECT_TIMEOUT_MS_MIN,
      "reconnect_timeout must be >= 8h",
    ],
    [
      !/^[\w-]+$/.test(settings.text("datacenter", "dc1")),
      "datacenter can only contain alphanumeric, - or _ characters",
    ],
  ];
  for (const [isFault, text] of faults) if (isFault) throw new SettingsError(text);
  checkNumbers(settings);
  checkLists(settings);
}

/** Ports that nobody can listen at, and figures that make no sense below nothing. */
function checkNumbers(settings: Settings): void {
  for (
    const [name, least] of [["http", -1], ["https", -1], ["dns", -1], ["serf_lan", 0], ["server", -1], [
      "sql",
      -1,
    ]] as const
  ) {
    const port = settings.number(`ports.${name}`, 0);
    if (port < least || port > 65_535) {
      const none = least < 0 ? ", or -1 for none" : "";
      throw new SettingsError(`ports.${name} must be a port from 0 to 65535${none}: current value is ${port}`);
    }
  }
  const names = ["udp_answer_limit", "a_record_limit", "soa.refresh", "soa.retry", "soa.expire", "soa.min_ttl"];
  for (
    const key of [
      "retry_max",
      "limits.kv_max_value_size",
      "limits.txn_max_req_len",
      ...names.map((name) => `dns_config.${name}`),
    ]
  ) {
    if (settings.number(key, 0) < 0) throw new SettingsError(`${key} cannot be negative`);
  }
  if (settings.durationMs("dns_config.node_ttl", 0) < 0) {
    throw new SettingsError("dns_config.node_ttl cannot be negative");
  }
  for (
    const key of [
      "retry_interval",
      "dns_config.recursor_timeout",
      "default_query_time",
      "max_query_time",
      "session_ttl_min",
    ]
  ) {
    if (settings.durationMs(key, 1) <= 0) throw new SettingsError(`${key} must be positive`);
  }
  for (const key of ["domain", "alt_domain"]) {
    const isOff = key === "alt_domain" && settings.text(key) === "";
    if (settings.has(key) && !isOff && !DOMAIN.test(settings.text(key))) {
      throw new SettingsError(`${key} is not a DNS name: ${JSON.stringify(settings.text(key))}`);
    }
  }
}

function checkLists(settings: Settings): void {
  if (settings.texts("start_join").some(isProviderString)) {
    throw new SettingsError("start_join takes addresses and names: a provider is for retry_join (-retry-join)");
  }
  const key = settings.text("encrypt");
  if (key !== "" && ![16, 24, 32].includes(base64Length(key))) {
    throw new SettingsError(
      "encrypt has invalid key: expected base64 of 16, 24 or 32 bytes, as muster keygen prints it",
    );
  }
  const meta = Object.entries(settings.map("node_meta"));
  if (meta.length > 64) throw new SettingsError("Node metadata cannot contain more than 64 key/value pairs");
  for (const [name, value] of meta) {
    if (!/^[\w-]{1,128}$/.test(name)) throw new SettingsError(`node_meta key "${name}" contains invalid characters`);
    if (value.length > 512) throw new SettingsError(`node_meta value of "${name}" is too long (limit: 512 characters)`);
    if (name.startsWith("consul-")) throw new SettingsError(`node_meta key prefix "consul-" is reserved: ${name}`);
  }
  const [first] = settings.text("alt_domain").split(".");
  if ([...KEYWORDS, settings.text("datacenter", "dc1").toLowerCase()].includes(first.toLowerCase())) {
    throw new SettingsError(
      `alt_domain cannot start with {service,connect,node,query,addr,${
        settings.text("datacenter", "dc1").toLowerCase()
      }}`,
    );
  }
}

function base64Length(text: string): number {
  try {
    return Uint8Array.fromBase64(text).length;
  } catch {
    return -1;
  }
}

function agentConfig(
  settings: Settings,
  { gossipPort, serverPort, serverAddr, isDev, isServer, clients, machine, tls, own, reader }: {
    gossipPort: number;
    serverPort: number;
    serverAddr: string;
    isDev: boolean;
    isServer: boolean;
    clients: Addresses["clients"];
    machine: Machine;
    tls: AgentTls;
    /** The addresses bound to and told to others: of this machine, unless they are translated. */
    own: Pick<Addresses, "bind" | "advertise">;
    reader: AddressReader;
  },
): AgentConfig {
  const dnsPort = settings.number("ports.dns", PORT.dns);
  return {
    nodeName: settings.text("node_name", machine.hostname),
    datacenter: datacenterOf(settings),
    tls,
    isServer,
    gossipPort,
    serverAddr,
    bootstrap: isDev || settings.flag("bootstrap", false),
    consolePath: consolePath(settings),
    meta: settings.map("node_meta"),
    startJoin: joinAddresses(settings, reader, "start_join"),
    retryJoin: joinAddresses(settings, reader, "retry_join").filter((text) => !isProviderString(text)),
    providers: {
      entries: providersOf(settings),
      kubernetes: machine.kubernetes ?? { host: "", port: "" },
      links: linksOf(machine.interfaces, isAnyAddress(own.bind) ? own.advertise : own.bind),
    },
    retryIntervalMs: settings.durationMs("retry_interval", RETRY_INTERVAL_MS),
    retryMax: settings.number("retry_max", 0),
    atlas: atlasSettings(settings, machine.atlasToken ?? ""),
    rendezvous: rendezvousSettings(settings, isServer),
    rejoinAfterLeave: settings.flag("rejoin_after_leave", false),
    encryptionKey: settings.text("encrypt"),
    domains: domains(settings),
    dnsAddrs: dnsPort < 0 ? [] : clients.dns.map((host) => joinAddress(host, dnsPort)),
    machine: [...new Set([...machine.interfaces.map(({ address }) => address), ...Object.values(own)])],
    dns: dnsSettings(settings),
    leaveOnTerminate: settings.flag("leave_on_terminate", !isServer),
    skipLeaveOnInterrupt: settings.flag("skip_leave_on_interrupt", isServer),
    logLevel: logLevel(settings, isDev),
    isDev,
    reconnectTimeoutMs: settings.durationMs("reconnect_timeout", RECONNECT_TIMEOUT_MS),
    queryTimeMs: {
      standard: settings.durationMs("default_query_time", QUERY_TIME_MS.standard),
      most: settings.durationMs("max_query_time", QUERY_TIME_MS.most),
    },
    limits: {
      kvValueBytes: settings.number("limits.kv_max_value_size", WRITE_BYTES_MAX),
      txnBytes: settings.number("limits.txn_max_req_len", WRITE_BYTES_MAX),
      sessionTtlMs: settings.durationMs("session_ttl_min", SESSION_TTL_MS_MIN),
    },
    autopilot: {
      cleansUp: settings.flag("autopilot.cleanup_dead_servers", AUTOPILOT_DEFAULTS.cleansUp),
      lastContactMs: settings.durationMs("autopilot.last_contact_threshold", AUTOPILOT_DEFAULTS.lastContactMs),
      trailingLogs: settings.number("autopilot.max_trailing_logs", AUTOPILOT_DEFAULTS.trailingLogs),
      minQuorum: settings.number("autopilot.min_quorum", AUTOPILOT_DEFAULTS.minQuorum),
      stabilizationMs: settings.durationMs("autopilot.server_stabilization_time", AUTOPILOT_DEFAULTS.stabilizationMs),
    },
    acl: aclSettings(settings),
    local: localServices(settings),
    watches: watchDefinitions(settings),
    gossip: gossipTuning(settings, "gossip_lan"),
    wan: wanSettings(settings, reader, { isServer, ...own, ports: [gossipPort, serverPort] }),
  };
}

/** Where Consul's page is looked for. */
function consolePath(settings: Settings): string {
  const path = settings.text("ui_config.content_path", "/ui/");
  if (!/^\/?[\w.~-]+(\/[\w.~-]+)*\/?$/.test(path) || /^\/?(v1|console)(\/|$)/.test(path)) {
    throw new SettingsError(`ui_config.content_path: expected a path such as /ui/, found ${JSON.stringify(path)}`);
  }
  return `/${path.replace(/^\/|\/$/g, "")}/`;
}

function isSocket(host: string): boolean {
  return socketPath(host) !== undefined;
}

/** The entries of retry_join that are to be looked up. */
function providersOf(settings: Settings): ProviderOptions[] {
  try {
    return settings.texts("retry_join").map(parseProvider).filter((options) => options !== undefined);
  } catch (error) {
    if (error instanceof ProviderError) throw new SettingsError(`retry_join: ${error.message}`);
    throw error;
  }
}

function datacenterOf(settings: Settings): string {
  return settings.text("datacenter", "dc1").toLowerCase();
}

/** Consul's words for levels; there is nothing below debug here. */
function logLevel(settings: Settings, isDev: boolean): LogLevel {
  const words: Readonly<Record<string, LogLevel>> = {
    trace: "debug",
    debug: "debug",
    info: "info",
    warn: "warn",
    err: "error",
    error: "error",
  };
  const word = settings.text("log_level", isDev ? "debug" : "info").toLowerCase();
  const level = words[word];
  if (level) return level;
  throw new SettingsError(`Invalid log level: ${word}. Valid log levels are: ${Object.keys(words).join(", ")}`);
}

/** Both names by default: who comes from Consul finds his. */
function domains(settings: Settings): string[] {
  const wanted = settings.has("domain") ? [settings.text("domain")] : ["consul", "muster"];
  if (settings.text("alt_domain") !== "") wanted.push(settings.text("alt_domain"));
  return [...new Set(wanted.map((name) => `${name.toLowerCase().replace(/^\.|\.$/g, "")}.`))];
}

/** The answers of the name server, as the settings say; they may be changed while it runs. */
function dnsSettings(settings: Settings): AgentConfig["dns"] {
  const seconds = (key: string, otherwise: number) => Math.round(settings.durationMs(key, otherwise * 1000) / 1000);
  const strategy = settings.text("dns_config.recursor_strategy", "sequential");
  if (strategy !== "sequential" && strategy !== "random") {
    throw new SettingsError(`dns_config.recursor_strategy: expected sequential or random, found ${strategy}`);
  }
  const recursors = settings.texts("recursors").map(recursorAddress);
  return {
    nodeTtl: seconds("dns_config.node_ttl", 0),
    serviceTtl: serviceTtls(settings),
    onlyPassing: settings.flag("dns_config.only_passing", false),
    udpAnswerLimit: settings.number("dns_config.udp_answer_limit", 3),
    aRecordLimit: settings.number("dns_config.a_record_limit", 0),
    enableTruncate: settings.flag("dns_config.enable_truncate", false),
    nodeMetaTxt: settings.flag("dns_config.enable_additional_node_meta_txt", true),
    disableCompression: settings.flag("dns_config.disable_compression", false),
    recursors,
    recursorTimeoutMs: settings.durationMs("dns_config.recursor_timeout", 2000),
    recursorStrategy: strategy,
    soa: {
      refresh: settings.number("dns_config.soa.refresh", 3600),
      retry: settings.number("dns_config.soa.retry", 600),
      expire: settings.number("dns_config.soa.expire", 86_400),
      minTtl: settings.number("dns_config.soa.min_ttl", 0),
    },
  };
}

/** Seconds by the name or the pattern of services. */
function serviceTtls(settings: Settings): Record<string, number> {
  return Object.fromEntries(
    Object.entries(settings.map("dns_config.service_ttl")).map(([name, text]) => {
      const ms = parseDuration(text);
      if (ms === undefined || ms < 0) {
        throw new SettingsError(`dns_config.service_ttl of ${JSON.stringify(name)} is no duration: ${text}`);
      }
      return [name, Math.round(ms / 1000)];
    }),
  );
}

function advice(settings: Settings, { expect, nodeName }: { expect: number; nodeName: string }): string[] {
  const lines: string[] = [];
  if (expect === 2) {
    lines.push("bootstrap_expect = 2: A cluster with 2 servers will provide no failure tolerance.");
  } else if (expect > 2 && expect % 2 === 0) {
    lines.push(
      "bootstrap_expect is even number: A cluster with an even number of servers does not achieve optimum fault tolerance.",
    );
  }
  if (expect > 1) lines.push(`bootstrap_expect > 0: expecting ${expect} servers`);
  if (settings.flag("bootstrap", false)) lines.push("bootstrap = true: do not enable unless necessary");
  if (!/^[A-Za-z0-9-]{1,63}$/.test(nodeName)) {
    lines.push(
      `Node name "${nodeName}" will not be discoverable via DNS due to invalid characters. Valid characters include all alpha-numerics and dashes.`,
    );
  }
  return lines;
}

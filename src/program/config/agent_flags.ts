/**
 * The flags of `muster agent`: those of `consul agent` (C3.1), and the key of the configuration file that
 * each one sets. Data.
 * @module
 */
import type { FlagSpec } from "./flags.ts";
import {
  AUTH_HELP,
  CDC_FLAG,
  CLUSTER_NAME_HELP,
  LEASE_READS_HELP,
  OTLP_FLAGS,
  SECRET_HELP,
  SECRET_OPTIONAL_HELP,
} from "./serve_flags.ts";

/** A flag of the agent. */
export interface AgentFlag extends FlagSpec {
  /** Key that it sets, with a dot inside a block; empty for one that is no setting. */
  readonly key: string;
}

type Kind = FlagSpec["kind"];

const flag =
  (supported: boolean) => (name: string, kind: Kind, key: string, value: string, help: string): AgentFlag => ({
    name,
    kind,
    key,
    value,
    help,
    supported,
  });
const now = flag(true);
const later = flag(false);

/** All flags of `agent`; where a default is shown, it is that of the setting. */
export const AGENT_FLAGS: readonly AgentFlag[] = [
  now("server", "bool", "server", "false", "Run as a server, which keeps the data; otherwise as a client agent"),
  now(
    "bootstrap",
    "bool",
    "bootstrap",
    "false",
    "This server bootstraps the cluster alone, at once; one per datacenter",
  ),
  now(
    "bootstrap-expect",
    "int",
    "bootstrap_expect",
    "0",
    "Number of servers that bootstrap together; the same on each",
  ),
  now("data-dir", "string", "data_dir", "", "Directory for all data"),
  now("node", "string", "node_name", "", "Name of this node, unique in the pool; default: the host name"),
  now("node-id", "string", "node_id", "", "ID of this node; default: a random ID, which is stored"),
  now("node-meta", "strings", "node_meta", "", "key:value to describe this node by; repeatable"),
  now("bind", "string", "bind_addr", "0.0.0.0", "Address to listen on for traffic between nodes"),
  now("advertise", "string", "advertise_addr", "", "Address told to the others; the bind address if not set"),
  now(
    "client",
    "string",
    "client_addr",
    "127.0.0.1",
    'Address to listen on for HTTP and DNS, or several of them: "127.0.0.1 10.0.0.1"',
  ),
  now("config-dir", "strings", "", "", "Directory whose .json and .hcl files are read in order; repeatable"),
  now("config-file", "strings", "", "", "Configuration file, .json or .hcl; repeatable"),
  now(
    "join",
    "strings",
    "start_join",
    "",
    "Member to join the pool through at the start; repeatable; it fails if none answers",
  ),
  now(
    "retry-join",
    "strings",
    "retry_join",
    "",
    'The same, tried until one answers; repeatable; or a provider that is asked for members: "provider=mdns" or ' +
      '"provider=k8s namespace=NAME"',
  ),
  now("retry-interval", "duration", "retry_interval", "30s", "Pause between two attempts of -retry-join"),
  now("retry-max", "int", "retry_max", "0", "Maximum attempts of -retry-join; 0: no limit"),
  now(
    "atlas",
    "string",
    "atlas_infrastructure",
    "",
    "Infrastructure to announce this agent in, USER/NAME (docs/rendezvous.md)",
  ),
  now("atlas-join", "bool", "atlas_join", "false", "Join the agents that are announced there"),
  now(
    "atlas-token",
    "string",
    "atlas_token",
    "",
    "Token of the infrastructure; better in ATLAS_TOKEN, which others cannot read",
  ),
  now(
    "atlas-endpoint",
    "string",
    "atlas_endpoint",
    "",
    "URL of the rendezvous, such as https://meet.example.com:8504, or several with commas",
  ),
  now(
    "atlas-ca-file",
    "string",
    "atlas_ca_file",
    "",
    "Certificate of the authority of its HTTPS, if it is a private one",
  ),
  now(
    "rendezvous",
    "bool",
    "rendezvous.enabled",
    "false",
    "A server is a rendezvous, too, as muster rendezvous is one",
  ),
  now("rendezvous-addr", "string", "rendezvous.addr", "0.0.0.0:8504", "Address that the rendezvous listens on"),
  now(
    "rendezvous-cert-file",
    "string",
    "rendezvous.cert_file",
    "",
    "Certificate of the rendezvous: it then speaks HTTPS",
  ),
  now("rendezvous-key-file", "string", "rendezvous.key_file", "", "Key of the certificate"),
  now("rejoin", "bool", "rejoin_after_leave", "false", "Rejoin the pool even after a graceful leave"),
  now("encrypt", "string", "encrypt", "", "Key of the gossip, base64 of 32 bytes (muster keygen); stored once given"),
  now("auth", "string", "auth", "", AUTH_HELP),
  now("datacenter", "string", "datacenter", "dc1", "Name of the datacenter"),
  now("domain", "string", "domain", "", "DNS domain; consul. and muster. if not set"),
  now("alt-domain", "string", "alt_domain", "", "Second DNS domain"),
  now("dns-port", "int", "ports.dns", "8600", "Port of the name server; -1: none"),
  now("http-port", "int", "ports.http", "8500", "Port of the HTTP API; -1: none"),
  now(
    "https-port",
    "int",
    "ports.https",
    "-1",
    "Port of the HTTPS API, beside -http-port; -1: none. Its certificate is a setting (docs/tls.md)",
  ),
  now("sql-port", "int", "ports.sql", "-1", "Second port of the HTTP API, such as 4001 for rqlite's clients; -1: none"),
  now("serf-lan-port", "int", "ports.serf_lan", "8301", "Port for traffic between nodes, TCP and UDP"),
  now("recursor", "strings", "recursors", "", "DNS server for names outside of the domains; repeatable"),
  now("dev", "bool", "", "false", "Run a server on 127.0.0.1 that stores nothing"),
  now(
    "default-query-time",
    "duration",
    "default_query_time",
    "300s",
    "Time that a blocking query waits by default",
  ),
  now("max-query-time", "duration", "max_query_time", "600s", "Maximum time that a blocking query waits"),
  now(
    "enable-script-checks",
    "bool",
    "enable_script_checks",
    "false",
    "Allow checks that run a program, whoever registers them: anybody who reaches the HTTP API can then run programs",
  ),
  now("enable-local-script-checks", "bool", "enable_local_script_checks", "false", "Allow them in files alone"),
  now("check_output_max_size", "int", "check_output_max_size", "4096", "Bytes that are kept of a check's output"),
  now("log-level", "string", "log_level", "info", "Minimum level of the log: trace, debug, info, warn, error"),
  now("pid-file", "string", "pid_file", "", "File to write the process id to"),
  now("read-replica", "bool", "read_replica", "false", "A server that receives the data and never votes"),
  now(
    "rejoin-damaged",
    "bool",
    "rejoin_damaged",
    "false",
    "If a server's data are found damaged, set them aside at the next start and copy them from the other servers",
  ),
  now("non-voting-server", "bool", "read_replica", "false", "The older name of -read-replica"),
  now("cluster-name", "string", "cluster_name", "", CLUSTER_NAME_HELP),
  now("cluster-secret-file", "string", "cluster_secret_file", "", `${SECRET_HELP}. Default: derived from -encrypt`),
  now("cluster-secret-optional", "bool", "cluster_secret_optional", "false", SECRET_OPTIONAL_HELP),
  now("raft-lease-reads", "bool", "raft_lease_reads", "false", LEASE_READS_HELP),
  now(
    "server-port",
    "int",
    "ports.server",
    "0",
    "Second port for traffic between servers, by which a server is then known; 0: that of -serf-lan-port alone",
  ),
  now(
    "serf-wan-port",
    "int",
    "ports.serf_wan",
    "8302",
    "Port for gossip between the servers of several datacenters, TCP and UDP; -1: none",
  ),
  now(
    "serf-wan-bind",
    "string",
    "serf_wan",
    "",
    "Address to listen on for gossip between datacenters; that of -bind if not set",
  ),
  now(
    "advertise-wan",
    "string",
    "advertise_addr_wan",
    "",
    "Address told to other datacenters; that of -advertise if not set",
  ),
  now(
    "join-wan",
    "strings",
    "start_join_wan",
    "",
    "Server of another datacenter to join at the start, its WAN address; repeatable; it fails if none answers",
  ),
  now("retry-join-wan", "strings", "retry_join_wan", "", "The same, tried until one answers; repeatable"),
  now("retry-interval-wan", "duration", "retry_interval_wan", "30s", "Pause between two attempts of -retry-join-wan"),
  now("retry-max-wan", "int", "retry_max_wan", "0", "Maximum attempts of -retry-join-wan; 0: no limit"),
  { ...CDC_FLAG, key: "cdc_config" },
  ...OTLP_FLAGS.map((spec) => ({ ...spec, key: `otlp.${spec.name.slice("otlp-".length).replaceAll("-", "_")}` })),
  now("ui", "bool", "ui_config.enabled", "true", "Serve the console, a web page, under /console/"),
  later("ui-dir", "string", "", "", "Directory of another console"),
  now("ui-content-path", "string", "ui_config.content_path", "/ui/", "Path that leads to the console, as in Consul"),
  later("serf-lan-bind", "string", "", "", "Address to listen on for gossip alone"),
  later("disable-host-node-id", "bool", "", "true", "Whether the ID is random rather than the host's"),
  later("disable-keyring-file", "bool", "", "false", "Keep the keys of the gossip in memory alone"),
  later("config-format", "string", "", "", "Format of configuration files whatever their names"),
  later("hcl", "strings", "", "", "Settings in HCL on the command line"),
  later("auto-reload-config", "bool", "", "false", "Read configuration files again when they change"),
  later("log-json", "bool", "", "false", "Log one JSON object for each line"),
  later("log-file", "string", "", "", "File to log to"),
  later("log-rotate-bytes", "int", "", "0", "Size at which the log's file is replaced"),
  later("log-rotate-duration", "duration", "", "24h", "Age at which the log's file is replaced"),
  later("log-rotate-max-files", "int", "", "0", "Older files of the log that are kept"),
  later("syslog", "bool", "", "false", "Log to syslog"),
  later("protocol", "int", "", "2", "Version of the protocol between agents"),
  later("raft-protocol", "int", "", "3", "Version of Raft's protocol"),
];

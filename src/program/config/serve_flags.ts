/**
 * The flags of `muster serve`: those of rqlited (Q14.2), in its order, and muster's own at the end. Data.
 * @module
 */
import type { FlagSpec } from "./flags.ts";

const flag = (supported: boolean) => (name: string, kind: FlagSpec["kind"], value: string, help: string): FlagSpec => ({
  name,
  kind,
  value,
  help,
  supported,
});
const now = flag(true);
const later = flag(false);

/** Help of `-db-max-steps`. */
const MAX_STEPS_HELP =
  "Maximum steps of SQLite's virtual machine for a write; the default takes one or two minutes. A statement that exceeds " +
  "it fails on every node (muster)";

/** Help of `-cluster-secret-file`. */
export const SECRET_HELP =
  "File with a secret that all nodes of the cluster share. A connection to the cluster port that does not know it can " +
  "neither join nor vote nor write (muster)";

/** Help of `-cluster-secret-optional`. */
export const SECRET_OPTIONAL_HELP =
  "Speak to nodes without a cluster secret, too: for the time in which the nodes of a running cluster get one, one after " +
  "the other (muster)";

/** Why a node writes no profiles of itself. */
const PROFILE_REASON =
  "every Worker would need the right to the runtime's inspector, which deno compile grants only with all of sys; run from " +
  "the source with --inspect instead (docs/development.md)";

/** Help of `-cluster-name`. */
export const CLUSTER_NAME_HELP =
  "Name of the cluster. A node is taken into a cluster, or forms one with others, only if its name is the same; a node " +
  "without one differs from a node with one (muster)";

/** Help of `-raft-lease-reads`. */
export const LEASE_READS_HELP =
  "Answer linearizable reads without asking the other nodes while a lease holds; set it on every node. The machines' " +
  "clocks must run at the same speed within a tenth, and a machine that was suspended without noticing may answer with " +
  "stale data. A leader that dies is replaced only after the heartbeat timeout (muster)";

/** Help of `-extensions-path`. */
const EXTENSIONS_HELP =
  "Comma-separated list of SQLite extensions to load: files, directories, zip or tar.gz archives; the same on every node " +
  "(docs/extensions.md)";

/** Help of `-auth`. */
export const AUTH_HELP = "Path of the file with users, passwords and permissions; read again on SIGHUP (docs/users.md)";

/** Help of `-acl-default-policy`. */
const ACL_HELP =
  "allow or deny: access control with the tokens of the agents of its cluster is on, and this holds where no " +
  "rule does; empty: off (muster)";

/** Of the delivery of changed rows, which servers of agents have as well. */
export const CDC_FLAG: FlagSpec = now(
  "cdc-config",
  "string",
  "",
  'Where changed rows are delivered to: a URL, "stdout", or the path of a configuration (docs/changes.md)',
);

/** The flags of pushes to a collector, of agents as well. */
export const OTLP_FLAGS: readonly FlagSpec[] = [
  now(
    "otlp-endpoint",
    "string",
    "",
    "OpenTelemetry collector that metrics and traces are pushed to by HTTP: host:port, or a URL",
  ),
  now("otlp-interval", "duration", "30s", "Interval between two pushes"),
  now(
    "otlp-trace-sample-ratio",
    "string",
    "0",
    "Share of the requests without a traceparent header that are traced, 0 to 1; those whose header says so always are (muster)",
  ),
  now("otlp-trace-sql", "bool", "false", "Have traces carry the text of statements (muster)"),
  now("otlp-insecure", "bool", "false", "Push without TLS"),
  later("otlp-no-verify", "bool", "false", "Do not verify the collector's certificate"),
  now("otlp-ca-cert", "string", "", "CA certificate of the collector"),
  now("otlp-cert", "string", "", "Certificate for the collector"),
  now("otlp-key", "string", "", "Private key for the collector"),
];

/** All flags of `serve`. */
export const SERVE_FLAGS: readonly FlagSpec[] = [
  now("node-id", "string", "", "Unique ID for node; the advertised Raft address if not set. Must never change"),
  now("http-addr", "string", "localhost:4001", "HTTP server bind address"),
  now("http-adv-addr", "string", "", "Advertised HTTP address; the bind address if not set"),
  now("http-allow-origin", "string", "", "Value of the Access-Control-Allow-Origin header of every answer"),
  now("http-ca-cert", "string", "", "Authorities of HTTP clients' certificates, PEM; those of the system if not set"),
  now("http-cert", "string", "", "X.509 certificate for HTTPS"),
  now("http-key", "string", "", "Private key for HTTPS"),
  now("http-verify-client", "bool", "false", "Require HTTP clients to present a certificate"),
  now("http-verify-common-name", "string", "", "Common name that an HTTP client's certificate must have"),
  now("raft-addr", "string", "localhost:4002", "Bind address for traffic between nodes"),
  now("raft-adv-addr", "string", "", "Advertised address for traffic between nodes; the bind address if not set"),
  now("auth", "string", "", AUTH_HELP),
  now(
    "join",
    "string",
    "",
    "Comma-separated list of nodes, host:port of their Raft addresses, to join a cluster through",
  ),
  now("join-attempts", "int", "5", "Number of rounds over the join list"),
  now("join-interval", "duration", "3s", "Pause between two rounds"),
  now("join-as", "string", "", "User of the auth file to join as"),
  now("bootstrap-expect", "int", "0", "Number of nodes that form the cluster together; the same on each of them"),
  now("bootstrap-expect-timeout", "duration", "120s", "Longest wait for the bootstrap"),
  now("disco-mode", "string", "", "Way of discovery: consul-kv, etcd-kv, dns or dns-srv"),
  now("disco-key", "string", "rqlite", "Key prefix for discovery"),
  now("disco-config", "string", "", "Configuration of discovery: JSON, or the path of a file"),
  now("raft-non-voter", "bool", "false", "Make this node a read replica"),
  now("raft-snap", "int", "8192", "Log entries after which a checkpoint is due; the log is cut behind it"),
  now("raft-snap-wal-size", "int", "4194304", "Bytes of WAL after which a checkpoint is due; 0 disables this"),
  now("raft-snap-int", "duration", "10s", "Minimum time between two checkpoints, unless the WAL grows beyond 32 MiB"),
  now(
    "raft-heartbeat-timeout",
    "duration",
    "1s",
    "A node that has not heard from the leader for one to two times this long starts an election",
  ),
  now("raft-election-timeout", "duration", "1s", "Longest wait in an election; at least the heartbeat timeout"),
  now(
    "raft-leader-lease-timeout",
    "duration",
    "0s",
    "Must not exceed the heartbeat timeout; otherwise without effect (see raft-lease-reads)",
  ),
  now(
    "raft-commit-timeout",
    "duration",
    "50ms",
    "No effect, accepted for compatibility: muster commits without waiting",
  ),
  now(
    "raft-apply-timeout",
    "duration",
    "10s",
    "No effect, accepted for compatibility: a write that cannot be accepted is refused at once",
  ),
  now("raft-log-level", "string", "WARN", "No effect, accepted for compatibility: every rare event is logged"),
  now("raft-remove-shutdown", "bool", "false", "Stop Raft when this node is removed from the cluster"),
  now("raft-cluster-remove-shutdown", "bool", "false", "Remove this node from the cluster when it shuts down"),
  now("raft-shutdown-stepdown", "bool", "true", "Hand leadership over before shutting down"),
  now("raft-reap-node-timeout", "duration", "0h", "Time after which an unreachable voter is removed"),
  now("raft-reap-read-only-node-timeout", "duration", "0h", "Time after which an unreachable non-voter is removed"),
  now("cluster-connect-timeout", "duration", "30s", "Limit for connecting to another node"),
  now(
    "compress-snap-transport",
    "bool",
    "false",
    "Compress snapshots with zstd on their way to other nodes; a node of an older version gets them as they are",
  ),
  now("node-cert", "string", "", "X.509 certificate for traffic between nodes"),
  now("node-key", "string", "", "Private key for traffic between nodes"),
  now("node-ca-cert", "string", "", "CA certificate for traffic between nodes"),
  now("node-no-verify", "bool", "false", "Do not verify other nodes' certificates"),
  now("node-verify-client", "bool", "false", "Require nodes to present a certificate"),
  now("node-verify-server-name", "string", "", "Name expected in other nodes' certificates"),
  now("node-verify-common-name", "string", "", "Common name that a connecting node's certificate must have"),
  now("fk", "bool", "false", "Enforce foreign keys; set it on every node"),
  now(
    "db-max-ro-conns",
    "int",
    "256",
    "Maximum number of connections that read the database, 0: no limit; muster never needs more than 4",
  ),
  now(
    "auto-vacuum-int",
    "duration",
    "0s",
    "Interval between two automatic VACUUMs, by the leader for all nodes; 0: none",
  ),
  now(
    "auto-optimize-int",
    "duration",
    "24h",
    "Interval between two looks whether tables need new statistics for the query planner, by the leader for all nodes; 0: none",
  ),
  now("extensions-path", "string", "", EXTENSIONS_HELP),
  now("auto-backup", "string", "", "Path of the configuration of automatic backups (docs/auto_backup.md)"),
  now(
    "auto-restore",
    "string",
    "",
    "Path of the configuration of the restore into a new cluster (docs/auto_backup.md)",
  ),
  CDC_FLAG,
  now("write-queue-capacity", "int", "1024", "Capacity of the queue of queued writes"),
  now("write-queue-batch-size", "int", "128", "Queued writes per batch"),
  now("write-queue-timeout", "duration", "50ms", "Longest wait for a batch to fill"),
  now("write-queue-tx", "bool", "false", "Write each batch in a transaction"),
  ...OTLP_FLAGS,
  { ...later("cpu-profile", "string", "", "Path of a CPU profile"), reason: PROFILE_REASON },
  { ...later("mem-profile", "string", "", "Path of a memory profile"), reason: PROFILE_REASON },
  {
    ...later("trace-profile", "string", "", "Path of an execution trace"),
    reason: "the runtime has no execution trace as Go has",
  },
  now("version", "bool", "false", "Print the version and exit"),
  now(
    "raft-rejoin-damaged",
    "bool",
    "false",
    "If this node's data are found damaged, set them aside at the next start and copy them from the other nodes (muster)",
  ),
  now("http-max-body", "int", "67108864", "Maximum size of a request body in bytes (muster)"),
  now("http-max-conns", "int", "4096", "Maximum number of open connections (muster)"),
  now("http-max-requests", "int", "8192", "Maximum number of requests at a time (muster)"),
  now("http-body-timeout", "duration", "60s", "Time for a client to send its body (muster)"),
  now("db-query-timeout", "duration", "60s", "Time limit of a read without db_timeout (muster)"),
  now(
    "slow-statements",
    "duration",
    "1s",
    "Time from which on a request is told in the log, and kept in muster.slow_statements; 0: none (muster)",
  ),
  now("db-max-steps", "int", "4000000000", MAX_STEPS_HELP),
  now("db-max-temp-size", "int", "1073741824", "Maximum size of a read's temporary file in bytes (muster)"),
  now("sqlite-library", "string", "", "SQLite library to use instead of the bundled one (muster)"),
  now("cluster-name", "string", "", CLUSTER_NAME_HELP),
  now("cluster-secret-file", "string", "", SECRET_HELP),
  now("cluster-secret-optional", "bool", "false", SECRET_OPTIONAL_HELP),
  now("raft-lease-reads", "bool", "false", LEASE_READS_HELP),
  now("ui", "bool", "true", "Serve the console, a web page, under /console/ (muster)"),
  now("acl-default-policy", "string", "", ACL_HELP),
];

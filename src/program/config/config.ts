/**
 * The configuration of a node, which every command builds, and its validation (Q14.3). Only `node/` reads it and gives
 * each part the few values that it uses. Pure.
 * @module
 */
import type { Link } from "../../core/provider/link.ts";
import type { ProviderOptions } from "../../core/provider/provider.ts";
import type { ApiEnvironment } from "../../drivers/provider/k8s_access.ts";
import { socketPath } from "../../base/codec/address.ts";
import type { NameServerSettings } from "../../api/nameserver/api.ts";
import type { TlsVersion } from "../../base/net/conn.ts";
import type { WatchDefinition } from "./watches.ts";
import type { FileDefinitions } from "../../app/services/api.ts";
import type { LocalOptions } from "../../app/services/local_state.ts";
import type { AclSettings } from "../../app/acl/settings.ts";
import type { AutopilotConfig } from "../../app/agent/autopilot.ts";
import type { AgentLimits } from "../../app/agent/agent.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { WriteQueueOptions } from "../../app/database/write_queue.ts";

/** Where members are looked up for retry-join, besides the addresses that are given, and what that depends on. */
export interface ProviderSettings {
  /** Empty: nowhere. */
  readonly entries: readonly ProviderOptions[];
  /** Address of the API of Kubernetes, in the environment of a pod. */
  readonly kubernetes: ApiEnvironment;
  /** Networks that multicast DNS is used on. */
  readonly links: readonly Link[];
}

/** Configuration of an agent: its part in a gossip pool (C3.1). Times in milliseconds. */
export interface AgentConfig {
  /** Unique in the pool. */
  readonly nodeName: string;
  /** Lower case. */
  readonly datacenter: string;
  /** A client agent keeps no data. */
  readonly isServer: boolean;
  /** Found a cluster alone, without asking anybody. */
  readonly bootstrap: boolean;
  /** Port of the gossip for the others. */
  readonly gossipPort: number;
  /** A second address for traffic between servers, by which this one is known (`ports.server`); empty: none. */
  readonly serverAddr: string;
  /** Path of Consul's page, which leads to the console; it begins and ends with a slash. */
  readonly consolePath: string;
  /** Metadata in the catalog. */
  readonly meta: Readonly<Record<string, string>>;
  /** Members to join through at the start; it fails where none of them answers. */
  readonly startJoin: readonly string[];
  /** The same, tried until one answers. */
  readonly retryJoin: readonly string[];
  /** Where members are looked up for the same, besides. */
  readonly providers: ProviderSettings;
  /** Longest pause between two attempts. */
  readonly retryIntervalMs: number;
  /** Attempts; 0: without end. */
  readonly retryMax: number;
  /** The rendezvous that this agent is announced at. */
  readonly atlas: AtlasSettings | undefined;
  /** The rendezvous that this server is. */
  readonly rendezvous: RendezvousSettings | undefined;
  /** Go back to the pool even after having left it. */
  readonly rejoinAfterLeave: boolean;
  /** Base64; empty for none. */
  readonly encryptionKey: string;
  /** TLS of calls between agents. */
  readonly tls: AgentTls;
  /** DNS domains, the primary one first, each ending in a dot. */
  readonly domains: readonly string[];
  /** `host:port` of the name server, one for each client address; empty for none. */
  readonly dnsAddrs: readonly string[];
  /** IP addresses of this machine at the start, and the one that it is told by. */
  readonly machine: readonly string[];
  /** Settings of the name server. */
  readonly dns: NameServerSettings;
  /** Whether SIGTERM is a graceful leave. */
  readonly leaveOnTerminate: boolean;
  /** Whether SIGINT is none. */
  readonly skipLeaveOnInterrupt: boolean;
  /** Least level of the lines of the log. */
  readonly logLevel: LogLevel;
  /** Everything is thrown away at the end. */
  readonly isDev: boolean;
  /** Time after which a failed member is forgotten. */
  readonly reconnectTimeoutMs: number;
  /** How long a blocking query waits that does not say, and how long one waits at most. */
  readonly queryTimeMs: { readonly standard: number; readonly most: number };
  /** Limits of what clients may write. */
  readonly limits: AgentLimits;
  /** The care for servers, until the cluster has settings of its own. */
  readonly autopilot: AutopilotConfig;
  /** Access control; undefined where it is off. */
  readonly acl: AclSettings | undefined;
  /** Its own services and checks, in files, and how they are run. */
  readonly local: { readonly options: LocalOptions; readonly files: FileDefinitions };
  /** What it follows, and what handles the changes. */
  readonly watches: readonly WatchDefinition[];
  /** Differences from Consul's own settings of gossip in a LAN. */
  readonly gossip: GossipTuning;
  /** The pool of the servers of all datacenters; undefined: it is not in it. */
  readonly wan: WanSettings | undefined;
}

/** A server's part in the pool of the servers of all datacenters. Times in milliseconds. */
export interface WanSettings {
  /** Port of its gossip. */
  readonly port: number;
  /** Address bound to. */
  readonly bind: string;
  /** Address told to the others. */
  readonly advertise: string;
  /** Whether something of it was set: then a port that is not free ends the start. */
  readonly isRequired: boolean;
  /** Servers of other datacenters to join at the start; it fails where none of them answers. */
  readonly startJoin: readonly string[];
  /** The same, tried until one answers. */
  readonly retryJoin: readonly string[];
  /** Longest pause between two attempts. */
  readonly retryIntervalMs: number;
  /** Attempts; 0: without end. */
  readonly retryMax: number;
  /** Time after which a failed server is forgotten. */
  readonly reconnectTimeoutMs: number;
  /** Differences from Consul's own settings of gossip in a WAN. */
  readonly gossip: GossipTuning;
}

/** Announcement at a rendezvous. */
export interface AtlasSettings {
  /** `USER/NAME`. */
  readonly infrastructure: string;
  /** Of the infrastructure. */
  readonly token: string;
  /** URLs of it, each without a slash at its end: the next one is asked when one does not answer. */
  readonly endpoints: readonly string[];
  /** Path of the certificate of its authority; empty: one of the system's. */
  readonly caFile: string;
  /** Whether the others are joined. */
  readonly joins: boolean;
}

/** A rendezvous for other agents. */
export interface RendezvousSettings {
  /** `host:port`. */
  readonly addr: string;
  /** Path of the certificate; empty for plain HTTP. */
  readonly certFile: string;
  /** Path of its key. */
  readonly keyFile: string;
}

/** What an agent expects of the servers that it calls, beside the certificates in {@linkcode NodeConfig}. */
export interface AgentTls {
  /** Whether it calls them by TLS (`verify_outgoing`). */
  readonly isOutgoing: boolean;
  /** Name that their certificates have (`verify_server_hostname`); empty: any. */
  readonly serverName: string;
}

/** Settings of gossip (`gossip_lan`, `gossip_wan`). */
export interface GossipTuning {
  /** Pause between two rounds of gossip. */
  readonly gossipIntervalMs?: number;
  /** Nodes that hear of each round. */
  readonly gossipNodes?: number;
  /** Pause between two probes. */
  readonly probeIntervalMs?: number;
  /** Time for the answer to one. */
  readonly probeTimeoutMs?: number;
  /** How often a message is sent on, times the logarithm of the size of the pool. */
  readonly retransmitMult?: number;
  /** How long a suspicion lasts, times the same. */
  readonly suspicionMult?: number;
}

/** A node. Times in milliseconds. */
export interface NodeConfig {
  /** Path of the data directory; created if missing. */
  readonly dataDirectory: string;
  /** Present in an agent. */
  readonly agent?: AgentConfig;
  /** Empty: the advertised cluster address; in an agent a random one that is kept. */
  readonly nodeId: string;
  /** Bind addresses of plain HTTP, `host:port`; in an agent one for each client address, or none. */
  readonly httpAddrs: readonly string[];
  /** The same of HTTPS. */
  readonly httpsAddrs: readonly string[];
  /** HTTP address for clients and other nodes. */
  readonly httpAdvertisedAddr: string;
  /** Whether it serves the console. */
  readonly console: boolean;
  /** CORS origin; empty for none. */
  readonly httpAllowOrigin: string;
  /** Path of the file with users and permissions; empty: everybody may do everything. */
  readonly authFile: string;
  /** Access control of a node that is no agent; undefined where it is off. */
  readonly acl?: AclSettings | undefined;
  /** Longest request body, in bytes. */
  readonly httpBodyBytesMax: number;
  /** Requests at a time. */
  readonly httpRequestsMax: number;
  /** Connections at a time. */
  readonly httpConnectionsMax: number;
  /** Time for a client to send its body. */
  readonly httpBodyTimeoutMs: number;
  /** Limit of a read that names none. */
  readonly queryTimeoutMs: number;
  /** From how long on a request is told in the log as slow, in ms; 0: none. */
  readonly slowMs: number;
  /** Bind address for traffic between nodes. */
  readonly clusterAddr: string;
  /** Address of this node for the others. */
  readonly clusterAdvertisedAddr: string;
  /** Whether it votes, or only receives the log. */
  readonly isVoter: boolean;
  /** Cluster addresses to enter a cluster through. */
  readonly join: readonly string[];
  /** User of the auth file to join as; empty for none. */
  readonly joinAs: string;
  /** Rounds over `join`. */
  readonly joinAttempts: number;
  /** Pause between two rounds. */
  readonly joinIntervalMs: number;
  /** Nodes that form the cluster together; 0 for none. */
  readonly bootstrapExpect: number;
  /** Longest wait for them. */
  readonly bootstrapTimeoutMs: number;
  /** Way of discovery: `consul-kv`, `etcd-kv`, `dns`, `dns-srv`; empty for none. */
  readonly discoMode: string;
  /** Keeps the clusters of one Consul or etcd apart. */
  readonly discoKey: string;
  /** JSON, or the path of a file with it. */
  readonly discoConfig: string;
  /** Path of the configuration of automatic backups; empty: none are made. */
  readonly autoBackup: string;
  /** Path of the configuration of the restore into a new cluster; empty: none. */
  readonly autoRestore: string;
  /** Where changed rows are delivered to: a URL, `stdout`, or the path of a configuration; empty: nowhere. */
  readonly cdcConfig: string;
  /** The collector that metrics and traces are pushed to; an empty endpoint: none. */
  readonly otlp: {
    readonly endpoint: string;
    readonly intervalMs: number;
    /** Share of the requests without a `traceparent` that are traced, 0 to 1. */
    readonly traceRatio: number;
    /** Whether traces carry the text of statements. */
    readonly tracesSql: boolean;
    readonly isInsecure: boolean;
    readonly skipsVerification: boolean;
    /** Paths; empty: none. */
    readonly caCert: string;
    readonly cert: string;
    readonly key: string;
  };
  /** Time without a leader until an election, up to twice that. */
  readonly heartbeatTimeoutMs: number;
  /** At least `heartbeatTimeoutMs`. */
  readonly electionTimeoutMs: number;
  /** At most `heartbeatTimeoutMs`; of no other effect. */
  readonly leaderLeaseTimeoutMs: number;
  /** Whether leaders take leases for linearizable reads, and this node promises what they need. */
  readonly leaseReads: boolean;
  /** Longest wait for a write to be taken. */
  readonly applyTimeoutMs: number;
  /** Limit for connecting to another node. */
  readonly connectTimeoutMs: number;
  /** Whether snapshots are compressed on their way to other nodes. */
  readonly compressSnapshots: boolean;
  /** Leave the cluster at a graceful stop. */
  readonly removeOnShutdown: boolean;
  /** Stop Raft when the node is removed. */
  readonly stopWhenRemoved: boolean;
  /** Time after which the leader removes a voter that it does not hear; 0: never. */
  readonly reapVoterMs: number;
  /** The same for read replicas. */
  readonly reapNonVoterMs: number;
  /** Entries after which a checkpoint is due. */
  readonly snapshotEntries: number;
  /** Bytes of WAL after which one is due; 0: whatever its size. */
  readonly snapshotWalBytes: number;
  /** Least time between two. */
  readonly snapshotIntervalMs: number;
  /** Set data that were found damaged aside and be filled anew, rather than wait for an operator. */
  readonly rejoinsDamaged: boolean;
  /** Hand leadership over at a graceful stop. */
  readonly stepdownOnShutdown: boolean;
  /** Whether foreign keys are enforced. */
  readonly foreignKeys: boolean;
  /** Path of another SQLite library; empty for the one that belongs to this machine. */
  readonly sqliteLibrary: string;
  /** Files, directories and archives of SQLite extensions. */
  readonly extensionsPath: readonly string[];
  /** Reader connections; 0: as many as muster ever starts. */
  readonly readersMax: number;
  /** Steps of SQLite's virtual machine that a log entry may take: the leader's holds. */
  readonly maxSteps: number;
  /** Bytes of each temporary file of a read. */
  readonly tempBytesMax: number;
  /** Certificate and key of HTTPS; empty: HTTP. */
  readonly httpCert: string;
  /** Its private key. */
  readonly httpKey: string;
  /** Authorities whose certificates HTTP's clients may have, a file or a directory; empty: those of the system. */
  readonly httpCaCert: string;
  /** Whether HTTP's clients need a certificate. */
  readonly httpVerifiesClients: boolean;
  /** Common name that it must have; empty: any. */
  readonly httpClientName: string;
  /** Minimum version of HTTPS's protocol. */
  readonly httpTlsVersion: TlsVersion;
  /** Certificate and key for traffic between nodes; empty: no TLS there. */
  readonly nodeCert: string;
  /** Its private key. */
  readonly nodeKey: string;
  /** Authorities whose certificates other nodes may have, a file or a directory; empty: those of the system. */
  readonly nodeCaCert: string;
  /** Name expected in other nodes' certificates; empty: their host. */
  readonly nodeServerName: string;
  /** Minimum version of TLS between nodes. */
  readonly nodeTlsVersion: TlsVersion;
  /** Name of the cluster, which a new node must share; empty for none. */
  readonly clusterName: string;
  /** Whether the certificates of the nodes that this one connects to are looked at. */
  readonly nodeVerifies: boolean;
  /** Whether nodes that connect to this one need a certificate. */
  readonly nodeVerifiesClients: boolean;
  /** Common name that it must have; empty: any. */
  readonly nodeClientName: string;
  /** File with the secret that the nodes of the cluster share; empty: they share none. */
  readonly clusterSecretFile: string;
  /** Whether nodes without the secret are spoken to, too. */
  readonly clusterSecretOptional: boolean;
  /** Interval between two automatic VACUUMs; 0: none. */
  readonly autoVacuumMs: number;
  /** Interval between two automatic ANALYZEs; 0: none. */
  readonly autoOptimizeMs: number;
  /** Queued writes. */
  readonly writeQueue: WriteQueueOptions;
}

/** Longest name of a cluster. */
const CLUSTER_NAME_MAX = 128;
const UNROUTABLE = ["0.0.0.0", "::"];

/** Returns the first error of a configuration, in rqlite's words and order, or undefined. */
export function configFault(config: NodeConfig): string | undefined {
  return addressFault(config) ?? tlsFault(config) ?? joinFault(config) ?? discoveryFault(config) ?? timingFault(config);
}

function split(addr: string): { host: string; port: string } | undefined {
  const colon = addr.lastIndexOf(":");
  if (colon < 0) return undefined;
  const host = addr.slice(0, colon).replace(/^\[([^[\]]*)\]$/, "$1");
  const isWrong = /[[\]]/.test(host) || host.includes(":") && !addr.startsWith("[");
  return isWrong ? undefined : { host, port: addr.slice(colon + 1) };
}

function isPort(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,5}$/.test(text) && Number(text) <= 65535;
}

function addressFault(
  { httpAddrs, httpsAddrs, httpAdvertisedAddr, clusterAddr, clusterAdvertisedAddr }: NodeConfig,
): string | undefined {
  const bindAddrs = [...httpAddrs, ...httpsAddrs].filter((addr) => socketPath(addr) === undefined);
  if (bindAddrs.includes(clusterAddr)) return "HTTP and Raft addresses must differ";
  if ([...bindAddrs, httpAdvertisedAddr].some((addr) => addr.startsWith("http"))) {
    return "HTTP options should not include protocol (http:// or https://)";
  }
  const wrong = bindAddrs.find((addr) => !isPort(split(addr)?.port));
  if (wrong !== undefined) return `HTTP bind address not valid: want HOST:PORT as in localhost:4001, not ${wrong}`;
  const httpAdvertised = split(httpAdvertisedAddr);
  if (httpAdvertised === undefined || !isPort(httpAdvertised.port)) {
    return `HTTP advertised HTTP address not valid: want HOST:PORT, not ${httpAdvertisedAddr}`;
  }
  if (UNROUTABLE.includes(httpAdvertised.host)) {
    return `advertised HTTP address is not routable (${httpAdvertised.host}), specify it via -http-addr or -http-adv-addr`;
  }
  const cluster = split(clusterAddr);
  if (!cluster) return `raft bind address not valid: want HOST:PORT as in localhost:4002, not ${clusterAddr}`;
  if (!isPort(cluster.port)) return `raft bind port not valid: want a number up to 65535, not ${cluster.port}`;
  const advertised = split(clusterAdvertisedAddr);
  if (!advertised) return `raft advertised address not valid: want HOST:PORT, not ${clusterAdvertisedAddr}`;
  if (UNROUTABLE.includes(advertised.host)) {
    return `advertised Raft address is not routable (${advertised.host}), specify it via -raft-addr or -raft-adv-addr`;
  }
  if (!isPort(advertised.port)) {
    return `raft advertised port is not valid: want a number up to 65535, not ${advertised.port}`;
  }
  if (httpAdvertisedAddr === clusterAdvertisedAddr) return "advertised HTTP and Raft addresses must differ";
  return undefined;
}

function joinFault(
  { bootstrapExpect, isVoter, join, clusterAdvertisedAddr, discoMode, autoRestore, clusterName }: NodeConfig,
): string | undefined {
  if (clusterName.length > CLUSTER_NAME_MAX) return `-cluster-name must have at most ${CLUSTER_NAME_MAX} characters`;
  if (bootstrapExpect > 0 && !isVoter) return "bootstrapping only applicable to voting nodes";
  for (const addr of join) {
    if (/^https?:/.test(addr) || !isPort(split(addr)?.port)) {
      return `${addr} is an invalid join address: want HOST:PORT of a node's Raft address, as in localhost:4002`;
    }
    if (bootstrapExpect === 0 && addr === clusterAdvertisedAddr) {
      return "node cannot join with itself unless bootstrapping";
    }
  }
  if (autoRestore !== "" && join.length > 0 && bootstrapExpect === 0) {
    return "auto-restoring cannot be used when joining a cluster";
  }
  if (discoMode !== "" && join.length > 0) return "disco mode cannot be used when also explicitly joining a cluster";
  return undefined;
}

function discoveryFault({ discoMode, bootstrapExpect, isVoter }: NodeConfig): string | undefined {
  switch (discoMode) {
    case "":
      return undefined;
    case "consul-kv":
    case "etcd-kv":
      return bootstrapExpect > 0 ? `bootstrapping not applicable when using ${discoMode}` : undefined;
    case "dns":
    case "dns-srv":
      return isVoter && bootstrapExpect === 0
        ? `bootstrap-expect value required when using ${discoMode} with a voting node`
        : undefined;
    default:
      return "disco mode must be one of consul-kv, etcd-kv, dns, or dns-srv";
  }
}

function tlsFault(config: NodeConfig): string | undefined {
  const { httpCert, httpKey, nodeCert, nodeKey } = config;
  if ((httpCert === "") !== (httpKey === "")) return "either both -http-cert and -http-key must be set, or neither";
  if ((nodeCert === "") !== (nodeKey === "")) return "either both -node-cert and -node-key must be set, or neither";
  if (config.httpClientName !== "" && !config.httpVerifiesClients) {
    return "-http-verify-common-name requires -http-verify-client";
  }
  if (config.nodeClientName !== "" && !config.nodeVerifiesClients) {
    return "-node-verify-common-name requires -node-verify-client";
  }
  if (config.httpVerifiesClients && httpCert === "") return "-http-verify-client needs -http-cert and -http-key";
  if (nodeCert !== "") return undefined;
  if (config.nodeCaCert !== "") {
    return "-node-ca-cert needs -node-cert and -node-key: TLS between nodes is on when these are set";
  }
  if (config.nodeServerName !== "") return "-node-verify-server-name needs -node-cert and -node-key";
  if (!config.nodeVerifies) return "-node-no-verify needs -node-cert and -node-key";
  if (config.nodeVerifiesClients) return "-node-verify-client needs -node-cert and -node-key";
  return undefined;
}

/** URL of the HTTP API for clients; empty for a node without one, or at Unix sockets alone. */
export function apiUrlOf({ httpAddrs, httpsAddrs, httpAdvertisedAddr }: NodeConfig): string {
  if (httpAddrs.some((addr) => socketPath(addr) === undefined)) return `http://${httpAdvertisedAddr}`;
  return httpsAddrs.length > 0 ? `https://${httpAdvertisedAddr}` : "";
}

function timingFault(
  { heartbeatTimeoutMs, electionTimeoutMs, leaderLeaseTimeoutMs, bootstrapExpect, joinAttempts }: NodeConfig,
): string | undefined {
  const prefix = "failed to open store: creating the raft system failed:";
  if (heartbeatTimeoutMs < 100) {
    return `${prefix} HeartbeatTimeout (${heartbeatTimeoutMs}ms) is too low: at least 100ms`;
  }
  if (electionTimeoutMs < heartbeatTimeoutMs) {
    return `${prefix} ElectionTimeout (${electionTimeoutMs}ms) must be equal or greater than Heartbeat Timeout (${heartbeatTimeoutMs}ms)`;
  }
  if (leaderLeaseTimeoutMs > heartbeatTimeoutMs) {
    return `${prefix} LeaderLeaseTimeout (${leaderLeaseTimeoutMs}ms) cannot be larger than heartbeat timeout (${heartbeatTimeoutMs}ms)`;
  }
  if (bootstrapExpect < 0) return "-bootstrap-expect must not be negative";
  if (joinAttempts < 1) return "-join-attempts must be at least 1";
  return undefined;
}

/**
 * What a node is to be: the one configuration that every command builds, and its validation (spec/rqlite.md 14.3). Read
 * by `node/` alone; each part gets the few values it uses. Pure.
 * @module
 */

/** A node. Times in milliseconds. */
export interface NodeConfig {
  readonly dataDirectory: string;
  /** Empty: the advertised cluster address. */
  readonly nodeId: string;
  readonly httpAddr: string;
  readonly httpAdvertisedAddr: string;
  readonly httpAllowOrigin: string;
  readonly httpBodyBytesMax: number;
  readonly httpRequestsMax: number;
  readonly httpBodyTimeoutMs: number;
  readonly queryTimeoutMs: number;
  readonly clusterAddr: string;
  readonly clusterAdvertisedAddr: string;
  readonly isVoter: boolean;
  readonly join: readonly string[];
  readonly joinAttempts: number;
  readonly joinIntervalMs: number;
  readonly bootstrapExpect: number;
  readonly bootstrapTimeoutMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly electionTimeoutMs: number;
  readonly leaderLeaseTimeoutMs: number;
  readonly applyTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly removeOnShutdown: boolean;
  readonly stepdownOnShutdown: boolean;
  readonly foreignKeys: boolean;
}

const UNROUTABLE = ["0.0.0.0", "::"];

/** What is wrong with a configuration, in rqlite's words and order; undefined for nothing. */
export function configFault(config: NodeConfig): string | undefined {
  return addressFault(config) ?? joinFault(config) ?? timingFault(config);
}

function split(addr: string): { host: string; port: string } | undefined {
  const colon = addr.lastIndexOf(":");
  if (colon < 0) return undefined;
  const host = addr.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return host.includes(":") && !addr.startsWith("[") ? undefined : { host, port: addr.slice(colon + 1) };
}

function addressFault(
  { httpAddr, httpAdvertisedAddr, clusterAddr, clusterAdvertisedAddr }: NodeConfig,
): string | undefined {
  if (httpAddr === clusterAddr) return "HTTP and Raft addresses must differ";
  if (httpAddr.startsWith("http") || httpAdvertisedAddr.startsWith("http")) {
    return "HTTP options should not include protocol (http:// or https://)";
  }
  if (!split(httpAddr)) return "HTTP bind address not valid";
  const httpAdvertised = split(httpAdvertisedAddr);
  if (!httpAdvertised) return "HTTP advertised HTTP address not valid";
  if (UNROUTABLE.includes(httpAdvertised.host)) {
    return `advertised HTTP address is not routable (${httpAdvertised.host}), specify it via -http-addr or -http-adv-addr`;
  }
  const cluster = split(clusterAddr);
  if (!cluster) return "raft bind address not valid";
  if (!/^\d+$/.test(cluster.port)) return "raft bind port not valid";
  const advertised = split(clusterAdvertisedAddr);
  if (!advertised) return "raft advertised address not valid";
  if (UNROUTABLE.includes(advertised.host)) {
    return `advertised Raft address is not routable (${advertised.host}), specify it via -raft-addr or -raft-adv-addr`;
  }
  if (!/^\d+$/.test(advertised.port)) return "raft advertised port is not valid";
  if (httpAdvertisedAddr === clusterAdvertisedAddr) return "advertised HTTP and Raft addresses must differ";
  return undefined;
}

function joinFault({ bootstrapExpect, isVoter, join, clusterAdvertisedAddr }: NodeConfig): string | undefined {
  if (bootstrapExpect > 0 && !isVoter) return "bootstrapping only applicable to voting nodes";
  for (const addr of join) {
    if (!addr.includes(":")) return `${addr} is an invalid join address`;
    if (bootstrapExpect === 0 && addr === clusterAdvertisedAddr) {
      return "node cannot join with itself unless bootstrapping";
    }
  }
  return undefined;
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

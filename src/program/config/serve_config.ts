/**
 * What the flags of `muster serve` come to.
 * @module
 */
import type { TlsVersion } from "../../base/net/conn.ts";
import { serveAcl } from "./acl.ts";
import type { NodeConfig } from "./config.ts";
import { Flags } from "./flags.ts";
import { SERVE_FLAGS } from "./serve_flags.ts";

/** Stands for 0, as in rqlite. */
const SNAPSHOT_ENTRIES = 8192;

/** The configuration that flags ask for. @throws {UsageError} When one of them cannot be read. */
export function configOf(flags: Flags): NodeConfig {
  const clusterAddr = flags.string("raft-addr");
  const httpAddr = flags.string("http-addr");
  const tls = tlsOf(flags);
  return {
    dataDirectory: flags.rest[0],
    nodeId: flags.string("node-id"),
    httpAddrs: tls.httpCert === "" ? [httpAddr] : [],
    httpsAddrs: tls.httpCert === "" ? [] : [httpAddr],
    httpAdvertisedAddr: flags.string("http-adv-addr") || httpAddr,
    console: flags.bool("ui"),
    httpAllowOrigin: flags.string("http-allow-origin"),
    authFile: flags.string("auth"),
    acl: serveAcl(flags.string("acl-default-policy")),
    httpBodyBytesMax: flags.int("http-max-body"),
    httpRequestsMax: flags.int("http-max-requests"),
    httpConnectionsMax: flags.int("http-max-conns"),
    httpBodyTimeoutMs: flags.durationMs("http-body-timeout"),
    queryTimeoutMs: flags.durationMs("db-query-timeout"),
    slowMs: flags.durationMs("slow-statements"),
    clusterAddr,
    clusterAdvertisedAddr: flags.string("raft-adv-addr") || clusterAddr,
    isVoter: !flags.bool("raft-non-voter"),
    join: flags.list("join"),
    joinAs: flags.string("join-as"),
    joinAttempts: flags.int("join-attempts"),
    joinIntervalMs: flags.durationMs("join-interval"),
    bootstrapExpect: flags.int("bootstrap-expect"),
    bootstrapTimeoutMs: flags.durationMs("bootstrap-expect-timeout"),
    discoMode: flags.string("disco-mode"),
    discoKey: flags.string("disco-key"),
    discoConfig: flags.string("disco-config"),
    autoBackup: flags.string("auto-backup"),
    autoRestore: flags.string("auto-restore"),
    cdcConfig: flags.string("cdc-config"),
    otlp: otlpOf(flags),
    heartbeatTimeoutMs: flags.durationMs("raft-heartbeat-timeout"),
    electionTimeoutMs: flags.durationMs("raft-election-timeout"),
    leaderLeaseTimeoutMs: flags.durationMs("raft-leader-lease-timeout"),
    leaseReads: flags.bool("raft-lease-reads"),
    applyTimeoutMs: flags.durationMs("raft-apply-timeout"),
    connectTimeoutMs: flags.durationMs("cluster-connect-timeout"),
    compressSnapshots: flags.bool("compress-snap-transport"),
    removeOnShutdown: flags.bool("raft-cluster-remove-shutdown"),
    stopWhenRemoved: flags.bool("raft-remove-shutdown"),
    reapVoterMs: flags.durationMs("raft-reap-node-timeout"),
    reapNonVoterMs: flags.durationMs("raft-reap-read-only-node-timeout"),
    snapshotEntries: flags.int("raft-snap") || SNAPSHOT_ENTRIES,
    snapshotWalBytes: flags.int("raft-snap-wal-size"),
    snapshotIntervalMs: flags.durationMs("raft-snap-int"),
    rejoinsDamaged: flags.bool("raft-rejoin-damaged"),
    stepdownOnShutdown: flags.bool("raft-shutdown-stepdown"),
    foreignKeys: flags.bool("fk"),
    sqliteLibrary: flags.string("sqlite-library"),
    extensionsPath: flags.list("extensions-path"),
    readersMax: flags.int("db-max-ro-conns"),
    maxSteps: flags.int("db-max-steps"),
    tempBytesMax: flags.int("db-max-temp-size"),
    ...tls,
    clusterName: flags.string("cluster-name"),
    clusterSecretFile: flags.string("cluster-secret-file"),
    clusterSecretOptional: flags.bool("cluster-secret-optional"),
    autoVacuumMs: flags.durationMs("auto-vacuum-int"),
    autoOptimizeMs: flags.durationMs("auto-optimize-int"),
    writeQueue: writeQueueOf(flags),
  };
}

function writeQueueOf(flags: Flags): NodeConfig["writeQueue"] {
  return {
    capacity: flags.int("write-queue-capacity"),
    batchSize: flags.int("write-queue-batch-size"),
    timeoutMs: flags.durationMs("write-queue-timeout"),
    isTransaction: flags.bool("write-queue-tx"),
  };
}

/** Certificates, and who has to show one. */
function tlsOf(flags: Flags) {
  const version: TlsVersion = "TLSv1.2";
  return {
    httpTlsVersion: version,
    nodeTlsVersion: version,
    httpCert: flags.string("http-cert"),
    httpKey: flags.string("http-key"),
    httpCaCert: flags.string("http-ca-cert"),
    httpVerifiesClients: flags.bool("http-verify-client"),
    httpClientName: flags.string("http-verify-common-name"),
    nodeCert: flags.string("node-cert"),
    nodeKey: flags.string("node-key"),
    nodeCaCert: flags.string("node-ca-cert"),
    nodeServerName: flags.string("node-verify-server-name"),
    nodeVerifies: !flags.bool("node-no-verify"),
    nodeVerifiesClients: flags.bool("node-verify-client"),
    nodeClientName: flags.string("node-verify-common-name"),
  };
}

/** The default configuration of a node. */
export function nodeDefaults(): NodeConfig {
  return configOf(Flags.parse(["data"], SERVE_FLAGS));
}

/** Where metrics and traces are pushed to, by flags. */
function otlpOf(flags: Flags): NodeConfig["otlp"] {
  return {
    endpoint: flags.string("otlp-endpoint"),
    intervalMs: flags.durationMs("otlp-interval"),
    traceRatio: ratioOf(flags.string("otlp-trace-sample-ratio")),
    tracesSql: flags.bool("otlp-trace-sql"),
    isInsecure: flags.bool("otlp-insecure"),
    skipsVerification: flags.bool("otlp-no-verify"),
    caCert: flags.string("otlp-ca-cert"),
    cert: flags.string("otlp-cert"),
    key: flags.string("otlp-key"),
  };
}

/** NaN for what is no number, which is refused where the flag is used. */
export function ratioOf(text: string): number {
  return text.trim() === "" ? NaN : Number(text);
}

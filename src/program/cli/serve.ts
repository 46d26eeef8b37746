/**
 * `muster serve`: a node that serves SQL.
 * @module
 */
import { describeFlags, Flags, UsageError } from "../config/flags.ts";
import { serveAcl } from "../config/acl.ts";
import { SERVE_FLAGS } from "../config/serve_flags.ts";
import { apiUrlOf, configFault, type NodeConfig } from "../config/config.ts";
import { ExtensionsError, isThere, readExtensions } from "../node/extensions.ts";
import { DataDirectoryError } from "../node/data_directory.ts";
import { withHttpsAddresses } from "../node/https_addresses.ts";
import { Node, NodeFailure } from "../node/node.ts";
import type { TlsVersion } from "../../base/net/conn.ts";
import { logger } from "../../base/worker/log.ts";
import { joinAuthorizationOf, readUsers, UsersError } from "../node/users.ts";
import { keepLoopbackDirect } from "../client/proxy.ts";
import { versionLine } from "../node/version.ts";

/** Help of the command. */
export const SERVE_HELP = `muster serve: run a node that serves SQL over HTTP and replicates it

Usage: muster serve [flags] DATA_DIR

Examples:
  muster serve data                                     one node, HTTP on localhost:4001
  muster serve -node-id 2 -http-addr localhost:4011 -raft-addr localhost:4012 -join localhost:4002 data2
                                                        a second one joins it
  muster serve -bootstrap-expect 3 -join a:4002,b:4002,c:4002 -http-addr a:4001 -raft-addr a:4002 data
                                                        three nodes form a cluster; the same -join on each
  muster serve -disco-mode=dns -disco-config '{"name":"muster.example.com"}' -bootstrap-expect 3 -http-addr a:4001 -raft-addr a:4002 data
                                                        the same, by the addresses of a name in DNS
  muster serve -disco-mode=etcd-kv -disco-key prod -disco-config etcd.json -http-addr a:4001 -raft-addr a:4002 data
                                                        the same, by a key in etcd; the first node starts the cluster

Flags (those of rqlited; one dash or two, -flag value or -flag=value):
`;

/** Stands for 0, as in rqlite. */
const SNAPSHOT_ENTRIES = 8192;

/** Runs the command; resolves to the exit code. */
export async function serve(args: readonly string[]): Promise<number> {
  let flags: Flags;
  try {
    flags = Flags.parse(args, SERVE_FLAGS);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    if (error.message === "help") {
      console.error(SERVE_HELP + describeFlags(SERVE_FLAGS));
      return 0;
    }
    console.error(`${error.message}\nRun "muster serve -help" for the flags.`);
    return 2;
  }
  if (flags.bool("version")) {
    console.error(versionLine());
    return 0;
  }
  const fault = argumentFault(flags);
  if (fault !== undefined) {
    console.error(fault);
    return 1;
  }
  let config: NodeConfig;
  try {
    config = configOf(flags);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`fatal: ${error.message}`);
    return 1;
  }
  const wrong = configFault(config);
  if (wrong !== undefined) {
    console.error(`fatal: ${wrong}`);
    return 1;
  }
  return await run(config);
}

function argumentFault(flags: Flags): string | undefined {
  for (const name of ["raft-reap-node-timeout", "raft-reap-read-only-node-timeout"]) {
    if (flags.has(name) && flags.durationMs(name) <= 0) return `fatal: -${name} must be greater than 0`;
  }
  for (const name of ["db-max-steps", "db-max-temp-size", "write-queue-capacity", "write-queue-batch-size"]) {
    if (flags.int(name) <= 0) return `fatal: -${name} must be greater than 0`;
  }
  if (flags.int("db-max-ro-conns") < 0) return "fatal: -db-max-ro-conns must not be negative";
  const library = flags.string("sqlite-library");
  // The writer would be refused it, with the runtime's own message.
  if (library !== "" && Deno.permissions.querySync({ name: "ffi", path: library }).state !== "granted") {
    return `fatal: -sqlite-library: the runtime may not load "${library}": start it with --allow-ffi="${library}"`;
  }
  const [directory, ...others] = flags.rest;
  if (directory === undefined) return "fatal: data directory path is required, for example: muster serve data";
  if (others.length > 0) {
    const advice = others[0].startsWith("-") ? ": flags go before it" : "";
    return `arguments after data directory (${directory}) are not accepted (${others.join(" ")})${advice}`;
  }
  const absent = flags.list("extensions-path").find((path) => !isThere(path));
  if (absent !== undefined) return `fatal: extension path does not exist: ${absent}`;
  return undefined;
}

function configOf(flags: Flags): NodeConfig {
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

const log = logger("muster");

/** Runs a node until a signal or a failure. */
async function run(config: NodeConfig): Promise<number> {
  let node: Node;
  keepLoopbackDirect();
  // Only where it is asked for: what reads its configuration takes several MB of memory.
  const discovery = config.discoMode === "" ? undefined : await import("../node/discovery.ts");
  const usesUploads = config.autoBackup !== "" || config.autoRestore !== "";
  const uploads = usesUploads ? await import("../node/uploads.ts") : undefined;
  const usesSinks = config.cdcConfig !== "" || config.otlp.endpoint !== "";
  const sinks = usesSinks ? await import("../config/sinks.ts") : undefined;
  try {
    const users = await readUsers(config.authFile);
    const joinAuthorization = joinAuthorizationOf(config.joinAs, users);
    if (config.joinAs !== "" && joinAuthorization === "") {
      log(`-join-as ${config.joinAs}: the auth file has no such user, this node joins without credentials`, "warn");
    }
    const read = {
      discovery: discovery?.readDiscovery(config, logger("disco")),
      uploads: uploads?.readUploads(config, logger("uploader")),
      sinks: sinks?.readSinks(config, logger("cdc")),
      users,
      joinAuthorization,
      extensions: await readExtensions(config.extensionsPath),
    };
    node = new Node(await withHttpsAddresses(config), read, log);
  } catch (error) {
    const isForeseen = error instanceof DataDirectoryError || error instanceof NodeFailure ||
      error instanceof UsersError || error instanceof ExtensionsError ||
      error instanceof Error && error.name === "ConfigError";
    if (!isForeseen) throw error;
    console.error(`fatal: ${error.message}`);
    return 1;
  }
  Deno.addSignalListener("SIGHUP", () => reload(node, config));
  const signal = untilSignal();
  try {
    const first = await Promise.race([node.clustered().then(() => "clustered" as const), signal]);
    if (first === "clustered") {
      const [host, port] = splitLast(config.httpAdvertisedAddr);
      const url = apiUrlOf(config);
      log(`node HTTP API available at ${url}`);
      log(
        `connect with any rqlite client, for example: rqlite -H ${host} -p ${port}, or curl ${url}/status` +
          (config.console ? `; or open ${url}/console/ in a browser` : ""),
      );
    }
    const name = await Promise.race([signal, node.failed()]);
    log(`received ${name}: shutting down (again: at once)`);
    await Promise.race([node.shutdown(), untilSignal()]);
    log("muster server stopped");
    return 0;
  } catch (error) {
    if (!(error instanceof NodeFailure)) throw error;
    console.error(`fatal: ${error.message}`);
    return error.exitCode;
  }
}

/** Reads again what may change while a node runs: the auth file. */
async function reload(node: Node, { authFile }: NodeConfig): Promise<void> {
  try {
    const users = await readUsers(authFile);
    if (users) node.setUsers(users);
    log(
      users ? `read ${authFile} again: ${users.length} users` : "received SIGHUP: there is no auth file to read again",
    );
  } catch (error) {
    if (!(error instanceof UsersError)) throw error;
    log(`the users stay as they were: ${error.message}`, "error");
  }
}

function splitLast(addr: string): [string, string] {
  const colon = addr.lastIndexOf(":");
  return [addr.slice(0, colon), addr.slice(colon + 1)];
}

/** Resolves to the name of the next signal that asks the process to end. */
function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      const heard = () => {
        Deno.removeSignalListener(name, heard);
        resolve(name);
      };
      Deno.addSignalListener(name, heard);
    }
  });
}

/**
 * What HTTP is told at its start of the configuration of its node.
 * @module
 */
import type { AgentOptions } from "../../app/agent/agent.ts";
import type { HttpOptions } from "../../api/server/api.ts";
import { readersMaxOf } from "../../drivers/sqlite/api.ts";
import type { AgentConfig, NodeConfig } from "../config/config.ts";
import { type Certificates, notAfterOf } from "./certificates.ts";
import type { DataDirectory } from "./data_directory.ts";
import { machineFacts, storeFacts } from "./facts.ts";
import type { Scope } from "./permissions.ts";
import { API_VERSION, VERSION } from "./version.ts";

/** Sources of the options. */
export interface HttpOptionsParts {
  readonly config: NodeConfig;
  readonly directory: DataDirectory;
  readonly scope: Scope;
  readonly certificates: Certificates;
  /** Paths of SQLite extensions. */
  readonly extensions: Parameters<typeof machineFacts>[2];
  /** Start of the process, wall clock in ms. */
  readonly startedMs: number;
  /** Access control, with the tokens that were kept. */
  readonly acl: AgentOptions["acl"];
}

/** The options. */
export function httpOptions(
  { config, directory, scope, certificates, extensions, startedMs, acl }: HttpOptionsParts,
): HttpOptions {
  return {
    nodeId: directory.nodeId,
    ...(config.agent ? { agent: { ...agentOptions(config, config.agent, directory.nodeId), acl } } : {}),
    ...(config.acl ? { acl: config.acl } : {}),
    version: API_VERSION,
    programVersion: VERSION.slice(1),
    bindAddrs: scope.httpAddrs,
    tlsAddrs: scope.httpsAddrs,
    advertisedAddr: config.httpAdvertisedAddr,
    clusterAddr: config.clusterAdvertisedAddr,
    isVoter: config.isVoter,
    ...(config.console ? { console: { otherPath: config.agent?.consolePath ?? "" } } : {}),
    allowOrigin: config.httpAllowOrigin,
    ...(certificates.http ? { tls: certificates.http } : {}),
    nodeNotAfter: certificates.node && notAfterOf(certificates.node),
    bodyBytesMax: config.httpBodyBytesMax,
    requestsMax: config.httpRequestsMax,
    connectionsMax: config.httpConnectionsMax,
    bodyTimeoutMs: config.httpBodyTimeoutMs,
    queryTimeoutMs: config.queryTimeoutMs,
    slowMs: config.slowMs,
    writeQueue: config.writeQueue,
    readersMax: readersMaxOf(config.readersMax),
    autoVacuumMs: config.autoVacuumMs,
    autoOptimizeMs: config.autoOptimizeMs,
    heartbeatTimeoutMs: config.heartbeatTimeoutMs,
    facts: machineFacts(config, directory, extensions),
    storeFacts: storeFacts(config, directory, extensions),
    startedMs: startedMs,
  };
}

/** Options of an agent for HTTP, without its keys. */
function agentOptions(config: NodeConfig, agent: AgentConfig, nodeId: string): AgentOptions {
  const {
    nodeName,
    datacenter,
    isServer,
    bootstrap,
    meta,
    queryTimeMs,
    limits,
    autopilot,
    tls: { isOutgoing, serverName },
  } = agent;
  return {
    nodeId,
    nodeName,
    datacenter,
    wan: agent.wan && { host: agent.wan.advertise, port: agent.wan.port },
    isServer,
    bootstrap,
    meta,
    queryTimeMs,
    limits,
    autopilot,
    tls: {
      https: {
        caPath: config.httpCaCert,
        certFile: config.httpCert,
        minVersion: config.httpTlsVersion,
        verifiesIncoming: config.httpVerifiesClients,
        verifiesOutgoing: false,
        verifiesName: false,
      },
      calls: {
        caPath: config.nodeCaCert,
        certFile: config.nodeCert,
        minVersion: config.nodeTlsVersion,
        verifiesIncoming: config.nodeVerifiesClients,
        verifiesOutgoing: isOutgoing,
        verifiesName: serverName !== "",
      },
    },
  };
}

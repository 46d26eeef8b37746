/**
 * An agent's appearance in its gossip pool, with the tags and settings of Consul's agents (C7.1.2), and its attempts to
 * join the pool.
 * @module
 */
import { splitAddress } from "../../base/codec/address.ts";
import type { MembershipConfig } from "../../drivers/membership/api.ts";
import type { PoolClient } from "../../drivers/membership/client.ts";
import type { ProviderOptions } from "../../core/provider/provider.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { pause } from "../../base/worker/backoff.ts";
import { shuffled } from "../../base/worker/shuffled.ts";
import type { AgentConfig, NodeConfig, WanSettings } from "../config/config.ts";
import type { DataDirectory } from "./data_directory.ts";
import { VERSION } from "./version.ts";

/** Version of Serf's protocol that Consul's agents speak. */
const DELEGATE_PROTOCOL = 4;
/** Tags of all agents: versions of the protocol between agents. */
const VERSIONS = { vsn: "2", vsn_min: "2", vsn_max: "3" };

/** Pause after the first failed attempt of retry-join; it doubles up to the one that is configured. */
const FIRST_RETRY_MS = 500;

/** Addresses of one provider that are tried at a time. */
const LOOKED_UP_MAX = 16;
/** An attempt without addresses. */
const NOBODY = { joined: 0, errors: [] };

/** The pool is closed to this agent: the process ends with this message. */
export class JoinError extends Error {
  /** Always `JoinError`. */
  override readonly name = "JoinError";
}

/** Configuration of the membership Worker. */
export function membershipConfig(config: NodeConfig, agent: AgentConfig, directory: DataDirectory): MembershipConfig {
  const bind = splitAddress(config.clusterAddr);
  const advertise = splitAddress(config.clusterAdvertisedAddr);
  return {
    name: agent.nodeName,
    bind: { host: bind.hostname, port: bind.port },
    advertise: { host: advertise.hostname, port: agent.gossipPort },
    machine: agent.machine,
    tags: tagsOf(config, agent, { nodeId: directory.nodeId, port: advertise.port }),
    profile: agent.isDev ? "local" : "lan",
    tuning: { ...agent.gossip, reconnectTimeoutMs: agent.reconnectTimeoutMs },
    delegateProtocol: DELEGATE_PROTOCOL,
    ownListener: !agent.isServer, // a server's cluster port is the replica's
    directory: directory.gossip,
    rejoinAfterLeave: agent.rejoinAfterLeave,
    ...(agent.encryptionKey === "" ? {} : { encryptionKey: agent.encryptionKey }),
    admission: { sameTags: ["dc"], uniqueTag: "id" },
    resolveConflicts: false,
  };
}

/**
 * Configuration of a server's second pool, that of the servers of all datacenters: the same, with names that say the
 * datacenter, the timings of a WAN, and files of its own.
 * @param encryptionKey Of the first pool, whose key a new keyring begins with; empty for none.
 */
export function wanMembershipConfig(
  config: NodeConfig,
  agent: AgentConfig,
  { directory, wan, encryptionKey }: { directory: DataDirectory; wan: WanSettings; encryptionKey: string },
): MembershipConfig {
  const { port } = splitAddress(config.clusterAdvertisedAddr);
  return {
    name: `${agent.nodeName}.${agent.datacenter}`,
    bind: { host: wan.bind, port: wan.port },
    advertise: { host: wan.advertise, port: wan.port },
    machine: [...agent.machine, wan.advertise],
    tags: tagsOf(config, agent, { nodeId: directory.nodeId, port }),
    profile: agent.isDev ? "local" : "wan",
    tuning: { ...wan.gossip, reconnectTimeoutMs: wan.reconnectTimeoutMs },
    delegateProtocol: DELEGATE_PROTOCOL,
    directory: wanDirectory(directory.gossip),
    rejoinAfterLeave: agent.rejoinAfterLeave,
    ...(encryptionKey === "" ? {} : { encryptionKey }),
    admission: { requiredTags: { role: "consul" } },
    resolveConflicts: false,
  };
}

/** Where a server keeps what it remembers of its second pool. */
export function wanDirectory(gossipDirectory: string): string {
  return `${gossipDirectory}/wan`;
}

function tagsOf(
  config: NodeConfig,
  agent: AgentConfig,
  { nodeId, port }: { nodeId: string; port: number },
): Record<string, string> {
  const common = { dc: agent.datacenter, id: nodeId, build: VERSION.replace(/^v/, ""), segment: "", ...VERSIONS };
  if (!agent.isServer) return { ...common, role: "node" };
  return {
    ...common,
    role: "consul",
    port: String(port),
    raft_vsn: "3",
    ...(config.nodeCert === "" ? {} : { use_tls: "1" }),
    ...(agent.bootstrap ? { bootstrap: "1" } : {}),
    ...(config.bootstrapExpect > 0 ? { expect: String(config.bootstrapExpect) } : {}),
    ...(config.isVoter ? {} : { nonvoter: "1", read_replica: "1" }),
  };
}

/**
 * Joins at the start, as the configuration says: resolves when nothing more is to be tried. An agent that has reached only
 * itself has not joined, unless it is the one server that forms a cluster alone.
 * @throws {JoinError} When a start-join found nobody, or the attempts of retry-join are used up.
 */
export async function joinAtStart(
  pool: PoolClient,
  { agent, bootstrapExpect, lookUp, signal, log, cluster = "LAN" }: {
    agent: Pick<AgentConfig, "bootstrap" | "startJoin" | "retryJoin" | "providers" | "retryIntervalMs" | "retryMax">;
    bootstrapExpect: number;
    /** Addresses that a provider knows, `host` or `host:port`. */
    lookUp: (provider: ProviderOptions) => Promise<readonly string[]>;
    signal: AbortSignal;
    log: (line: string) => void;
    /** @default {"LAN"} */
    cluster?: "LAN" | "WAN";
  },
): Promise<void> {
  const { startJoin, retryJoin, providers, retryIntervalMs, retryMax } = agent;
  const mayBeAlone = agent.bootstrap || bootstrapExpect === 1;
  const join = async (addresses: readonly string[]) => {
    const { joined, others, errors } = await pool.call("join", { addresses });
    const isAlone = joined > 0 && others === 0 && !mayBeAlone && !await hasOthers(pool);
    return {
      joined: isAlone ? 0 : joined,
      errors: isAlone ? ["only this node itself has answered", ...errors] : errors,
    };
  };
  if (startJoin.length > 0) {
    log(`(${cluster}) joining: ${cluster.toLowerCase()}_addresses=[${startJoin.join(", ")}]`);
    const { joined, errors } = await join(startJoin);
    if (joined === 0) throw new JoinError(`Error joining the pool: ${errors.join("; ")}`);
    log(`(${cluster}) joined: number_of_nodes=${joined}`);
  }
  const entries = [...retryJoin, ...providers.entries.map(({ text }) => text)];
  if (entries.length === 0) return;
  log(`Joining cluster...: cluster=${cluster} addresses=[${entries.join(", ")}]`);
  for (let attempt = 1; !signal.aborted; attempt++) {
    const addresses = [...retryJoin, ...await lookUpAll(providers.entries, lookUp, log)];
    if (signal.aborted) return;
    const { joined, errors } = addresses.length === 0 ? NOBODY : await join(addresses);
    if (joined > 0) {
      return log(`Join cluster completed. Synced with initial agents: cluster=${cluster} num_agents=${joined}`);
    }
    if (retryMax > 0 && attempt >= retryMax) throw new JoinError(`max join ${cluster} retry exhausted, exiting`);
    // Nodes that are started together find each other at once; who is alone does not knock every second for ever.
    const waitMs = Math.min(retryIntervalMs, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 20));
    const why = errors.length === 0 ? "No servers to join" : errors.join("; ");
    log(`Join cluster failed, will retry: cluster=${cluster} retry_interval=${waitMs / 1000}s error="${why}"`);
    await pause(waitMs, signal);
  }
}

/**
 * Addresses that the providers know; of many some, at random, as the pool tells of the rest. A provider that fails is told
 * in the log and knows none.
 */
async function lookUpAll(
  providers: readonly ProviderOptions[],
  lookUp: (provider: ProviderOptions) => Promise<readonly string[]>,
  log: (line: string) => void,
): Promise<readonly string[]> {
  const found = await Promise.all(providers.map(async (provider) => {
    try {
      const addresses = shuffled(await lookUp(provider)).slice(0, LOOKED_UP_MAX);
      if (addresses.length > 0) log(`Discovered servers: cluster=LAN servers="${addresses.join(" ")}"`);
      return addresses;
    } catch (error) {
      log(`Cannot discover address: address="${provider.text}" error="${messageOf(error)}"`);
      return [];
    }
  }));
  return [...new Set(found.flat())];
}

/** Whether another member is up: it may have joined this one. */
async function hasOthers(pool: PoolClient): Promise<boolean> {
  return (await pool.members()).filter(({ status }) => status === "alive").length > 1;
}

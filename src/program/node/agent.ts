/**
 * The parts that only an agent has: its membership of a gossip pool, the name server, and the graceful leave from the
 * pool.
 * @module
 */
import type { FromPool, OpenPool, OpenWan, RelayOpen, ToPool } from "../../app/agent/api.ts";
import type { OpenHttp, ToHttpWorker } from "../../api/server/api.ts";
import type { NodeTls } from "../../base/net/conn.ts";
import { DNS_COUNTS_BYTES } from "../../base/shared/dns_counts.ts";
import { PoolClient } from "../../drivers/membership/client.ts";
import type { FromNameServer, NameServerSettings, OpenNameServer, ToNameServer } from "../../api/nameserver/api.ts";
import { pause } from "../../base/worker/backoff.ts";
import { splitAddress } from "../../base/codec/address.ts";
import { type AgentConfig, apiUrlOf, type NodeConfig } from "../config/config.ts";
import type { WatchDefinition } from "../config/watches.ts";
import type { ToWatches } from "../watches/api.ts";
import type { DataDirectory } from "./data_directory.ts";
import { type Part, partAt } from "./here.ts";
import type { Role } from "./permissions.ts";
import { orFail } from "./node_failure.ts";
import { type GossipKeys, gossipKeysOf } from "./cluster_secret.ts";
import { joinAtStart, membershipConfig, wanMembershipConfig } from "./pool.ts";
import { ProviderParts } from "./providers.ts";
import type { ProviderOptions } from "../../core/provider/provider.ts";
import { RendezvousParts } from "../rendezvous/parts.ts";

/** The other datacenters are joined by addresses alone. */
const NO_PROVIDERS = { entries: [], kubernetes: { host: "", port: "" }, links: [] };

/** Time in which the other datacenters hear of a leave before this one does. */
const WAN_FIRST_MS = 4000;

/** Options and callbacks from the node. */
export interface AgentPartsOptions {
  readonly config: NodeConfig;
  readonly agent: AgentConfig;
  readonly directory: DataDirectory;
  /** In a client agent: the line to HTTP in the place of a replica. */
  readonly relay: Omit<RelayOpen, "nodeId"> | undefined;
  spawn(role: Role): Part;
  /** Called when the keys of the gossip have changed. */
  onKeys(keys: readonly Uint8Array[]): void;
  fail(message: string): void;
  log(line: string): void;
}

/** The pool and the name server of an agent. */
export class AgentParts {
  readonly #options: AgentPartsOptions;
  readonly #pool: PoolClient;
  readonly #opened = Promise.withResolvers<void>();
  readonly #hasNames = Promise.withResolvers<void>();
  readonly #stopping = new AbortController();
  readonly #membership: Part;
  /** What the name server counts, for HTTP. */
  readonly dnsCounts = new SharedArrayBuffer(DNS_COUNTS_BYTES);
  #nameServer: Part | undefined;
  /** Present with watches at the start. */
  readonly #watches: Part | undefined;
  readonly #rendezvous: RendezvousParts | undefined;
  /** Present where retry-join has a provider. */
  readonly #providers: ProviderParts | undefined;
  /** The pool of the servers of all datacenters, where the agent is in one. */
  readonly #wan: PoolClient | undefined;
  #keys: GossipKeys;
  /** Lines to the membership Worker: for HTTP, also to the second pool, and in a server for the replica. */
  readonly lines: {
    readonly http: MessagePort;
    readonly wan: MessagePort | undefined;
    readonly replica: MessagePort | undefined;
  };

  /** Starts the membership Worker. */
  constructor(options: AgentPartsOptions) {
    this.#options = options;
    const { config, agent, directory, relay } = options;
    const own = new MessageChannel();
    const http = new MessageChannel();
    const replica = agent.isServer ? new MessageChannel() : undefined;
    this.#pool = new PoolClient(own.port1);
    this.#pool.onEvent((event) => {
      if (event.type === "fatal") options.fail(event.reason);
    });
    this.#keys = gossipKeysOf(agent, directory.gossip);
    const wan = this.#openWan();
    this.#wan = wan?.pool;
    this.lines = { http: http.port1, wan: wan?.http, replica: replica?.port1 };
    this.#membership = options.spawn("membership");
    if (agent.watches.length > 0) this.#watches = options.spawn("watches");
    this.#membership.addEventListener("message", ({ data }: MessageEvent<FromPool>) => {
      if (data.k === "opened") this.#opened.resolve();
      else if (data.k === "keys") {
        this.#keys = { ...this.#keys, [data.pool]: data.keys };
        options.onKeys([...this.#keys.lan, ...this.#keys.wan]);
      } else options.fail(data.message);
    });
    const { advertise = { host: "", port: 0 }, ...rest } = membershipConfig(config, agent, directory);
    if (agent.providers.entries.length > 0) {
      this.#providers = new ProviderParts(agent.providers, options.spawn("provider"));
    }
    if (agent.atlas || agent.rendezvous) {
      this.#rendezvous = orFail(() =>
        new RendezvousParts({
          agent,
          pool: this.#pool,
          gossip: advertise,
          apiUrl: apiUrlOf(config),
          spawn: () => options.spawn("rendezvous"),
          fail: options.fail,
          log: options.log,
        })
      );
    }
    const ports = [own.port2, http.port2, ...(replica ? [replica.port2] : [])];
    const open: OpenPool = {
      k: "open",
      config: { ...rest, advertise },
      ports,
      ...(wan ? { wan: wan.open } : {}),
      ...(relay ? { relay: { ...relay, nodeId: directory.nodeId } } : {}),
    };
    this.#membership.postMessage(open, [...ports, ...(wan?.open.ports ?? []), ...(relay ? [relay.port] : [])]);
  }

  /** The second pool, how it is opened, and the line of HTTP to it. */
  #openWan(): { pool: PoolClient; http: MessagePort; open: OpenWan } | undefined {
    const { config, agent, directory } = this.#options;
    const { wan } = agent;
    if (!wan) return undefined;
    const own = new MessageChannel();
    const http = new MessageChannel();
    const encryptionKey = agent.encryptionKey || (this.#keys.lan[0]?.toBase64() ?? "");
    const settings = wanMembershipConfig(config, agent, { directory, wan, encryptionKey });
    const open = { config: settings, ports: [own.port2, http.port2], isRequired: wan.isRequired };
    return { pool: new PoolClient(own.port1), http: http.port1, open };
  }

  /** What HTTP needs of an agent: lines to its pools, and what the name server counts. */
  get forHttp(): Pick<OpenHttp, "membership" | "wan" | "dns"> {
    return { membership: this.lines.http, wan: this.lines.wan, dns: this.dnsCounts };
  }

  /**
   * Starts the name server, which asks through `lookups`: in a server in a Worker of its own, in a client agent by HTTP.
   */
  startNameServer(lookups: MessagePort, http: Part): void {
    const { agent, spawn, fail } = this.#options;
    if (agent.dnsAddrs.length === 0) return this.#hasNames.resolve();
    const line = this.#nameServer = agent.isServer ? spawn("nameserver") : lineInto(http);
    line.addEventListener("message", ({ data }: MessageEvent<FromNameServer>) => {
      if (data.k === "failed") fail(data.message);
      else this.#hasNames.resolve();
    });
    const open: OpenNameServer = {
      k: "open",
      addrs: agent.dnsAddrs,
      machine: agent.machine,
      domains: agent.domains,
      datacenter: agent.datacenter,
      settings: agent.dns,
      lookups,
      counts: this.dnsCounts,
    };
    line.postMessage(open, [lookups]);
  }

  /** Resolves when gossip and the name server listen. */
  async listening(): Promise<void> {
    await Promise.all([this.#opened.promise, this.#hasNames.promise]);
  }

  /** Has the name server answer. */
  serve(): void {
    const message: ToNameServer = { k: "serve" };
    this.#nameServer?.postMessage(message);
    if (this.#watches) this.setWatches(this.#options.agent.watches);
    this.#rendezvous?.start();
  }

  /** Follows other things from now on. */
  setWatches(watches: readonly WatchDefinition[]): void {
    const { config, log } = this.#options;
    if (!this.#watches) {
      if (watches.length > 0) log("there were no watches at the start: new ones take effect after a restart");
      return;
    }
    const message: ToWatches = { k: "follow", url: apiUrlOf(config), watches };
    this.#watches.postMessage(message);
  }

  /** In a client agent: takes other certificates for the way to the servers into use. */
  setTls(tls: NodeTls): void {
    const message: ToPool = { k: "tls", tls };
    this.#membership.postMessage(message);
  }

  /** In a client agent: takes other secrets for the way to the servers into use. */
  setSecrets(texts: readonly string[]): void {
    const message: ToPool = { k: "secret", texts };
    this.#membership.postMessage(message);
  }

  /** Takes new settings of the name server into use. */
  setDns(settings: NameServerSettings): void {
    const message: ToNameServer = { k: "settings", settings };
    this.#nameServer?.postMessage(message);
  }

  /**
   * Joins the pool as the configuration says.
   * @throws {import("./pool.ts").JoinError} When that is given up.
   */
  async join(): Promise<void> {
    await this.#opened.promise;
    const { agent, config, directory, log } = this.#options;
    const { signal } = this.#stopping;
    const { hostname: host } = splitAddress(config.clusterAdvertisedAddr);
    this.#providers?.announce({ node: agent.nodeName, id: directory.nodeId, host, port: agent.gossipPort });
    const lookUp = (provider: ProviderOptions) => this.#providers?.lookUp(provider) ?? Promise.resolve([]);
    const { bootstrapExpect } = config;
    const joining = joinAtStart(this.#pool, { agent, bootstrapExpect, lookUp, signal, log });
    await Promise.all([joining.then(() => this.#providers?.joined()), this.#joinWan()]);
  }

  async #joinWan(): Promise<void> {
    const { agent: { wan }, log } = this.#options;
    if (!wan || !this.#wan) return;
    const agent = { ...wan, bootstrap: false, providers: NO_PROVIDERS };
    const lookUp = () => Promise.resolve([]);
    const { signal } = this.#stopping;
    await joinAtStart(this.#wan, { agent, bootstrapExpect: 0, lookUp, signal, log, cluster: "WAN" });
  }

  /** Leaves the pool of all datacenters; where nobody else is in it, nobody is to be told. */
  async #leaveWan(): Promise<void> {
    const members = await this.#wan?.members().catch(() => []) ?? []; // there may be no such pool
    if (members.filter(({ status }) => status === "alive").length > 1) await this.#wan?.call("leave", {});
  }

  /** Leaves the pool; resolves when the others were told. */
  async leave(): Promise<void> {
    this.#stopping.abort();
    this.#providers?.close();
    await this.#rendezvous?.close();
    // The other datacenters hear of it first; but where they do not answer, this one is not to wait for them.
    const told = new AbortController();
    const wan = this.#leaveWan().finally(() => told.abort());
    await pause(WAN_FIRST_MS, told.signal);
    await Promise.all([wan, this.#pool.call("leave", {})]);
  }

  /** Ends without leaving. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#providers?.close();
    await this.#rendezvous?.close();
    // They are to be gone in any case.
    await Promise.all([this.#pool, this.#wan].map((pool) => pool?.call("close", {}).catch(() => {})));
    this.#membership.terminate();
    const closing: ToNameServer = { k: "close" };
    this.#nameServer?.postMessage(closing);
    this.#nameServer?.terminate();
    this.#watches?.terminate();
  }
}

/** A line to a name server that HTTP is to start. */
function lineInto(http: Part): Part {
  const { port1, port2 } = new MessageChannel();
  const message: ToHttpWorker = { k: "names", port: port2 };
  http.postMessage(message, [port2]);
  return partAt(port1);
}

/**
 * The messages of the discovery Worker, and what it is told to do. Types only.
 *
 * The options hold tokens, passwords and private keys: they are handed to the Worker and to nobody else, and no part of
 * the program prints them.
 * @module
 */
import type { ToCallee, ToCaller } from "../../base/worker/channel.ts";

/** How nodes find each other (Q16.1 to Q16.5). */
export type DiscoveryOptions = DnsOptions | SrvOptions | ConsulOptions | EtcdOptions;

/** The address of a name server. */
export interface NameServer {
  readonly ipAddr: string;
  readonly port: number;
}

/** `-disco-mode=dns`: every address of a name is a node. */
export interface DnsOptions {
  readonly mode: "dns";
  readonly name: string;
  /** Cluster port of every node. */
  readonly port: number;
  /** Servers to ask, in turn; empty: the system's resolver. */
  readonly servers: readonly NameServer[];
  /** `host:port` to use instead of asking; empty: ask. */
  readonly hosts: readonly string[];
}

/** `-disco-mode=dns-srv`: every record of a service is a node. */
export interface SrvOptions {
  readonly mode: "dns-srv";
  readonly name: string;
  readonly service: string;
  /** As of {@linkcode DnsOptions}. */
  readonly servers: readonly NameServer[];
}

/** Options of both key-value modes. */
interface RegisterOptions {
  /** Key of the leader's record. */
  readonly key: string;
  /** After this long without a sign of life, a record whose address is dead is replaced; 0: never. */
  readonly deadAfterMs: number;
}

/** `-disco-mode=consul-kv`. */
export interface ConsulOptions extends RegisterOptions {
  readonly mode: "consul-kv";
  readonly server: HttpServer;
  readonly datacenter: string;
  readonly namespace: string;
  readonly partition: string;
  /** ACL token; empty for none. */
  readonly token: string;
  readonly basicAuth: Credentials | undefined;
}

/** `-disco-mode=etcd-kv`. */
export interface EtcdOptions extends RegisterOptions {
  readonly mode: "etcd-kv";
  /** At least one; the next is tried when one does not answer. */
  readonly endpoints: readonly HttpServer[];
  /** User to authenticate as. */
  readonly auth: Credentials | undefined;
  /** Token to send instead; empty for none. */
  readonly token: string;
}

/** A user. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** A server that speaks HTTP. */
export interface HttpServer {
  readonly hostname: string;
  readonly port: number;
  /** Present: HTTPS. */
  readonly tls: TlsOptions | undefined;
  /** Limit of a request. */
  readonly timeoutMs: number;
}

/** How to speak TLS. Texts are PEM. */
export interface TlsOptions {
  /** CA certificates that the server's certificate may be signed by. */
  readonly ca: readonly string[];
  /** The certificate of this client, with its key; empty for none. */
  readonly cert: string;
  readonly key: string;
  /** Name that the server's certificate must have; empty: the one it is called by. */
  readonly serverName: string;
  /** Take any certificate. */
  readonly insecure: boolean;
}

/** The leader's record under the key. */
export interface LeaderRecord {
  readonly id: string;
  /** URL of its HTTP API. */
  readonly apiAddr: string;
  /** Its advertised cluster address. */
  readonly addr: string;
}

/** A record as it was read. */
export interface Found {
  readonly record: LeaderRecord;
  /** Changes with every write of the key. */
  readonly revision: string;
  /** Whether it is there by an earlier claim of this node whose answer was lost: the claim was won. */
  readonly claimed: boolean;
}

/** Methods of the Worker: parameters and result. A lost connection is an error that may be retried. */
export interface DiscoveryMethods {
  /** Cluster addresses of the nodes, looked up now. DNS modes. */
  addresses: { params: Record<string, never>; result: readonly string[] };
  /** The leader's record, null for none. Key-value modes, as all that follow. */
  read: { params: Record<string, never>; result: Found | null };
  /** Creates the record; false: another one is there. */
  claim: { params: { record: LeaderRecord }; result: boolean };
  /** Replaces the record of `revision`; false: it has changed. */
  replace: { params: { record: LeaderRecord; revision: string }; result: boolean };
}

/** First message to the Worker. */
export interface OpenDiscovery {
  readonly k: "open";
  readonly options: DiscoveryOptions;
  readonly replica: MessagePort;
}

/** From the replica, through its port. */
export type ToDiscovery =
  | ToCallee<DiscoveryMethods>
  | { readonly k: "leading"; readonly record: LeaderRecord | null }; // this node leads and is to report so; or not

/** To the replica, through its port. */
export type FromDiscovery =
  | ToCaller
  | { readonly k: "status"; readonly status: Readonly<Record<string, unknown>> };

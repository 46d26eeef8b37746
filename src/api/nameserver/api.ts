/**
 * The messages of the name server's Worker. Types only.
 * @module
 */
import type { CatalogView } from "../../app/agent/nodes.ts";
import type { CatalogNode } from "../../core/dns/answer.ts";
import type { ServiceInstance } from "../../core/dns/service_answer.ts";

/** Settings of the answers (`dns_config`, C8.8). Seconds, unless the name says otherwise. */
export interface NameServerSettings {
  /** Time to live of what is said of nodes. */
  readonly nodeTtl: number;
  /** The same of services, by name, by `prefix*`, or for `*`. */
  readonly serviceTtl: Readonly<Record<string, number>>;
  /** Whether instances with a warning are left out as well. */
  readonly onlyPassing: boolean;
  /** Most answers over UDP without EDNS. */
  readonly udpAnswerLimit: number;
  /** Most addresses in an answer; 0: any number. */
  readonly aRecordLimit: number;
  /** Whether an answer that was cut says so. */
  readonly enableTruncate: boolean;
  /** Whether metadata of nodes ride along as TXT records. */
  readonly nodeMetaTxt: boolean;
  /** Whether names are written in full each time. */
  readonly disableCompression: boolean;
  /** Upstream servers, `host:port`. */
  readonly recursors: readonly string[];
  /** Longest wait for each of them, in milliseconds. */
  readonly recursorTimeoutMs: number;
  /** The order in which they are asked. */
  readonly recursorStrategy: "sequential" | "random";
  /** Figures of the SOA record. */
  readonly soa: { readonly refresh: number; readonly retry: number; readonly expire: number; readonly minTtl: number };
}

/** First message to the Worker. */
export interface OpenNameServer {
  readonly k: "open";
  /** Each `host:port`, of UDP and TCP. */
  readonly addrs: readonly string[];
  /** Addresses of this machine, which a wildcard among `addrs` stands for. */
  readonly machine: readonly string[];
  /** The primary domain first, each ending in a dot, lower case. */
  readonly domains: readonly string[];
  readonly datacenter: string;
  readonly settings: NameServerSettings;
  /** Carries calls of {@linkcode CatalogMethods}. */
  readonly lookups: MessagePort;
  /** Takes what is counted (src/base/shared/dns_counts.ts). @default {memory of its own} */
  readonly counts?: SharedArrayBuffer;
}

/** To the Worker. */
export type ToNameServer =
  | OpenNameServer
  | { readonly k: "serve" } // all listeners of the agent are open: answer
  | { readonly k: "settings"; readonly settings: NameServerSettings }
  | { readonly k: "close" };

/** From the Worker. */
export type FromNameServer =
  | { readonly k: "listening" }
  | { readonly k: "failed"; readonly message: string };

/** What a prepared query has found. */
export interface QueryInstances {
  /** In the order in which they are answered. */
  readonly instances: readonly ServiceInstance[];
  /** Time to live, in seconds; undefined: that of the service. */
  readonly ttl: number | undefined;
  /** Where they are, if it is another datacenter than the own one. */
  readonly datacenter?: string;
}

/** Code of the error of a call for a datacenter that nobody knows. */
export type NoDatacenter = "no_datacenter";

/**
 * Calls from the name server to the catalog, of the own datacenter unless another one is named. An error gives the reason for a
 * missing answer.
 */
export interface CatalogMethods {
  /** All of it, current until {@linkcode CatalogChanged}; undefined where the agent does not hold it. */
  view: { params: Record<string, never>; result: CatalogView | undefined };
  /** A node by its name or id; undefined where there is none. */
  node: { params: { name: string; datacenter?: string }; result: CatalogNode | undefined };
  /** All nodes. */
  nodes: { params: { datacenter?: string }; result: readonly CatalogNode[] };
  /** Whether a datacenter is known. */
  knows: { params: { datacenter: string }; result: boolean };
  /** Those that are servers of the cluster. */
  servers: { params: Record<string, never>; result: readonly CatalogNode[] };
  /** Instances of a service, whatever their health. */
  service: { params: { name: string; datacenter?: string }; result: readonly ServiceInstance[] };
  /** What a prepared query finds; undefined where there is none of the name. */
  query: { params: { name: string; datacenter?: string }; result: QueryInstances | undefined };
  /** Instances of all services. */
  services: { params: Record<string, never>; result: readonly ServiceInstance[] };
}

/** To the name server: the view that it was given is not current any more. */
export interface CatalogChanged {
  readonly k: "changed";
}

/**
 * The messages of the Worker that looks up members to join, and answers others that look for this one. Types only.
 *
 * The access to an API holds a token or a key: it is handed to the Worker and to nobody else, and no part of the program
 * prints it.
 * @module
 */
import type { ToCallee, ToCaller } from "../../base/worker/channel.ts";
import type { Link } from "../../core/provider/link.ts";
import type { Self } from "../../core/provider/mdns.ts";
import type { K8sOptions, MdnsOptions } from "../../core/provider/provider.ts";
import type { HttpServer } from "../discovery/api.ts";

/** The way to the API of Kubernetes. */
export interface K8sAccess {
  readonly server: HttpServer;
  /** Path that the API's own paths follow, such as `/k8s/clusters/c-1` behind a proxy; usually empty. */
  readonly prefix: string;
  /** Bearer token; empty for none. */
  readonly token: string;
}

/** Methods of the Worker. */
export interface ProviderMethods {
  /** Addresses of the pods, `host` or `host:port`. */
  k8s: { params: { options: K8sOptions; access: K8sAccess }; result: readonly string[] };
  /** Addresses that answered by multicast DNS, `host:port`; that of this agent is among them. */
  mdns: { params: { options: MdnsOptions; links: readonly Link[] }; result: readonly string[] };
}

/** The agent as others are to find it, from now on until the Worker ends. */
export interface Announce {
  readonly k: "announce";
  readonly self: Self;
  readonly services: readonly MdnsOptions[];
  readonly links: readonly Link[];
}

/** To the Worker. */
export type ToProvider = ToCallee<ProviderMethods> | Announce;

/** From the Worker. */
export type FromProvider = ToCaller;

/**
 * The messages of the membership Worker of an agent: the gossip pool, and in a client agent the relay to the servers.
 * Types only.
 * @module
 */
import type { NodeTls } from "../../base/net/conn.ts";
import type { MembershipConfig } from "../../drivers/membership/api.ts";
import type { SecretOptions } from "../../drivers/transport/secret.ts";

/** First message to the Worker. */
export interface OpenPool {
  readonly k: "open";
  readonly config: MembershipConfig;
  /** Each carries ToMembership in and FromMembership out: answers to its own calls, and every event. */
  readonly ports: readonly MessagePort[];
  /** The pool of the servers of all datacenters, in a server. */
  readonly wan?: OpenWan;
  /** In a client agent. */
  readonly relay?: RelayOpen;
}

/** A server's part in the pool of the servers of all datacenters. */
export interface OpenWan {
  readonly config: MembershipConfig;
  /** As those of the other pool. Where there is no such pool, calls fail. */
  readonly ports: readonly MessagePort[];
  /** Whether the agent cannot go on without it; otherwise it goes on where the port is not free. */
  readonly isRequired: boolean;
}

/** Dependencies of a client agent's relay. */
export interface RelayOpen {
  /** The HTTP Worker's line to what would be its replica. */
  readonly port: MessagePort;
  /** Shared memory of the node's state. */
  readonly state: SharedArrayBuffer;
  readonly nodeId: string;
  readonly version: string;
  readonly apiUrl: string;
  readonly clusterSecret: SecretOptions;
  /** Undefined where servers are not called by TLS. */
  readonly tls: NodeTls | undefined;
}

/** From the supervisor; afterwards in a client agent: other certificates, another secret. */
export type ToPool = OpenPool | { readonly k: "tls"; readonly tls: NodeTls } | {
  readonly k: "secret";
  readonly texts: readonly string[];
};

/** To the supervisor. */
export type FromPool =
  | { readonly k: "opened" }
  | { readonly k: "keys"; readonly pool: "lan" | "wan"; readonly keys: readonly Uint8Array[] } // those of the gossip have changed
  | { readonly k: "failed"; readonly message: string };

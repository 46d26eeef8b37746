/**
 * An agent: a member of a gossip pool, as the operations about it and its pool see it. Types only.
 * @module
 */
import type { PoolClient } from "../../drivers/membership/client.ts";
import type { AclSettings } from "../acl/settings.ts";
import type { AutopilotConfig } from "./autopilot.ts";
import type { WanRouter } from "../wan/router.ts";
import type { EventLog } from "./event_log.ts";

/** TLS of an agent's HTTPS, or of calls between agents; empty paths where there is none. */
export interface TlsFacts {
  readonly caPath: string;
  readonly certFile: string;
  readonly minVersion: string;
  readonly verifiesIncoming: boolean;
  readonly verifiesOutgoing: boolean;
  readonly verifiesName: boolean;
}

/** Limits of what clients may write. */
export interface AgentLimits {
  /** Bytes of the value of a key. @default {524288} */
  readonly kvValueBytes: number;
  /** Bytes of a transaction. @default {524288} */
  readonly txnBytes: number;
  /** Shortest time to live of a session, in milliseconds. @default {10000} */
  readonly sessionTtlMs: number;
}

/** An agent's description of itself. */
export interface AgentOptions {
  readonly nodeName: string;
  readonly nodeId: string;
  readonly datacenter: string;
  /** Address and port in the pool of all datacenters; undefined where the agent is not in it. */
  readonly wan?: { readonly host: string; readonly port: number } | undefined;
  /** A client agent keeps no data: what is replicated, it asks a server for. */
  readonly isServer: boolean;
  readonly bootstrap: boolean;
  readonly meta: Readonly<Record<string, string>>;
  /** TLS as `/v1/agent/self` shows it. */
  readonly tls: { readonly https: TlsFacts; readonly calls: TlsFacts };
  /** How long a blocking query waits that does not say, and how long one waits at most. */
  readonly queryTimeMs: { readonly standard: number; readonly most: number };
  readonly limits: AgentLimits;
  /** The care for servers, until the cluster has settings of its own. */
  readonly autopilot: AutopilotConfig;
  /** Access control; absent where it is off. */
  readonly acl?: AclSettings | undefined;
}

/** Tasks of the supervisor. */
export type SupervisorTask = "leave" | "reload";

/** The services of an agent: a node that is a member of a gossip pool. */
export interface Agent {
  /** Its description, which may change while it runs. */
  options: AgentOptions;
  readonly pool: PoolClient;
  /** The pool of the servers of all datacenters; undefined: this agent is not in it. */
  readonly wan: PoolClient | undefined;
  /** The way to other datacenters, where there is that pool. */
  readonly router: WanRouter | undefined;
  readonly events: EventLog;
  /** Has the supervisor do what concerns the whole process; rejects with a reason for people. */
  askSupervisor(what: SupervisorTask): Promise<void>;
}

/**
 * The messages between the HTTP Worker and the supervisor, and what the Worker is told at its start. Types only.
 * @module
 */

import type { AclSettings } from "../../app/acl/settings.ts";
import type { CdcOptions, OtlpOptions } from "../../drivers/sink/api.ts";
import type { ToCallee, ToCaller } from "../../base/worker/channel.ts";
import type { AgentOptions, SupervisorTask } from "../../app/agent/agent.ts";
import type { FileDefinitions, OpenLocal } from "../../app/services/api.ts";
import type { KeptKind } from "../../app/services/local_state.ts";
import type { DiskFacts } from "../../app/picture/heard.ts";
import type { DatabaseSizes } from "../../app/metrics/sqlite.ts";
import type { User } from "../../app/users/user.ts";
import type { WriteQueueOptions } from "../../app/database/write_queue.ts";
import type { ConsoleFile } from "../console/files.ts";
import type { ConsoleOptions } from "../console/page.ts";
import type { TlsServer } from "../../base/net/conn.ts";
import type { TicketPlace } from "../../base/shared/ticket.ts";
import type { ReaderLine } from "../../drivers/sqlite/api.ts";

/** The place of a record in shared memory. */
export interface ActivityPlace {
  readonly shared: SharedArrayBuffer;
  /** Its offset. */
  readonly at: number;
}

/** First message to the Worker. */
export interface OpenHttp {
  readonly k: "open";
  readonly options: HttpOptions;
  /** The users; missing if everybody may do everything. */
  readonly users?: readonly User[];
  /** Shared memory of the node's state (src/base/shared/node_state.ts). */
  readonly state: SharedArrayBuffer;
  /** Counts the bytes of answers in flight (src/base/shared/answer_budget.ts). */
  readonly answers: SharedArrayBuffer;
  readonly replica: MessagePort;
  /** The place of the writer's activity (src/base/shared/activity.ts); missing if there is no writer. */
  readonly activity?: ActivityPlace;
  /** Carries the outcomes of writes, straight from the writer. */
  readonly writer: MessagePort;
  /** The write whose reads the writer runs; missing if there is no writer. */
  readonly ticket?: TicketPlace;
  /** The line to the uploader Worker; absent without automatic backups and a restore. */
  readonly uploader?: MessagePort;
  /** The line to the Worker that delivers changed rows, and how it is to; absent: nowhere. */
  readonly cdc?: { readonly port: MessagePort; readonly options: CdcOptions };
  /** The same for metrics. */
  readonly otlp?: { readonly port: MessagePort; readonly options: OtlpOptions };
  /** What is to be restored into a new cluster; absent: nothing. */
  readonly restore?: RestoreOptions;
  /** The line to the membership Worker, with {@linkcode HttpOptions.agent}. */
  readonly membership?: MessagePort;
  /** The same to the pool of the servers of all datacenters; absent in an agent that is not in it. */
  readonly wan?: MessagePort | undefined;
  /** What the name server counts (src/base/shared/dns_counts.ts), with {@linkcode HttpOptions.agent}. */
  readonly dns?: SharedArrayBuffer;
  /** The agent's own services, with {@linkcode HttpOptions.agent}. */
  readonly local?: OpenLocal;
}

/** How a new cluster begins with a backup (app/database/auto_restore.ts). */
export interface RestoreOptions {
  readonly timeoutMs: number;
  readonly continuesOnFailure: boolean;
}

/** The HTTPS files that `/status` shows. */
export interface TlsFacts {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Settings of HTTP from the command line. */
export interface HttpOptions {
  readonly nodeId: string;
  /** Present in an agent. */
  readonly agent?: AgentOptions;
  /** Access control of a node that is none; absent where it is off. */
  readonly acl?: AclSettings;
  /** As rqlite's clients read it. */
  readonly version: string;
  /** Version of the program, `0.1.0`. */
  readonly programVersion: string;
  /** Addresses of plain HTTP; there may be none. */
  readonly bindAddrs: readonly string[];
  /** Addresses of HTTPS, with `tls`. */
  readonly tlsAddrs: readonly string[];
  /** Advertised HTTP address, `host:port`. */
  readonly advertisedAddr: string;
  /** Advertised cluster address. */
  readonly clusterAddr: string;
  readonly isVoter: boolean;
  /** Absent where the console is off. */
  readonly console?: ConsoleOptions;
  /** A leader that no majority has answered for so long may have been replaced. */
  readonly heartbeatTimeoutMs: number;
  readonly allowOrigin: string;
  /** Present for HTTPS. */
  readonly tls?: TlsServer & TlsFacts;
  /** When the certificate for traffic between nodes expires, RFC 3339; undefined where there is none. */
  readonly nodeNotAfter?: string | undefined;
  /** Bytes of a request's body. @default {67108864} */
  readonly bodyBytesMax: number;
  /** Requests at a time; more are answered 503. @default {8192} */
  readonly requestsMax: number;
  /** Connections at a time. @default {4096} */
  readonly connectionsMax: number;
  /** Time for a client to send its body. @default {60000} */
  readonly bodyTimeoutMs: number;
  /** Queued writes. */
  readonly writeQueue: WriteQueueOptions;
  /** Interval between two automatic VACUUMs; 0: none. */
  readonly autoVacuumMs: number;
  /** Interval between two automatic ANALYZEs; 0: none. */
  readonly autoOptimizeMs: number;
  /** Limit of a read where the request names none. @default {60000} */
  readonly queryTimeoutMs: number;
  /** A request whose statements take so long is told in the log, in ms; 0: none. */
  readonly slowMs: number;
  /** Reader Workers at most. */
  readonly readersMax: number;
  /** Facts for `/status` that do not change while the node runs. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Those of its section `store`, and of `store.raft`. */
  readonly storeFacts: {
    readonly store: Readonly<Record<string, unknown>>;
    readonly raft: Readonly<Record<string, unknown>>;
  };
  /** Start of the process, wall clock in ms. */
  readonly startedMs: number;
}

/** Calls from HTTP to the supervisor, which answers when the task is done. */
export type SupervisorMethods =
  & { readonly [Task in SupervisorTask]: { readonly params: Record<string, never>; readonly result: void } }
  & {
    /** Bytes of all files in the data directory. */
    readonly directorySize: { readonly params: Record<string, never>; readonly result: number };
    /** Bytes of the database's files. */
    readonly databaseSizes: { readonly params: Record<string, never>; readonly result: DatabaseSizes };
    /** The disk of the data directory. */
    readonly disk: { readonly params: Record<string, never>; readonly result: DiskFacts };
    /** The files of the console. */
    readonly consoleFiles: { readonly params: Record<string, never>; readonly result: readonly ConsoleFile[] };
    /** Keeps the tokens of the agent, as JSON. */
    readonly keepTokens: { readonly params: { readonly text: string }; readonly result: void };
    /** The index in the file that lets access control be bootstrapped again, which is removed; 0: there is none. */
    readonly takeBootstrapReset: { readonly params: Record<string, never>; readonly result: number };
    /** Keeps a definition of a service or check on disk, or forgets it. */
    readonly keepDefinition: {
      readonly params: { readonly kind: KeptKind; readonly id: string; readonly text: string };
      readonly result: void;
    };
    readonly forgetDefinition: {
      readonly params: { readonly kind: KeptKind; readonly id: string };
      readonly result: void;
    };
  };

/** Supervisor → HTTP Worker. */
export type ToHttpWorker =
  | OpenHttp
  | { readonly k: "tls"; readonly tls: TlsServer } // a new certificate
  | { readonly k: "nodeTls"; readonly notAfter: string | undefined } // the same for traffic between nodes
  | { readonly k: "serve" } // all listeners of the node are open: answer
  | { readonly k: "reader"; readonly line: ReaderLine } // one more to share reads among
  | { readonly k: "backups"; readonly port: MessagePort } // the line to the backup Worker
  | { readonly k: "parser"; readonly port: MessagePort } // the line to the Worker that reads large bodies
  | { readonly k: "lookups"; readonly port: MessagePort } // the name server calls CatalogMethods (api/nameserver/api.ts)
  | { readonly k: "names"; readonly port: MessagePort } // serve DNS, too; carries what a name server's Worker is told
  | { readonly k: "users"; readonly users: readonly User[] } // the auth file, anew
  | { readonly k: "checks"; readonly port: MessagePort } // the line to the Worker that runs checks
  | {
    readonly k: "agent"; // anew
    readonly meta: Readonly<Record<string, string>>;
    readonly files: FileDefinitions;
    /** Where access control is on. */
    readonly tokens: AclSettings["tokens"] | undefined;
  }
  | ToCaller
  | { readonly k: "shutdown" };

/** HTTP Worker → supervisor. */
export type FromHttpWorker =
  | { readonly k: "listening"; readonly port: number }
  | { readonly k: "wantReader" } // slow reads wait
  | { readonly k: "wantBackups" } // the backup Worker is to be started
  | { readonly k: "wantParser" } // a Worker that reads large bodies is to be started; it ends by itself
  | { readonly k: "wantChecks" } // the Worker that runs checks is to be started
  | { readonly k: "restored" } // or there is nothing to be restored: see OpenHttp.restore
  | ToCallee<SupervisorMethods>
  | { readonly k: "stopped" }
  | { readonly k: "failed"; readonly message: string };

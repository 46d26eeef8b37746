/**
 * The services that the handlers of `/v1` use. Each handler names the parts that it takes. Types only.
 * @module
 */
import type { Agent } from "../../app/agent/agent.ts";
import type { Catalog } from "../../app/agent/catalog.ts";
import type { Counters } from "../../app/database/counters.ts";
import type { ReplicaClient } from "../../app/database/replica_client.ts";
import type { Users } from "../../app/users/users.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { NodeState } from "../../base/worker/node_state.ts";

/** The services of a node. */
export interface ConsulParts {
  readonly options: {
    readonly nodeId: string;
    readonly version: string;
    /** A leader that no majority has answered for so long may have been replaced. */
    readonly heartbeatTimeoutMs: number;
    /** Facts about the machine and the program. */
    readonly facts: Readonly<Record<string, unknown>>;
  };
  readonly state: NodeState;
  readonly replica: ReplicaClient;
  readonly catalog: Catalog;
  /** Present in an agent (`muster agent`). */
  readonly agent: Agent | undefined;
  /** Absent where everybody may do everything. */
  readonly users: Users | undefined;
  readonly counters: Pick<Counters, "forwarded" | "auth_ok" | "auth_fail">;
  log(line: string, level?: LogLevel): void;
}

/** Dependencies of handlers for this agent and its pool. */
export type AgentParts = Pick<ConsulParts, "agent">;

/** Dependencies of forwarding. */
export type ForwardParts = Pick<ConsulParts, "agent" | "options" | "replica" | "counters">;

/** Dependencies of reads of the catalog. */
export type ReadParts = ForwardParts & Pick<ConsulParts, "state" | "catalog">;

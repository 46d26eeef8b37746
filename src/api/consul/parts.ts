/**
 * The services that the handlers of `/v1` use. Each handler names the parts that it takes.
 * @module
 */
import type { Agent } from "../../app/agent/agent.ts";
import type { Catalog } from "../../app/agent/catalog.ts";
import type { CatalogOperations } from "../../app/agent/catalog_operations.ts";
import type { KeyOperations } from "../../app/keys/key_operations.ts";
import { HttpError } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { LocalState } from "../../app/services/local_state.ts";
import type { DocumentOperations } from "../../app/services/document_operations.ts";
import type { WanOperations } from "../../app/wan/wan_operations.ts";
import type { SnapshotOperations } from "../../app/services/snapshot_operations.ts";
import type { Runner } from "../../app/database/operations.ts";
import type { Counters } from "../../app/database/counters.ts";
import type { ReplicaClient } from "../../app/database/replica_client.ts";
import type { Access } from "../../app/acl/access.ts";
import type { AclOperations } from "../../app/services/acl_operations.ts";
import type { Users } from "../../app/users/users.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { NodeState } from "../../base/shared/node_state.ts";

/** The operations behind `/v1`. */
export interface ConsulOperations
  extends CatalogOperations, KeyOperations, SnapshotOperations, DocumentOperations, AclOperations, WanOperations {}

/** The services of a node. */
export interface ConsulParts {
  readonly options: {
    readonly nodeId: string;
    readonly version: string;
    /** Advertised cluster address. */
    readonly clusterAddr: string;
    /** Facts about the machine and the program. */
    readonly facts: Readonly<Record<string, unknown>>;
  };
  readonly state: NodeState;
  readonly replica: ReplicaClient;
  readonly catalog: Pick<Catalog, "waiting">;
  readonly operations: Runner<ConsulOperations>;
  /** Present in an agent (`muster agent`). */
  readonly agent: Agent | undefined;
  /** The services and checks of the agent; present with it. */
  readonly local: LocalState | undefined;
  /** Absent where everybody may do everything. */
  readonly users: Users | undefined;
  /** Absent where access control is off. */
  readonly access: Access | undefined;
  /** Keeps the tokens of the agent, as JSON, over a restart. */
  keepTokens(text: string): Promise<void>;
  readonly counters: Pick<Counters, "auth_ok" | "auth_fail">;
  log(line: string, level?: LogLevel): void;
}

/** Dependencies of handlers for this agent and its pool. */
export type AgentParts = Pick<ConsulParts, "agent">;

/** Dependencies of handlers for the services of this agent. */
export type LocalParts = Pick<ConsulParts, "agent" | "local" | "log" | "access">;

/** Dependencies of operations that a server does, or the leader. */
export type OperateParts = Pick<ConsulParts, "agent" | "operations">;

/** The agent; 404 in a node without one. */
export function agentOf({ agent }: AgentParts): Agent {
  if (!agent) throw new HttpError(404, "this node is not an agent: start it with muster agent");
  return agent;
}

/** The services and checks of the agent; 404 in a node without one. */
export function localOf({ local }: Pick<ConsulParts, "local">): LocalState {
  if (!local) throw new HttpError(404, "this node is not an agent: start it with muster agent");
  return local;
}

/** Name of the datacenter that a request is for; empty: that of this agent. */
export function datacenterOf({ params }: HttpRequest): string {
  return (params.get("dc") ?? "").toLowerCase();
}

/**
 * The access control of a node, put together: its own database in a server, and the way to servers.
 * @module
 */
import { Access, type AccessParts } from "../../app/acl/access.ts";
import { AgentTokens } from "../../app/acl/settings.ts";
import type { Agent } from "../../app/agent/agent.ts";
import type { Catalog } from "../../app/agent/catalog.ts";
import type { Runner } from "../../app/database/operations.ts";
import type { AclOperations } from "../../app/services/acl_operations.ts";
import type { Users } from "../../app/users/users.ts";
import type { HttpOptions } from "./api.ts";
import type { Activity } from "../../base/shared/activity.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import { BOOTSTRAP_READ, readsOfToken, readsOfUser } from "../../core/catalog/acl_schema.ts";

/** What it is made of. */
export interface NodeAccessParts {
  readonly agent: Agent | undefined;
  readonly options: Pick<HttpOptions, "acl" | "nodeId">;
  readonly catalog: Catalog;
  readonly state: Pick<NodeState, "isLeader">;
  readonly users: Users | undefined;
  /** To be asked once the node has operations. */
  operations(): Runner<AclOperations>;
  log(line: string, level?: LogLevel): void;
}

/** Longest wait for another node. */
const ASK_MS = 5000;

/** The access control of a node; undefined where it is off. */
export function nodeAccess(parts: NodeAccessParts): Access | undefined {
  const { agent, options, users, log } = parts;
  const settings = agent ? agent.options.acl : options.acl;
  if (!settings) return undefined;
  const { nodeName, datacenter, isServer } = agent?.options ??
    { nodeName: options.nodeId, datacenter: "dc1", isServer: true };
  return new Access({
    settings,
    tokens: new AgentTokens(settings.tokens),
    nodeName,
    datacenter,
    users,
    local: isServer ? localOf(parts) : undefined,
    async ask({ authorization, address }, ofLeader) {
      const by = { k: "client", authorization, address } as const;
      const { result } = await parts.operations().run("aclResolve", { ofLeader }, {
        by,
        timeoutMs: ASK_MS,
        retries: 0,
      });
      return result.token;
    },
    log,
  });
}

/** Says it where the cluster keeps tokens and this node looks at none. Nothing is read where there is no catalog. */
export async function warnIfOpen(
  { access, activity, catalog, log }:
    & { readonly access: Access | undefined; readonly activity: Activity | undefined }
    & Pick<NodeAccessParts, "catalog" | "log">,
): Promise<void> {
  if (access || activity?.catalogChanges === 0) return;
  const found = await catalog.read([BOOTSTRAP_READ]).catch(() => undefined); // it is no more than advice
  if (!found || found.rows[0].length === 0) return;
  log(
    "the cluster has access control, and this node was started without: everybody may do everything here " +
      "(acl.enabled, or -acl-default-policy of muster serve)",
    "warn",
  );
}

function localOf({ catalog, state }: NodeAccessParts): NonNullable<AccessParts["local"]> {
  return {
    // Until the catalog changes one reading serves all requests of a token.
    token: async (digest) => {
      const read = () => catalog.read(readsOfToken(digest));
      return (await catalog.shared.get(`acl token ${digest}`, read)).rows;
    },
    user: async (name) => (await catalog.shared.get(`acl user ${name}`, () => catalog.read(readsOfUser(name)))).rows,
    rows: async (sql, positional) => (await catalog.read([{ sql, positional }])).rows[0],
    isLeader: () => state.isLeader,
  };
}

/**
 * An agent's way to the catalog for what it says of itself: an operation that the leader does, wherever this agent is.
 * @module
 */
import type { AgentTokens } from "../acl/settings.ts";
import { authorizationOf } from "../acl/access.ts";
import type { Asker } from "../database/operation.ts";
import type { CatalogOperations } from "../agent/catalog_operations.ts";
import type { Runner } from "../database/operations.ts";
import { aggregateStatus, type CheckStatus, isCheckStatus } from "../../core/health/aggregate.ts";
import type { CatalogAccess } from "./anti_entropy.ts";

/** Longest wait for a server. */
const TIMEOUT_MS = 5000;
const AT_ONCE = { consistency: "default", index: 0, waitMs: 0 } as const;

/** The agent asks for itself: where access control is on, with a token of its own. */
export function ownAsker(tokens: AgentTokens | undefined, secret: string): Asker {
  return tokens ? { k: "client", authorization: authorizationOf(secret), address: "" } : { k: "node" };
}

/** Asks through the operations of this node; `tokens` is missing where access control is off. */
export function catalogAccess(runner: Runner<CatalogOperations>, tokens?: AgentTokens): CatalogAccess {
  // What is behind is tried again by whoever asked.
  const asked = (token: string) => ({ by: ownAsker(tokens, token), timeoutMs: TIMEOUT_MS, retries: 0 });
  const own = () => asked(tokens?.forAgent ?? "");
  return {
    async agent(name) {
      const { result } = await runner.run("catalogRead", { query: { k: "agent", name }, ...AT_ONCE }, own());
      const [[node], services, checks] = result.rows;
      return {
        node: node && { id: String(node.id), address: String(node.address), meta: JSON.parse(String(node.meta)) },
        services,
        checks,
      };
    },
    register: async (node) => void await runner.run("register", node, own()),
    registerAll: async (registration, token) => void await runner.run("registerAll", registration, asked(token)),
    async deregister(node, what, token) {
      await runner.run("deregister", { node, service: "", check: "", ...what }, asked(token));
    },
  };
}

/** The worst status of a service's checks and its node's, or of the node alone; undefined where there are none. */
export async function remoteStatus(
  runner: Runner<CatalogOperations>,
  { node, service, tokens }: { node: string; service: string; tokens: AgentTokens | undefined },
): Promise<CheckStatus | undefined> {
  const query = { k: "nodeChecks", name: node } as const;
  const { result } = await runner.run("catalogRead", { query, ...AT_ONCE, consistency: "stale" }, {
    by: ownAsker(tokens, tokens?.forAgent ?? ""),
    timeoutMs: TIMEOUT_MS,
    retries: 0,
  });
  const [rows] = result.rows;
  const concerned = rows.filter(({ service_id: id }) => id === "" || id === service);
  const checks = concerned.flatMap(({ id, status }) => {
    const text = String(status);
    return isCheckStatus(text) ? [{ id: String(id), status: text }] : [];
  });
  if (checks.length === 0) return undefined;
  const worst = aggregateStatus(checks);
  return worst === "maintenance" ? "critical" : worst;
}

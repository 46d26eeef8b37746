/**
 * An agent's way to the catalog for what it says of itself: an operation that the leader does, wherever this agent is.
 * @module
 */
import type { CatalogOperations } from "../agent/catalog_operations.ts";
import type { Runner } from "../database/operations.ts";
import { aggregateStatus, type CheckStatus, isCheckStatus } from "../../core/health/aggregate.ts";
import type { CatalogAccess } from "./anti_entropy.ts";

/** Longest wait for a server. */
const TIMEOUT_MS = 5000;
/** The agent asks for itself; what is behind is tried again by whoever asked. */
const ASKED = { by: { k: "node" }, timeoutMs: TIMEOUT_MS, retries: 0 } as const;
const AT_ONCE = { consistency: "default", index: 0, waitMs: 0 } as const;

/** Asks through the operations of this node. */
export function catalogAccess(runner: Runner<CatalogOperations>): CatalogAccess {
  return {
    async agent(name) {
      const { result } = await runner.run("catalogRead", { query: { k: "agent", name }, ...AT_ONCE }, ASKED);
      const [[node], services, checks] = result.rows;
      return {
        node: node && { address: String(node.address), meta: JSON.parse(String(node.meta)) },
        services,
        checks,
      };
    },
    register: async (node) => void await runner.run("register", node, ASKED),
    registerAll: async (registration) => void await runner.run("registerAll", registration, ASKED),
    async deregister(node, what) {
      await runner.run("deregister", { node, service: "", check: "", ...what }, ASKED);
    },
  };
}

/** The worst status of a service's checks and its node's, or of the node alone; undefined where there are none. */
export async function remoteStatus(
  runner: Runner<CatalogOperations>,
  node: string,
  service: string,
): Promise<CheckStatus | undefined> {
  const query = { k: "nodeChecks", name: node } as const;
  const { result } = await runner.run("catalogRead", { query, ...AT_ONCE, consistency: "stale" }, ASKED);
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

/**
 * The token of a lock that is held, which a write in SQL may demand (`muster_fence`).
 * @module
 */
import { type AgentApi, ApiError, fieldOf, list } from "./agent_api.ts";

const QUERY = "SELECT token FROM muster.fences WHERE key = ?";

/**
 * Reads it, as of now. Undefined where the cluster keeps none: it is Consul's, an older one, or its SQL is closed to this
 * client, who can do without.
 */
export async function fenceToken(api: AgentApi, key: string): Promise<string | undefined> {
  try {
    const body = new TextEncoder().encode(JSON.stringify([[QUERY, key]])); // a text would be taken for SQL
    const { text } = await api.askText("POST", "/db/query?level=linearizable", { body });
    const [result] = list(fieldOf(JSON.parse(text), "results"));
    const [row] = list(fieldOf(result, "values"));
    const [token] = list(row);
    return typeof token === "number" ? String(token) : undefined;
  } catch (error) {
    if (error instanceof ApiError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * Answers the name server's calls to the catalog, and tells it once when what it holds is not current any more.
 * @module
 */
import { shuffled } from "../../base/worker/shuffled.ts";
import { ownAsker } from "../../app/services/catalog_access.ts";
import { instancesOf, type NodeSource } from "../../app/agent/nodes.ts";
import { executeQuery, type QueryReads } from "../../app/services/prepared_query.ts";
import { parseDuration } from "../../base/codec/duration.ts";
import { nearestTo } from "../consul/near.ts";
import type { Services } from "./services.ts";
import { Callee, type ToCallee } from "../../base/worker/channel.ts";
import type { CatalogChanged, CatalogMethods, QueryInstances } from "../nameserver/api.ts";

/** Longest wait for a server. */
const TIMEOUT_MS = 5000;

/** Serves a name server through its port, from now on. */
export function answerLookups(
  port: MessagePort,
  source: NodeSource,
  query: (name: string) => Promise<QueryInstances | undefined>,
): void {
  let holdsView = false;
  source.onChange = () => {
    if (source.view && !holdsView) return;
    holdsView = false;
    const message: CatalogChanged = { k: "changed" };
    port.postMessage(message);
  };
  const callee = new Callee<CatalogMethods>(port, {
    view: () => {
      if (!source.view) return undefined;
      holdsView = true; // before it is read: a change meanwhile is told
      return source.view();
    },
    node: ({ name }) => source.node(name),
    nodes: () => source.nodes(),
    servers: () => source.servers(),
    service: ({ name }) => source.service(name),
    services: () => source.services(),
    query: ({ name }) => query(name),
  });
  port.onmessage = ({ data }: MessageEvent<ToCallee<CatalogMethods>>) => callee.take(data);
}

/** Executes prepared queries for the name server of an agent: stale, as names are. */
export function queryInstances(
  { operations, agent, access }: Pick<Services, "operations" | "agent" | "access">,
): (name: string) => Promise<QueryInstances | undefined> {
  const asked = () => ({
    by: ownAsker(access?.tokens, access?.tokens.forNames ?? ""),
    timeoutMs: TIMEOUT_MS,
    retries: 0,
  });
  const mode = { consistency: "stale", index: 0, waitMs: 0 } as const;
  const reads: QueryReads = {
    query: async (query) => (await operations.run("queryRead", { query, ...mode }, asked())).result.rows[0],
    catalog: async (query) => (await operations.run("catalogRead", { query, ...mode }, asked())).result.rows,
  };
  return async (name) => {
    const found = await executeQuery(reads, name);
    if (!found) return undefined;
    const { definition: { near, ttl, ignoredChecks }, checks } = found;
    const counted = checks.filter(({ id }) => !ignoredChecks.includes(String(id)));
    const instances = shuffled(instancesOf(found.instances, counted));
    const sorted = near === "" ? instances : (await nearestTo(near, { agent }))(instances, ({ node }) => node.name);
    const ms = parseDuration(ttl);
    return { instances: sorted, ttl: ttl === "" || ms === undefined ? undefined : Math.round(ms / 1000) };
  };
}

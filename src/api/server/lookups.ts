/**
 * Answers the name server's calls to the catalog, and tells it once when what it holds is not current any more.
 * @module
 */
import { shuffled } from "../../base/worker/shuffled.ts";
import { ownAsker } from "../../app/services/catalog_access.ts";
import { instancesOf, type NodeSource, RemoteNodes } from "../../app/agent/nodes.ts";
import { executeQuery, type QueryReads } from "../../app/services/prepared_query.ts";
import { parseDuration } from "../../base/codec/duration.ts";
import { nearestTo } from "../consul/near.ts";
import type { Services } from "./services.ts";
import { Callee, type DescribedError, type ToCallee } from "../../base/worker/channel.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { NO_PATH } from "../../app/database/operations.ts";
import type { CatalogChanged, CatalogMethods, NoDatacenter, QueryInstances } from "../nameserver/api.ts";

/** Longest wait for a server. */
const TIMEOUT_MS = 4500;
/** How long the names of the datacenters are kept. */
const NAMES_MS = 5000;

/** How the names of other datacenters are looked up. */
export interface OtherDatacenters {
  /** Nodes and services of one. */
  source(datacenter: string): NodeSource;
  knows(datacenter: string): Promise<boolean>;
}

/** Serves a name server through its port, from now on. */
export function answerLookups(
  port: MessagePort,
  source: NodeSource,
  { others, query }: {
    others: OtherDatacenters;
    query: (name: string, datacenter: string | undefined) => Promise<QueryInstances | undefined>;
  },
): void {
  let holdsView = false;
  source.onChange = () => {
    if (source.view && !holdsView) return;
    holdsView = false;
    const message: CatalogChanged = { k: "changed" };
    port.postMessage(message);
  };
  const of = (datacenter: string | undefined) => datacenter === undefined ? source : others.source(datacenter);
  const callee = new Callee<CatalogMethods>(port, {
    view: () => {
      if (!source.view) return undefined;
      holdsView = true; // before it is read: a change meanwhile is told
      return source.view();
    },
    node: ({ name, datacenter }) => of(datacenter).node(name),
    nodes: ({ datacenter }) => of(datacenter).nodes(),
    servers: () => source.servers(),
    service: ({ name, datacenter }) => of(datacenter).service(name),
    services: () => source.services(),
    query: ({ name, datacenter }) => query(name, datacenter),
    knows: ({ datacenter }) => others.knows(datacenter),
  }, described);
  port.onmessage = ({ data }: MessageEvent<ToCallee<CatalogMethods>>) => callee.take(data);
}

function described(error: unknown): DescribedError {
  const message = messageOf(error);
  return message === NO_PATH ? { error: message, code: NO_DATACENTER } : { error: message };
}

const NO_DATACENTER: NoDatacenter = "no_datacenter";

type LookupParts = Pick<Services, "operations" | "agent" | "access" | "log">;

/** Who asks for names: where access control is on, the agent with its token for them. */
export const nameAsker = ({ access }: Pick<LookupParts, "access">) =>
  ownAsker(access?.tokens, access?.tokens.forNames ?? "");
const askedOf = (parts: Pick<LookupParts, "access">) => ({
  by: nameAsker(parts),
  timeoutMs: TIMEOUT_MS,
  retries: 0,
});
const STALE = { consistency: "stale", index: 0, waitMs: 0 } as const;

/** Looks names of other datacenters up by stale reads there, each time anew. */
export function otherDatacenters(parts: LookupParts): OtherDatacenters {
  const { operations } = parts;
  let names: { readonly untilMs: number; readonly all: Promise<ReadonlySet<string>> } | undefined;
  const read = async () => {
    const { result } = await operations.run("datacenters", {}, askedOf(parts));
    return new Set(result.map(({ name }) => name));
  };
  return {
    source: (datacenter) =>
      new RemoteNodes({
        onChange() {},
        async rows(query) {
          return (await operations.run("catalogRead", { query, ...STALE }, { ...askedOf(parts), datacenter })).result
            .rows;
        },
      }),
    async knows(datacenter) {
      if (!names || names.untilMs < performance.now()) names = { untilMs: performance.now() + NAMES_MS, all: read() };
      const { all } = names;
      return await all.then((known) => known.has(datacenter), () => false);
    },
  };
}

/** Executes prepared queries for the name server of an agent: stale, as names are. */
export function queryInstances(
  parts: LookupParts,
): (name: string, datacenter: string | undefined) => Promise<QueryInstances | undefined> {
  const { operations, agent } = parts;
  const asked = () => askedOf(parts);
  const readsIn = (datacenter: string): QueryReads => ({
    query: async (query) => {
      return (await operations.run("queryRead", { query, ...STALE }, { ...asked(), datacenter })).result.rows[0];
    },
    catalog: async (query, where) => {
      return (await operations.run("catalogRead", { query, ...STALE }, { ...asked(), datacenter: where })).result.rows;
    },
    datacenter,
    datacenters: async () => (await operations.run("datacenters", {}, asked())).result.map(({ name }) => name),
    noteFailure: (where, error) =>
      parts.log(`Failed querying for service in datacenter: datacenter=${where} error=${messageOf(error)}`),
  });
  return async (name, datacenter = agent?.options.datacenter ?? "") => {
    const found = await executeQuery(readsIn(datacenter), name);
    if (!found) return undefined;
    const { definition: { near, ttl, ignoredChecks }, checks, failovers } = found;
    const counted = checks.filter(({ id }) => !ignoredChecks.includes(String(id)));
    const instances = shuffled(instancesOf(found.instances, counted));
    const isNear = near !== "" && failovers === 0 && datacenter === agent?.options.datacenter;
    const sorted = isNear
      ? nearestTo(near, { agent }, await agent.pool.call("coordinates", {}))(instances, ({ node }) => node.name)
      : instances;
    const ms = parseDuration(ttl);
    return {
      instances: sorted,
      ttl: ttl === "" || ms === undefined ? undefined : Math.round(ms / 1000),
      ...(found.datacenter === agent?.options.datacenter ? {} : { datacenter: found.datacenter }),
    };
  };
}

/**
 * Prepared queries (C7.9): a definition of which instances of a service are wanted, kept by the cluster and executed by name,
 * over HTTP and DNS. A template stands for all names that begin with its own. Pure, but for the reads that it is given.
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import type { CatalogRow } from "../agent/catalog.ts";
import type { CatalogQuery, PreparedQuery } from "../agent/catalog_query.ts";

/** What a prepared query asks for. */
export interface QueryDefinition {
  readonly service: string;
  readonly onlyPassing: boolean;
  /** Node by whose distance the instances are sorted; empty: random order. */
  readonly near: string;
  /** Wanted, or with a `!` before it not. */
  readonly tags: readonly string[];
  readonly nodeMeta: Readonly<Record<string, string>>;
  readonly serviceMeta: Readonly<Record<string, string>>;
  readonly ignoredChecks: readonly string[];
  /** Go's text; empty: that of the name server. */
  readonly ttl: string;
}

/** What an execution found. */
export interface QueryFound {
  readonly definition: QueryDefinition;
  /** Instances that are wanted, with their nodes. */
  readonly instances: readonly CatalogRow[];
  /** The checks of all instances. */
  readonly checks: readonly CatalogRow[];
}

/** Reads of the catalog. */
export interface QueryReads {
  query(query: PreparedQuery): Promise<readonly CatalogRow[]>;
  /** Rows of each statement. */
  catalog(query: CatalogQuery): Promise<readonly (readonly CatalogRow[])[]>;
}

/** Executes a query by its id or name, or by a template; undefined where there is none. */
export async function executeQuery(reads: QueryReads, name: string): Promise<QueryFound | undefined> {
  const [row] = await reads.query({ k: "query", name });
  if (!row) return undefined;
  const definition = definitionOf(filledIn(row, name));
  const [instances, checks] = await reads.catalog({ k: "health", name: definition.service });
  const statuses = checks.filter(({ id }) => !definition.ignoredChecks.includes(String(id)));
  return { definition, instances: instances.filter((one) => isWanted(one, statuses, definition)), checks };
}

/** The body of a query, in a template with what the name says. */
export function filledIn(row: CatalogRow, name: string): unknown {
  const body: unknown = JSON.parse(String(row.body));
  const { Type } = object(object(body).Template);
  if (Type !== "name_prefix_match") return body;
  const prefix = String(row.name);
  const texts: Record<string, string> = {
    "name.full": name,
    "name.prefix": name.slice(0, prefix.length),
    "name.suffix": name.slice(prefix.length),
    "agent.segment": "",
  };
  return walked(body, (text) => text.replace(/\$\{([\w.]+)\}/g, (whole, key: string) => texts[key] ?? whole));
}

/** A value whose texts are changed, those of the template itself aside. */
function walked(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((one) => walked(one, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, key === "Template" || key === "Name" ? one : walked(one, change)]),
  );
}

/** What a body asks for. */
export function definitionOf(body: unknown): QueryDefinition {
  const { Service, DNS } = object(body);
  const service = object(Service);
  const ttl = object(DNS).TTL;
  return {
    service: text(service.Service),
    onlyPassing: service.OnlyPassing === true,
    near: text(service.Near),
    tags: texts(service.Tags),
    nodeMeta: pairs(service.NodeMeta),
    serviceMeta: pairs(service.ServiceMeta),
    ignoredChecks: texts(service.IgnoreCheckIDs),
    ttl: typeof ttl === "string" && parseDuration(ttl) !== undefined ? ttl : "",
  };
}

function isWanted(row: CatalogRow, checks: readonly CatalogRow[], definition: QueryDefinition): boolean {
  const node = String(row.node).toLowerCase();
  const own = checks.filter((check) =>
    String(check.node).toLowerCase() === node && (check.service_id === "" || check.service_id === row.id)
  );
  const isHealthy = own.every(({ status }) => status === "passing" || status === "warning" && !definition.onlyPassing);
  const tags = texts(JSON.parse(String(row.tags))).map((tag) => tag.toLowerCase());
  const hasTags = definition.tags.every((tag) =>
    tag.startsWith("!") ? !tags.includes(tag.slice(1).toLowerCase()) : tags.includes(tag.toLowerCase())
  );
  const has = (meta: unknown, wanted: Readonly<Record<string, string>>) => {
    const known = pairs(JSON.parse(String(meta)));
    return Object.entries(wanted).every(([key, value]) => known[key] === value);
  };
  return isHealthy && hasTags && has(row.node_meta, definition.nodeMeta) && has(row.meta, definition.serviceMeta);
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function pairs(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(object(value)).map(([key, one]) => [key, text(one)]));
}

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
  /** Where instances are looked for that are not in the own datacenter. */
  readonly failover: Failover;
}

/** The datacenters that are asked one after the other until one has an instance. */
export interface Failover {
  /** So many of the nearest first. */
  readonly nearest: number;
  /** Then these, in their order. */
  readonly datacenters: readonly string[];
}

/** What an execution found. */
export interface QueryFound {
  readonly definition: QueryDefinition;
  /** Instances that are wanted, with their nodes. */
  readonly instances: readonly CatalogRow[];
  /** The checks of all instances. */
  readonly checks: readonly CatalogRow[];
  /** Where they are. */
  readonly datacenter: string;
  /** Other datacenters that were asked. */
  readonly failovers: number;
}

/** Reads of the catalog. */
export interface QueryReads {
  query(query: PreparedQuery): Promise<readonly CatalogRow[]>;
  /** Rows of each statement, of a datacenter. */
  catalog(query: CatalogQuery, datacenter: string): Promise<readonly (readonly CatalogRow[])[]>;
  /** Where the query is. */
  readonly datacenter: string;
  /** All datacenters that are known, by distance. */
  datacenters(): Promise<readonly string[]>;
  /** Told of a datacenter that could not be asked. */
  noteFailure(datacenter: string, error: unknown): void;
}

/** Executes a query by its id or name, or by a template; undefined where there is none. */
export async function executeQuery(reads: QueryReads, name: string): Promise<QueryFound | undefined> {
  const [row] = await reads.query({ k: "query", name });
  if (!row) return undefined;
  const definition = definitionOf(filledIn(row, name));
  const own = await instancesIn(reads, definition, reads.datacenter);
  return own.instances.length > 0 ? { ...own, failovers: 0 } : await failOver(reads, own);
}

/** What other datacenters have, one after the other; where none has an instance, nothing. */
async function failOver(reads: QueryReads, own: Omit<QueryFound, "failovers">): Promise<QueryFound> {
  const { failover: { nearest, datacenters } } = own.definition;
  if (nearest === 0 && datacenters.length === 0) return { ...own, failovers: 0 };
  const others = (await reads.datacenters()).filter((one) => one !== reads.datacenter);
  // Those that nobody knows are left out, as in Consul.
  const named = datacenters.filter((one) => others.includes(one));
  let found = own;
  let failovers = 0;
  for (const datacenter of new Set([...others.slice(0, nearest), ...named])) {
    failovers++;
    try {
      found = await instancesIn(reads, own.definition, datacenter);
      if (found.instances.length > 0) break;
    } catch (error) {
      reads.noteFailure(datacenter, error);
    }
  }
  return { ...found, failovers };
}

async function instancesIn(
  reads: QueryReads,
  definition: QueryDefinition,
  datacenter: string,
): Promise<Omit<QueryFound, "failovers">> {
  const [instances, checks] = await reads.catalog({ k: "health", name: definition.service }, datacenter);
  const statuses = checks.filter(({ id }) => !definition.ignoredChecks.includes(String(id)));
  const wanted = instances.filter((one) => isWanted(one, statuses, definition));
  return { definition, instances: wanted, checks, datacenter };
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
    failover: failoverOf(object(service.Failover)),
  };
}

/** What is wrong with the body of a query, in Consul's words; undefined where nothing is. */
export function faultOf(body: Record<string, unknown>): string | undefined {
  const { NearestN } = object(object(body.Service).Failover);
  const { TTL } = object(body.DNS);
  if (definitionOf(body).service === "") return "Must provide a Service name to query";
  if (!isAbsent(NearestN) && !(Number.isSafeInteger(NearestN) && Number(NearestN) >= 0)) {
    return `Bad NearestN '${short(NearestN)}', must be >= 0`;
  }
  if (isAbsent(TTL) || TTL === "") return undefined;
  const ms = typeof TTL === "string" ? parseDuration(TTL) : undefined;
  if (ms === undefined) return `Bad DNS TTL '${short(TTL)}'`;
  return ms < 0 ? `DNS TTL '${short(TTL)}', must be >=0` : undefined;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function short(value: unknown): string {
  return String(typeof value === "object" ? JSON.stringify(value) : value).slice(0, 64);
}

/** `Targets`, of newer clients, stand for the datacenters. */
function failoverOf({ NearestN, Datacenters, Targets }: Record<string, unknown>): Failover {
  const targets = Array.isArray(Targets) ? Targets.map((one) => text(object(one).Datacenter)) : [];
  const named = targets.length > 0 ? targets : texts(Datacenters);
  return {
    nearest: Number.isSafeInteger(NearestN) ? Math.max(0, Number(NearestN)) : 0,
    datacenters: named.map((one) => one.toLowerCase()).filter((one) => one !== ""),
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

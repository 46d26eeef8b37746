/**
 * `/v1/catalog` and `/v1/status` (C7.2, C7.7): nodes with what runs on them, from the replicated catalog.
 * @module
 */
import type { CatalogRow } from "../../app/agent/catalog.ts";
import { watchName } from "../../core/catalog/watch.ts";
import type { Fields } from "./filter.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { AgentParts, ReadParts } from "./parts.ts";
import { chosen, v1Json, v1Read } from "./respond.ts";

const NODES = "SELECT * FROM _muster_nodes";
/** Instances of services, each with its node. */
const INSTANCES = "SELECT s.*, n.name AS node_name, n.id AS node_id, n.address AS node_address, n.datacenter, " +
  "n.tagged_addresses, n.meta AS node_meta FROM _muster_services s JOIN _muster_nodes n ON n.name = s.node";
/** Fields that a filter may name: of a node, a service on a node, an instance of a service, and a check. */
const NODE_FIELDS: Fields = {
  ID: "text",
  Node: "text",
  Address: "text",
  Datacenter: "text",
  TaggedAddresses: "map",
  Meta: "map",
  CreateIndex: "number",
  ModifyIndex: "number",
};
const SERVICE_FIELDS: Fields = {
  ID: "text",
  Service: "text",
  Tags: "texts",
  Address: "text",
  TaggedAddresses: "map",
  Meta: "map",
  Port: "number",
  EnableTagOverride: "flag",
  CreateIndex: "number",
  ModifyIndex: "number",
};
const INSTANCE_FIELDS: Fields = {
  ID: "text",
  Node: "text",
  Address: "text",
  Datacenter: "text",
  TaggedAddresses: "map",
  NodeMeta: "map",
  ServiceID: "text",
  ServiceName: "text",
  ServiceTags: "texts",
  ServiceAddress: "text",
  ServiceMeta: "map",
  ServicePort: "number",
  ServiceEnableTagOverride: "flag",
  CreateIndex: "number",
  ModifyIndex: "number",
};
const CHECK_FIELDS: Fields = {
  Node: "text",
  CheckID: "text",
  Name: "text",
  Status: "text",
  Notes: "text",
  Output: "text",
  ServiceID: "text",
  ServiceName: "text",
  ServiceTags: "texts",
  Type: "text",
  CreateIndex: "number",
  ModifyIndex: "number",
};

/** All values of a parameter. */
function repeated({ target }: HttpRequest, name: string): string[] {
  const mark = target.indexOf("?");
  return mark < 0 ? [] : new URLSearchParams(target.slice(mark)).getAll(name);
}

/** `GET /v1/catalog/datacenters`. */
export function datacenters(request: HttpRequest, { agent }: AgentParts): HttpResponse {
  return v1Json([agent?.options.datacenter], request);
}

/** `GET /v1/catalog/nodes`, `?node-meta=key:value` repeatable. */
export async function nodes(request: HttpRequest, parts: ReadParts): Promise<HttpResponse> {
  const wanted = repeated(request, "node-meta").map((pair) => {
    const [key] = pair.split(":", 1);
    return [key, pair.slice(key.length + 1)];
  });
  const watched = ["nodes"];
  const read = async () => {
    const { rows: [found], index } = await parts.catalog.read(watched, [{ sql: `${NODES} ORDER BY name` }]);
    const all = found.map(nodeJson).filter(({ Meta }) => wanted.every(([key, value]) => Meta[key] === value));
    return { value: chosen(all, request, NODE_FIELDS), index };
  };
  return await v1Read(request, parts, { watched, read });
}

/** `GET /v1/catalog/node/NAME`. */
export async function node(request: HttpRequest, parts: ReadParts, name: string): Promise<HttpResponse> {
  const watched = watchedNode(name);
  const read = async () => {
    const { found, services: list, index } = await nodeWithServices(parts, name, watched);
    if (!found) return { value: null, index };
    const some = chosen(list, request, SERVICE_FIELDS);
    return { value: { Node: found, Services: Object.fromEntries(some.map((one) => [one.ID, one])) }, index };
  };
  return await v1Read(request, parts, { watched, read });
}

/** `GET /v1/catalog/node-services/NAME`. */
export async function nodeServices(request: HttpRequest, parts: ReadParts, name: string): Promise<HttpResponse> {
  const watched = watchedNode(name);
  const read = async () => {
    const { found, services: list, index } = await nodeWithServices(parts, name, watched);
    return { value: { Node: found ?? null, Services: chosen(list, request, SERVICE_FIELDS) }, index };
  };
  return await v1Read(request, parts, { watched, read });
}

/** A node by its name or its id, with its services; those of a node that is asked for by its id by their table. */
function watchedNode(name: string): string[] {
  if (name === "") throw new HttpError(400, "Missing node name");
  const isId = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(name);
  return isId
    ? [watchName("nodes", "id", name), "services"]
    : [watchName("nodes", "name", name), watchName("services", "node", name)];
}

async function nodeWithServices(parts: ReadParts, name: string, watched: readonly string[]) {
  const { rows: [[row], list], index } = await parts.catalog.read(watched, [
    { sql: `${NODES} WHERE name = ? OR id = ? LIMIT 1`, positional: [name, name] },
    {
      sql:
        "SELECT * FROM _muster_services WHERE node = (SELECT name FROM _muster_nodes WHERE name = ? OR id = ? LIMIT 1) " +
        "ORDER BY id",
      positional: [name, name],
    },
  ]);
  return { found: row && nodeJson(row), services: list.map(serviceJson), index };
}

/** `GET /v1/catalog/services`: names with all tags of their instances, those of the instances that a filter lets through. */
export async function serviceNames(request: HttpRequest, parts: ReadParts): Promise<HttpResponse> {
  const isFiltered = Boolean(request.params.get("filter"));
  const watched = isFiltered ? ["nodes", "services"] : ["services"];
  const read = async () => {
    const { rows: [list], index } = await parts.catalog.read(watched, [{ sql: `${INSTANCES} ORDER BY s.name` }]);
    const tags = new Map<string, Set<string>>();
    const some = isFiltered
      ? chosen(list.map(instanceJson), request, INSTANCE_FIELDS)
      : list.map((row) => ({ ServiceName: text(row.name), ServiceTags: parsed<string[]>(row.tags) }));
    for (const { ServiceName, ServiceTags } of some) {
      const known = tags.get(ServiceName) ?? new Set();
      for (const tag of ServiceTags) known.add(tag);
      tags.set(ServiceName, known);
    }
    return { value: Object.fromEntries([...tags].map(([name, all]) => [name, [...all].sort()])), index };
  };
  return await v1Read(request, parts, { watched, read });
}

/** `GET /v1/catalog/service/NAME`: its instances with their nodes, whatever their health. */
export async function service(request: HttpRequest, parts: ReadParts, name: string): Promise<HttpResponse> {
  if (name === "") throw new HttpError(400, "Missing service name");
  const tags = repeated(request, "tag");
  const watched = [watchName("services", "name", name)];
  const read = async () => {
    const { rows: [list], index } = await parts.catalog.read(watched, [{
      sql: `${INSTANCES} WHERE s.name = ? COLLATE NOCASE ORDER BY s.node, s.id`,
      positional: [name],
    }]);
    const all = list.map(instanceJson).filter(({ ServiceTags }) => tags.every((tag) => ServiceTags.includes(tag)));
    return { value: chosen(all, request, INSTANCE_FIELDS), index };
  };
  return await v1Read(request, parts, { watched, read });
}

/** `GET /v1/health/node/NAME`: its checks. */
export async function nodeChecks(request: HttpRequest, parts: ReadParts, name: string): Promise<HttpResponse> {
  return await checksWhere(request, parts, {
    sql: "node = ?",
    positional: [name],
    watched: [watchName("checks", "node", name)],
  });
}

/** `GET /v1/health/state/STATE`: checks in that state, or `any`. */
export async function checksInState(request: HttpRequest, parts: ReadParts, state: string): Promise<HttpResponse> {
  if (state === "") throw new HttpError(400, "Missing check state");
  return await checksWhere(request, parts, {
    sql: "? IN ('any', status)",
    positional: [state],
    watched: ["checks"],
  });
}

async function checksWhere(
  request: HttpRequest,
  parts: ReadParts,
  { sql: condition, positional, watched }: { sql: string; positional: string[]; watched: string[] },
): Promise<HttpResponse> {
  const read = async () => {
    const sql = `SELECT * FROM _muster_checks WHERE ${condition} ORDER BY node, id`;
    const { rows: [list], index } = await parts.catalog.read(watched, [{ sql, positional }]);
    return { value: chosen(list.map(checkJson), request, CHECK_FIELDS), index };
  };
  return await v1Read(request, parts, { watched, read });
}

function text(value: unknown): string {
  return typeof value === "string" ? value : String(value ?? "");
}

/** JSON that this program has stored. */
function parsed<T>(value: unknown): T {
  return JSON.parse(text(value));
}

function nodeJson(row: CatalogRow) {
  return {
    ID: text(row.id),
    Node: text(row.name),
    Address: text(row.address),
    Datacenter: text(row.datacenter),
    TaggedAddresses: parsed<Record<string, string>>(row.tagged_addresses),
    Meta: parsed<Record<string, string>>(row.meta),
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

function serviceJson(row: CatalogRow) {
  return {
    ID: text(row.id),
    Service: text(row.name),
    Tags: parsed<string[]>(row.tags),
    Address: text(row.address),
    TaggedAddresses: {},
    Meta: parsed<Record<string, string>>(row.meta),
    Port: Number(row.port),
    Weights: { Passing: 1, Warning: 1 },
    EnableTagOverride: false,
    Proxy: {},
    Connect: {},
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

function instanceJson(row: CatalogRow) {
  return {
    ID: text(row.node_id),
    Node: text(row.node_name),
    Address: text(row.node_address),
    Datacenter: text(row.datacenter),
    TaggedAddresses: parsed<Record<string, string>>(row.tagged_addresses),
    NodeMeta: parsed<Record<string, string>>(row.node_meta),
    ServiceKind: "",
    ServiceID: text(row.id),
    ServiceName: text(row.name),
    ServiceTags: parsed<string[]>(row.tags),
    ServiceAddress: text(row.address),
    ServiceTaggedAddresses: {},
    ServiceWeights: { Passing: 1, Warning: 1 },
    ServiceMeta: parsed<Record<string, string>>(row.meta),
    ServicePort: Number(row.port),
    ServiceSocketPath: "",
    ServiceEnableTagOverride: false,
    ServiceProxy: {},
    ServiceConnect: {},
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

function checkJson(row: CatalogRow) {
  return {
    Node: text(row.node),
    CheckID: text(row.id),
    Name: text(row.name),
    Status: text(row.status),
    Notes: text(row.notes),
    Output: text(row.output),
    ServiceID: text(row.service_id),
    ServiceName: text(row.service_name),
    ServiceTags: [],
    Type: text(row.type),
    Interval: "",
    Timeout: "",
    ExposedPort: 0,
    Definition: {},
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

/**
 * `/v1/catalog` and `/v1/status` (C7.2, C7.7): nodes with what runs on them, from the replicated catalog.
 * @module
 */
import type { CatalogRow } from "../../app/agent/catalog.ts";
import type { CatalogQuery } from "../../app/agent/catalog_query.ts";
import type { Fields } from "./filter.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { AgentParts, OperateParts } from "./parts.ts";
import { chosen, v1Json, v1Read } from "./respond.ts";

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
export async function nodes(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const wanted = repeated(request, "node-meta").map((pair) => {
    const [key] = pair.split(":", 1);
    return [key, pair.slice(key.length + 1)];
  });
  return await v1Read(request, parts, { k: "nodes" }, (found) => {
    const all = found.map(nodeJson).filter(({ Meta }) => wanted.every(([key, value]) => Meta[key] === value));
    return chosen(all, request, NODE_FIELDS);
  });
}

/** `GET /v1/catalog/node/NAME`. */
export async function node(request: HttpRequest, parts: OperateParts, name: string): Promise<HttpResponse> {
  return await v1Read(request, parts, nodeQuery(name), ([found], services) => {
    if (!found) return null;
    const some = chosen(services.map(serviceJson), request, SERVICE_FIELDS);
    return { Node: nodeJson(found), Services: Object.fromEntries(some.map((one) => [one.ID, one])) };
  });
}

/** `GET /v1/catalog/node-services/NAME`. */
export async function nodeServices(request: HttpRequest, parts: OperateParts, name: string): Promise<HttpResponse> {
  return await v1Read(request, parts, nodeQuery(name), ([found], services) => ({
    Node: found ? nodeJson(found) : null,
    Services: chosen(services.map(serviceJson), request, SERVICE_FIELDS),
  }));
}

function nodeQuery(name: string): CatalogQuery {
  if (name === "") throw new HttpError(400, "Missing node name");
  return { k: "node", name };
}

/** `GET /v1/catalog/services`: names with all tags of their instances, those of the instances that a filter lets through. */
export async function serviceNames(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const isFiltered = Boolean(request.params.get("filter"));
  return await v1Read(request, parts, { k: "services", watchesNodes: isFiltered }, (list) => {
    const tags = new Map<string, Set<string>>();
    const some = isFiltered
      ? chosen(list.map(instanceJson), request, INSTANCE_FIELDS)
      : list.map((row) => ({ ServiceName: text(row.name), ServiceTags: parsed<string[]>(row.tags) }));
    for (const { ServiceName, ServiceTags } of some) {
      const known = tags.get(ServiceName) ?? new Set();
      for (const tag of ServiceTags) known.add(tag);
      tags.set(ServiceName, known);
    }
    return Object.fromEntries([...tags].map(([name, all]) => [name, [...all].sort()]));
  });
}

/** `GET /v1/catalog/service/NAME`: its instances with their nodes, whatever their health. */
export async function service(request: HttpRequest, parts: OperateParts, name: string): Promise<HttpResponse> {
  if (name === "") throw new HttpError(400, "Missing service name");
  const tags = repeated(request, "tag");
  return await v1Read(request, parts, { k: "service", name }, (list) => {
    const all = list.map(instanceJson).filter(({ ServiceTags }) => tags.every((tag) => ServiceTags.includes(tag)));
    return chosen(all, request, INSTANCE_FIELDS);
  });
}

/** `GET /v1/health/node/NAME`: its checks. */
export async function nodeChecks(request: HttpRequest, parts: OperateParts, name: string): Promise<HttpResponse> {
  return await v1Read(request, parts, { k: "nodeChecks", name }, checksShown(request));
}

/** `GET /v1/health/state/STATE`: checks in that state, or `any`. */
export async function checksInState(request: HttpRequest, parts: OperateParts, state: string): Promise<HttpResponse> {
  if (state === "") throw new HttpError(400, "Missing check state");
  return await v1Read(request, parts, { k: "checksInState", state }, checksShown(request));
}

function checksShown(request: HttpRequest): (list: readonly CatalogRow[]) => unknown {
  return (list) => chosen(list.map(checkJson), request, CHECK_FIELDS);
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

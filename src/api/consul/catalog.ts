/**
 * `/v1/catalog` and `/v1/status` (C7.2, C7.7): nodes with what runs on them, from the replicated catalog.
 * @module
 */
import type { CatalogQuery } from "../../app/agent/catalog_query.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { AgentParts, OperateParts } from "./parts.ts";
import { chosen, v1Json, v1Read } from "./respond.ts";
import { INSTANCE_FIELDS, instanceJson, NODE_FIELDS, nodeJson, SERVICE_FIELDS, serviceJson } from "./show.ts";

/** All values of a parameter. */
export function repeated({ target }: HttpRequest, name: string): string[] {
  const mark = target.indexOf("?");
  return mark < 0 ? [] : new URLSearchParams(target.slice(mark)).getAll(name);
}

/** `GET /v1/catalog/datacenters`. */
export function datacenters(request: HttpRequest, { agent }: AgentParts): HttpResponse {
  return v1Json([agent?.options.datacenter], request);
}

/** `GET /v1/catalog/nodes`, `?node-meta=key:value` repeatable. */
export async function nodes(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const isWanted = wantedMeta(request);
  return await v1Read(request, parts, { k: "nodes" }, (found) => {
    const all = found.map(nodeJson).filter(({ Meta }) => isWanted(Meta));
    return chosen(all, request, NODE_FIELDS);
  });
}

/** Whether the metadata of a node is what the request asks for (`?node-meta=key:value`, repeatable). */
export function wantedMeta(request: HttpRequest): (meta: Readonly<Record<string, string>>) => boolean {
  const wanted = repeated(request, "node-meta").map((pair) => {
    const [key] = pair.split(":", 1);
    return [key, pair.slice(key.length + 1)];
  });
  return (meta) => wanted.every(([key, value]) => meta[key] === value);
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
  const isWanted = wantedMeta(request);
  const isFiltered = Boolean(request.params.get("filter")) || request.params.has("node-meta");
  return await v1Read(request, parts, { k: "services", watchesNodes: isFiltered }, (list) => {
    const tags = new Map<string, Set<string>>();
    const some = isFiltered
      ? chosen(list.map(instanceJson).filter(({ NodeMeta }) => isWanted(NodeMeta)), request, INSTANCE_FIELDS)
      : list.map(serviceJson).map(({ Service, Tags }) => ({ ServiceName: Service, ServiceTags: Tags }));
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
  const isWanted = wantedMeta(request);
  return await v1Read(request, parts, { k: "service", name }, (list) => {
    const all = list.map(instanceJson).filter(({ ServiceTags, NodeMeta }) =>
      isWanted(NodeMeta) && hasTags(ServiceTags, tags)
    );
    return chosen(all, request, INSTANCE_FIELDS);
  });
}

/** Whether all tags are there, in whatever case. */
export function hasTags(tags: readonly string[], wanted: readonly string[]): boolean {
  const lower = tags.map((tag) => tag.toLowerCase());
  return wanted.every((tag) => lower.includes(tag.toLowerCase()));
}

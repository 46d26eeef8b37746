/**
 * `/v1/catalog` and `/v1/status` (C7.2, C7.7): nodes with what runs on them, from the replicated catalog.
 * @module
 */
import type { CatalogQuery } from "../../app/agent/catalog_query.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { OperateParts } from "./parts.ts";
import { datacenterMap, nearest } from "./near.ts";
import { chosen, hasTags, repeated, v1Json, v1Read, wantedMeta } from "./respond.ts";
import { INSTANCE_FIELDS, instanceJson, NODE_FIELDS, nodeJson, SERVICE_FIELDS, serviceJson } from "./show.ts";

/** `GET /v1/catalog/datacenters`: by distance, that of this agent first. */
export async function datacenters(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  return v1Json((await datacenterMap(request, parts)).map(({ name }) => name), request);
}

/** `GET /v1/catalog/nodes`, `?node-meta=key:value` repeatable. */
export async function nodes(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const isWanted = wantedMeta(request);
  const sorted = await nearest(request, parts);
  return await v1Read(request, parts, { k: "nodes" }, (found) => {
    const all = found.map(nodeJson).filter(({ Meta }) => isWanted(Meta));
    return chosen(sorted(all, ({ Node }) => Node), request, NODE_FIELDS);
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
  const sorted = await nearest(request, parts);
  return await v1Read(request, parts, { k: "service", name }, (list) => {
    const all = list.map(instanceJson).filter(({ ServiceTags, NodeMeta }) =>
      isWanted(NodeMeta) && hasTags(ServiceTags, tags)
    );
    return chosen(sorted(all, ({ Node }) => Node), request, INSTANCE_FIELDS);
  });
}

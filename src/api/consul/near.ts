/**
 * Network distances (C6.5, C7.10), by the coordinates that this agent has heard of: each agent measures round trips to the
 * others, one after the other, and so knows all of them after a while.
 * @module
 */
import { distance } from "../../core/serf/coordinate.ts";
import type { Coordinate } from "../../drivers/membership/api.ts";
import type { HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { needsOf } from "../../core/acl/resource.ts";
import { visible } from "../acl/allowed.ts";
import { RemoteFailure } from "../../app/database/errors.ts";
import type { DatacenterMap } from "../../app/wan/router.ts";
import { agentOf, type AgentParts, type ConsulParts, datacenterOf, type OperateParts } from "./parts.ts";
import { operate, v1Json } from "./respond.ts";
import { coordJson } from "./show.ts";

/** There are no coordinates of that node. */
const NONE: HttpResponse = { status: 404, body: "", contentType: "text/plain; charset=utf-8" };

/** Sorts by distance, what is not known at the end; as it was where the request asks for nobody's neighbours. */
export type Sort = <T>(list: readonly T[], nameOf: (one: T) => string) => readonly T[];

/** Sorts by the distance from the node that `?near=` names; `_agent` is this one. */
export async function nearest(request: HttpRequest, parts: OperateParts): Promise<Sort> {
  const near = request.params.get("near");
  return near ? await nearestTo(near, parts, await coordinatesIn(request, parts)) : (list) => list;
}

/**
 * Sorts by the distance from a node; `_agent` is this one.
 * @param coordinates Of the nodes, by name.
 */
export function nearestTo(near: string, parts: AgentParts, coordinates: Readonly<Record<string, Coordinate>>): Sort {
  const known = byName(coordinates);
  const from = known.get((near === "_agent" ? agentOf(parts).options.nodeName : near).toLowerCase());
  if (!from) return (list) => list;
  return (list, nameOf) => {
    const far = list.map((one) => {
      const to = known.get(nameOf(one).toLowerCase());
      return { one, seconds: to ? distance(from, to) : Infinity };
    });
    return far.sort((a, b) => a.seconds === b.seconds ? 0 : a.seconds - b.seconds).map(({ one }) => one);
  };
}

function byName(coordinates: Readonly<Record<string, Coordinate>>): Map<string, Coordinate> {
  return new Map(Object.entries(coordinates).map(([name, one]) => [name.toLowerCase(), one]));
}

/** The coordinates of the nodes of a datacenter, by name: in this one, those that this agent has heard of. */
export async function coordinatesIn(
  request: HttpRequest,
  parts: OperateParts,
): Promise<Readonly<Record<string, Coordinate>>> {
  if (!isOther(request, parts)) return await agentOf(parts).pool.call("coordinates", {});
  return (await operate(request, parts, "coordinates", {})).result;
}

/** Whether a request is for another datacenter than this agent's. */
function isOther(request: HttpRequest, parts: AgentParts): boolean {
  const datacenter = datacenterOf(request);
  return datacenter !== "" && datacenter !== agentOf(parts).options.datacenter;
}

/** `GET /v1/coordinate/nodes`, and `/v1/coordinate/node/NAME`. */
export async function coordinates(
  request: HttpRequest,
  parts: OperateParts & Pick<ConsulParts, "access">,
  name: string,
): Promise<HttpResponse> {
  const known = Object.entries(await coordinatesIn(request, parts));
  // Those of another datacenter are filtered there.
  const { access } = isOther(request, parts) ? { access: undefined } : parts;
  const { some: all, headers } = await visible(request, { access }, known, ([node]) => needsOf("node", "read", node));
  const some = name === "" ? all : all.filter(([one]) => one.toLowerCase() === name.toLowerCase());
  if (name !== "" && some.length === 0) return { ...NONE, headers };
  const shown = some.toSorted(([a], [b]) => a < b ? -1 : 1).map(([Node, one]) => ({
    Node,
    Segment: "",
    Coord: coordJson(one),
  }));
  return { ...v1Json(shown, request), headers: { ...headers, "X-Consul-Index": "1" } };
}

/** `GET /v1/coordinate/datacenters`: the servers of each datacenter in the pool of all, by distance. */
export async function datacenters(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const shown = (await datacenterMap(request, parts)).map(({ name, servers }) => ({
    Datacenter: name,
    AreaID: "wan",
    Coordinates: servers.flatMap(({ name, coordinate }) =>
      coordinate ? [{ Node: name, Segment: "", Coord: coordJson(coordinate) }] : []
    ),
  }));
  return v1Json(shown, request);
}

/**
 * All datacenters, by distance, that of this agent first. A client agent asks a server; one of an earlier version knows no other
 * datacenter.
 */
export async function datacenterMap(request: HttpRequest, parts: OperateParts): Promise<readonly DatacenterMap[]> {
  try {
    return (await operate(request, parts, "datacenters", {}, { datacenter: "" })).result;
  } catch (error) {
    if (isOutdated(error)) return [{ name: agentOf(parts).options.datacenter, servers: [] }];
    throw error;
  }
}

/** Whether a server is of a version that does not know an operation. */
export function isOutdated(error: unknown): boolean {
  return error instanceof RemoteFailure && /operation that this version knows/.test(error.message);
}

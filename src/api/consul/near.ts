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
import { agentOf, type AgentParts, type ConsulParts } from "./parts.ts";
import { v1Json } from "./respond.ts";
import { coordJson } from "./show.ts";

/** There are no coordinates of that node. */
const NONE: HttpResponse = { status: 404, body: "", contentType: "text/plain; charset=utf-8" };

/** Sorts by distance, what is not known at the end; as it was where the request asks for nobody's neighbours. */
export type Sort = <T>(list: readonly T[], nameOf: (one: T) => string) => readonly T[];

/** Sorts by the distance from the node that `?near=` names; `_agent` is this one. */
export async function nearest({ params }: HttpRequest, parts: AgentParts): Promise<Sort> {
  const near = params.get("near");
  return near ? await nearestTo(near, parts) : (list) => list;
}

/** Sorts by the distance from a node; `_agent` is this one. */
export async function nearestTo(near: string, parts: AgentParts): Promise<Sort> {
  const { pool, options } = agentOf(parts);
  const known = byName(await pool.call("coordinates", {}));
  const from = known.get((near === "_agent" ? options.nodeName : near).toLowerCase());
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

/** `GET /v1/coordinate/nodes`, and `/v1/coordinate/node/NAME`. */
export async function coordinates(
  request: HttpRequest,
  parts: AgentParts & Pick<ConsulParts, "access">,
  name: string,
): Promise<HttpResponse> {
  const known = Object.entries(await agentOf(parts).pool.call("coordinates", {}));
  const { some: all, headers } = await visible(request, parts, known, ([node]) => needsOf("node", "read", node));
  const some = name === "" ? all : all.filter(([one]) => one.toLowerCase() === name.toLowerCase());
  if (name !== "" && some.length === 0) return { ...NONE, headers };
  const shown = some.toSorted(([a], [b]) => a < b ? -1 : 1).map(([Node, one]) => ({
    Node,
    Segment: "",
    Coord: coordJson(one),
  }));
  return { ...v1Json(shown, request), headers: { ...headers, "X-Consul-Index": "1" } };
}

/** `GET /v1/coordinate/datacenters`: there is one, and no pool of several. */
export function datacenters(request: HttpRequest, parts: AgentParts): HttpResponse {
  return v1Json([{ Datacenter: agentOf(parts).options.datacenter, AreaID: "wan", Coordinates: [] }], request);
}

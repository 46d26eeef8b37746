/**
 * `/v1/health`: checks, and services with the checks that say how they are (C7.3).
 * @module
 */
import type { CatalogRow } from "../../app/agent/catalog.ts";
import type { CatalogQuery } from "../../app/agent/catalog_query.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { OperateParts } from "./parts.ts";
import { nearest } from "./near.ts";
import { chosen, hasTags, repeated, v1Read, wantedMeta } from "./respond.ts";
import { CHECK_FIELDS, checkJson, HEALTH_FIELDS, healthJson } from "./show.ts";

const STATES = ["any", "passing", "warning", "critical"];

/** `GET /v1/health/node/NAME`: its checks, those of its services too. */
export async function ofNode(request: HttpRequest, parts: OperateParts, name: string): Promise<HttpResponse> {
  if (name === "") throw new HttpError(400, "Missing node name");
  return await checks(request, parts, { k: "nodeChecks", name });
}

/** `GET /v1/health/checks/SERVICE`: the checks of its instances. */
export async function ofService(request: HttpRequest, parts: OperateParts, name: string): Promise<HttpResponse> {
  if (name === "") throw new HttpError(400, "Missing service name");
  return await checks(request, parts, { k: "serviceChecks", name });
}

/** `GET /v1/health/state/STATE`: checks in that state, or `any`. */
export async function inState(request: HttpRequest, parts: OperateParts, state: string): Promise<HttpResponse> {
  if (state === "") throw new HttpError(400, "Missing check state");
  if (!STATES.includes(state)) throw new HttpError(400, `Invalid check state: expected one of ${STATES.join(", ")}`);
  return await checks(request, parts, { k: "checksInState", state });
}

async function checks(request: HttpRequest, parts: OperateParts, query: CatalogQuery): Promise<HttpResponse> {
  const isWanted = wantedMeta(request);
  return await v1Read(request, parts, query, (list: readonly CatalogRow[]) => {
    const some = list.filter((row) => isWanted(JSON.parse(String(row.node_meta ?? "{}"))));
    return chosen(some.map(checkJson), request, CHECK_FIELDS);
  });
}

/** `GET /v1/health/service/NAME`: its instances with their nodes and checks; `?passing`, `?tag=`, `?node-meta=`. */
export async function service(request: HttpRequest, parts: OperateParts, name: string): Promise<HttpResponse> {
  if (name === "") throw new HttpError(400, "Missing service name");
  const tags = repeated(request, "tag");
  const isWanted = wantedMeta(request);
  const mustPass = asksForPassing(request);
  const sorted = await nearest(request, parts);
  return await v1Read(request, parts, { k: "health", name }, (instances, checks) => {
    const all = healthJson(instances, checks).filter(({ Node, Service, Checks }) =>
      isWanted(Node.Meta) && hasTags(Service.Tags, tags) &&
      (!mustPass || Checks.every(({ Status }) => Status === "passing"))
    );
    return chosen(sorted(all, ({ Node }) => Node.Node), request, HEALTH_FIELDS);
  });
}

function asksForPassing({ params }: HttpRequest): boolean {
  const value = params.get("passing");
  if (value === undefined) return false;
  if (["", "1", "t", "true"].includes(value.toLowerCase())) return true;
  if (["0", "f", "false"].includes(value.toLowerCase())) return false;
  throw new HttpError(400, "Invalid value for ?passing");
}

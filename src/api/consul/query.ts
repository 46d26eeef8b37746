/**
 * `/v1/query`: prepared queries, made, shown and executed (C7.9).
 * @module
 */
import { shuffled } from "../../base/worker/shuffled.ts";
import { DOCUMENT_CHARS_MAX } from "../../app/services/document_operations.ts";
import { executeQuery, faultOf, filledIn } from "../../app/services/prepared_query.ts";
import type { CatalogRow } from "../../app/agent/catalog.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { bodyOf, fieldNames, textIn } from "./body.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { coordinatesIn, datacenterMap, nearestTo } from "./near.ts";
import { agentOf, type ConsulParts, datacenterOf, type OperateParts } from "./parts.ts";
import { DONE, elsewhere, operate, v1Found, v1Json } from "./respond.ts";
import { healthJson } from "./show.ts";

const EXECUTE = "/execute";
const EXPLAIN = "/explain";
const FIELDS = {
  ...fieldNames("ID Name Session Token CreateIndex ModifyIndex"),
  Service: {
    ...fieldNames("Service OnlyPassing Near Tags NodeMeta ServiceMeta IgnoreCheckIDs Connect"),
    Failover: { ...fieldNames("NearestN Datacenters"), Targets: fieldNames("Datacenter Peer") },
  },
  DNS: fieldNames("TTL"),
  Template: fieldNames("Type Regexp RemoveEmptyTags"),
};
const AT_ONCE = { index: 0, waitMs: 0 } as const;

/** Dependencies of handlers that change queries, or execute them. */
type QueryParts = OperateParts & Pick<ConsulParts, "access" | "log">;

/** `POST /v1/query`. */
export async function create(request: HttpRequest, parts: QueryParts): Promise<HttpResponse> {
  const given = bodyOf(request, FIELDS);
  if (textIn(given, "ID") !== "") throw new HttpError(400, "ID must be empty when creating a new prepared query");
  const done = await operate(request, parts, "queryPut", { id: "", ...documentOf(given, parts) });
  return { ...v1Json({ ID: done.result.id }, request), ...elsewhere(done) };
}

/** `PUT /v1/query/ID`. */
export async function update(request: HttpRequest, parts: QueryParts, id: string): Promise<HttpResponse> {
  const document = documentOf(bodyOf(request, FIELDS), parts);
  return { ...DONE, ...elsewhere(await operate(request, parts, "queryPut", { id, ...document })) };
}

/** `DELETE /v1/query/ID`. */
export async function remove(request: HttpRequest, parts: OperateParts, id: string): Promise<HttpResponse> {
  return { ...DONE, ...elsewhere(await operate(request, parts, "queryDelete", { id })) };
}

/** The query in a body. */
function documentOf(
  given: Record<string, unknown>,
  { access }: Pick<ConsulParts, "access">,
): { name: string; session: string; body: string } {
  const { ID: _, CreateIndex: __, ModifyIndex: ___, ...body } = given;
  const template = body.Template;
  const regexp = typeof template === "object" && template !== null && "Regexp" in template ? template.Regexp : "";
  // It would lie in the database for everybody who may read that.
  if (access && textIn(body, "Token") !== "") {
    throw new HttpError(400, "Token is not supported: a query is executed with the token of whoever executes it");
  }
  const fault = faultOf(body);
  if (fault !== undefined) throw new HttpError(400, fault);
  if (regexp) throw new HttpError(400, "Template.Regexp is not supported: ${name.prefix} and ${name.suffix} are");
  const text = JSON.stringify(body);
  if (text.length > DOCUMENT_CHARS_MAX) {
    throw new HttpError(413, `the query is longer than ${DOCUMENT_CHARS_MAX} characters`);
  }
  return { name: textIn(body, "Name"), session: textIn(body, "Session"), body: text };
}

/** `GET /v1/query`. */
export async function list(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const { rows: [rows], head } = await v1Found(
    request,
    parts,
    (mode, waitMs) => operate(request, parts, "queryRead", { query: { k: "queries" }, ...mode }, { waitMs }),
  );
  return { ...head, ...v1Json(rows.map(shown), request) };
}

/** `GET /v1/query/ID`, and `/v1/query/ID-OR-NAME/execute` and `explain`. */
export async function read(request: HttpRequest, parts: QueryParts, rest: string): Promise<HttpResponse> {
  if (rest.endsWith(EXECUTE)) return await execute(request, parts, rest.slice(0, -EXECUTE.length));
  const name = rest.endsWith(EXPLAIN) ? rest.slice(0, -EXPLAIN.length) : rest;
  const { rows: [[row]], head } = await v1Found(
    request,
    parts,
    (mode, waitMs) => operate(request, parts, "queryRead", { query: { k: "query", name }, ...mode }, { waitMs }),
  );
  if (rest.endsWith(EXPLAIN)) {
    if (!row) throw notFound();
    return { ...head, ...v1Json({ Query: { ...shown(row), ...Object(filledIn(row, name)) } }, request) };
  }
  if (row?.id !== name) throw notFound();
  return { ...head, ...v1Json([shown(row)], request) };
}

function notFound(): HttpError {
  return new HttpError(404, "Query not found");
}

function shown(row: CatalogRow): Record<string, unknown> {
  return {
    ID: row.id,
    ...JSON.parse(String(row.body)),
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

async function execute(request: HttpRequest, parts: QueryParts, name: string): Promise<HttpResponse> {
  const { params } = request;
  const limit = params.get("limit") ?? "0";
  if (!/^\d{1,9}$/.test(limit)) throw new HttpError(400, "Invalid limit: expected a whole number");
  const consistency = params.has("stale") ? "stale" : params.has("consistent") ? "consistent" : "default";
  const mode = { consistency, ...AT_ONCE } as const;
  const found = await executeQuery({
    query: async (query) => (await operate(request, parts, "queryRead", { query, ...mode })).result.rows[0],
    catalog: async (query, datacenter) => {
      return (await operate(request, parts, "catalogRead", { query, ...mode }, { datacenter })).result.rows;
    },
    datacenter: datacenterOf(request) || agentOf(parts).options.datacenter,
    datacenters: async () => (await datacenterMap(request, parts)).map(({ name }) => name),
    noteFailure: (datacenter, error) =>
      parts.log(`Failed querying for service in datacenter: datacenter=${datacenter} error=${messageOf(error)}`),
  }, name);
  if (!found) throw notFound();
  const { definition, instances, checks, datacenter, failovers } = found;
  const near = params.get("near") || definition.near;
  const all = healthJson(shuffled(instances), checks);
  // Elsewhere nobody is near.
  const sorted = near === "" || failovers > 0
    ? all
    : nearestTo(near, parts, await coordinatesIn(request, parts))(all, ({ Node }) => Node.Node);
  return v1Json({
    Service: definition.service,
    Namespace: "",
    Nodes: Number(limit) > 0 ? sorted.slice(0, Number(limit)) : sorted,
    DNS: { TTL: definition.ttl },
    Datacenter: datacenter,
    Failovers: failovers,
  }, request);
}

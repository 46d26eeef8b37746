/**
 * `PUT /v1/catalog/register` and `/deregister` (C7.2): nodes and their descriptions, registered by hand or by their
 * agents. Rows that a live agent or gossip registers are restored automatically.
 * @module
 */
import { DEFINITION_CHARS_MAX, OUTPUT_CHARS_MAX } from "../../app/agent/catalog_operations.ts";
import { catalogCheck, catalogService } from "../../app/services/definition_rows.ts";
import type { CatalogCheck, CatalogService, NodeRegistration, Registration } from "../../app/agent/registration.ts";
import { decodeCheck, decodeService } from "../../core/health/definitions.ts";
import { DefinitionError } from "../../core/health/definition_fields.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { bodyOf, datacenterIn, fieldNames, textIn, textsIn, withNames } from "./body.ts";
import type { OperateParts } from "./parts.ts";
import { elsewhere, operate, v1Json } from "./respond.ts";

const CATALOG = { isCatalog: true };
const FIELDS = fieldNames(
  "Datacenter ID Node Address TaggedAddresses NodeMeta Service ServiceID Check CheckID Checks SkipNodeUpdate",
);
const CHECK_FIELDS = fieldNames("Node Output Definition");
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** `PUT /v1/catalog/register`: a node, a service of it, and checks of either. */
export async function register(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const body = bodyOf(request, FIELDS);
  const registration = registrationOf(body);
  const datacenter = datacenterIn(body, request);
  const { node, services, checks, skipsNode } = registration;
  const isNodeAlone = services.length + checks.length === 0 && !skipsNode;
  const done = isNodeAlone // servers of an earlier version know no more
    ? await operate(request, parts, "register", node, { datacenter })
    : await operate(request, parts, "registerAll", registration, { datacenter });
  return { ...v1Json(true, request), ...elsewhere(done) };
}

/** @throws {HttpError} When it cannot be registered. */
function registrationOf(body: Record<string, unknown>): Registration {
  const name = textIn(body, "Node");
  const address = textIn(body, "Address");
  const skipsNode = body.SkipNodeUpdate === true;
  if (name === "") throw new HttpError(500, "Must provide node");
  if (address === "" && !skipsNode) throw new HttpError(500, "Must provide address if SkipNodeUpdate is not set");
  const given = Array.isArray(body.Checks) ? body.Checks : [];
  return {
    node: nodeOf({ ...body, Meta: body.NodeMeta }),
    skipsNode,
    services: isMissing(body.Service) ? [] : [serviceOf(body.Service)],
    checks: [...isMissing(body.Check) ? [] : [body.Check], ...given].map((check) => checkOf(check, name)),
  };
}

/**
 * A node as the catalog takes it.
 * @throws {HttpError} When it cannot be used.
 */
export function nodeOf(body: Record<string, unknown>): NodeRegistration {
  const id = textIn(body, "ID");
  if (id !== "" && !UUID.test(id)) throw new HttpError(500, `Bad node ID: ${JSON.stringify(id)} is not a UUID`);
  return {
    name: textIn(body, "Node"),
    address: textIn(body, "Address"),
    id,
    taggedAddresses: isMissing(body.TaggedAddresses) ? undefined : textsIn(body, "TaggedAddresses"),
    meta: textsIn(body, "Meta"),
  };
}

/**
 * A service as the catalog takes it.
 * @throws {HttpError} When it cannot be used.
 */
export function serviceOf(value: unknown): CatalogService {
  return catalogService(decoded(() => decodeService(value, CATALOG)));
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null;
}

/**
 * A check as the catalog takes it.
 * @throws {HttpError} When it cannot be used.
 */
export function checkOf(value: unknown, node: string): CatalogCheck {
  const { Node = node, Output = "", Definition }: Record<string, unknown> = anyObject(withNames(value, CHECK_FIELDS));
  if (typeof Node === "string" && Node !== "" && Node.toLowerCase() !== node.toLowerCase()) {
    throw new HttpError(500, `check node "${Node.slice(0, 255)}" does not match node "${node}"`);
  }
  const definition = JSON.stringify(anyObject(Definition ?? {}));
  if (typeof Output !== "string" || Output.length > OUTPUT_CHARS_MAX || definition.length > DEFINITION_CHARS_MAX) {
    throw new HttpError(400, "Request decode failed: the output or the definition of a check is too long");
  }
  const check = decoded(() => decodeCheck(value, CATALOG));
  return { ...catalogCheck(check, { status: check.status ?? "critical", output: Output }), definition };
}

function anyObject(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value));
  }
  throw new HttpError(400, "Request decode failed: expected a check to be an object");
}

function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DefinitionError) throw new HttpError(400, error.message);
    throw error;
  }
}

/** `PUT /v1/catalog/deregister`: a node with all that belongs to it, one of its services, or one of its checks. */
export async function deregister(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const body = bodyOf(request, FIELDS);
  const node = textIn(body, "Node");
  const [service, check] = [textIn(body, "ServiceID"), textIn(body, "CheckID")];
  if (node === "") throw new HttpError(500, "Must provide node");
  const datacenter = datacenterIn(body, request);
  const done = await operate(request, parts, "deregister", { node, service, check }, { datacenter });
  return { ...v1Json(true, request), ...elsewhere(done) };
}

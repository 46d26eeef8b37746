/**
 * `/v1/agent/service…`: the services of this agent, and how they are (C7.1).
 * @module
 */
import { type AggregatedStatus, aggregateStatus } from "../../core/health/aggregate.ts";
import { DefinitionError } from "../../core/health/definition_fields.ts";
import { decodeService, type ServiceDefinition } from "../../core/health/definitions.ts";
import { catalogCheck } from "../../app/services/definition_rows.ts";
import { type LocalCheck, LocalRefusal, type LocalService, UnknownIdError } from "../../app/services/local_state.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { needsOf } from "../../core/acl/resource.ts";
import { tokenFor, visible } from "../acl/allowed.ts";
import { bodyOf } from "./body.ts";
import { agentOf, localOf, type LocalParts } from "./parts.ts";
import { blockingWaitMs, chosen, DONE, v1Json } from "./respond.ts";
import { checkJson, SERVICE_FIELDS } from "./show.ts";

const STATUS_CODES: Readonly<Record<AggregatedStatus, number>> = {
  passing: 200,
  warning: 429,
  critical: 503,
  maintenance: 503,
};

/** Does something about the services or checks of the agent; its refusals get their status. */
export async function locally<T>(work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UnknownIdError) throw new HttpError(404, error.message);
    if (error instanceof LocalRefusal) throw new HttpError(500, error.message);
    if (error instanceof DefinitionError) throw new HttpError(400, error.message);
    throw error;
  }
}

/** A service as its agent shows it. */
function localServiceJson({ definition }: LocalService, datacenter: string) {
  const { id, name, tags, address, port, meta, weights, taggedAddresses, enableTagOverride, kind, socketPath } =
    definition;
  return {
    ...(kind === "" ? {} : { Kind: kind }),
    ID: id,
    Service: name,
    Tags: tags,
    Meta: meta,
    Port: port,
    Address: address,
    ...(socketPath === "" ? {} : { SocketPath: socketPath }),
    TaggedAddresses: Object.fromEntries(
      Object.entries(taggedAddresses).map(([tag, { address, port }]) => [tag, { Address: address, Port: port }]),
    ),
    Weights: { Passing: weights.passing, Warning: weights.warning },
    EnableTagOverride: enableTagOverride,
    Datacenter: datacenter,
  };
}

/** `GET /v1/agent/services`: by id. */
export async function services(request: HttpRequest, parts: LocalParts): Promise<HttpResponse> {
  const { datacenter } = agentOf(parts).options;
  const all = [...localOf(parts).services.values()];
  const seen = await visible(request, parts, all, ({ definition: { name } }) => needsOf("service", "read", name));
  const shown = seen.some.map((service) => localServiceJson(service, datacenter));
  const some = chosen(shown, request, SERVICE_FIELDS);
  return { ...v1Json(Object.fromEntries(some.map((one) => [one.ID, one])), request), headers: seen.headers };
}

/** `GET /v1/agent/service/ID`: waits while `?hash=` is that of its content. */
export async function service(request: HttpRequest, parts: LocalParts, id: string): Promise<HttpResponse> {
  const local = localOf(parts);
  const { datacenter } = agentOf(parts).options;
  const asked = request.params.get("hash") ?? "";
  const deadline = performance.now() + blockingWaitMs(request, parts);
  const over = asked === "" ? undefined : request.whenOver?.();
  let isOver = false;
  over?.then(() => isOver = true);
  for (;;) {
    const found = local.services.get(id);
    if (!found) throw new HttpError(404, `unknown service ID: ${id}`);
    const shown = localServiceJson(found, datacenter);
    const hash = await hashOf(shown);
    const leftMs = deadline - performance.now();
    if (hash !== asked || isOver || leftMs <= 0) {
      return { ...v1Json({ ...shown, ContentHash: hash }, request), headers: { "X-Consul-ContentHash": hash } };
    }
    await local.untilChange(leftMs, over);
  }
}

async function hashOf(value: unknown): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(value)));
  return new Uint8Array(bytes).subarray(0, 8).toHex();
}

/** `PUT /v1/agent/service/register`, `?replace-existing-checks`. */
export async function register(request: HttpRequest, parts: LocalParts): Promise<HttpResponse> {
  const local = localOf(parts);
  const body = bodyOf(request);
  const token = await tokenFor(request, parts);
  await locally(async () => {
    const decoded = decodeService(body, { outputBytesMax: local.options.outputBytesMax });
    const definition = token === "" ? decoded : { ...decoded, token };
    adviseOn(definition, parts);
    await local.addService(definition, "request", {
      replacesChecks: request.params.has("replace-existing-checks"),
    });
  });
  return DONE;
}

/** What DNS cannot ask for, the operator is told. */
function adviseOn({ name, tags }: ServiceDefinition, { log }: LocalParts): void {
  const isFit = (text: string) => /^[A-Za-z0-9-]{1,63}$/.test(text);
  if (!isFit(name)) {
    log(
      `Service name ${JSON.stringify(name)} will not be discoverable via DNS due to invalid characters. ` +
        "Valid characters include all alpha-numerics and dashes.",
      "warn",
    );
  }
  for (const tag of tags.filter((tag) => !isFit(tag))) {
    log(`Service tag ${JSON.stringify(tag)} will not be discoverable via DNS due to invalid characters.`, "debug");
  }
}

/** `PUT /v1/agent/service/deregister/ID`. */
export async function deregister(_: HttpRequest, parts: LocalParts, id: string): Promise<HttpResponse> {
  await locally(() => localOf(parts).removeService(id));
  return DONE;
}

/** `PUT /v1/agent/maintenance`, of the node, `?enable=`, `?reason=`. */
export function nodeMaintenance(request: HttpRequest, parts: LocalParts): Promise<HttpResponse> {
  return maintenance(request, parts, "");
}

/** `PUT /v1/agent/service/maintenance/ID`. */
export function serviceMaintenance(request: HttpRequest, parts: LocalParts, id: string): Promise<HttpResponse> {
  if (id === "") throw new HttpError(400, "Missing service ID");
  return maintenance(request, parts, id);
}

async function maintenance(request: HttpRequest, parts: LocalParts, id: string): Promise<HttpResponse> {
  const enable = request.params.get("enable") ?? "";
  if (enable === "") throw new HttpError(400, "Missing value for enable");
  const isOn = ["1", "t", "true"].includes(enable.toLowerCase());
  if (!isOn && !["0", "f", "false"].includes(enable.toLowerCase())) {
    throw new HttpError(400, `Invalid value for enable: ${JSON.stringify(enable)}`);
  }
  await locally(() => localOf(parts).setMaintenance(id, { isOn, reason: request.params.get("reason") ?? "" }));
  return DONE;
}

/** `GET /v1/agent/health/service/id/ID`: how it is, by the status code. */
export function healthById(request: HttpRequest, parts: LocalParts, id: string): HttpResponse {
  const found = localOf(parts).services.get(id);
  if (!found) return missing(request, `ServiceId ${id} not found`);
  const one = healthOf(found, parts);
  return answered(request, one.AggregatedStatus, one);
}

/** `GET /v1/agent/health/service/name/NAME`: how its instances on this agent are. */
export function healthByName(request: HttpRequest, parts: LocalParts, name: string): HttpResponse {
  const found = [...localOf(parts).services.values()].filter(({ definition }) => definition.name === name);
  if (found.length === 0) return missing(request, `ServiceName ${name} Not Found`);
  const all = found.map((service) => healthOf(service, parts));
  const worst = all.map(({ AggregatedStatus }) => AggregatedStatus).sort((a, b) => rank(b) - rank(a))[0];
  return answered(request, worst, all);
}

function rank(status: AggregatedStatus): number {
  return ["passing", "warning", "critical", "maintenance"].indexOf(status);
}

function missing(request: HttpRequest, text: string): HttpResponse {
  if (asksForText(request)) return { status: 404, body: text, contentType: "text/plain; charset=utf-8" };
  return { ...v1Json({ AggregatedStatus: "critical", Service: null, Checks: null }, request), status: 404 };
}

function asksForText({ params }: HttpRequest): boolean {
  return params.get("format") === "text";
}

function answered(request: HttpRequest, status: AggregatedStatus, value: unknown): HttpResponse {
  const code = STATUS_CODES[status];
  if (asksForText(request)) return { status: code, body: status, contentType: "text/plain; charset=utf-8" };
  return { ...v1Json(value, request), status: code };
}

function healthOf(service: LocalService, parts: LocalParts) {
  const checks = localOf(parts).checksOf(service.definition.id, { ofNode: true });
  return {
    AggregatedStatus: aggregateStatus(checks.map(({ definition: { id }, status }) => ({ id, status }))),
    Service: localServiceJson(service, agentOf(parts).options.datacenter),
    Checks: checks.map((check) => localCheckJson(check, parts)),
  };
}

/** A check as its agent shows it. */
export function localCheckJson(check: LocalCheck, parts: LocalParts): ReturnType<typeof checkJson> {
  const { definition: { id, name, notes, serviceId }, status, output } = check;
  const service = localOf(parts).services.get(serviceId)?.definition;
  const row = catalogCheck(check.definition, check);
  return checkJson({
    node: agentOf(parts).options.nodeName,
    id,
    name,
    status,
    notes,
    output,
    service_id: serviceId,
    service_name: service?.name ?? "",
    service_tags: JSON.stringify(service?.tags ?? []),
    type: row.type,
    interval: row.interval,
    timeout: row.timeout,
    create_index: 0,
    modify_index: 0,
  });
}

/**
 * `/v1/agent/check…`: the checks of this agent (C7.1).
 * @module
 */
import { type CheckStatus, isCheckStatus } from "../../core/health/aggregate.ts";
import { decodeCheck } from "../../core/health/definitions.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { localCheckJson, locally } from "./agent_services.ts";
import { needOfCheck, tokenFor, visible } from "../acl/allowed.ts";
import { bodyOf, fieldNames } from "./body.ts";
import { localOf, type LocalParts } from "./parts.ts";
import { chosen, DONE, v1Json } from "./respond.ts";
import { CHECK_FIELDS } from "./show.ts";

/** `GET /v1/agent/checks`: by id. */
export async function checks(request: HttpRequest, parts: LocalParts): Promise<HttpResponse> {
  const all = [...localOf(parts).checks.values()];
  const seen = await visible(request, parts, all, (check) => needOfCheck(check, parts, "read"));
  const some = chosen(seen.some.map((check) => localCheckJson(check, parts)), request, CHECK_FIELDS);
  return { ...v1Json(Object.fromEntries(some.map((one) => [one.CheckID, one])), request), headers: seen.headers };
}

/** `PUT /v1/agent/check/register`. */
export async function register(request: HttpRequest, parts: LocalParts): Promise<HttpResponse> {
  const local = localOf(parts);
  const body = bodyOf(request);
  const token = await tokenFor(request, parts);
  await locally(async () => {
    const check = decodeCheck(body, { outputBytesMax: local.options.outputBytesMax });
    await local.addCheck(token === "" ? check : { ...check, token }, "request");
  });
  return DONE;
}

/** `PUT /v1/agent/check/deregister/ID`. */
export async function deregister(_: HttpRequest, parts: LocalParts, id: string): Promise<HttpResponse> {
  await locally(() => localOf(parts).removeCheck(id));
  return DONE;
}

/** `PUT /v1/agent/check/pass/ID` and its like, `?note=`. */
export function updateTo(status: CheckStatus) {
  return async (request: HttpRequest, parts: LocalParts, id: string): Promise<HttpResponse> => {
    await locally(() => localOf(parts).update(id, status, request.params.get("note") ?? ""));
    return DONE;
  };
}

/** `PUT /v1/agent/check/update/ID`, with status and output in its body. */
export async function update(request: HttpRequest, parts: LocalParts, id: string): Promise<HttpResponse> {
  const { Status, Output = "" } = bodyOf(request, fieldNames("Status Output"));
  if (typeof Status !== "string" || !isCheckStatus(Status)) {
    throw new HttpError(400, `Invalid check status: '${typeof Status === "string" ? Status.slice(0, 255) : ""}'`);
  }
  if (typeof Output !== "string") throw new HttpError(400, `Request decode failed: expected "Output" to be a text`);
  await locally(() => localOf(parts).update(id, Status, Output));
  return DONE;
}

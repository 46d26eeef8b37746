/**
 * `/v1/config`: entries of configuration for all. Those that say something about services without a mesh are kept and shown;
 * nothing here acts on them (C7.11). One of the kind `kv-history` sets the limits of the history of keys.
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import { HISTORY_ENTRY } from "../../core/catalog/kv_history.ts";
import type { CatalogRow } from "../../app/agent/catalog.ts";
import { DOCUMENT_CHARS_MAX } from "../../app/services/document_operations.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { bodyOf, fieldNames, textIn } from "./body.ts";
import type { OperateParts } from "./parts.ts";
import { elsewhere, operate, v1Found, v1Json } from "./respond.ts";

/** The one entry of the kind `proxy-defaults`. */
const PROXY_DEFAULTS_NAME = "global";
const KINDS = ["service-defaults", "proxy-defaults", HISTORY_ENTRY.kind];

/** `PUT /v1/config`, `?cas=`. */
export async function write(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const { CreateIndex: _, ModifyIndex: __, ...body } = bodyOf(request, fieldNames("Kind Name CreateIndex ModifyIndex"));
  const [kind, name] = [textIn(body, "Kind"), textIn(body, "Name")];
  checkKind(kind);
  if (kind === "proxy-defaults" && name !== PROXY_DEFAULTS_NAME) {
    const [given, only] = [name, PROXY_DEFAULTS_NAME].map((one) => JSON.stringify(one));
    throw new HttpError(400, `invalid name (${given}), only ${only} is supported`);
  }
  if (name === "") throw new HttpError(400, "Name is required");
  if (kind === HISTORY_ENTRY.kind) checkHistory(name, body);
  const text = JSON.stringify(body);
  if (text.length > DOCUMENT_CHARS_MAX) {
    throw new HttpError(413, `the entry is longer than ${DOCUMENT_CHARS_MAX} characters`);
  }
  const cas = request.params.get("cas");
  if (cas !== undefined && !/^\d{1,15}$/.test(cas)) throw new HttpError(400, "Invalid cas: expected a whole number");
  const done = await operate(request, parts, "configPut", { kind, name, body: text, cas });
  return { ...v1Json(done.result.isDone, request), ...elsewhere(done) };
}

/** `GET /v1/config/KIND`, and `/v1/config/KIND/NAME`. */
export async function read(request: HttpRequest, parts: OperateParts, rest: string): Promise<HttpResponse> {
  const [kind, ...names] = rest.split("/");
  const name = names.join("/");
  checkKind(kind);
  const query = name === "" ? { k: "configEntries", kind } as const : { k: "configEntry", kind, name } as const;
  const { rows: [rows], head } = await v1Found(
    request,
    parts,
    (mode, waitMs) => operate(request, parts, "configRead", { query, ...mode }, { waitMs }),
  );
  if (name === "") return { ...head, ...v1Json(rows.map(shown), request) };
  if (rows.length === 0) {
    throw new HttpError(404, `Config entry not found for ${JSON.stringify(kind)} / ${JSON.stringify(name)}`);
  }
  return { ...head, ...v1Json(shown(rows[0]), request) };
}

/** `DELETE /v1/config/KIND/NAME`. */
export async function remove(request: HttpRequest, parts: OperateParts, rest: string): Promise<HttpResponse> {
  const [kind, ...names] = rest.split("/");
  checkKind(kind);
  const done = await operate(request, parts, "configDelete", { kind, name: names.join("/") });
  return { ...v1Json({}, request), ...elsewhere(done) };
}

function checkKind(kind: string): void {
  if (KINDS.includes(kind)) return;
  throw new HttpError(400, `invalid config entry kind: ${kind}: without a mesh there are ${KINDS.join(" and ")}`);
}

/** The limits of the history of keys: unlike the other kinds, the cluster acts on them. */
function checkHistory(name: string, { Kind: _, Name: __, ...rest }: Record<string, unknown>): void {
  if (name !== HISTORY_ENTRY.name) throw new HttpError(400, `Name must be ${JSON.stringify(HISTORY_ENTRY.name)}`);
  for (const [field, value] of Object.entries(rest)) {
    const isRight = field === "MaxBytes"
      ? typeof value === "number" && Number.isSafeInteger(value) && value >= 0
      : field === "MaxAge" && typeof value === "string" && (parseDuration(value) ?? 0) > 0;
    if (!isRight) {
      throw new HttpError(
        400,
        'Expected MaxBytes, a whole number (0: no history), and MaxAge, a time such as "720h", found ' +
          JSON.stringify({ [field]: value }).slice(0, 100),
      );
    }
  }
}

function shown(row: CatalogRow): Record<string, unknown> {
  const indices = { CreateIndex: Number(row.create_index), ModifyIndex: Number(row.modify_index) };
  return { ...JSON.parse(String(row.body)), ...indices };
}

/**
 * `/v1/acl`: tokens, policies and roles, with Consul's fields and texts; a token has a user where `UserName` and `Password`
 * say so, which are muster's own. A password is hashed here, and only for whoever may set it. The secret of a token is in the answer to the one
 * who makes it and, in `token/self`, to the one who shows it; everywhere else it reads `<hidden>`, as nobody knows it.
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import { secretIn } from "../../app/acl/access.ts";
import { agentTokenName } from "../../app/acl/settings.ts";
import type { AclQuery } from "../../app/agent/catalog_query.ts";
import type {
  AclWritten,
  Link,
  PolicyToPut,
  RoleToPut,
  TokenToPut,
  UserToPut,
} from "../../app/services/acl_operations.ts";
import { hashPassword, isPasswordHash, passwordFault } from "../../app/users/password.ts";
import { ACCESSES, NAMED_RESOURCES, needs, PLAIN_RESOURCES } from "../../core/acl/resource.ts";
import { parseRules, RulesError } from "../../core/acl/rules.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import { bodyOf, fieldNames, textIn, withNames } from "../consul/body.ts";
import { agentOf, type ConsulParts, type OperateParts } from "../consul/parts.ts";
import { DONE, elsewhere, operate, v1Found, v1Json } from "../consul/respond.ts";
import { builtinsIn, policyJson, roleJson, type Shown, tokenJson, withAnonymous } from "./show.ts";

/** Dependencies of these handlers. */
export type AclHandlerParts = OperateParts & Pick<ConsulParts, "access" | "keepTokens">;

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const LINK_FIELDS = {
  Policies: fieldNames("ID Name"),
  Roles: fieldNames("ID Name"),
  ServiceIdentities: fieldNames("ServiceName Datacenters"),
  NodeIdentities: fieldNames("NodeName Datacenter"),
};
const TOKEN_FIELDS = {
  ...fieldNames("AccessorID SecretID Description Local ExpirationTTL ExpirationTime UserName Password"),
  ...LINK_FIELDS,
};
const POLICY_FIELDS = fieldNames("ID Name Description Rules Datacenters");
const ROLE_FIELDS = { ...fieldNames("ID Name Description"), ...LINK_FIELDS };
/** In the place of secrets: whoever changes a token sends back what was shown. */
const NO_SECRETS = ["<hidden>", "anonymous"];
/** What there is of Consul's, and not here. */
const NOT_HERE = ["TemplatedPolicies", "AuthMethod", "Namespace", "Partition"];

/** @throws {HttpError} 401 where access control is off. */
function expectOn({ access }: AclHandlerParts): void {
  if (!access) throw new HttpError(401, "ACL support disabled");
}

/** Everything of Consul's that is not here: auth methods, binding rules, logins. */
export function absent(_: HttpRequest, parts: AclHandlerParts): HttpResponse {
  expectOn(parts);
  throw new HttpError(404, "");
}

/** `PUT /v1/acl/bootstrap`, with a `BootstrapSecret` or without. */
export async function bootstrap(request: HttpRequest, parts: AclHandlerParts): Promise<HttpResponse> {
  expectOn(parts);
  const body = request.body.length === 0 ? {} : bodyOf(request, fieldNames("BootstrapSecret"));
  const secret = textIn(body, "BootstrapSecret");
  if (secret !== "" && !UUID.test(secret)) {
    throw new HttpError(400, "Invalid BootstrapSecret: expected a UUID, as uuidgen prints it");
  }
  const done = await operate(request, parts, "aclBootstrap", { secret });
  const shown = await writtenToken(done.result);
  return { ...v1Json({ ID: shown.SecretID, ...shown }, request), ...elsewhere(done) };
}

async function writtenToken({ rows, secret }: AclWritten): Promise<Shown> {
  return await tokenJson(rows[0][0], rows, secret);
}

/** `GET /v1/acl/replication`: each datacenter has its own tokens. */
export function replication(request: HttpRequest, parts: AclHandlerParts): HttpResponse {
  expectOn(parts);
  return v1Json({
    Enabled: false,
    Running: false,
    SourceDatacenter: "",
    ReplicationType: "",
    ReplicatedIndex: 0,
    ReplicatedRoleIndex: 0,
    ReplicatedTokenIndex: 0,
    LastSuccess: "0001-01-01T00:00:00Z",
    LastError: "0001-01-01T00:00:00Z",
    LastErrorMessage: "",
  }, request);
}

async function found(request: HttpRequest, parts: AclHandlerParts, query: AclQuery) {
  expectOn(parts);
  return await v1Found(
    request,
    parts,
    (mode, waitMs) => operate(request, parts, "aclRead", { query, ...mode }, { waitMs }),
  );
}

/** `GET /v1/acl/tokens`, `?policy=`, `?role=`, `?servicename=`. */
export async function tokens(request: HttpRequest, parts: AclHandlerParts): Promise<HttpResponse> {
  const { rows, head } = await found(request, parts, { k: "aclTokens", key: "" });
  const all = await Promise.all(withAnonymous(rows[0]).map((row) => tokenJson(row, rows, "")));
  const [policy, role, service] = ["policy", "role", "servicename"].map((name) => request.params.get(name) ?? "");
  const has = (links: unknown, id: string) => Array.isArray(links) && links.some((link) => link.ID === id);
  const some = all.filter((one) =>
    (policy === "" || has(one.Policies, policy)) && (role === "" || has(one.Roles, role)) &&
    (service === "" || JSON.stringify(one.ServiceIdentities ?? []).includes(`"ServiceName":${JSON.stringify(service)}`))
  );
  return { ...head, ...v1Json(some, request) };
}

/** `GET /v1/acl/token/ACCESSOR`, and `self`. */
export async function token(request: HttpRequest, parts: AclHandlerParts, id: string): Promise<HttpResponse> {
  if (id === "self") return await self(request, parts);
  if (id === "") throw new HttpError(400, "Missing token ID");
  const { rows, head } = await found(request, parts, { k: "aclTokens", key: id });
  const [row] = withAnonymous(rows[0]).filter(({ accessor }) => accessor === id);
  if (!row) throw missing("token");
  return { ...head, ...v1Json(await tokenJson(row, rows, ""), request) };
}

function missing(what: string): HttpError {
  return new HttpError(404, `Requested ${what} does not exist: ACL not found`);
}

async function self(request: HttpRequest, parts: AclHandlerParts): Promise<HttpResponse> {
  expectOn(parts);
  const done = await operate(request, parts, "aclSelf", {});
  const { rows } = done.result;
  const isPassword = (await parts.access?.resolve(request))?.user !== undefined;
  const secret = isPassword ? "" : secretIn(request.authorization) || "anonymous";
  const [row] = withAnonymous(rows[0]);
  return { ...v1Json(await tokenJson(row, rows, secret), request), ...elsewhere(done) };
}

/** `PUT /v1/acl/token`, `PUT /v1/acl/token/ACCESSOR` and `PUT /v1/acl/token/ACCESSOR/clone`. */
export async function putToken(request: HttpRequest, parts: AclHandlerParts, rest: string): Promise<HttpResponse> {
  expectOn(parts);
  const isClone = rest.endsWith("/clone");
  const body = isClone && request.body.length === 0 ? {} : bodyOf(request, TOKEN_FIELDS);
  const token = isClone
    ? { ...tokenOf({ Description: body.Description }), cloneOf: rest.slice(0, -"/clone".length), isNew: true }
    : { ...tokenOf(body), isNew: rest === "" };
  if (!token.isNew) {
    if (token.accessor !== "" && token.accessor !== rest) {
      throw new HttpError(400, "Token Accessor ID in URL and payload do not match");
    }
  } else {
    for (const [name, id] of [["AccessorID", token.accessor], ["SecretID", token.secret]]) {
      if (id !== "" && !UUID.test(id)) throw new HttpError(400, `Invalid Token: ${name} is not a valid UUID`);
    }
  }
  const user = await userIn(body, request, parts);
  const done = await operate(request, parts, "aclPutToken", {
    ...token,
    ...(token.isNew ? {} : { accessor: rest }),
    ...(user ? { user } : {}),
  });
  return { ...v1Json(await writtenToken(done.result), request), ...elsewhere(done) };
}

/** The user of a token, as a body names one. */
async function userIn(
  body: Record<string, unknown>,
  request: HttpRequest,
  parts: AclHandlerParts,
): Promise<UserToPut | undefined> {
  if (body.UserName === undefined) {
    if (body.Password === undefined) return undefined;
    throw new HttpError(400, "Token decoding failed: expected a UserName beside the Password");
  }
  const name = textIn(body, "UserName");
  if (body.Password === undefined || name === "") return { name, password: "" };
  await parts.access?.expect([needs("acl", "write")], request);
  return { name, password: await hashed(body.Password) };
}

/** Fewer characters can be guessed (NIST SP 800-63B, 5.1.1.2). */
const PASSWORD_LENGTH_MIN = 8;

async function hashed(password: unknown): Promise<string> {
  const fault = passwordFault(password);
  if (fault !== undefined) throw new HttpError(400, `Password: ${fault}`);
  const text = String(password);
  if (isPasswordHash(text)) return text;
  if (text.length < PASSWORD_LENGTH_MIN) {
    throw new HttpError(400, `Password: expected at least ${PASSWORD_LENGTH_MIN} characters`);
  }
  return await hashPassword(text);
}

/** `PUT /v1/acl/user/password`: another `Password` for the user whose password the request shows. */
export async function putPassword(request: HttpRequest, parts: AclHandlerParts): Promise<HttpResponse> {
  expectOn(parts);
  await parts.access?.authorizerOf(request); // a wrong password is none to be changed
  if ((await parts.access?.resolve(request))?.user === undefined) {
    throw new HttpError(400, "Expected the name and the password of a user of the cluster (HTTP Basic)");
  }
  const password = await hashed(bodyOf(request, fieldNames("Password")).Password);
  const done = await operate(request, parts, "aclPutPassword", { password });
  return { ...v1Json(true, request), ...elsewhere(done) };
}

function tokenOf(body: Record<string, unknown>): TokenToPut {
  expectKnown(body);
  const secret = textIn(body, "SecretID");
  const ttl = textOfDuration(body.ExpirationTTL);
  const ttlMs = ttl === "" ? 0 : parseDuration(ttl) ?? NaN;
  const time = textIn(body, "ExpirationTime");
  const timeMs = time === "" || time.startsWith("0001-") ? 0 : Date.parse(time);
  if (Number.isNaN(ttlMs) || Number.isNaN(timeMs)) {
    throw new HttpError(400, `Token decoding failed: expected a duration such as "1h", or a time of RFC 3339`);
  }
  if (ttlMs > 0 && timeMs > 0) throw new HttpError(400, "Expiration TTL and Expiration Time cannot both be set");
  if (ttlMs < 0) throw new HttpError(400, "Token Expiration TTL should be > 0");
  return {
    ...linksOf(body),
    accessor: textIn(body, "AccessorID"),
    secret: NO_SECRETS.includes(secret) ? "" : secret,
    roles: linkList(body, "Roles"),
    isLocal: body.Local === true,
    isNew: true,
    cloneOf: "",
    expiresMs: ttlMs > 0 ? Date.now() + ttlMs : timeMs,
    ttl: ttlMs > 0 ? ttl : "",
  };
}

/** Go's clients send nanoseconds. */
function textOfDuration(value: unknown): string {
  if (value === undefined || value === null || value === 0) return "";
  if (typeof value === "number") return `${value}ns`;
  return typeof value === "string" ? value === "0s" ? "" : value : "?";
}

function expectKnown(body: Record<string, unknown>): void {
  for (const name of NOT_HERE) {
    const value = body[name];
    const isSet = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null && value !== "";
    const isOwn = value === "default" && (name === "Namespace" || name === "Partition");
    if (isSet && !isOwn) throw new HttpError(400, `${name} is not supported`);
  }
}

function linksOf(body: Record<string, unknown>): Pick<RoleToPut, "description" | "policies" | "services" | "nodes"> {
  return {
    description: description(body),
    policies: linkList(body, "Policies"),
    services: objects(body, "ServiceIdentities").map((one) => ({
      service: textIn(one, "ServiceName"),
      datacenters: texts(one, "Datacenters"),
    })),
    nodes: objects(body, "NodeIdentities").map((one) => ({
      node: textIn(one, "NodeName"),
      datacenter: textIn(one, "Datacenter").toLowerCase(),
    })),
  };
}

function description(body: Record<string, unknown>): string {
  const value = body.Description ?? "";
  if (typeof value === "string" && value.length <= 512) return value;
  throw new HttpError(400, "Request decode failed: expected Description to be a text of at most 512 characters");
}

function linkList(body: Record<string, unknown>, name: string): Link[] {
  return objects(body, name).map((one) => ({ id: textIn(one, "ID"), name: textIn(one, "Name") }));
}

function objects(body: Record<string, unknown>, name: string): Record<string, unknown>[] {
  const value = body[name] ?? [];
  const list = Array.isArray(value) ? value.filter((one) => typeof one === "object" && one !== null) : [];
  if (!Array.isArray(value) || list.length < value.length || list.length > 256) {
    throw new HttpError(400, `Request decode failed: expected ${name} to be a list of at most 256 objects`);
  }
  return list.map((one) => Object.fromEntries(Object.entries(one)));
}

function texts(body: Record<string, unknown>, name: string): string[] {
  const value = body[name] ?? [];
  if (Array.isArray(value) && value.length <= 256 && value.every((one) => typeof one === "string")) {
    return value.map((one) => String(one).toLowerCase());
  }
  throw new HttpError(400, `Request decode failed: expected ${name} to be a list of texts`);
}

/** `DELETE /v1/acl/token/ACCESSOR`. */
export const removeToken = remover("token");
/** `DELETE /v1/acl/policy/ID`. */
export const removePolicy = remover("policy");
/** `DELETE /v1/acl/role/ID`. */
export const removeRole = remover("role");

function remover(kind: "token" | "policy" | "role") {
  return async (request: HttpRequest, parts: AclHandlerParts, id: string): Promise<HttpResponse> => {
    expectOn(parts);
    if (id === "") throw new HttpError(400, `Missing ${kind} ID`);
    const done = await operate(request, parts, "aclDelete", { kind, id });
    return { ...v1Json(true, request), ...elsewhere(done) };
  };
}

/** `GET /v1/acl/policies`, without their rules. */
export async function policies(request: HttpRequest, parts: AclHandlerParts): Promise<HttpResponse> {
  const { rows: [rows], head } = await found(request, parts, { k: "aclPolicies", key: "" });
  const all = await Promise.all([...builtinsIn(""), ...rows].map(policyJson));
  return { ...head, ...v1Json(all.map(({ Rules: _, ...rest }) => rest), request) };
}

const BY_NAME = "name/";

/** `GET /v1/acl/policy/ID`, and `name/NAME`. */
export async function policy(request: HttpRequest, parts: AclHandlerParts, rest: string): Promise<HttpResponse> {
  const isName = rest.startsWith(BY_NAME);
  const key = isName ? rest.slice(BY_NAME.length) : rest;
  if (key === "") throw new HttpError(400, isName ? "Missing policy Name" : "Missing policy ID");
  const { rows: [rows], head } = await found(request, parts, { k: "aclPolicies", key });
  const row = [...builtinsIn(key), ...rows].find(({ id, name }) => (isName ? name : id) === key);
  if (!row) throw missing("policy");
  return { ...head, ...v1Json(await policyJson(row), request) };
}

/** @throws {HttpError} 400 When a body names another id than its path, which is empty for what is new. */
function expectId(body: ReturnType<typeof bodyOf>, id: string, kind: "policy" | "role"): void {
  const given = textIn(body, "ID");
  if (given === "" || given === id) return;
  if (id === "") throw new HttpError(400, `Cannot specify the ID when creating a new ${kind}`);
  throw new HttpError(400, `${kind === "policy" ? "Policy" : "Role"} ID in URL and payload do not match`);
}

/** `PUT /v1/acl/policy`, and `PUT /v1/acl/policy/ID`. */
export async function putPolicy(request: HttpRequest, parts: AclHandlerParts, id: string): Promise<HttpResponse> {
  expectOn(parts);
  const body = bodyOf(request, POLICY_FIELDS);
  expectKnown(body);
  expectId(body, id, "policy");
  const rules = body.Rules ?? "";
  if (typeof rules !== "string") throw new HttpError(400, "Policy decoding failed: expected Rules to be a text");
  try {
    parseRules(rules);
  } catch (error) {
    if (error instanceof RulesError) throw new HttpError(400, error.message);
    throw error;
  }
  const policy: PolicyToPut = {
    id,
    name: textIn(body, "Name"),
    description: description(body),
    rules,
    datacenters: texts(body, "Datacenters"),
  };
  const done = await operate(request, parts, "aclPutPolicy", policy);
  return { ...v1Json(await policyJson(done.result.rows[0][0]), request), ...elsewhere(done) };
}

/** `GET /v1/acl/roles`, `?policy=`. */
export async function roles(request: HttpRequest, parts: AclHandlerParts): Promise<HttpResponse> {
  const { rows, head } = await found(request, parts, { k: "aclRoles", key: "" });
  const all = await Promise.all(rows[0].map((row) => roleJson(row, rows[1])));
  const policy = request.params.get("policy") ?? "";
  const some = all.filter(({ Policies }) =>
    policy === "" || Array.isArray(Policies) && Policies.some((link) => link.ID === policy)
  );
  return { ...head, ...v1Json(some, request) };
}

/** `GET /v1/acl/role/ID`, and `name/NAME`. */
export async function role(request: HttpRequest, parts: AclHandlerParts, rest: string): Promise<HttpResponse> {
  const isName = rest.startsWith(BY_NAME);
  const key = isName ? rest.slice(BY_NAME.length) : rest;
  if (key === "") throw new HttpError(400, isName ? "Missing role Name" : "Missing role ID");
  const { rows, head } = await found(request, parts, { k: "aclRoles", key });
  const row = rows[0].find(({ id, name }) => (isName ? name : id) === key);
  if (!row) throw missing("role");
  return { ...head, ...v1Json(await roleJson(row, rows[1]), request) };
}

/** `PUT /v1/acl/role`, and `PUT /v1/acl/role/ID`. */
export async function putRole(request: HttpRequest, parts: AclHandlerParts, id: string): Promise<HttpResponse> {
  expectOn(parts);
  const body = bodyOf(request, ROLE_FIELDS);
  expectKnown(body);
  expectId(body, id, "role");
  const done = await operate(request, parts, "aclPutRole", { id, name: textIn(body, "Name"), ...linksOf(body) });
  const { rows } = done.result;
  return { ...v1Json(await roleJson(rows[0][0], rows[1]), request), ...elsewhere(done) };
}

/** Questions in one request. */
const QUESTIONS_MAX = 64;

/** `POST /v1/internal/acl/authorize`: what the token of the request may do, asked before it is done. */
export async function authorize(request: HttpRequest, parts: AclHandlerParts): Promise<HttpResponse> {
  expectOn(parts);
  let list: unknown;
  try {
    list = JSON.parse(textOf(request.body));
  } catch {
    // reported below
  }
  if (!Array.isArray(list) || list.length > QUESTIONS_MAX) {
    throw new HttpError(400, `Failed to decode request body: expected a list of at most ${QUESTIONS_MAX} questions`);
  }
  const may = await parts.access?.authorizerOf(request);
  const shown = list.map((one) => {
    const { Resource, Access, Segment = "" } = Object(withNames(one, fieldNames("Resource Access Segment")));
    const resource = [...NAMED_RESOURCES, ...PLAIN_RESOURCES].find((known) => known === Resource);
    const access = ACCESSES.find((known) => known === Access);
    if (!resource || !access || access === "deny" || typeof Segment !== "string") {
      throw new HttpError(400, "Failed to decode request body: expected Resource, Access and Segment of each question");
    }
    return { Resource, Access, Segment, Allow: may?.allows({ resource, access, name: Segment }) ?? false };
  });
  return v1Json(shown, request);
}

/** `PUT /v1/agent/token/NAME`: another token for the agent itself. */
export async function agentToken(request: HttpRequest, parts: AclHandlerParts, given: string): Promise<HttpResponse> {
  expectOn(parts);
  const name = agentTokenName(given);
  if (!name) throw new HttpError(404, `Token "${given}" is unknown`);
  const secret = textIn(bodyOf(request, fieldNames("Token")), "Token");
  const { access } = parts;
  agentOf(parts);
  access?.tokens.set(name, secret);
  if (access?.settings.keepsTokens) await parts.keepTokens(JSON.stringify(access.tokens.all));
  return DONE;
}

/**
 * What the agent itself decides by the token of a request, for what only it knows: its services, its pool. What is
 * replicated, the operations decide on a server (core/acl/guard.ts).
 * @module
 */
import type { Access } from "../../app/acl/access.ts";
import type { Credentials, Needs } from "../../core/acl/guard.ts";
import type { Authorizer } from "../../core/acl/authorizer.ts";
import { type Need, needs, needsOf } from "../../core/acl/resource.ts";
import { FILTERED } from "./filtered.ts";
import type { HttpRequest } from "../http/request.ts";
import type { LocalCheck, LocalState } from "../../app/services/local_state.ts";
import { agentOf, type AgentParts, type ConsulParts, datacenterOf, localOf } from "../consul/parts.ts";
import { bodyOf, fieldNames, textIn } from "../consul/body.ts";
import {
  type CheckDefinition,
  decodeCheck,
  decodeService,
  type ServiceDefinition,
} from "../../core/health/definitions.ts";

/** What a route of `/v1` does about tokens. Each has a decision: a test walks the table. */
export type RouteAcl<Parts> =
  /** The operations that it asks for are checked, and their results filtered, by the server that does them. */
  | "server"
  /** The handler leaves out what the token may not see. */
  | "filtered"
  /** Anybody may. */
  | "open"
  /** What the token needs; the agent decides. */
  | ((request: HttpRequest, parts: Parts, rest: string) => Needs);

/** Dependencies of decisions. */
export type AllowedParts = AgentParts & Pick<ConsulParts, "local" | "access">;

/** What of a list a request may see, and the headers that say whether something was left out. */
export async function visible<T>(
  shown: Credentials,
  { access }: { readonly access: Access | undefined },
  list: readonly T[],
  needOf: (one: T) => Need,
): Promise<{ readonly some: readonly T[]; readonly headers: Readonly<Record<string, string>> }> {
  if (!access) return { some: list, headers: {} };
  const may: Authorizer = await access.authorizerOf(shown);
  const some = may.isUnlimited ? list : list.filter((one) => may.allows(needOf(one)));
  return { some, headers: some.length < list.length ? FILTERED : {} };
}

/** A right on this agent. */
export const onAgent = (access: "read" | "write") => (_: HttpRequest, parts: AllowedParts): Needs => [
  needsOf("agent", access, ownName(parts)),
];

/** The right to write this node. */
export const onNode = (_: HttpRequest, parts: AllowedParts): Needs => [needsOf("node", "write", ownName(parts))];

/** A right of an operator. */
export const onCluster = (access: "read" | "write") => (): Needs => [needs("operator", access)];

/** A right on the keys of the gossip; servers of the other datacenters decide about theirs. */
export const onKeyring = ({ method }: HttpRequest): Needs => [
  needs("keyring", method === "GET" || method === "HEAD" ? "read" : "write"),
];

/** The right to fire an event; in another datacenter, a server there decides. */
export const onEvent = (request: HttpRequest, parts: AllowedParts, name: string): Needs =>
  isElsewhere(request, parts) ? [] : [needsOf("event", "write", name)];

function isElsewhere(request: HttpRequest, parts: AllowedParts): boolean {
  return !["", agentOf(parts).options.datacenter].includes(datacenterOf(request));
}

/** A right on a service of this agent, by its id; of one that is not there nothing is needed, as nothing is told. */
export const onServiceId = (access: "read" | "write") => (_: HttpRequest, parts: AllowedParts, id: string): Needs => {
  const name = localOf(parts).services.get(id)?.definition.name;
  return name === undefined ? [] : [needsOf("service", access, name)];
};

/** The right to read a service, by its name. */
export const onServiceName = (_: HttpRequest, __: AllowedParts, name: string): Needs => [
  needsOf("service", "read", name),
];

/** A right on a check of this agent, by its id. */
export const onCheckId = (_: HttpRequest, parts: AllowedParts, id: string): Needs => {
  const check = localOf(parts).checks.get(id);
  return check ? [needOfCheck(check, parts, "write")] : [];
};

/** A right on a check: on its service, or on the node. */
export function needOfCheck(check: LocalCheck, parts: AllowedParts, access: "read" | "write"): Need {
  return needOfCheckOf(localOf(parts), check.definition.serviceId, parts, access);
}

function needOfCheckOf(local: LocalState, serviceId: string, parts: AgentParts, access: "read" | "write"): Need {
  const name = serviceId === "" ? undefined : local.services.get(serviceId)?.definition.name;
  return name === undefined ? needsOf("node", access, ownName(parts)) : needsOf("service", access, name);
}

/** The right to register the service of a body, and to take the place of one with its id. */
export function onServiceBody(request: HttpRequest, parts: AllowedParts): Needs {
  const local = localOf(parts);
  let definition: ServiceDefinition;
  try {
    definition = decodeService(bodyOf(request));
  } catch {
    return onNode(request, parts); // the handler will refuse it: whoever may nothing hears nothing
  }
  const { id, name, checks } = definition;
  const before = local.services.get(id)?.definition.name;
  // A check may have the id of one that belongs to another service.
  const taken = checks.map((check) => local.checks.get(check.id)).filter((check) => check !== undefined)
    .filter((check) => check.definition.serviceId !== id);
  return [
    ...[...new Set([name, before ?? name])].map((one) => needsOf("service", "write", one)),
    ...taken.map((check) => needOfCheck(check, parts, "write")),
  ];
}

/** The right to register the check of a body, and to take the place of one with its id. */
export function onCheckBody(request: HttpRequest, parts: AllowedParts): Needs {
  const local = localOf(parts);
  let definition: CheckDefinition;
  try {
    definition = decodeCheck(bodyOf(request));
  } catch {
    return onNode(request, parts);
  }
  const { id, serviceId } = definition;
  const before = local.checks.get(id);
  return [
    needOfCheckOf(local, serviceId, parts, "write"),
    ...(before ? [needOfCheck(before, parts, "write")] : []),
  ];
}

/** The token in a body, else the one that the request shows: what is registered is synchronized with it. */
export async function tokenFor(request: HttpRequest, { access }: Pick<ConsulParts, "access">): Promise<string> {
  if (!access) return "";
  const given = textIn(bodyOf(request, fieldNames("Token")), "Token");
  if (given !== "") return given;
  if (await access.isUser(request.authorization)) return "";
  // A password is for nobody to keep.
  const isPassword = (await access.resolve(request))?.user !== undefined;
  const shown = isPassword ? "" : access.secretIn(request.authorization);
  return shown === access.tokens.forRequests ? "" : shown; // the agent's own may change
}

function ownName(parts: AgentParts): string {
  return agentOf(parts).options.nodeName;
}

/**
 * Tokens, policies and roles, as the node gives them.
 * @module
 */
import { askJson } from "../api.ts";
import { fieldOf, listOf, textOf } from "../json.ts";

/** A link to a policy or a role. */
export interface Link {
  readonly id: string;
  readonly name: string;
}

/** What a token or a role may do. */
export interface Rights {
  readonly policies: readonly Link[];
  /** Of tokens alone. */
  readonly roles: readonly Link[];
  readonly services: readonly string[];
  readonly nodes: readonly { readonly node: string; readonly datacenter: string }[];
}

/** A token, without its secret. */
export interface Token extends Rights {
  readonly accessor: string;
  readonly description: string;
  /** Whose password has what the token has; empty: nobody's. */
  readonly user: string;
  readonly expires: string;
}

/** A policy; the rules are told of one alone, not in lists. */
export interface Policy extends Link {
  readonly description: string;
  readonly rules: string;
}

/** A role. */
export interface Role extends Link, Rights {
  readonly description: string;
}

/** Token of whoever shows none, and policies that cannot be changed. */
export const ANONYMOUS = "00000000-0000-0000-0000-000000000002";

function linksOf(data: unknown): readonly Link[] {
  return listOf(data).map((one) => ({ id: textOf(fieldOf(one, "ID")), name: textOf(fieldOf(one, "Name")) }));
}

function rightsOf(data: unknown): Rights {
  return {
    policies: linksOf(fieldOf(data, "Policies")),
    roles: linksOf(fieldOf(data, "Roles")),
    services: listOf(fieldOf(data, "ServiceIdentities")).map((one) => textOf(fieldOf(one, "ServiceName"))),
    nodes: listOf(fieldOf(data, "NodeIdentities")).map((one) => ({
      node: textOf(fieldOf(one, "NodeName")),
      datacenter: textOf(fieldOf(one, "Datacenter")),
    })),
  };
}

/** A token from outside. */
export function tokenOf(data: unknown): Token {
  return {
    ...rightsOf(data),
    accessor: textOf(fieldOf(data, "AccessorID")),
    description: textOf(fieldOf(data, "Description")),
    user: textOf(fieldOf(data, "UserName")),
    expires: textOf(fieldOf(data, "ExpirationTime")),
  };
}

/** A policy from outside. */
export function policyOf(data: unknown): Policy {
  return {
    id: textOf(fieldOf(data, "ID")),
    name: textOf(fieldOf(data, "Name")),
    description: textOf(fieldOf(data, "Description")),
    rules: textOf(fieldOf(data, "Rules")),
  };
}

/** A role from outside. */
export function roleOf(data: unknown): Role {
  return { ...rightsOf(data), ...policyOf(data) };
}

/** Everything at once. */
export interface Access {
  readonly tokens: readonly Token[];
  readonly policies: readonly Policy[];
  readonly roles: readonly Role[];
}

/** Reads everything. @throws {ApiError} */
export async function readAccess(): Promise<Access> {
  const [tokens, policies, roles] = await Promise.all(
    ["tokens", "policies", "roles"].map(async (name) => listOf(await askJson(`v1/acl/${name}`))),
  );
  const byName = (a: Link, b: Link) => a.name.localeCompare(b.name);
  return {
    tokens: tokens.map(tokenOf),
    policies: policies.map(policyOf).sort(byName),
    roles: roles.map(roleOf).sort(byName),
  };
}

/** Rights, as the node takes them. */
export function rightsBody({ policies, roles, services, nodes }: Rights): Record<string, unknown> {
  const links = (all: readonly Link[]) => all.map(({ id }) => ({ ID: id }));
  return {
    Policies: links(policies),
    Roles: links(roles),
    ServiceIdentities: services.map((ServiceName) => ({ ServiceName })),
    NodeIdentities: nodes.map(({ node, datacenter }) => ({ NodeName: node, Datacenter: datacenter })),
  };
}

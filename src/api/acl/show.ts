/**
 * Tokens, policies and roles as `/v1/acl` shows them. Pure, but for digests.
 * @module
 */
import { ANONYMOUS_BODY, bodyOfRow, policyBody, type RoleBody, roleBody, tokenBody } from "../../app/acl/stored.ts";
import type { CatalogRow } from "../../app/agent/catalog.ts";
import { BUILTIN_POLICIES } from "../../core/acl/builtin.ts";
import { ANONYMOUS_ACCESSOR } from "../../core/acl/resource.ts";

/** What is shown. */
export type Shown = Record<string, unknown>;

/** In the place of a secret that nobody knows. */
const HIDDEN = "<hidden>";

/** Rows of tokens, the anonymous one among them also while it was not changed. */
export function withAnonymous(rows: readonly CatalogRow[]): readonly CatalogRow[] {
  if (rows.some(({ accessor }) => accessor === ANONYMOUS_ACCESSOR)) return rows;
  const row = { accessor: ANONYMOUS_ACCESSOR, body: JSON.stringify(ANONYMOUS_BODY), expires_ms: 0 };
  return [...rows, { ...row, create_index: 1, modify_index: 1 }];
}

/** Rows of the builtin policies with an id or a name; empty: all. */
export function builtinsIn(key: string): CatalogRow[] {
  return BUILTIN_POLICIES.filter(({ id, name }) => key === "" || id === key || name === key).map((
    { id, name, description, rules },
  ) => ({
    id,
    name,
    body: JSON.stringify({ description, rules, datacenters: [] }),
    create_index: 1,
    modify_index: 1,
  }));
}

/** A token, by its row, and the rows of the names of policies and roles; an empty secret is hidden. */
export async function tokenJson(
  row: CatalogRow,
  [, policies = [], roles = []]: readonly (readonly CatalogRow[])[],
  secret: string,
): Promise<Shown> {
  const body = bodyOfRow(row, tokenBody);
  const expiresMs = Number(row.expires_ms);
  return {
    AccessorID: row.accessor,
    SecretID: secret === "" ? row.accessor === ANONYMOUS_ACCESSOR ? "anonymous" : HIDDEN : secret,
    ...(row.user ? { UserName: row.user } : {}),
    Description: body.description,
    ...linksJson(body, policies),
    ...(body.roles.length === 0 ? {} : { Roles: linked(body.roles, roles) }),
    Local: body.isLocal,
    ...(expiresMs > 0 ? { ExpirationTime: new Date(expiresMs).toISOString() } : {}),
    CreateTime: new Date(body.createdMs).toISOString(),
    Hash: await hashOf([body.description, body.policies, body.roles, body.services, body.nodes]),
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

function linksJson({ policies, services, nodes }: RoleBody, names: readonly CatalogRow[]): Shown {
  return {
    ...(policies.length === 0 ? {} : { Policies: linked(policies, [...builtinsIn(""), ...names]) }),
    ...(services.length === 0 ? {} : {
      ServiceIdentities: services.map(({ service, datacenters }) => ({
        ServiceName: service,
        ...(datacenters.length === 0 ? {} : { Datacenters: datacenters }),
      })),
    }),
    ...(nodes.length === 0
      ? {}
      : { NodeIdentities: nodes.map(({ node, datacenter }) => ({ NodeName: node, Datacenter: datacenter })) }),
  };
}

/** Links that lead somewhere. */
function linked(ids: readonly string[], names: readonly CatalogRow[]): Shown[] {
  return ids.flatMap((id) => {
    const row = names.find((one) => one.id === id);
    return row ? [{ ID: id, Name: row.name }] : [];
  });
}

/** A role, by its row, and the rows of the names of policies. */
export async function roleJson(row: CatalogRow, policies: readonly CatalogRow[] = []): Promise<Shown> {
  const body = bodyOfRow(row, roleBody);
  return {
    ID: row.id,
    Name: row.name,
    Description: body.description,
    ...linksJson(body, policies),
    Hash: await hashOf([row.name, body]),
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

/** A policy, by its row. */
export async function policyJson(row: CatalogRow): Promise<Shown> {
  const { description, rules, datacenters } = bodyOfRow(row, policyBody);
  return {
    ID: row.id,
    Name: row.name,
    Description: description,
    Rules: rules,
    Datacenters: datacenters.length === 0 ? null : datacenters,
    Hash: await hashOf([row.name, description, rules, datacenters]),
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

/** Tells one content from another. */
async function hashOf(content: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(content));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toBase64();
}

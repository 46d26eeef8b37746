/**
 * Tokens, policies and roles as the cluster keeps them, and what a token comes to: the rules of all that it is linked to.
 * Pure.
 * @module
 */
import { finite, flag, listOf, optional, otherwise, record, type Shape, text } from "../../base/codec/shape.ts";
import { type DefaultPolicy } from "../../core/acl/authorizer.ts";
import { BUILTIN_POLICIES, nodeIdentityRules, serviceIdentityRules } from "../../core/acl/builtin.ts";
import { ANONYMOUS_ACCESSOR } from "../../core/acl/resource.ts";
import { RULES_CHARS_MAX } from "../../core/acl/rules.ts";

/** A row of the cluster's own tables. */
type Row = Readonly<Record<string, unknown>>;

/** Links and identities of a token or a role, each. */
export const LINKS_MAX = 256;
/** Characters of a description. */
export const DESCRIPTION_CHARS_MAX = 512;
const NAME_CHARS_MAX = 256;

const name = text(NAME_CHARS_MAX);
const names = listOf(name, LINKS_MAX);

/** Who is an instance of a service. */
const serviceIdentity = record({ service: name, datacenters: names });
const nodeIdentity = record({ node: name, datacenter: name });

/** What tokens and roles are linked to: ids of policies, and identities. */
const linkFields = {
  description: text(DESCRIPTION_CHARS_MAX),
  policies: names,
  services: listOf(serviceIdentity, LINKS_MAX),
  nodes: listOf(nodeIdentity, LINKS_MAX),
};

/** A token without its secret. */
export const tokenBody = record({
  ...linkFields,
  /** Ids. */
  roles: names,
  isLocal: flag,
  createdMs: finite,
  /** Of the time that was asked for, Go's text; missing: it does not end. */
  ttl: optional(name),
});
/** A role. */
export const roleBody = record(linkFields);
/** A policy. */
export const policyBody = record({
  description: text(DESCRIPTION_CHARS_MAX),
  rules: text(RULES_CHARS_MAX),
  datacenters: names,
});

/** See {@linkcode tokenBody}. */
export type TokenBody = ReturnType<typeof tokenBody>;
/** See {@linkcode roleBody}. */
export type RoleBody = ReturnType<typeof roleBody>;
/** See {@linkcode policyBody}. */
export type PolicyBody = ReturnType<typeof policyBody>;

/** The body of a row. @throws {import("../../base/codec/cursor.ts").DecodeError} When it is none. */
export function bodyOfRow<T>(row: Row, shape: Shape<T>): T {
  return shape(JSON.parse(String(row.body)), "the row");
}

/** The token of those that show none, until it is changed. */
export const ANONYMOUS_BODY: TokenBody = {
  description: "Anonymous Token",
  policies: [],
  roles: [],
  services: [],
  nodes: [],
  isLocal: false,
  createdMs: 0,
  ttl: undefined,
};

/** What a token comes to. */
export interface ResolvedToken {
  readonly accessor: string;
  /** The user whose password was shown; missing where the secret was. */
  readonly user?: string | undefined;
  /** The texts of its rules. */
  readonly rules: readonly string[];
  /** What holds where no rule does. */
  readonly standard: DefaultPolicy;
  /** When it ends, ms since 1970; 0: never. */
  readonly expiresMs: number;
}

/** Checks a resolved token of another node. */
export const resolvedToken: Shape<ResolvedToken> = record({
  accessor: name,
  user: optional(name),
  rules: listOf(text(RULES_CHARS_MAX), LINKS_MAX * LINKS_MAX),
  standard: (value: unknown): DefaultPolicy => value === "allow" ? "allow" : "deny",
  expiresMs: otherwise(0, finite),
});

/**
 * What a token comes to, by its rows (core/catalog/acl_schema.ts).
 * @returns undefined where there is no such token, or none any more.
 */
export function resolvedOf(
  [[row], roleRows, policyRows]: readonly (readonly Row[])[],
  { isAnonymous, standard, datacenter, nowMs }: {
    readonly isAnonymous: boolean;
    readonly standard: DefaultPolicy;
    readonly datacenter: string;
    readonly nowMs: number;
  },
): ResolvedToken | undefined {
  if (!row && !isAnonymous) return undefined;
  const expiresMs = Number(row?.expires_ms ?? 0);
  if (expiresMs > 0 && expiresMs <= nowMs) return undefined;
  const body = row ? bodyOfRow(row, tokenBody) : ANONYMOUS_BODY;
  const roles = roleRows.map((role) => bodyOfRow(role, roleBody));
  const linked = new Set([body, ...roles].flatMap(({ policies }) => policies));
  const isHere = (datacenters: readonly string[]) => datacenters.length === 0 || datacenters.includes(datacenter);
  return {
    accessor: String(row?.accessor ?? ANONYMOUS_ACCESSOR),
    ...(row?.password === undefined ? {} : { user: String(row.user) }),
    rules: [
      ...BUILTIN_POLICIES.filter(({ id }) => linked.has(id)).map(({ rules }) => rules),
      ...policyRows.map((policy) => bodyOfRow(policy, policyBody)).filter(({ datacenters }) => isHere(datacenters))
        .map(({ rules }) => rules),
      ...[body, ...roles].flatMap(({ services }) => services).filter(({ datacenters }) => isHere(datacenters))
        .map(({ service }) => serviceIdentityRules(service)),
      ...[body, ...roles].flatMap(({ nodes }) => nodes).filter((one) => one.datacenter === datacenter)
        .map(({ node }) => nodeIdentityRules(node)),
    ],
    standard,
    expiresMs,
  };
}

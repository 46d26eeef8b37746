/**
 * What access control lists are about: resources, the access to them, and what a request needs. Resources, access and the
 * texts of denials are Consul's; `sql` is muster's own. Pure.
 * @module
 */

/** Resources with names, each with an exact form and one for a prefix (`key`, `key_prefix`). */
export const NAMED_RESOURCES = ["agent", "event", "key", "node", "query", "service", "session"] as const;
/** Resources without names. `mesh` and `peering` are read in rules, and nothing here needs them. */
export const PLAIN_RESOURCES = ["acl", "keyring", "mesh", "operator", "peering", "sql"] as const;

/** A resource with names. */
export type NamedResource = typeof NAMED_RESOURCES[number];
/** A resource without names. */
export type PlainResource = typeof PLAIN_RESOURCES[number];
/** A resource. */
export type Resource = NamedResource | PlainResource;

/** Access that a rule grants; each includes those before it, but `deny`. */
export const ACCESSES = ["deny", "read", "list", "write"] as const;

/** Access that a rule grants. */
export type Access = typeof ACCESSES[number];

/** What a request needs of its token. */
export interface Need {
  readonly resource: Resource;
  readonly access: Exclude<Access, "deny">;
  /** Of the resource; absent for one without names. */
  readonly name?: string;
  /** Whether it is about everything whose name begins so. @default {false} */
  readonly isTree?: boolean;
  /** Whether it is needed only where lists of keys need a right of their own (`acl.enable_key_list_policy`). @default {false} */
  readonly isForLists?: boolean;
}

/** A need of a resource without names. */
export function needs(resource: PlainResource, access: Need["access"]): Need {
  return { resource, access };
}

/** A need of a resource with names. */
export function needsOf(resource: NamedResource, access: Need["access"], name: string): Need {
  return { resource, access, name };
}

/** A need of all that there is of a resource. */
export function needsAllOf(resource: NamedResource, access: Need["access"]): Need {
  return { resource, access, name: "", isTree: true };
}

/** The accessor of the token of requests that show none. */
export const ANONYMOUS_ACCESSOR = "00000000-0000-0000-0000-000000000002";

/** Why a request is refused, in Consul's words. */
export function deniedText(accessor: string, { resource, access, name, isTree }: Need): string {
  const isAnonymous = accessor === ANONYMOUS_ACCESSOR;
  const who = isAnonymous ? "anonymous token" : `token with AccessorID '${accessor}'`;
  const hint = ". The anonymous token is used implicitly when a request does not specify a token.";
  const what = isTree ? ` on everything that begins with ${JSON.stringify(name)}` : ` on ${JSON.stringify(name)}`;
  return `Permission denied: ${who} lacks permission '${resource}:${access}'` +
    `${name === undefined || name === "" && !isTree ? "" : what}${isAnonymous ? hint : ""}`;
}

/** The answer to a secret that no token has. */
export const NOT_FOUND_TEXT = "ACL not found";

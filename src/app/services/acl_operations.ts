/**
 * The operations of access control: what a token comes to, and tokens, their users, policies and roles read and changed.
 * Changes are the leader's. A secret is in the answer to the one who makes its token, and nowhere else; of a password there
 * is a hash from the node on that heard it.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import { finite, flag, listOf, oneOf, optional, record, type Shape, text } from "../../base/codec/shape.ts";
import { anyObject } from "../../base/codec/shape.ts";
import { BUILTIN_POLICIES, MANAGEMENT_ID } from "../../core/acl/builtin.ts";
import { ANONYMOUS_ACCESSOR, needs } from "../../core/acl/resource.ts";
import { RULES_CHARS_MAX } from "../../core/acl/rules.ts";
import {
  ANONYMOUS_SECRET,
  BOOTSTRAP_NAME,
  BOOTSTRAP_READ,
  isFreeName,
  isFreeSecret,
  isFreeUser,
  mayBootstrap,
  readsOf,
  readsOfPassword,
  readsOfTokens,
} from "../../core/catalog/acl_schema.ts";
import { type CatalogWrite, guard, remove, upsert } from "../../core/catalog/catalog.ts";
import type { Credentials } from "../../core/acl/guard.ts";
import { type Access, digestOf } from "../acl/access.ts";
import {
  ANONYMOUS_BODY,
  bodyOfRow,
  DESCRIPTION_CHARS_MAX,
  LINKS_MAX,
  type PolicyBody,
  type ResolvedToken,
  resolvedToken,
  type RoleBody,
  type TokenBody,
  tokenBody,
} from "../acl/stored.ts";
import { isPasswordHash } from "../users/password.ts";
import { EVERYBODY, isUsername, USERNAME_RULE } from "../users/user.ts";
import type { Agent } from "../agent/agent.ts";
import { type Catalog, type CatalogRow, ConflictError } from "../agent/catalog.ts";
import { expectToLead, plainName, readOperation } from "../agent/catalog_operations.ts";
import { type AclQuery, aclQuery } from "../agent/catalog_query.ts";
import {
  type CatalogFound,
  type CatalogReadParts,
  type CatalogReadRequest,
  readCatalog,
} from "../agent/catalog_read.ts";
import { NotLeaderError, OperationError, RefusedError } from "../database/errors.ts";
import { type Asker, type Implementations, jsonOperation, type OperationTable } from "../database/operation.ts";

/** A link to a policy or a role, by its id or its name. */
export interface Link {
  readonly id: string;
  readonly name: string;
}

/** What a token or a role is linked to, as a client says it. */
interface Links {
  readonly description: string;
  readonly policies: readonly Link[];
  readonly services: TokenBody["services"];
  readonly nodes: TokenBody["nodes"];
}

/** A token to be made or changed. */
export interface TokenToPut extends Links {
  /** Empty: a new one. */
  readonly accessor: string;
  readonly isNew: boolean;
  /** Accessor of the token whose links a new one gets; empty: none. */
  readonly cloneOf: string;
  /** Empty: one that is made. */
  readonly secret: string;
  readonly roles: readonly Link[];
  readonly isLocal: boolean;
  /** When it ends, ms since 1970; 0: never. */
  readonly expiresMs: number;
  /** Go's text of the time that it is valid; empty: none. */
  readonly ttl: string;
  /** Missing: as it was, which of a new token is none. */
  readonly user?: UserToPut | undefined;
}

/** Who may show a password in place of a token's secret. */
export interface UserToPut {
  /** Empty: nobody. */
  readonly name: string;
  /** Hashed (app/users/password.ts); empty: as it was. */
  readonly password: string;
}

/** A role to be made or changed. */
export interface RoleToPut extends Links {
  /** Empty: a new one. */
  readonly id: string;
  readonly name: string;
}

/** A policy to be made or changed. */
export interface PolicyToPut extends PolicyBody {
  /** Empty: a new one. */
  readonly id: string;
  readonly name: string;
}

/** What was written, as rows; and the secret, where it is new. */
export interface AclWritten {
  readonly rows: readonly (readonly CatalogRow[])[];
  readonly secret: string;
}

/** Rows without a secret. */
type AclRows = Pick<AclWritten, "rows">;

/** These operations. */
export interface AclOperations {
  /** What the token of whoever asks comes to. */
  readonly aclResolve: {
    readonly params: { readonly ofLeader: boolean };
    readonly result: { readonly token?: ResolvedToken | undefined };
  };
  readonly aclRead: { readonly params: CatalogReadRequest<AclQuery>; readonly result: CatalogFound<AclQuery> };
  /** The token of whoever asks. */
  readonly aclSelf: { readonly params: Record<string, never>; readonly result: AclRows };
  /** Makes the first token; an empty secret: one that is made. */
  readonly aclBootstrap: { readonly params: { readonly secret: string }; readonly result: AclWritten };
  /** Another password for the user who asks; hashed. */
  readonly aclPutPassword: {
    readonly params: { readonly password: string };
    readonly result: { readonly isDone: true };
  };
  readonly aclPutToken: { readonly params: TokenToPut; readonly result: AclWritten };
  readonly aclPutPolicy: { readonly params: PolicyToPut; readonly result: AclRows };
  readonly aclPutRole: { readonly params: RoleToPut; readonly result: AclRows };
  readonly aclDelete: {
    readonly params: { readonly kind: "token" | "policy" | "role"; readonly id: string };
    readonly result: { readonly isDone: true };
  };
}

const empty = record({});
const done = record({ isDone: (): true => true });

function hashOrNothing(value: unknown, where: string): string {
  if (value === "" || typeof value === "string" && isPasswordHash(value)) return value;
  throw new DecodeError(`Expected ${where} to be a hash as muster user hash prints it`);
}

const link: Shape<Link> = record({ id: plainName, name: plainName });
const linkFields = {
  description: text(DESCRIPTION_CHARS_MAX),
  policies: listOf(link, LINKS_MAX),
  services: listOf(record({ service: plainName, datacenters: listOf(plainName, LINKS_MAX) }), LINKS_MAX),
  nodes: listOf(record({ node: plainName, datacenter: plainName }), LINKS_MAX),
};
const tokenToPut: Shape<TokenToPut> = record({
  ...linkFields,
  accessor: plainName,
  isNew: flag,
  cloneOf: plainName,
  secret: plainName,
  roles: listOf(link, LINKS_MAX),
  isLocal: flag,
  expiresMs: finite,
  ttl: plainName,
  user: optional(record({ name: plainName, password: hashOrNothing })),
});
const policyToPut: Shape<PolicyToPut> = record({
  id: plainName,
  name: plainName,
  description: text(DESCRIPTION_CHARS_MAX),
  rules: text(RULES_CHARS_MAX),
  datacenters: listOf(plainName, LINKS_MAX),
});
const roleToPut: Shape<RoleToPut> = record({ ...linkFields, id: plainName, name: plainName });
const rows = listOf(listOf<CatalogRow>(anyObject, 1_000_000), 16);
const written = record({ rows, secret: plainName });
const rowsAlone = record({ rows });
const OPEN = { needs: () => [] };
const WRITING = { needs: () => [needs("acl", "write")] };

/** These operations, and how they travel. */
export const ACL_OPERATIONS: OperationTable<AclOperations> = {
  aclResolve: {
    // It tells what the asker's own token allows.
    ...jsonOperation([], record({ ofLeader: flag }), record({ token: optional(resolvedToken) }), OPEN),
    isForLeader: ({ ofLeader }) => ofLeader,
    isForNodes: true,
  },
  aclRead: readOperation("operator-read", aclQuery),
  aclSelf: jsonOperation([], empty, rowsAlone, OPEN),
  aclBootstrap: jsonOperation(["operator-write"], record({ secret: plainName }), written, OPEN),
  aclPutPassword: jsonOperation([], record({ password: hashOrNothing }), done, OPEN),
  aclPutToken: jsonOperation(["operator-write"], tokenToPut, written, WRITING),
  aclPutPolicy: jsonOperation(["operator-write"], policyToPut, rowsAlone, WRITING),
  aclPutRole: jsonOperation(["operator-write"], roleToPut, rowsAlone, WRITING),
  aclDelete: jsonOperation(
    ["operator-write"],
    record({ kind: oneOf("token", "policy", "role"), id: plainName }),
    done,
    WRITING,
  ),
};

/** What these operations work with. */
export interface AclParts extends CatalogReadParts {
  readonly agent: Agent | undefined;
  /** Absent where access control is off. */
  readonly access?: Access | undefined;
  /** The index in the file with which an operator lets the first token be made again; 0: there is none. The file is removed. */
  takeBootstrapReset?(): Promise<number>;
}

const DISABLED = "ACL support disabled";
/** Shortest and longest time of a token that ends. */
const TTL_MS = { least: 60_000, most: 24 * 3_600_000 };

/** Does these operations on this node. */
export function aclImplementations(parts: AclParts): Implementations<AclOperations> {
  const { catalog } = parts;
  const store = new Store(catalog);
  const leading = (): Access => {
    if (!parts.access) throw new OperationError(DISABLED);
    expectToLead(parts);
    return parts.access;
  };
  return {
    async aclResolve({ ofLeader }, { by }) {
      if (!parts.access) throw new OperationError(DISABLED);
      const token = await parts.access.resolveHere(shownBy(by));
      if (!token && !ofLeader && !parts.state.isLeader) throw new NotLeaderError(); // the leader may know it
      return { token };
    },
    aclRead: (request, { whenOver }) => {
      const waitMs = Math.min(request.waitMs, parts.agent?.options.queryTimeMs.most ?? 0);
      return readCatalog(parts, { ...request, waitMs }, whenOver);
    },
    async aclSelf(_, { by }) {
      if (!parts.access) throw new OperationError(DISABLED);
      const token = await parts.access.resolveHere(shownBy(by));
      if (!token && !parts.state.isLeader) throw new NotLeaderError();
      if (!token) throw new RefusedError({ k: "gone" });
      return { rows: await store.rows(readsOfTokens(token.accessor)) };
    },
    async aclBootstrap({ secret }) {
      leading();
      return await bootstrap(store, parts, secret);
    },
    async aclPutPassword({ password }, { by }) {
      const token = await leading().resolveHere(shownBy(by));
      if (!token) throw new RefusedError({ k: "unknown" });
      if (token.user === undefined) throw new OperationError("a token has no password: expected a user's");
      const row = { name: token.user, accessor: token.accessor, password };
      await store.write([...isUserOf(token.user, token.accessor), upsert("acl_users", ["name"], row)], []);
      return { isDone: true };
    },
    async aclPutToken(token) {
      leading();
      return await putToken(store, token);
    },
    async aclPutPolicy(policy) {
      leading();
      return await putPolicy(store, policy);
    },
    async aclPutRole(role) {
      leading();
      return await putRole(store, role);
    },
    async aclDelete({ kind, id }, { by }) {
      const own = (await leading().resolveHere(shownBy(by)))?.accessor;
      if (kind === "token" && id === ANONYMOUS_ACCESSOR) {
        throw new OperationError("Delete operation not permitted on the anonymous token");
      }
      if (kind === "token" && id === own) {
        throw new OperationError("Deletion of the request's authorization token is not permitted");
      }
      const builtin = BUILTIN_POLICIES.find((one) => kind === "policy" && one.id === id);
      if (builtin) throw new OperationError(`Delete operation not permitted on the builtin ${builtin.name} policy`);
      const table = kind === "token" ? "acl_tokens" : kind === "policy" ? "acl_policies" : "acl_roles";
      await store.write([remove(table, kind === "token" ? { accessor: id } : { id })], []);
      return { isDone: true };
    },
  };
}

function shownBy(by: Asker): Credentials {
  return by.k === "client" ? by : { authorization: "", address: "" };
}

/** The rows of access control, read and written on the leader. */
class Store {
  readonly #catalog: Catalog;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  async rows(reads: readonly { readonly sql: string; readonly positional: readonly string[] }[]) {
    return (await this.#catalog.read(reads)).rows;
  }

  /** @throws {OperationError} With the reason of the condition that did not hold. */
  async write(writes: readonly CatalogWrite[], reasons: readonly string[]): Promise<void> {
    try {
      await this.#catalog.write(writes);
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      throw new OperationError(reasons[error.at] ?? "it has changed meanwhile: try again");
    }
  }

  /** The ids of what links name. @throws {OperationError} When there is none of them. */
  async idsOf(kind: "policy" | "role", links: readonly Link[]): Promise<string[]> {
    if (links.length === 0) return [];
    const [found] = await this.rows(readsOf(kind === "policy" ? "acl_policies" : "acl_roles", ""));
    const known = [...found.map(({ id, name }) => ({ id: String(id), name: String(name) }))];
    if (kind === "policy") known.push(...BUILTIN_POLICIES);
    return [
      ...new Set(links.map(({ id, name }) => {
        const one = known.find((each) => id === "" ? each.name === name : each.id === id);
        if (one) return one.id;
        const what = id === "" ? `name ${JSON.stringify(name)}` : `ID ${JSON.stringify(id)}`;
        throw new OperationError(`No such ACL ${kind} with ${what}`);
      })),
    ];
  }
}

async function bootstrap(store: Store, parts: AclParts, given: string): Promise<AclWritten> {
  const [[made]] = await store.rows([BOOTSTRAP_READ]);
  const index = Number(made?.modify_index ?? 0);
  const refusal = `Permission denied: ACL bootstrap no longer allowed (reset index: ${index})`;
  if (made && await parts.takeBootstrapReset?.() !== index) {
    throw new RefusedError({ k: "denied", text: refusal });
  }
  const accessor = crypto.randomUUID();
  const secret = given || crypto.randomUUID();
  const body = managementBody("Bootstrap Token (Global Management)");
  try {
    await store.write(
      [
        mayBootstrap(BigInt(index)),
        isFreeSecret(await digestOf(secret), accessor),
        tokenRow(accessor, await digestOf(secret), body, 0),
        upsert("acl_state", ["name"], { name: BOOTSTRAP_NAME, value: accessor }),
      ],
      [refusal, SECRET_TAKEN],
    );
  } catch (error) {
    if (error instanceof OperationError && error.message === refusal) {
      throw new RefusedError({ k: "denied", text: refusal });
    }
    throw error;
  }
  return { rows: await store.rows(readsOfTokens(accessor)), secret };
}

const SECRET_TAKEN = "Invalid Token: SecretID is already in use";

/** A token with all rights. */
export function managementBody(description: string): TokenBody {
  return { ...ANONYMOUS_BODY, description, policies: [MANAGEMENT_ID], createdMs: Date.now() };
}

/** The write of a token. */
export function tokenRow(accessor: string, digest: string, body: TokenBody, expiresMs: number): CatalogWrite {
  const row = { accessor, secret: digest, body: JSON.stringify(body), expires_ms: BigInt(Math.round(expiresMs)) };
  return upsert("acl_tokens", ["accessor"], row);
}

async function putToken(store: Store, token: TokenToPut): Promise<AclWritten> {
  const { isNew, cloneOf, roles, isLocal, ttl } = token;
  const accessor = token.accessor || crypto.randomUUID();
  const before = await tokenOf(store, cloneOf || accessor);
  if (isNew && cloneOf === "" && before) throw new OperationError(`Invalid Token: AccessorID is already in use`);
  if (!before && (!isNew || cloneOf !== "")) {
    throw new OperationError(`Cannot find token ${JSON.stringify(cloneOf || accessor)}`);
  }
  const expiresMs = before && !isNew ? before.expiresMs : expiryOf(token);
  if (!isNew && token.expiresMs > 0 && token.expiresMs !== before?.expiresMs) {
    throw new OperationError("Cannot change expiration time");
  }
  const body: TokenBody = cloneOf !== "" && before
    ? { ...before.body, ...(token.description === "" ? {} : { description: token.description }), createdMs: Date.now() }
    : {
      ...await linksOf(store, token),
      roles: await store.idsOf("role", roles),
      isLocal: before && !isNew ? before.body.isLocal : isLocal,
      createdMs: before && !isNew ? before.body.createdMs : Date.now(),
      ttl: before && !isNew ? before.body.ttl : ttl || undefined,
    };
  const secret = isNew ? token.secret || crypto.randomUUID() : "";
  const digest = isNew || !before ? await digestOf(secret) : before.digest;
  if (!isNew && token.secret !== "" && await digestOf(token.secret) !== digest) {
    throw new OperationError("Changing a token's SecretID is not permitted");
  }
  await store.write(
    [
      isFreeSecret(digest, accessor),
      ...(isNew
        ? [guard("NOT EXISTS(SELECT 1 FROM _muster_acl_tokens WHERE accessor = ?)", [accessor])]
        : accessor === ANONYMOUS_ACCESSOR
        ? []
        : [guard("EXISTS(SELECT 1 FROM _muster_acl_tokens WHERE accessor = ?)", [accessor])]),
      tokenRow(accessor, digest, body, expiresMs),
      ...await userWrites(store, accessor, token.user),
    ],
    [SECRET_TAKEN],
  );
  return { rows: await store.rows(readsOfTokens(accessor)), secret };
}

/** Holds where a token has this user. */
function isUserOf(name: string, accessor: string): CatalogWrite[] {
  return [guard("EXISTS(SELECT 1 FROM _muster_acl_users WHERE name = ? AND accessor = ?)", [name, accessor])];
}

/** What changes the user of a token. @throws {OperationError} When the name is taken, or a password is missing. */
async function userWrites(store: Store, accessor: string, user: UserToPut | undefined): Promise<CatalogWrite[]> {
  if (!user) return [];
  const { name } = user;
  if (name === "") return [remove("acl_users", { accessor })];
  if (accessor === ANONYMOUS_ACCESSOR) throw new OperationError("The anonymous token cannot have a user");
  if (!isUsername(name) || name === EVERYBODY) throw new OperationError(`Invalid Token: UserName: ${USERNAME_RULE}`);
  const taken = "SELECT accessor FROM _muster_acl_users WHERE name = ?";
  const [[other], [before]] = await store.rows([{ sql: taken, positional: [name] }, readsOfPassword(accessor)]);
  if (other && other.accessor !== accessor) {
    throw new OperationError(`Invalid Token: a user ${JSON.stringify(name)} already exists`);
  }
  const password = user.password || String(before?.password ?? "");
  if (password === "") throw new OperationError(`Invalid Token: user ${JSON.stringify(name)} needs a Password`);
  return [
    isFreeUser(name, accessor),
    remove("acl_users", { accessor }),
    upsert("acl_users", ["name"], { name, accessor, password }),
  ];
}

/** A token that is there; the anonymous one always is. */
async function tokenOf(
  store: Store,
  accessor: string,
): Promise<{ body: TokenBody; digest: string; expiresMs: number } | undefined> {
  const [[row]] = await store.rows(accessor === "" ? [] : readsOfTokens(accessor).slice(0, 1)).then(([found]) => [
    found ?? [],
  ]);
  if (row) {
    return { body: bodyOfRow(row, tokenBody), digest: String(row.secret), expiresMs: Number(row.expires_ms) };
  }
  return accessor === ANONYMOUS_ACCESSOR ? { body: ANONYMOUS_BODY, digest: ANONYMOUS_SECRET, expiresMs: 0 } : undefined;
}

function expiryOf({ expiresMs }: TokenToPut): number {
  if (expiresMs === 0) return 0;
  const leftMs = expiresMs - Date.now();
  if (leftMs < TTL_MS.least - 5000) throw new OperationError("expiration time cannot be less than 1m0s in the future");
  if (leftMs > TTL_MS.most + 5000) {
    throw new OperationError("expiration time cannot be more than 24h0m0s in the future");
  }
  return expiresMs;
}

const SERVICE_NAME = /^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$/;
const NODE_NAME = /^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$/i;

async function linksOf(store: Store, { description, policies, services, nodes }: Links): Promise<RoleBody> {
  for (const { service } of services) {
    if (!SERVICE_NAME.test(service)) {
      throw new OperationError(
        `Service identity ${
          JSON.stringify(service)
        } has an invalid name. Only lowercase alphanumeric characters, '-' and '_' are allowed`,
      );
    }
  }
  for (const { node, datacenter } of nodes) {
    if (!NODE_NAME.test(node)) {
      throw new OperationError(
        `Node identity ${
          JSON.stringify(node)
        } has an invalid name. Only alphanumeric characters, '-' and '_' are allowed`,
      );
    }
    if (datacenter === "") throw new OperationError("Node identity is missing the datacenter field");
  }
  return { description, services, nodes, policies: await store.idsOf("policy", policies) };
}

const NAME = /^[A-Za-z0-9_-]{1,128}$/;
const ROLE_NAME = /^[A-Za-z0-9_-]{1,256}$/;

async function putPolicy(
  store: Store,
  { id: given, name, description, rules, datacenters }: PolicyToPut,
): Promise<AclRows> {
  const builtin = BUILTIN_POLICIES.find((one) => one.id === given);
  if (builtin) throw new OperationError(`Changing the builtin ${builtin.name} policy is not permitted`);
  if (name === "") throw new OperationError("Invalid Policy: no Name is set");
  if (!NAME.test(name)) {
    throw new OperationError("Invalid Policy: invalid Name. Only alphanumeric characters, '-' and '_' are allowed");
  }
  const taken = `Invalid Policy: A Policy with Name ${JSON.stringify(name)} already exists`;
  if (BUILTIN_POLICIES.some((one) => one.name === name)) throw new OperationError(taken);
  const id = given || crypto.randomUUID();
  const body: PolicyBody = { description, rules, datacenters };
  await store.write(
    [
      isFreeName("acl_policies", name, id),
      ...(given === "" ? [] : [guard("EXISTS(SELECT 1 FROM _muster_acl_policies WHERE id = ?)", [id])]),
      upsert("acl_policies", ["id"], { id, name, body: JSON.stringify(body) }),
    ],
    [taken, `cannot find policy ${id}`],
  );
  return { rows: await store.rows(readsOf("acl_policies", id)) };
}

async function putRole(store: Store, role: RoleToPut): Promise<AclRows> {
  const { id: given, name } = role;
  if (name === "") throw new OperationError("Invalid Role: no Name is set");
  if (!ROLE_NAME.test(name)) {
    throw new OperationError("Invalid Role: invalid Name. Only alphanumeric characters, '-' and '_' are allowed");
  }
  const id = given || crypto.randomUUID();
  await store.write(
    [
      isFreeName("acl_roles", name, id),
      ...(given === "" ? [] : [guard("EXISTS(SELECT 1 FROM _muster_acl_roles WHERE id = ?)", [id])]),
      upsert("acl_roles", ["id"], { id, name, body: JSON.stringify(await linksOf(store, role)) }),
    ],
    [`Invalid Role: A Role with Name ${JSON.stringify(name)} already exists`, `cannot find role ${id}`],
  );
  return { rows: await store.rows(readsOf("acl_roles", id)) };
}

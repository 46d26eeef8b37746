/**
 * The tables of access control: tokens, policies, roles, users, and whether the first token was made. Of the secret of a
 * token there is its SHA-256 alone: secrets are random, so nobody finds one by trying, and whoever reads the tables, a
 * snapshot or a backup cannot use what is there. A user is a name and a hashed password for a token, and goes with it. Links between them are ids in the bodies, as JSON; one that leads nowhere counts
 * as none, so that a deletion is one row. Pure.
 * @module
 */
import { CATALOG_PREFIX, type CatalogWrite, guard, NOW, NOW_MS } from "./catalog.ts";

const TOKENS = `${CATALOG_PREFIX}acl_tokens`;
const POLICIES = `${CATALOG_PREFIX}acl_policies`;
const ROLES = `${CATALOG_PREFIX}acl_roles`;
const USERS = `${CATALOG_PREFIX}acl_users`;
const STATE = `${CATALOG_PREFIX}acl_state`;
const INDEX = `${CATALOG_PREFIX}index`;

/** The tables, by the names that blocking queries watch. */
export const ACL_TABLES: readonly string[] = ["acl_tokens", "acl_policies", "acl_roles"];
/** The same of {@linkcode USER_SCHEMA}. */
const USER_TABLE = "acl_users";

/** Stands in the place of a digest for the token of those that show none. */
export const ANONYMOUS_SECRET = "anonymous";

/** The row of {@linkcode STATE} that is there once the first token was made; its index resets it. */
export const BOOTSTRAP_NAME = "bootstrap";

const INDICES = "create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL";

const noted = (table: string): string[] =>
  ["INSERT", "UPDATE", "DELETE"].map((event) =>
    `CREATE TRIGGER ${table}_${event.toLowerCase()} AFTER ${event} ON ${table} ` +
    `BEGIN UPDATE ${INDEX} SET value = ${NOW} WHERE name = '${table.slice(CATALOG_PREFIX.length)}'; END`
  );

/** The statements that make them. */
export const ACL_SCHEMA: readonly string[] = [
  `INSERT OR IGNORE INTO ${INDEX} VALUES ${ACL_TABLES.map((name) => `('${name}', ${NOW})`).join(", ")}`,
  `CREATE TABLE ${TOKENS}(accessor TEXT NOT NULL PRIMARY KEY, secret TEXT NOT NULL UNIQUE, body TEXT NOT NULL, ` +
  `expires_ms INTEGER NOT NULL, ${INDICES}) WITHOUT ROWID`,
  `CREATE TABLE ${POLICIES}(id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, body TEXT NOT NULL, ${INDICES}) ` +
  "WITHOUT ROWID",
  `CREATE TABLE ${ROLES}(id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, body TEXT NOT NULL, ${INDICES}) ` +
  "WITHOUT ROWID",
  `CREATE TABLE ${STATE}(name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, ${INDICES}) WITHOUT ROWID`,
  ...noted(TOKENS),
  ...noted(POLICIES),
  ...noted(ROLES),
];

/** The statements that make the table of users. */
export const USER_SCHEMA: readonly string[] = [
  `INSERT OR IGNORE INTO ${INDEX} VALUES ('${USER_TABLE}', ${NOW})`,
  `CREATE TABLE ${USERS}(name TEXT NOT NULL PRIMARY KEY, accessor TEXT NOT NULL UNIQUE, password TEXT NOT NULL, ` +
  `${INDICES}) WITHOUT ROWID`,
  ...noted(USERS),
  `CREATE TRIGGER ${TOKENS}_gone AFTER DELETE ON ${TOKENS} BEGIN DELETE FROM ${USERS} WHERE accessor = OLD.accessor; END`,
];

/** A statement that reads. */
interface AclRead {
  readonly sql: string;
  readonly positional: readonly string[];
}

const linked = (column: string) => `SELECT j.value FROM found f, json_each(f.body, '$.${column}') j`;

/** Reads a token by its digest, the roles and the policies that it has, those of its roles among them. */
export function readsOfToken(secret: string): readonly AclRead[] {
  return readsOfOne(`SELECT * FROM ${TOKENS} WHERE secret = ?1`, secret);
}

/** Reads the token of a user in the same way; its row has `password` and `user` as well. */
export function readsOfUser(name: string): readonly AclRead[] {
  return readsOfOne(
    `SELECT t.*, u.password, u.name AS user FROM ${USERS} u JOIN ${TOKENS} t USING (accessor) WHERE u.name = ?1`,
    name,
  );
}

function readsOfOne(token: string, key: string): readonly AclRead[] {
  const found = `WITH found AS (${token})`;
  const roles = `SELECT * FROM ${ROLES} WHERE id IN (${linked("roles")})`;
  return [
    { sql: token, positional: [key] },
    { sql: `${found} ${roles}`, positional: [key] },
    {
      sql: `${found}, roles AS (${roles}) SELECT * FROM ${POLICIES} WHERE id IN (${linked("policies")} UNION ALL ` +
        "SELECT j.value FROM roles r, json_each(r.body, '$.policies') j)",
      positional: [key],
    },
  ];
}

/** Reads all tokens, or one, each with the name of its `user`, and the names of all policies and roles. */
export function readsOfTokens(accessor: string): readonly AclRead[] {
  return [
    {
      sql: `SELECT t.*, u.name AS user FROM ${TOKENS} t LEFT JOIN ${USERS} u USING (accessor) ` +
        "WHERE ?1 IN ('', t.accessor) ORDER BY t.create_index, t.accessor",
      positional: [accessor],
    },
    { sql: `SELECT id, name FROM ${POLICIES}`, positional: [] },
    { sql: `SELECT id, name FROM ${ROLES}`, positional: [] },
  ];
}

/** Reads all policies or roles, or those with an id or a name; and the names of all policies. */
export function readsOf(table: "acl_policies" | "acl_roles", key: string): readonly AclRead[] {
  const sql = `SELECT * FROM ${CATALOG_PREFIX}${table} WHERE ?1 IN ('', id, name) ORDER BY name`;
  return [{ sql, positional: [key] }, { sql: `SELECT id, name FROM ${POLICIES}`, positional: [] }];
}

/** Reads the hashed password of the user of a token. */
export function readsOfPassword(accessor: string): AclRead {
  return { sql: `SELECT name, password FROM ${USERS} WHERE accessor = ?1`, positional: [accessor] };
}

/** Reads whether the first token was made. */
export const BOOTSTRAP_READ: AclRead = {
  sql: `SELECT * FROM ${STATE} WHERE name = '${BOOTSTRAP_NAME}'`,
  positional: [],
};

/** Holds where the first token was not made, or was by the entry of this index, which an operator has named. */
export function mayBootstrap(resetIndex: bigint): CatalogWrite {
  const made = `SELECT modify_index FROM ${STATE} WHERE name = '${BOOTSTRAP_NAME}'`;
  return guard(`coalesce((${made}), ?) = ?`, [resetIndex, resetIndex]);
}

/** Holds where no other token has the secret. */
export function isFreeSecret(secret: string, accessor: string): CatalogWrite {
  return guard(`NOT EXISTS(SELECT 1 FROM ${TOKENS} WHERE secret = ? AND accessor <> ?)`, [secret, accessor]);
}

/** Holds where no other token has a user of the name. */
export function isFreeUser(name: string, accessor: string): CatalogWrite {
  return guard(`NOT EXISTS(SELECT 1 FROM ${USERS} WHERE name = ? AND accessor <> ?)`, [name, accessor]);
}

/** Holds where no other policy, or role, has the name. */
export function isFreeName(table: "acl_policies" | "acl_roles", name: string, id: string): CatalogWrite {
  return guard(`NOT EXISTS(SELECT 1 FROM ${CATALOG_PREFIX}${table} WHERE name = ? AND id <> ?)`, [name, id]);
}

/** Reads whether a token is to be removed. */
export const HAS_EXPIRED = `SELECT 1 FROM ${TOKENS} WHERE expires_ms > 0 AND expires_ms <= ? LIMIT 1`;

/** Removes the tokens whose time is over, by the leader's clock. */
export const REMOVE_EXPIRED: CatalogWrite = {
  sql: `DELETE FROM ${TOKENS} WHERE expires_ms > 0 AND expires_ms <= ${NOW_MS}`,
  positional: [],
};

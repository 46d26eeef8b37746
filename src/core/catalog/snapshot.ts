/**
 * Copies of the catalog, of keys, of sessions and of access control, as lines of JSON, and how one takes the place of what is there (C7.7). Pure.
 *
 * The first line says what it is, each further one is a row: `{"table":"kv","row":{…}}`, bytes in hexadecimal. A restore writes
 * the lines to a table of their own, in as many entries of the log as it takes; its last entry does all of the rest, so that a
 * restore that is broken off has changed nothing. Rows get the index of that entry: nobody's index goes back. Where a copy
 * has nothing of access control, as one of an earlier version, that stays as it is: its restore locks nobody out.
 * @module
 */
import { CATALOG_PREFIX, type CatalogWrite, NOW } from "./catalog.ts";

/** What the first line says. */
export const SNAPSHOT_HEAD = { snapshot: "muster catalog", version: 1 };

const STAGED = `${CATALOG_PREFIX}staged`;

/** Columns of the tables, in the order in which they are filled; those of changes are set anew. */
const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  nodes: ["name", "id", "address", "datacenter", "tagged_addresses", "meta"],
  services: [
    "node",
    "id",
    "name",
    "tags",
    "address",
    "port",
    "meta",
    "tagged_addresses",
    "passing_weight",
    "warning_weight",
    "enable_tag_override",
    "kind",
    "socket_path",
  ],
  checks: [
    "node",
    "id",
    "name",
    "status",
    "notes",
    "output",
    "service_id",
    "service_name",
    "type",
    "interval",
    "timeout",
    "definition",
  ],
  sessions: ["id", "name", "node", "lock_delay_ms", "behavior", "ttl", "node_checks", "service_checks"],
  session_checks: ["session", "node", "check_id"],
  kv: ["key", "value", "flags", "session", "lock_index", "modify_ms", "expires_ms"],
  queries: ["id", "name", "session", "body"],
  config_entries: ["kind", "name", "body"],
  acl_tokens: ["accessor", "secret", "body", "expires_ms"],
  acl_users: ["name", "accessor", "password"],
  acl_policies: ["id", "name", "body"],
  acl_roles: ["id", "name", "body"],
  acl_state: ["name", "value"],
};
/** Tables whose rows do not say when they were made and changed. */
const WITHOUT_INDICES = ["session_checks"];
/** Columns that snapshots of earlier versions do not have: 0 stands for them. */
const LATER_COLUMNS = ["modify_ms", "expires_ms"];
/** Columns of bytes. */
const BYTES = ["value"];

/** Tables that a snapshot has. */
export const SNAPSHOT_TABLES: readonly string[] = Object.keys(COLUMNS);

/** Reads all rows, table by table, each as `line`. */
export function snapshotReads(): { readonly sql: string }[] {
  return SNAPSHOT_TABLES.map((table) => {
    const fields = COLUMNS[table].map((name) => `'${name}', ${BYTES.includes(name) ? `hex(${name})` : name}`);
    const row = `json_object(${fields.join(", ")})`;
    return { sql: `SELECT json_object('table', '${table}', 'row', ${row}) AS line FROM ${CATALOG_PREFIX}${table}` };
  });
}

/** The table that restores write to first. */
export const STAGED_TABLE =
  `CREATE TABLE ${STAGED}(restore TEXT NOT NULL, at INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (restore, at)) ` +
  "WITHOUT ROWID";

/** Writes lines of a restore, which are behind `at` others. */
export function stagedWrites(restore: string, at: number, lines: readonly string[]): CatalogWrite[] {
  return lines.map((line, nth) => ({
    sql: `INSERT INTO ${STAGED} VALUES(?, ?, ?)`,
    positional: [restore, BigInt(at + nth), line],
  }));
}

/** Puts the lines of a restore in the place of what is there. */
export function restoreWrites(restore: string): CatalogWrite[] {
  const tables = [...SNAPSHOT_TABLES].reverse();
  return [
    // Sessions first: what they hold is gone anyway.
    { sql: `DELETE FROM ${CATALOG_PREFIX}sessions`, positional: [] },
    ...tables.filter((table) => table !== "sessions").map((table) => ({
      sql: `DELETE FROM ${CATALOG_PREFIX}${table}${isOfAcl(table) ? ` WHERE ${HAS_ACL}` : ""}`,
      positional: isOfAcl(table) ? [restore] : [],
    })),
    { sql: `DELETE FROM ${CATALOG_PREFIX}lock_delays`, positional: [] },
    ...SNAPSHOT_TABLES.map((table) => fill(table, restore)),
    { sql: `DELETE FROM ${STAGED}`, positional: [] },
  ];
}

const isOfAcl = (table: string) => table.startsWith("acl_");
/** Whether the lines of a restore have any of access control. */
const HAS_ACL = `EXISTS(SELECT 1 FROM ${STAGED} WHERE restore = ? AND json_extract(line, '$.table') GLOB 'acl_*')`;

function fill(table: string, restore: string): CatalogWrite {
  const names = COLUMNS[table];
  const values = names.map((name) => {
    const value = `json_extract(line, '$.row.${name}')`;
    if (LATER_COLUMNS.includes(name)) return `coalesce(${value}, 0)`;
    return BYTES.includes(name) ? `unhex(${value})` : value;
  });
  const isIndexed = !WITHOUT_INDICES.includes(table);
  const columns = isIndexed ? [...names, "create_index", "modify_index"] : names;
  return {
    sql: `INSERT INTO ${CATALOG_PREFIX}${table}(${columns.join(", ")}) ` +
      `SELECT ${[...values, ...(isIndexed ? [NOW, NOW] : [])].join(", ")} FROM ${STAGED} ` +
      `WHERE restore = ? AND json_extract(line, '$.table') = '${table}'`,
    positional: [restore],
  };
}

/** Forgets the lines of a restore that was broken off. */
export function forgetStaged(restore: string): CatalogWrite {
  return { sql: `DELETE FROM ${STAGED} WHERE restore = ?`, positional: [restore] };
}

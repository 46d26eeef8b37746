/**
 * The cluster's own replicated tables: the catalog of nodes, services and checks, and the members of the gossip pool as
 * the leader sees them. They lie in the user's database, so that one transaction, one log and one snapshot carry both;
 * everybody may read them as `muster.nodes` and so on, only the cluster writes them. Pure.
 *
 * Each row carries the log index that made it and the one that changed it last; `_muster_index` holds, for each table,
 * the index of its last change, deletions included: what blocking queries wait for (C6.3).
 *
 * The schema `muster` is a way of writing: SQLite could only have it as a second file, which a process with scoped
 * permissions may not attach (names.ts).
 * @module
 */

/** Tables that are readable as `muster.NAME`. */
export const CATALOG_TABLES: readonly string[] = ["nodes", "services", "checks", "members"];
/** Names of the cluster's own tables begin so. */
export const CATALOG_PREFIX = "_muster_";

/** Index of the entry that is being applied: the first thing that each entry writes is its own index. */
const NOW = "(SELECT applied FROM _muster WHERE id = 0)";

const COLUMNS: Readonly<Record<string, string>> = {
  nodes: "name TEXT NOT NULL PRIMARY KEY COLLATE NOCASE, id TEXT NOT NULL, address TEXT NOT NULL, " +
    "datacenter TEXT NOT NULL, tagged_addresses TEXT NOT NULL, meta TEXT NOT NULL",
  services: "node TEXT NOT NULL COLLATE NOCASE, id TEXT NOT NULL, name TEXT NOT NULL, tags TEXT NOT NULL, " +
    "address TEXT NOT NULL, port INTEGER NOT NULL, meta TEXT NOT NULL",
  checks: "node TEXT NOT NULL COLLATE NOCASE, id TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, " +
    "notes TEXT NOT NULL, output TEXT NOT NULL, service_id TEXT NOT NULL, service_name TEXT NOT NULL, type TEXT NOT NULL",
  members: "name TEXT NOT NULL PRIMARY KEY, address TEXT NOT NULL, port INTEGER NOT NULL, status TEXT NOT NULL, " +
    "tags TEXT NOT NULL",
};
const KEYS: Readonly<Record<string, string>> = {
  services: ", PRIMARY KEY (node, id)",
  checks: ", PRIMARY KEY (node, id)",
};

/** Statements that create the missing tables; the same on every node. */
export const CATALOG_SCHEMA: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS ${CATALOG_PREFIX}index(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID`,
  ...CATALOG_TABLES.flatMap((name) => [
    `INSERT OR IGNORE INTO ${CATALOG_PREFIX}index VALUES('${name}', ${NOW})`,
    `CREATE TABLE IF NOT EXISTS ${CATALOG_PREFIX}${name}(${COLUMNS[name]}, create_index INTEGER NOT NULL, ` +
    `modify_index INTEGER NOT NULL${KEYS[name] ?? ""}) WITHOUT ROWID`,
    ...["INSERT", "UPDATE", "DELETE"].map((event) =>
      `CREATE TRIGGER IF NOT EXISTS ${CATALOG_PREFIX}${name}_${event.toLowerCase()} AFTER ${event} ON ${CATALOG_PREFIX}${name} ` +
      `BEGIN UPDATE ${CATALOG_PREFIX}index SET value = ${NOW} WHERE name = '${name}'; END`
    ),
  ]),
];

/** A write of the catalog: SQL and its parameters, for a command that is `isSystem`. */
export interface CatalogWrite {
  readonly sql: string;
  readonly positional: readonly (string | bigint)[];
}

/** Inserts a row, or changes it where a value differs: the indices of a row that stays as it is stay, too. */
export function upsert(
  table: string,
  keys: readonly string[],
  row: Readonly<Record<string, string | bigint>>,
): CatalogWrite {
  const columns = Object.keys(row);
  const rest = columns.filter((column) => !keys.includes(column));
  const list = (names: readonly string[], prefix = "") => names.map((name) => prefix + name).join(", ");
  return {
    sql: `INSERT INTO ${CATALOG_PREFIX}${table}(${list(columns)}, create_index, modify_index) ` +
      `VALUES(${columns.map(() => "?").join(", ")}, ${NOW}, ${NOW}) ON CONFLICT(${list(keys)}) DO UPDATE SET ` +
      `${rest.map((name) => `${name} = excluded.${name}`).join(", ")}, modify_index = excluded.modify_index ` +
      `WHERE (${list(rest.map((name) => `${CATALOG_PREFIX}${table}.${name}`))}) IS NOT (${list(rest, "excluded.")})`,
    positional: columns.map((column) => row[column]),
  };
}

/** Removes the rows whose columns have these values. */
export function remove(table: string, row: Readonly<Record<string, string>>): CatalogWrite {
  const columns = Object.keys(row);
  return {
    sql: `DELETE FROM ${CATALOG_PREFIX}${table} WHERE ${columns.map((name) => `${name} = ?`).join(" AND ")}`,
    positional: columns.map((column) => row[column]),
  };
}

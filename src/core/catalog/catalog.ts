/**
 * The cluster's own replicated tables: the catalog of nodes, services and checks, the members of the gossip pool as
 * the leader sees them, keys with their values, and sessions. They lie in the user's database, so that one transaction, one log and one snapshot carry both;
 * everybody may read them as `muster.nodes` and so on, only the cluster writes them. Pure.
 *
 * Each row carries the log index that made it and the one that changed it last; `_muster_index` holds the index of the last
 * change of what blocking queries wait for (watch.ts). The tables are made, and changed from version to version, in
 * schema.ts.
 *
 * The schema `muster` is a way of writing: SQLite could only have it as a second file, which a process with scoped
 * permissions may not attach (names.ts).
 * @module
 */

/** Tables that are readable as `muster.NAME`. */
export const CATALOG_TABLES: readonly string[] = [
  "nodes",
  "services",
  "checks",
  "members",
  "kv",
  "kv_history",
  "sessions",
  "fences",
  "changes",
];
/** Names of the cluster's own tables begin so. */
export const CATALOG_PREFIX = "_muster_";

/** Index of the entry that is being applied: the first thing that each entry writes is its own index. */
export const NOW = "(SELECT applied FROM _muster WHERE id = 0)";

/** The time of the entry that is being applied, by the leader's clock, in milliseconds since 1970. */
export const NOW_MS = "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)";

/** A write of the catalog: SQL and its parameters, for a command that is `isSystem`. A read among writes sees what they did. */
export interface CatalogWrite {
  readonly sql: string;
  readonly positional: readonly (string | bigint | Uint8Array)[];
  /** It fails, and nothing of its command is done, unless a condition holds. */
  readonly isGuard?: true;
}

/** Under this name stands the version of commands that all members of the cluster are known to apply, which is no index. */
export const COMMANDS_NAME = "commands";

/** A condition of the writes that follow in the same command. */
export function guard(condition: string, positional: CatalogWrite["positional"] = []): CatalogWrite {
  return { sql: `SELECT json(iif(${condition}, '1', 'not so'))`, positional, isGuard: true };
}

/** A row must have been changed last at this index, 0 for a row that is not there: compare-and-set. */
export function expectRow(
  table: string,
  key: Readonly<Record<string, string>>,
  modifyIndex: bigint,
): CatalogWrite {
  const columns = Object.keys(key);
  const row = `SELECT modify_index FROM ${CATALOG_PREFIX}${table} WHERE ${
    columns.map((name) => `${name} = ?`).join(" AND ")
  }`;
  return guard(`coalesce((${row}), 0) = ?`, [...columns.map((name) => key[name]), modifyIndex]);
}

/**
 * Inserts a row, or changes it where a value differs: the indices of a row that stays as it is stay, too.
 * @param kept Columns that stay as they are where the row has an empty text for them.
 */
export function upsert(
  table: string,
  keys: readonly string[],
  row: Readonly<Record<string, string | bigint>>,
  kept: readonly string[] = [],
): CatalogWrite {
  const columns = Object.keys(row);
  const rest = columns.filter((column) => !keys.includes(column));
  const list = (names: readonly string[], prefix = "") => names.map((name) => prefix + name).join(", ");
  const next = (name: string) =>
    kept.includes(name)
      ? `coalesce(nullif(excluded.${name}, ''), ${CATALOG_PREFIX}${table}.${name})`
      : `excluded.${name}`;
  return {
    sql: `INSERT INTO ${CATALOG_PREFIX}${table}(${list(columns)}, create_index, modify_index) ` +
      `VALUES(${columns.map(() => "?").join(", ")}, ${NOW}, ${NOW}) ON CONFLICT(${list(keys)}) DO UPDATE SET ` +
      `${rest.map((name) => `${name} = ${next(name)}`).join(", ")}, modify_index = excluded.modify_index ` +
      `WHERE (${list(rest.map((name) => `${CATALOG_PREFIX}${table}.${name}`))}) IS NOT (${list(rest.map(next))})`,
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

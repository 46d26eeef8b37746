/**
 * The names that blocking queries watch: a whole table, as `services`, or the rows of a table that have a value in a column,
 * as `services/name/web`. The catalog keeps the log index of the last change under each of these names, deletions
 * included, and a read gives the greatest of those that it watches (C6.3). Letters of ASCII count alike in both cases, as the
 * names of nodes do. Pure.
 * @module
 */
import { CATALOG_PREFIX, type CatalogWrite } from "./catalog.ts";

/** Columns whose values can be watched, by table. */
export const WATCHED: Readonly<Record<string, readonly string[]>> = {
  nodes: ["name", "id"],
  services: ["node", "name"],
  checks: ["node"],
};

/** Under this name stands the version of the schema, which is no index. */
export const VERSION_NAME = "version";

/** The rows of `table` whose `column` has this value. */
export function watchName(table: string, column: string, value: string): string {
  return `${table}/${column}/${value.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())}`;
}

/** The same in SQL, for the value of an expression. */
export function watchNameSql(table: string, column: string, value: string): string {
  return `'${table}/${column}/' || lower(${value})`;
}

/** The table of a name: where the indices of single values are not kept yet, its own stands for them. */
export function watchedTable(name: string): string {
  return name.split("/", 1)[0];
}

/** A statement for the index of what is watched, as `value`. */
export function indexQuery(watched: readonly string[]): { sql: string; positional: readonly string[] } {
  const list = (names: readonly string[]) => names.map(() => "?").join(", ");
  const tables = [...new Set(watched.map(watchedTable))];
  const index = `${CATALOG_PREFIX}index`;
  return {
    sql:
      `SELECT coalesce(max(value), 1) AS value FROM ${index} WHERE name IN (${list(watched)}) OR name IN (${
        list(tables)
      }) ` +
      `AND NOT EXISTS(SELECT 1 FROM ${index} WHERE name = '${VERSION_NAME}')`,
    positional: [...watched, ...tables],
  };
}

/** Reads names and indices of what has changed behind an index, and the version of the schema, if it says one. */
export const CHANGES_QUERY =
  `SELECT name, value FROM ${CATALOG_PREFIX}index WHERE value > ?1 OR name = '${VERSION_NAME}'`;

/**
 * Forgets the indices of values that no row has any more. They are kept for as long as there are few, so that who waits for
 * such a value hears of its end.
 */
export function forgetGone(): CatalogWrite[] {
  return Object.entries(WATCHED).flatMap(([table, columns]) =>
    columns.map((column) => ({
      sql: `DELETE FROM ${CATALOG_PREFIX}index WHERE name GLOB '${table}/${column}/*' AND name NOT IN ` +
        `(SELECT ${watchNameSql(table, column, column)} FROM ${CATALOG_PREFIX}${table})`,
      positional: [],
    }))
  );
}

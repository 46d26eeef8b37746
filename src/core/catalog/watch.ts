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
  checks: ["node", "service_name"],
};
/** What is seen of a service with its nodes and all their checks is watched as if it were a table. */
export const HEALTH_OF_SERVICE = { table: "health", column: "name" };
/** The tables that it is seen in. */
const TABLES_OF_HEALTH = ["nodes", "services", "checks"];
/** Tables of version 1 do not say where they changed, those of version 2 say nothing of these. */
const SINCE_VERSION_THREE = ["health/", "checks/service_name/"];

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

/** The tables of a name: where the indices of single values are not kept yet, theirs stand for them. */
export function watchedTables(name: string): readonly string[] {
  const [table] = name.split("/", 1);
  return table === HEALTH_OF_SERVICE.table ? TABLES_OF_HEALTH : [table];
}

/** A statement for the index of what is watched, as `value`. */
export function indexQuery(watched: readonly string[]): { sql: string; positional: readonly string[] } {
  const list = (names: readonly string[]) => names.map(() => "?").join(", ");
  const tables = [...new Set(watched.flatMap(watchedTables))];
  const sinceVersion = watched.some((name) => SINCE_VERSION_THREE.some((one) => name.startsWith(one))) ? 3 : 2;
  const index = `${CATALOG_PREFIX}index`;
  return {
    sql:
      `SELECT coalesce(max(value), 1) AS value FROM ${index} WHERE name IN (${list(watched)}) OR name IN (${
        list(tables)
      }) ` +
      `AND NOT EXISTS(SELECT 1 FROM ${index} WHERE name = '${VERSION_NAME}' AND value >= ${sinceVersion})`,
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
  const forget = (table: string, column: string, source = table) => ({
    sql: `DELETE FROM ${CATALOG_PREFIX}index WHERE name GLOB '${table}/${column}/*' AND name NOT IN ` +
      `(SELECT ${watchNameSql(table, column, column)} FROM ${CATALOG_PREFIX}${source})`,
    positional: [],
  });
  return [
    ...Object.entries(WATCHED).flatMap(([table, columns]) => columns.map((column) => forget(table, column))),
    forget(HEALTH_OF_SERVICE.table, HEALTH_OF_SERVICE.column, "services"),
  ];
}

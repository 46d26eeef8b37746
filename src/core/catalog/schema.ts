/**
 * The schema of the cluster's own tables, by versions. Pure.
 *
 * Version 1 had the tables and the index of each table. Version 2 has an index for each node and service as well
 * (watch.ts). A leader brings older tables to the newest version by a command of the log, so that all replicas change at
 * the same entry, whichever version of the program they run: a version only adds, and whoever knows an older one goes on
 * with it. The command begins with a guard, since another leader may have been quicker.
 * @module
 */
import { CATALOG_PREFIX, CATALOG_TABLES, type CatalogWrite, guard, NOW } from "./catalog.ts";
import { VERSION_NAME, WATCHED, watchNameSql } from "./watch.ts";

/** The version of this program. */
export const CATALOG_VERSION = 2;

const INDEX = `${CATALOG_PREFIX}index`;

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
const EVENTS = ["INSERT", "UPDATE", "DELETE"] as const;

/** The statements of each version, which follow those of the one before. */
const STEPS: readonly (readonly string[])[] = [versionOne(), versionTwo()];

/** Reads the version of the tables that are there, as `version`: 1 where they do not say, NULL where there are none. */
export const VERSION_QUERY =
  `SELECT coalesce((SELECT value FROM ${INDEX} WHERE name = '${VERSION_NAME}'), 1) AS version`;

/** The command that brings tables of a version to that of this program; 0 for no tables. It fails where they are of another. */
export function migration(from: number): CatalogWrite[] {
  const version = `(SELECT value FROM ${INDEX} WHERE name = '${VERSION_NAME}')`;
  const steps = STEPS.slice(from).map((step) => step.map((sql) => ({ sql, positional: [] })));
  // Those of version 1 leave alone what is there, and make the table that the guard reads.
  const [first, rest] = from === 0 ? [steps[0], steps.slice(1)] : [[], steps];
  return [
    ...first,
    guard(`coalesce(${version}, 1) = ${Math.max(1, from)}`),
    ...rest.flat(),
    { sql: `INSERT OR REPLACE INTO ${INDEX} VALUES('${VERSION_NAME}', ${CATALOG_VERSION})`, positional: [] },
  ];
}

function versionOne(): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${INDEX}(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID`,
    ...CATALOG_TABLES.flatMap((name) => [
      `INSERT OR IGNORE INTO ${INDEX} VALUES('${name}', ${NOW})`,
      `CREATE TABLE IF NOT EXISTS ${CATALOG_PREFIX}${name}(${COLUMNS[name]}, create_index INTEGER NOT NULL, ` +
      `modify_index INTEGER NOT NULL${KEYS[name] ?? ""}) WITHOUT ROWID`,
      ...EVENTS.map((event) =>
        `CREATE TRIGGER IF NOT EXISTS ${triggerName(name, event)} AFTER ${event} ON ${CATALOG_PREFIX}${name} ` +
        `BEGIN ${noteTable(name)} END`
      ),
    ]),
  ];
}

/** The triggers note the keys, too; what is there counts as changed now. */
function versionTwo(): string[] {
  return [
    `CREATE INDEX ${INDEX}_value ON ${INDEX}(value)`,
    ...CATALOG_TABLES.flatMap((name) => [
      ...EVENTS.flatMap((event) => [
        `DROP TRIGGER ${triggerName(name, event)}`,
        `CREATE TRIGGER ${triggerName(name, event)} AFTER ${event} ON ${CATALOG_PREFIX}${name} ` +
        `BEGIN ${noteTable(name)} ${rowsOf(event).map((row) => noteKeys(name, row)).join(" ")} END`,
      ]),
      ...(WATCHED[name] ?? []).map((column) =>
        `INSERT OR REPLACE INTO ${INDEX} SELECT DISTINCT ${watchNameSql(name, column, column)}, ${NOW} ` +
        `FROM ${CATALOG_PREFIX}${name}`
      ),
    ]),
  ];
}

function triggerName(table: string, event: string): string {
  return `${CATALOG_PREFIX}${table}_${event.toLowerCase()}`;
}

/** The rows that an event is about. */
function rowsOf(event: typeof EVENTS[number]): string[] {
  return event === "INSERT" ? ["NEW"] : event === "DELETE" ? ["OLD"] : ["OLD", "NEW"];
}

function noteTable(table: string): string {
  return `UPDATE ${INDEX} SET value = ${NOW} WHERE name = '${table}';`;
}

function noteKeys(table: string, row: string): string {
  const notes = (WATCHED[table] ?? []).map((column) =>
    `INSERT INTO ${INDEX} VALUES(${watchNameSql(table, column, `${row}.${column}`)}, ${NOW}) ` +
    "ON CONFLICT(name) DO UPDATE SET value = excluded.value;"
  );
  // Whoever looks at a service sees where its nodes are.
  const moved = table === "nodes"
    ? [
      `UPDATE ${INDEX} SET value = ${NOW} WHERE name IN (SELECT ${watchNameSql("services", "name", "name")} ` +
      `FROM ${CATALOG_PREFIX}services WHERE node = ${row}.name);`,
    ]
    : [];
  return [...notes, ...moved].join(" ");
}

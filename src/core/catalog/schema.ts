/**
 * The schema of the cluster's own tables, by versions. Pure.
 *
 * Version 1 had the tables and the index of each table. Version 2 has an index for each node and service as well
 * (watch.ts). Version 3 has all that is said of services and checks, an index for the health of each service, keys with
 * their values, and sessions (kv_schema.ts). Version 4 has the tokens of locks, version 5 the history of keys
 * and their times to live (kv_history.ts), version 6 the tables of access control, version 7
 * the users of their tokens (acl_schema.ts). A leader brings older tables to the newest version by a command of the log, so
 * that all replicas change at the same entry, whichever version of the program they run: a version only adds, and whoever
 * knows an older one goes on with it. The command begins with a guard, since another leader may have been quicker.
 * @module
 */
import { CATALOG_PREFIX, type CatalogWrite, guard, NOW } from "./catalog.ts";
import { ACL_SCHEMA, USER_SCHEMA } from "./acl_schema.ts";
import { HISTORY_SCHEMA } from "./kv_history.ts";
import { FENCE_SCHEMA, KV_SCHEMA } from "./kv_schema.ts";
import { HEALTH_OF_SERVICE, VERSION_NAME, WATCHED, watchNameSql } from "./watch.ts";

/** The version of this program. */
export const CATALOG_VERSION = 7;

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
/** The tables of version 1. */
const FIRST_TABLES = ["nodes", "services", "checks", "members"];
/** What version 2 watches. */
const FIRST_WATCHED: typeof WATCHED = { nodes: ["name", "id"], services: ["node", "name"], checks: ["node"] };
/** Columns that came with version 3. */
const LATER_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  services: [
    "tagged_addresses TEXT NOT NULL DEFAULT '{}'",
    "passing_weight INTEGER NOT NULL DEFAULT 1",
    "warning_weight INTEGER NOT NULL DEFAULT 1",
    "enable_tag_override INTEGER NOT NULL DEFAULT 0",
    "kind TEXT NOT NULL DEFAULT ''",
    "socket_path TEXT NOT NULL DEFAULT ''",
  ],
  checks: [
    "interval TEXT NOT NULL DEFAULT ''",
    "timeout TEXT NOT NULL DEFAULT ''",
    "definition TEXT NOT NULL DEFAULT '{}'",
  ],
};
const EVENTS = ["INSERT", "UPDATE", "DELETE"] as const;

/** The statements of each version, which follow those of the one before. */
const STEPS: readonly (readonly string[])[] = [
  versionOne(),
  versionTwo(),
  versionThree(),
  FENCE_SCHEMA,
  HISTORY_SCHEMA,
  ACL_SCHEMA,
  USER_SCHEMA,
];

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
    ...FIRST_TABLES.flatMap((name) => [
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
    ...FIRST_TABLES.flatMap((name) => [
      ...triggersAnew(name, (row) => noteKeys(FIRST_WATCHED, name, row) + (name === "nodes" ? noteMoved(row) : "")),
      ...(FIRST_WATCHED[name] ?? []).map((column) => noteAll(name, column)),
    ]),
  ];
}

function versionThree(): string[] {
  return [
    ...Object.entries(LATER_COLUMNS).flatMap(([table, columns]) =>
      columns.map((column) => `ALTER TABLE ${CATALOG_PREFIX}${table} ADD COLUMN ${column}`)
    ),
    ...["nodes", "services", "checks"].flatMap((name) =>
      triggersAnew(name, (row) => `${noteKeys(WATCHED, name, row)} ${noteHealth(name, row)}`)
    ),
    noteAll("checks", "service_name"),
    `INSERT OR REPLACE INTO ${INDEX} SELECT DISTINCT ${healthName("name")}, ${NOW} FROM ${CATALOG_PREFIX}services`,
    ...KV_SCHEMA,
  ];
}

/** The triggers of a table, in the place of those of the version before; `notes` about each row that an event is about. */
function triggersAnew(table: string, notes: (row: string) => string): string[] {
  return EVENTS.flatMap((event) => [
    `DROP TRIGGER ${triggerName(table, event)}`,
    `CREATE TRIGGER ${triggerName(table, event)} AFTER ${event} ON ${CATALOG_PREFIX}${table} ` +
    `BEGIN ${noteTable(table)} ${rowsOf(event).map(notes).join(" ")} END`,
  ]);
}

/** What is there counts as changed now. */
function noteAll(table: string, column: string): string {
  return `INSERT OR REPLACE INTO ${INDEX} SELECT DISTINCT ${watchNameSql(table, column, column)}, ${NOW} ` +
    `FROM ${CATALOG_PREFIX}${table}`;
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

function noteKeys(watched: typeof WATCHED, table: string, row: string): string {
  return (watched[table] ?? []).map((column) => noteName(watchNameSql(table, column, `${row}.${column}`))).join(" ");
}

function noteName(name: string): string {
  return `INSERT INTO ${INDEX} VALUES(${name}, ${NOW}) ON CONFLICT(name) DO UPDATE SET value = excluded.value;`;
}

/** Whoever looks at a service sees where its nodes are. */
function noteMoved(row: string): string {
  return ` UPDATE ${INDEX} SET value = ${NOW} WHERE name IN ` +
    `(SELECT ${watchNameSql("services", "name", "name")} FROM ${CATALOG_PREFIX}services WHERE node = ${row}.name);`;
}

function healthName(name: string): string {
  return watchNameSql(HEALTH_OF_SERVICE.table, HEALTH_OF_SERVICE.column, name);
}

/** Whoever looks at the health of a service sees its instances, their nodes, and the checks of both. */
function noteHealth(table: string, row: string): string {
  const ofNode = (node: string) =>
    `UPDATE ${INDEX} SET value = ${NOW} WHERE name IN ` +
    `(SELECT ${healthName("name")} FROM ${CATALOG_PREFIX}services WHERE node = ${node});`;
  if (table === "services") return noteName(healthName(`${row}.name`));
  if (table === "nodes") return `${noteMoved(row)} ${ofNode(`${row}.name`)}`;
  const one = `UPDATE ${INDEX} SET value = ${NOW} WHERE ${row}.service_id <> '' AND ` +
    `name = ${healthName(`${row}.service_name`)};`;
  return `${one} ${ofNode(`iif(${row}.service_id = '', ${row}.node, NULL)`)}`;
}

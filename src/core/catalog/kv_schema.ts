/**
 * The tables of keys and sessions, of what else the cluster keeps for clients, and the triggers that tie them to the catalog (C10): a session ends with its node, with
 * a check that it is bound to, or when that check is critical, and what it held is free in the same entry of the log. So no
 * replica ever sees a lock whose session is gone. Pure.
 *
 * A key that is gone leaves a tombstone for a while, so that the index of a prefix does not go back, and whoever waits for
 * the prefix hears of it. A lock that its holder did not give back cannot be taken for the session's delay.
 * @module
 */
import { CATALOG_PREFIX, NOW, NOW_MS } from "./catalog.ts";
import { STAGED_TABLE } from "./snapshot.ts";

const KV = `${CATALOG_PREFIX}kv`;
const SESSIONS = `${CATALOG_PREFIX}sessions`;
/** The checks that each session is bound to. */
const SESSION_CHECKS = `${CATALOG_PREFIX}session_checks`;
const TOMBSTONES = `${CATALOG_PREFIX}tombstones`;
/** Until when a key cannot be locked, ms since 1970. */
const LOCK_DELAYS = `${CATALOG_PREFIX}lock_delays`;
/** Prepared queries, each with its definition as JSON; one of a session ends with it. */
const QUERIES = `${CATALOG_PREFIX}queries`;
/** Entries of configuration for all, as JSON, by kind and name. */
const CONFIG_ENTRIES = `${CATALOG_PREFIX}config_entries`;
/** The token of each lock: the index of the log entry in which it was last acquired, which only grows. */
const FENCES = `${CATALOG_PREFIX}fences`;
const INDEX = `${CATALOG_PREFIX}index`;

/** Under this name stands the greatest index of a tombstone that was forgotten: no index of a prefix is below it. */
export const FORGOTTEN_NAME = "tombstones";

const noted = (table: string): string[] =>
  ["INSERT", "UPDATE", "DELETE"].map((event) =>
    `CREATE TRIGGER ${table}_${event.toLowerCase()} AFTER ${event} ON ${table} ` +
    `BEGIN UPDATE ${INDEX} SET value = ${NOW} WHERE name = '${table.slice(CATALOG_PREFIX.length)}'; END`
  );

const endSessions = (condition: string) => `DELETE FROM ${SESSIONS} WHERE ${condition};`;
const boundTo = (node: string, check: string) =>
  endSessions(`id IN (SELECT session FROM ${SESSION_CHECKS} WHERE node = ${node} AND check_id = ${check})`);

/** The trigger that does what the end of a session brings; `changed` are the columns that tell of a change of a key. */
export function endsOfSession(changed: string): string {
  return `CREATE TRIGGER ${SESSIONS}_gone AFTER DELETE ON ${SESSIONS} BEGIN ` +
    `INSERT OR REPLACE INTO ${LOCK_DELAYS} SELECT key, ${NOW_MS} + OLD.lock_delay_ms FROM ${KV} ` +
    `WHERE session = OLD.id AND session <> '' AND OLD.lock_delay_ms > 0; ` +
    `DELETE FROM ${KV} WHERE session = OLD.id AND session <> '' AND OLD.behavior = 'delete'; ` +
    `UPDATE ${KV} SET session = '', ${changed} WHERE session = OLD.id AND session <> ''; ` +
    `DELETE FROM ${QUERIES} WHERE session = OLD.id AND session <> ''; ` +
    `DELETE FROM ${SESSION_CHECKS} WHERE session = OLD.id; END`;
}

/** The statements that make them. */
export const KV_SCHEMA: readonly string[] = [
  `INSERT OR IGNORE INTO ${INDEX} VALUES('kv', ${NOW}), ('sessions', ${NOW}), ('queries', ${NOW}), ` +
  `('config_entries', ${NOW}), ('${FORGOTTEN_NAME}', 0)`,
  `CREATE TABLE ${KV}(key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, flags INTEGER NOT NULL, session TEXT NOT NULL, ` +
  "lock_index INTEGER NOT NULL, create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL)",
  `CREATE INDEX ${KV}_changed ON ${KV}(modify_index)`,
  `CREATE INDEX ${KV}_held ON ${KV}(session) WHERE session <> ''`,
  `CREATE TABLE ${TOMBSTONES}(key TEXT NOT NULL PRIMARY KEY, modify_index INTEGER NOT NULL, at_ms INTEGER NOT NULL) ` +
  "WITHOUT ROWID",
  `CREATE INDEX ${TOMBSTONES}_changed ON ${TOMBSTONES}(modify_index)`,
  `CREATE TABLE ${LOCK_DELAYS}(key TEXT NOT NULL PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE ${SESSIONS}(id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, node TEXT NOT NULL COLLATE NOCASE, ` +
  "lock_delay_ms INTEGER NOT NULL, behavior TEXT NOT NULL, ttl TEXT NOT NULL, node_checks TEXT NOT NULL, " +
  "service_checks TEXT NOT NULL, create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL) WITHOUT ROWID",
  `CREATE INDEX ${SESSIONS}_node ON ${SESSIONS}(node)`,
  `CREATE TABLE ${SESSION_CHECKS}(session TEXT NOT NULL, node TEXT NOT NULL COLLATE NOCASE, check_id TEXT NOT NULL, ` +
  "PRIMARY KEY (session, node, check_id)) WITHOUT ROWID",
  `CREATE INDEX ${SESSION_CHECKS}_check ON ${SESSION_CHECKS}(node, check_id)`,
  `CREATE TABLE ${QUERIES}(id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE, session TEXT NOT NULL, ` +
  "body TEXT NOT NULL, create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL) WITHOUT ROWID",
  `CREATE UNIQUE INDEX ${QUERIES}_name ON ${QUERIES}(name) WHERE name <> ''`,
  `CREATE TABLE ${CONFIG_ENTRIES}(kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, ` +
  "create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID",
  STAGED_TABLE,
  ...noted(KV),
  ...noted(SESSIONS),
  ...noted(QUERIES),
  ...noted(CONFIG_ENTRIES),
  `CREATE TRIGGER ${KV}_gone AFTER DELETE ON ${KV} BEGIN ` +
  `INSERT OR REPLACE INTO ${TOMBSTONES} VALUES(OLD.key, ${NOW}, ${NOW_MS}); END`,
  `CREATE TRIGGER ${CATALOG_PREFIX}checks_critical AFTER UPDATE ON ${CATALOG_PREFIX}checks ` +
  `WHEN NEW.status = 'critical' BEGIN ${boundTo("NEW.node", "NEW.id")} END`,
  `CREATE TRIGGER ${CATALOG_PREFIX}checks_gone AFTER DELETE ON ${CATALOG_PREFIX}checks ` +
  `BEGIN ${boundTo("OLD.node", "OLD.id")} END`,
  `CREATE TRIGGER ${CATALOG_PREFIX}nodes_gone AFTER DELETE ON ${CATALOG_PREFIX}nodes ` +
  `BEGIN ${endSessions("node = OLD.name")} END`,
  endsOfSession(`modify_index = ${NOW}`),
];

const fenced = (event: string, condition: string) =>
  `CREATE TRIGGER ${KV}_fenced_${event.split(" ")[0].toLowerCase()} AFTER ${event} ON ${KV} WHEN ${condition} ` +
  `BEGIN INSERT OR REPLACE INTO ${FENCES} VALUES(NEW.key, ${NOW}); END`;

/** The tokens of locks, which a write may demand (fence.ts); those of locks that are held begin with the next index. */
export const FENCE_SCHEMA: readonly string[] = [
  `CREATE TABLE ${FENCES}(key TEXT NOT NULL PRIMARY KEY, token INTEGER NOT NULL) WITHOUT ROWID`,
  `INSERT INTO ${FENCES} SELECT key, ${NOW} FROM ${KV} WHERE session <> ''`,
  fenced("INSERT", "NEW.session <> ''"),
  fenced("UPDATE OF session", "NEW.session <> '' AND NEW.session <> OLD.session"),
  `CREATE TRIGGER ${KV}_unfenced_update AFTER UPDATE OF session ON ${KV} WHEN NEW.session = '' AND OLD.session <> '' ` +
  `BEGIN DELETE FROM ${FENCES} WHERE key = OLD.key; END`,
  `CREATE TRIGGER ${KV}_unfenced_delete AFTER DELETE ON ${KV} WHEN OLD.session <> '' ` +
  `BEGIN DELETE FROM ${FENCES} WHERE key = OLD.key; END`,
];

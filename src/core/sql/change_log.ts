/**
 * The tables of the log of changed rows: the log itself, its limit, and how far those got that it is delivered to. Pure.
 * @module
 */

/** Entries with their events: `position` is the number of bytes that were kept up to it, `events` JSON. */
export const CHANGES_TABLE = "_muster_changes";
/** One row: the limit in bytes, and the index up to which entries were forgotten. */
export const CHANGE_LOG_TABLE = "_muster_change_log";
/** Those that it is delivered to, by name, each with the index up to which it has everything. */
export const CHANGE_SINKS_TABLE = "_muster_change_sinks";
/** What an entry takes besides its events, about. */
export const ROW_BYTES = 64;
/** Bytes of the log where nothing else is said. */
export const CHANGE_LOG_BYTES_DEFAULT = 64 * 1024 * 1024;

const APPLIED = "(SELECT applied FROM _muster WHERE id = 0)";
const TOO_OLD =
  `position <= (SELECT max(position) FROM ${CHANGES_TABLE}) - (SELECT max_bytes FROM ${CHANGE_LOG_TABLE})`;

/** Notes up to where {@linkcode FORGET_CHANGES} forgets. */
export const FORGOTTEN_CHANGES = `UPDATE ${CHANGE_LOG_TABLE} SET since = max(since, coalesce((SELECT raft_index ` +
  `FROM ${CHANGES_TABLE} WHERE ${TOO_OLD} ORDER BY position DESC LIMIT 1), 0))`;
/** Forgets the oldest entries of a log that is too large. */
export const FORGET_CHANGES = `DELETE FROM ${CHANGES_TABLE} WHERE ${TOO_OLD}`;

/** The event of a database that was loaded. */
export const LOADED_EVENT = `[{"error":"another database was loaded: read the tables anew"}]`;
/** Tells that a database was loaded, with the entry's index and time. */
export const LOADED_CHANGE = `INSERT INTO ${CHANGES_TABLE} SELECT coalesce(max(position), 0) + ${ROW_BYTES}, ?, ?, ` +
  `'${LOADED_EVENT}' FROM ${CHANGES_TABLE}`;

/** The statements that make the log, or give it another limit. */
export function changeLogOn(maxBytes: number): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${CHANGE_LOG_TABLE}(id INTEGER PRIMARY KEY, max_bytes INTEGER NOT NULL, since INTEGER NOT NULL)`,
    `CREATE TABLE IF NOT EXISTS ${CHANGE_SINKS_TABLE}(name TEXT NOT NULL PRIMARY KEY, delivered INTEGER NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS ${CHANGES_TABLE}(position INTEGER PRIMARY KEY, raft_index INTEGER NOT NULL, ` +
    "time_ms INTEGER NOT NULL, events TEXT NOT NULL)",
    `CREATE INDEX IF NOT EXISTS ${CHANGES_TABLE}_index ON ${CHANGES_TABLE}(raft_index)`,
    `INSERT INTO ${CHANGE_LOG_TABLE} VALUES(0, ${maxBytes}, ${APPLIED}) ` +
    "ON CONFLICT(id) DO UPDATE SET max_bytes = excluded.max_bytes",
    FORGOTTEN_CHANGES,
    FORGET_CHANGES,
  ];
}

/** The statements that remove it. */
export const CHANGE_LOG_OFF: readonly string[] = [CHANGES_TABLE, CHANGE_LOG_TABLE, CHANGE_SINKS_TABLE]
  .map((table) => `DROP TABLE IF EXISTS ${table}`);

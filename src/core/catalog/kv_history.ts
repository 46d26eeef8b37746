/**
 * What keys held before, and how long keys live: both beyond what Consul has. Pure.
 *
 * - A key that is changed or deleted leaves what it was to the history, in the same entry of the log. Triggers see to that,
 *   so it holds for every way in which a key changes: by a session that ends and by a restored snapshot as well.
 * - The history is one for all keys, and has a limit in bytes: the oldest versions go first. So everything from some index on
 *   is complete, and that index is known ({@linkcode HISTORY_NAME}): a read as of an earlier one never shows half of the
 *   truth. Position of a version is the number of bytes that were kept up to it: what is to go is a range of the table.
 * - A key with a time to live has the time of its end, by the clock of the leader that wrote it; the leader deletes it
 *   behind that.
 * @module
 */
import { CATALOG_PREFIX, type CatalogWrite, NOW, NOW_MS } from "./catalog.ts";
import { under } from "./key_range.ts";
import { endsOfSession } from "./kv_schema.ts";

const KV = `${CATALOG_PREFIX}kv`;
const HISTORY = `${CATALOG_PREFIX}kv_history`;
const INDEX = `${CATALOG_PREFIX}index`;
const CONFIG_ENTRIES = `${CATALOG_PREFIX}config_entries`;

/** Under this name stands the index from which on the history is complete. */
export const HISTORY_NAME = "kv_history";
/** The entry of configuration with the limits of the history: `MaxBytes`, `MaxAge`. */
export const HISTORY_ENTRY = { kind: "kv-history", name: "global" };
/** Bytes of the history where nothing else is said. */
export const HISTORY_BYTES_DEFAULT = 16 * 1024 * 1024;
/** What a version takes besides its key and its value, about. */
const VERSION_BYTES = 200;

const MOST = `coalesce((SELECT CAST(body ->> '$.MaxBytes' AS INTEGER) FROM ${CONFIG_ENTRIES} ` +
  `WHERE kind = '${HISTORY_ENTRY.kind}' AND name = '${HISTORY_ENTRY.name}'), ${HISTORY_BYTES_DEFAULT})`;
/** Forgets the oldest versions of a history that is too large. */
const FORGET = `DELETE FROM ${HISTORY} WHERE position <= (SELECT max(position) FROM ${HISTORY}) - ${MOST}`;

/** Keeps what a row was; one that the same entry of the log has written was never seen. */
const keeping = (event: "UPDATE" | "DELETE") =>
  `CREATE TRIGGER ${KV}_kept_${event.toLowerCase()} AFTER ${event} ON ${KV} WHEN OLD.modify_index < ${NOW} ` +
  (event === "UPDATE" ? "AND NEW.modify_index <> OLD.modify_index " : "") +
  `BEGIN INSERT INTO ${HISTORY} SELECT coalesce((SELECT max(position) FROM ${HISTORY}), 0) ` +
  `+ length(CAST(OLD.key AS BLOB)) + length(OLD.value) + ${VERSION_BYTES}, OLD.key, OLD.value, OLD.flags, OLD.session, ` +
  "OLD.lock_index, OLD.create_index, OLD.modify_index, OLD.modify_ms, OLD.expires_ms, " +
  `${NOW}, ${NOW_MS}, ${event === "DELETE" ? 1 : 0}; ${FORGET}; END`;

/** The statements that make the history, and give keys the time of their last change and that of their end. */
export const HISTORY_SCHEMA: readonly string[] = [
  `ALTER TABLE ${KV} ADD COLUMN modify_ms INTEGER NOT NULL DEFAULT 0`,
  `ALTER TABLE ${KV} ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0`,
  `CREATE INDEX ${KV}_expiring ON ${KV}(expires_ms) WHERE expires_ms > 0`,
  `INSERT OR REPLACE INTO ${INDEX} VALUES('${HISTORY_NAME}', ${NOW})`,
  `CREATE TABLE ${HISTORY}(position INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL, flags INTEGER NOT NULL, ` +
  "session TEXT NOT NULL, lock_index INTEGER NOT NULL, create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL, " +
  "modify_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, end_index INTEGER NOT NULL, end_ms INTEGER NOT NULL, " +
  "is_deleted INTEGER NOT NULL)",
  `CREATE INDEX ${HISTORY}_key ON ${HISTORY}(key, end_index)`,
  `CREATE TRIGGER ${HISTORY}_gone AFTER DELETE ON ${HISTORY} BEGIN ` +
  `UPDATE ${INDEX} SET value = max(value, OLD.end_index) WHERE name = '${HISTORY_NAME}'; END`,
  keeping("UPDATE"),
  keeping("DELETE"),
  `DROP TRIGGER ${CATALOG_PREFIX}sessions_gone`,
  endsOfSession(`modify_index = ${NOW}, modify_ms = ${NOW_MS}`),
];

/** A statement that is prepared with texts and whole numbers. */
interface Read {
  readonly sql: string;
  readonly positional: readonly (string | bigint)[];
}

const COLUMNS = "key, value, CAST(flags AS TEXT) AS flags_text, session, lock_index, create_index, modify_index, " +
  "modify_ms, expires_ms";

/** A statement for a key, or for all with a prefix, as they were behind an entry of the log. */
export function entriesAt(key: string, at: number, { isPrefix }: { isPrefix: boolean }): Read {
  const where = isPrefix ? under(key) : { condition: "key = ?", positional: [key] };
  const values = [...where.positional, BigInt(at)];
  return {
    sql: `SELECT ${COLUMNS} FROM ${KV} WHERE ${where.condition} AND modify_index <= ? UNION ALL ` +
      `SELECT ${COLUMNS} FROM ${HISTORY} WHERE ${where.condition} AND modify_index <= ? AND end_index > ? ORDER BY key`,
    positional: [...values, ...values, BigInt(at)],
  };
}

/** A statement for all that is known of a key, the newest first; what holds now has no end. */
export function versionsOf(key: string): Read {
  return {
    sql: `SELECT ${COLUMNS}, 0 AS end_index, 0 AS end_ms, 0 AS is_deleted FROM ${KV} WHERE key = ? UNION ALL ` +
      `SELECT ${COLUMNS}, end_index, end_ms, is_deleted FROM ${HISTORY} WHERE key = ? ORDER BY modify_index DESC`,
    positional: [key, key],
  };
}

/** Reads from which index on the history is complete, as `since`, and that of the last entry, as `now`. */
export const HISTORY_BOUNDS =
  `SELECT (SELECT max(value) FROM ${INDEX} WHERE name = '${HISTORY_NAME}') AS since, ${NOW} AS now`;

/** Forgets what is too much, and what ended before a time in milliseconds since 1970. */
export function forgetHistory(beforeMs: number): CatalogWrite[] {
  const before = [BigInt(Math.floor(beforeMs))];
  return [
    { sql: FORGET, positional: [] },
    // A range of the positions, as whatever lies before it is older: so all that is left is complete.
    {
      sql: `DELETE FROM ${HISTORY} WHERE position <= (SELECT max(position) FROM ${HISTORY} WHERE end_ms < ?)`,
      positional: before,
    },
  ];
}

/** Whether there is something to forget, as `found`. */
export function hasForgettableHistory(beforeMs: number): Read {
  return {
    sql:
      `SELECT EXISTS(SELECT 1 FROM ${HISTORY} WHERE position <= (SELECT max(position) FROM ${HISTORY}) - ${MOST}) OR ` +
      `coalesce((SELECT end_ms < ? FROM ${HISTORY} WHERE position = (SELECT min(position) FROM ${HISTORY})), 0) AS found`,
    positional: [BigInt(Math.floor(beforeMs))],
  };
}

/** Reads when the next key ends, as `next_ms`; null: none does. */
export const NEXT_END = `SELECT min(expires_ms) AS next_ms FROM ${KV} WHERE expires_ms > 0`;

/** Deletes keys whose time is over, the first of them. */
export function deleteExpired(nowMs: number, most: number): CatalogWrite {
  return {
    sql: `DELETE FROM ${KV} WHERE key IN ` +
      `(SELECT key FROM ${KV} WHERE expires_ms > 0 AND expires_ms <= ? ORDER BY expires_ms LIMIT ?)`,
    positional: [BigInt(Math.floor(nowMs)), BigInt(most)],
  };
}

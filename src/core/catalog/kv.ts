/**
 * Operations on keys as SQL (C7.4, C7.6, C10). Each consists of conditions, which are tried first, and of what it does where
 * they hold; several in one command are all done or none. A key that is written anew has no time to live, unless it gets one
 * by `expire` behind that. Pure.
 * @module
 */
import { CATALOG_PREFIX, type CatalogWrite, guard, NOW, NOW_MS } from "./catalog.ts";
import { under } from "./key_range.ts";
import { FORGOTTEN_NAME } from "./kv_schema.ts";

const KV = `${CATALOG_PREFIX}kv`;
const TOMBSTONES = `${CATALOG_PREFIX}tombstones`;

/** Operations on keys, by Consul's names. */
export const KV_VERBS = [
  "set",
  "cas",
  "lock",
  "unlock",
  "get",
  "get-or-empty",
  "get-tree",
  "check-index",
  "check-session",
  "check-not-exists",
  "delete",
  "delete-tree",
  "delete-cas",
  "expire",
] as const;

/** An operation on a key. What its verb has no use for is empty. */
export interface KvOp {
  readonly verb: typeof KV_VERBS[number];
  /** The key; of a tree, the prefix. */
  readonly key: string;
  readonly value: Uint8Array;
  /** Unsigned, 64 bits. */
  readonly flags: bigint;
  /** The modify index that is expected; 0: no such key. Of `expire`, the time to live in milliseconds. */
  readonly index: bigint;
  readonly session: string;
}

/** Flags as text, since they have 64 bits. */
const FLAGS = "CAST(flags AS TEXT) AS flags_text";
const NO_VALUE = `SELECT key, ${FLAGS}, session, lock_index, create_index, modify_index, expires_ms, NULL AS value ` +
  `FROM ${KV} WHERE key = ?`;
/** All columns, as a table of an earlier version has fewer. */
const ENTRY = `SELECT *, ${FLAGS} FROM ${KV}`;

/** Of an insertion that meets its key: whether it brings nothing new. */
const UNCHANGED = `(${KV}.value, ${KV}.flags) IS (excluded.value, excluded.flags)`;
const unlessUnchanged = (column: string) => `${column} = iif(${UNCHANGED}, ${KV}.${column}, excluded.${column})`;

/** Verbs whose result is what stands there, or stood there, with its value. */
const READING_VERBS: readonly KvOp["verb"][] = ["get", "get-or-empty", "get-tree"];
const DELETING_VERBS: readonly KvOp["verb"][] = ["delete", "delete-tree", "delete-cas"];

/** Whether operations read alone. */
export function isReadOnly(ops: readonly KvOp[]): boolean {
  return ops.every(({ verb }) => READING_VERBS.includes(verb) || verb.startsWith("check-"));
}

/** The statements of an operation, its conditions first. Its results are those of the last one, unless it has none. */
export function kvWrites(op: KvOp): { readonly writes: readonly CatalogWrite[]; readonly hasResults: boolean } {
  const hasResults = !DELETING_VERBS.includes(op.verb);
  const writes = [...conditions(op), ...effects(op)];
  return { writes: hasResults ? [...writes, resultOf(op)] : writes, hasResults };
}

function conditions({ verb, key, index, session }: KvOp): CatalogWrite[] {
  const found = `EXISTS(SELECT 1 FROM ${KV} WHERE key = ?)`;
  switch (verb) {
    case "cas":
      return [guard(`coalesce((SELECT modify_index FROM ${KV} WHERE key = ?), 0) = ?`, [key, index])];
    case "delete-cas":
      return [guard(`NOT EXISTS(SELECT 1 FROM ${KV} WHERE key = ? AND modify_index <> ?)`, [key, index])];
    case "check-index":
      return [guard(`EXISTS(SELECT 1 FROM ${KV} WHERE key = ? AND modify_index = ?)`, [key, index])];
    case "check-session":
      return [guard(`EXISTS(SELECT 1 FROM ${KV} WHERE key = ? AND session = ?)`, [key, session])];
    case "check-not-exists":
      return [guard(`NOT ${found}`, [key])];
    case "get":
    case "expire":
      return [guard(found, [key])];
    case "lock":
      return [
        guard(`EXISTS(SELECT 1 FROM ${CATALOG_PREFIX}sessions WHERE id = ?)`, [session]),
        guard(`NOT EXISTS(SELECT 1 FROM ${KV} WHERE key = ? AND session NOT IN ('', ?))`, [key, session]),
        guard(
          `NOT EXISTS(SELECT 1 FROM ${CATALOG_PREFIX}lock_delays WHERE key = ? AND until_ms > ${NOW_MS}) ` +
            `OR EXISTS(SELECT 1 FROM ${KV} WHERE key = ? AND session = ?)`,
          [key, key, session],
        ),
      ];
    case "unlock":
      return [guard(`EXISTS(SELECT 1 FROM ${KV} WHERE key = ? AND session = ?)`, [key, session])];
    default:
      return [];
  }
}

function effects({ verb, key, value, flags, index, session }: KvOp): CatalogWrite[] {
  const signed = BigInt.asIntN(64, flags);
  switch (verb) {
    case "set":
    case "cas": // what stays as it is keeps its index
      return [{
        sql: `INSERT INTO ${KV}(key, value, flags, session, lock_index, create_index, modify_index, modify_ms) ` +
          `VALUES(?, ?, ?, '', 0, ${NOW}, ${NOW}, ${NOW_MS}) ON CONFLICT(key) DO UPDATE SET value = excluded.value, ` +
          `flags = excluded.flags, ${["modify_index", "modify_ms"].map(unlessUnchanged).join(", ")}, expires_ms = 0 ` +
          `WHERE ${KV}.expires_ms > 0 OR NOT ${UNCHANGED}`,
        positional: [key, value, signed],
      }];
    case "lock":
      return [
        { sql: `DELETE FROM ${CATALOG_PREFIX}lock_delays WHERE key = ?`, positional: [key] },
        {
          sql: `INSERT INTO ${KV}(key, value, flags, session, lock_index, create_index, modify_index, modify_ms) ` +
            `VALUES(?, ?, ?, ?, 1, ${NOW}, ${NOW}, ${NOW_MS}) ON CONFLICT(key) DO UPDATE SET value = excluded.value, ` +
            "flags = excluded.flags, session = excluded.session, " +
            `lock_index = ${KV}.lock_index + (${KV}.session <> excluded.session), modify_index = excluded.modify_index, ` +
            "modify_ms = excluded.modify_ms, expires_ms = 0 " +
            `WHERE ${KV}.expires_ms > 0 OR ${KV}.session <> excluded.session OR NOT ${UNCHANGED}`,
          positional: [key, value, signed, session],
        },
      ];
    case "unlock":
      return [{
        sql: `UPDATE ${KV} SET value = ?, flags = ?, session = '', modify_index = ${NOW}, modify_ms = ${NOW_MS}, ` +
          "expires_ms = 0 WHERE key = ?",
        positional: [value, signed, key],
      }];
    case "expire":
      return [{ sql: `UPDATE ${KV} SET expires_ms = ${NOW_MS} + ? WHERE key = ?`, positional: [index, key] }];
    case "delete":
      return [{ sql: `DELETE FROM ${KV} WHERE key = ?`, positional: [key] }];
    case "delete-cas":
      return [{ sql: `DELETE FROM ${KV} WHERE key = ? AND modify_index = ?`, positional: [key, index] }];
    case "delete-tree": {
      const { condition, positional } = under(key);
      return [{ sql: `DELETE FROM ${KV} WHERE ${condition}`, positional }];
    }
    default:
      return [];
  }
}

function resultOf({ verb, key }: KvOp): CatalogWrite {
  if (verb === "get-tree") return entriesUnder(key);
  return READING_VERBS.includes(verb) ? entryOf(key) : { sql: NO_VALUE, positional: [key] };
}

/** A statement for a key with its value. */
export function entryOf(key: string): { readonly sql: string; readonly positional: readonly string[] } {
  return { sql: `${ENTRY} WHERE key = ?`, positional: [key] };
}

/** A statement for all keys with a prefix, with their values, sorted. */
export function entriesUnder(prefix: string): { readonly sql: string; readonly positional: readonly string[] } {
  const { condition, positional } = under(prefix);
  return { sql: `${ENTRY} WHERE ${condition} ORDER BY key`, positional };
}

/** The same for their names alone. */
export function namesUnder(prefix: string): { readonly sql: string; readonly positional: readonly string[] } {
  const { condition, positional } = under(prefix);
  return { sql: `SELECT key FROM ${KV} WHERE ${condition} ORDER BY key`, positional };
}

/** A statement for the index of a key, as `value`: that of the whole table where it is not there. */
export function indexOfKey(key: string): { readonly sql: string; readonly positional: readonly string[] } {
  return {
    sql: `SELECT coalesce((SELECT modify_index FROM ${KV} WHERE key = ?), ` +
      `(SELECT max(value) FROM ${CATALOG_PREFIX}index WHERE name = 'kv'), 1) AS value`,
    positional: [key],
  };
}

/** A statement for the index of a prefix, as `value`: of the last change below it, deletions included. */
export function indexOfPrefix(prefix: string): { readonly sql: string; readonly positional: readonly string[] } {
  const { condition, positional } = under(prefix);
  const last = (table: string) => `coalesce((SELECT max(modify_index) FROM ${table} WHERE ${condition}), 0)`;
  return {
    sql: `SELECT coalesce(nullif(max(${last(KV)}, ${last(TOMBSTONES)}, ` +
      `coalesce((SELECT value FROM ${CATALOG_PREFIX}index WHERE name = '${FORGOTTEN_NAME}'), 0)), 0), ` +
      `(SELECT max(value) FROM ${CATALOG_PREFIX}index WHERE name = 'kv'), 1) AS value`,
    positional: [...positional, ...positional],
  };
}

/** Reads the keys that have changed, or gone, behind an index. */
export const CHANGED_KEYS_QUERY = `SELECT key FROM ${KV} WHERE modify_index > ?1 ` +
  `UNION SELECT key FROM ${TOMBSTONES} WHERE modify_index > ?1`;

/** Forgets tombstones and lock delays that are older than `beforeMs` since 1970. */
export function forgetDeleted(beforeMs: number): CatalogWrite[] {
  const before = BigInt(Math.floor(beforeMs));
  return [
    {
      sql: `UPDATE ${CATALOG_PREFIX}index SET value = max(value, ` +
        `coalesce((SELECT max(modify_index) FROM ${TOMBSTONES} WHERE at_ms < ?), 0)) WHERE name = '${FORGOTTEN_NAME}'`,
      positional: [before],
    },
    { sql: `DELETE FROM ${TOMBSTONES} WHERE at_ms < ?`, positional: [before] },
    { sql: `DELETE FROM ${CATALOG_PREFIX}lock_delays WHERE until_ms < ?`, positional: [before] },
  ];
}

/** Whether there is something to forget, as `found`. */
export function hasForgettable(beforeMs: number): { readonly sql: string; readonly positional: readonly bigint[] } {
  const before = BigInt(Math.floor(beforeMs));
  return {
    sql: `SELECT EXISTS(SELECT 1 FROM ${TOMBSTONES} WHERE at_ms < ?) ` +
      `OR EXISTS(SELECT 1 FROM ${CATALOG_PREFIX}lock_delays WHERE until_ms < ?) AS found`,
    positional: [before, before],
  };
}

/** The names that a change of a key is known by: its own and those of all its prefixes. */
export function watchNamesOfKey(key: string): string[] {
  const names = [watchNameOfKey(key)];
  for (let length = 0; length <= key.length; length++) names.push(watchNameOfPrefix(key.slice(0, length)));
  return names;
}

/** The name that waits for a key. */
export function watchNameOfKey(key: string): string {
  return `kv/key/${key}`;
}

/** The name that waits for what is below a prefix. */
export function watchNameOfPrefix(prefix: string): string {
  return `kv/prefix/${prefix}`;
}

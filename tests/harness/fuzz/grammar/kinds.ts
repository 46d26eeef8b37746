/**
 * Names of what the generator may produce and the harness may check, each of which can be switched off by itself: a
 * known fault would otherwise hide the others. Pure.
 * @module
 */

/** All kinds, with what they stand for. */
export const KINDS = {
  "rowid-max": "rowids at the ends of the 64-bit range",
  "sequence-write": "writes to sqlite_sequence, also of its largest value",
  "insert-select": "INSERT ... SELECT without ORDER BY",
  "virtual-column": "virtual generated columns",
  "stored-column": "stored generated columns",
  "expression-index": "indexes on expressions, and partial ones",
  "bad-json": "texts that are no JSON in columns that JSON functions read",
  "math": "math functions, which a library may lack",
  "overflow": "arithmetic that fails on some values: abs(-2^63), sum() of large integers",
  "date-word": "'now', 'localtime', 'utc', 'subsec' as data or by concatenation",
  "localtime": "the modifiers 'localtime', 'utc' and 'auto' as literals",
  "clock": "the clock: 'now', CURRENT_*, date functions without arguments",
  "clock-schema": "the clock in indexes, generated columns and CHECKs",
  "random": "random() and randomblob()",
  "alter-check": "ALTER TABLE that makes SQLite test the existing rows: CHECK, NOT NULL, STRICT",
  "alter": "other forms of ALTER TABLE",
  "analyze": "ANALYZE",
  "stat-write": "writes to sqlite_stat1",
  "stat-drop": "DROP TABLE of sqlite_stat1 or sqlite_stat4",
  "reindex": "REINDEX",
  "plan-order": "rows taken in an order and number that the plan decides: LIMIT without ORDER BY",
  "fts5": "FTS5 tables",
  "fts3": "FTS3 and FTS4 tables",
  "fts-external": "full-text tables with external content or none",
  "fts-command": "commands to full-text tables",
  "shadow-write": "statements on the tables behind virtual tables",
  "shadow-read": "rows taken from the tables behind virtual tables",
  "catalog-read": "names, texts and pages taken from sqlite_schema, sqlite_stat1 and the like",
  "rtree": "R-tree tables",
  "rtree-self": "INSERT ... SELECT from an R-tree into itself",
  "geopoly": "geopoly tables",
  "nul-text": "texts that hold NUL characters",
  "bad-utf8": "texts that are not UTF-8",
  "infinity": "infinite numbers and what makes NaN",
  "rollback": "OR ROLLBACK and RAISE(ROLLBACK)",
  "foreign-key": "foreign keys",
  "deferred": "deferred foreign keys",
  "vacuum": "VACUUM",
  "pragma": "pragmas",
  "explain": "EXPLAIN",
  "refused": "what is refused by name: ATTACH, SAVEPOINT, TEMP, node functions",
  "system-table": "statements on the tables of the cluster itself",
  "trigger": "triggers",
  "view": "views",
  "large": "texts and BLOBs of up to 100 kB",
  "huge": "values beyond the length limit",
  "several": "several statements in one string",
  "bulk": "hundreds of rows in one statement",
  "broken": "texts with a syntax error or names that do not exist",
  "counters": "changes() and last_insert_rowid() as data",
  "change-log": "a log of changed rows",
  "budget": "statements of some thousand steps, and entries with few",
  "endless": "statements that never end (off unless asked for)",
  "check-hash": "check: contentHash() works and is equal",
  "check-dump": "check: every stored value is equal, read by a library of its own at the end",
  "check-results": "check: rendered results are equal where two replicas render",
  "check-integrity": "check: PRAGMA integrity_check",
  "batches": "batches of several entries, cut differently on each replica",
  "crash": "replicas that end without closing, and lose recent commits",
  "restart": "replicas that are closed and opened again",
  "snapshot": "replicas made from the snapshot of another one",
} as const;

/** A kind. */
export type Kind = keyof typeof KINDS;

/** Kinds that are only there when they are asked for. */
const ON_REQUEST: ReadonlySet<string> = new Set<Kind>(["endless"]);

/** Whether `name` is a kind. */
export function isKind(name: string): name is Kind {
  return Object.hasOwn(KINDS, name);
}

/** Which kinds are on. */
export interface KindSelection {
  /** Only these; the checks and what always belongs to a database stay. @default all but `endless` */
  readonly only?: readonly Kind[];
  /** Not these. */
  readonly without?: readonly Kind[];
  /** These as well. */
  readonly with?: readonly Kind[];
}

/** The kinds of a selection. */
export function selectedKinds({ only, without = [], with: more = [] }: KindSelection): ReadonlySet<Kind> {
  const on = new Set<Kind>(more);
  for (const name of Object.keys(KINDS)) {
    if (!isKind(name) || without.includes(name)) continue;
    const isCheck = name.startsWith("check-");
    if (only === undefined ? !ON_REQUEST.has(name) : only.includes(name) || isCheck) on.add(name);
  }
  return on;
}

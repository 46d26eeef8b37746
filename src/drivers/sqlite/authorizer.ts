/**
 * Rules for refused SQL, and the texts of the refusals (A21). Pure.
 *
 * Two lines of defence. {@linkcode refusal} judges a statement by its verb, before it is compiled, and gives the reason
 * that names a way out. {@linkcode reasonAgainst} judges what SQLite's authorizer has recorded while it compiled: this
 * sees through views, triggers and defaults, which the text does not show. A statement is judged once, when it is
 * compiled: those that are compiled under different rules belong into different caches.
 * @module
 */

import { CATALOG_PREFIX } from "../../core/catalog/catalog.ts";
import {
  parsePragma,
  REPLICATED_SCHEMA_PRAGMAS,
  REQUEST_PRAGMAS,
  SCHEMA_PRAGMAS,
  STORED_PRAGMAS,
} from "../../core/sql/pragma.ts";
import { isVacuumInto } from "../../core/sql/rewriting.ts";
import type { SqlPart } from "../../core/sql/statement.ts";
import { identifierName, Tokenizer } from "../../core/sql/tokenizer.ts";
import type { Action } from "../libsqlite/driver.ts";

/**
 * Origin of a statement: `replicated` if its outcome is the same on all nodes, `system` if it is also the cluster's own
 * and may write the catalog, `read` if only its asker sees its rows.
 */
export type GuardMode = "replicated" | "system" | "read";

/** Table with the applied index; see state_machine.ts. */
export const SYSTEM_TABLE = "_muster";

// Action codes of sqlite.org/c3ref/c_alter_table.html.
const CREATE_INDEX = 1;
const CREATE_TABLE = 2;
const CREATE_TEMP_FIRST = 3;
const CREATE_TEMP_LAST = 6;
const CREATE_TRIGGER = 7;
const CREATE_VIEW = 8;
const DELETE = 9;
const DROP_TABLE = 11;
const DROP_TEMP_FIRST = 12;
const DROP_TEMP_LAST = 15;
const DROP_TRIGGER = 16;
const INSERT = 18;
const PRAGMA = 19;
const READ = 20;
const TRANSACTION = 22;
const UPDATE = 23;
const ATTACH = 24;
const DETACH = 25;
const ALTER_TABLE = 26;
const ANALYZE = 28;
const CREATE_VTABLE = 29;
const DROP_VTABLE = 30;
const FUNCTION = 31;
const SAVEPOINT = 32;

/** Functions whose value depends on the node, and why they are refused. */
const NODE_FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ["total_changes", "it counts since the node opened the database"],
  ["sqlite_version", "nodes may differ in it"],
  ["sqlite_source_id", "nodes may differ in it"],
  ["sqlite_compileoption_get", "nodes may differ in it"],
  ["sqlite_compileoption_used", "nodes may differ in it"],
  ["sqlite_log", "it writes to the node's own log"],
  ["sqlite_offset", "it depends on the node's file"],
  ["fts5_source_id", "nodes may differ in it"],
]);
/** Functions refused everywhere, and why. */
const UNSAFE_FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ["load_extension", "it loads native code"],
  ["fts3_tokenizer", "it loads native code"],
  ["optimize", "it writes from within a query; use INSERT INTO name(name) VALUES('optimize')"],
]);
/** Virtual tables that store what they hold in the database. */
const STORED_MODULES: ReadonlySet<string> = new Set([
  "fts3",
  "fts4",
  "fts4aux",
  "fts5",
  "fts5vocab",
  "geopoly",
  "rtree",
  "rtree_i32",
]);
/** Tables about the node's own file or connection. */
const NODE_TABLES: ReadonlySet<string> = new Set([
  "bytecode",
  "dbstat",
  "sqlite_dbpage",
  "sqlite_stmt",
  "tables_used",
]);
/** Pragmas that FTS5 and RTREE run by themselves; the page size is the same on every node. */
const INTERNAL_PRAGMAS: ReadonlySet<string> = new Set(["data_version", "page_size"]);

const NO_TEMP = "TEMP objects are not supported: they live in one connection of one node";
const USE_TRANSACTION = 'use the "transaction" parameter of the request instead';
const REFUSED_VERBS: ReadonlyMap<string, string> = new Map([
  ["BEGIN", USE_TRANSACTION],
  ["COMMIT", USE_TRANSACTION],
  ["END", USE_TRANSACTION],
  ["ROLLBACK", USE_TRANSACTION],
  ["SAVEPOINT", USE_TRANSACTION],
  ["RELEASE", USE_TRANSACTION],
  ["ATTACH", "a cluster replicates one database"],
  ["DETACH", "a cluster replicates one database"],
]);
/** Pragmas that change something without taking a value. */
const ACTING_PRAGMAS: ReadonlySet<string> = new Set([
  "incremental_vacuum",
  "optimize",
  "shrink_memory",
  "wal_checkpoint",
]);

/** Reason why a statement is refused whatever it holds, or `null`. */
export function refusal(part: SqlPart, mode: "replicated" | "read"): string | null {
  const reason = REFUSED_VERBS.get(part.verb);
  if (reason !== undefined) return `${part.verb} is not supported: ${reason}`;
  if (part.verb === "VACUUM") {
    return isVacuumInto(part.sql)
      ? "VACUUM INTO is not supported: it writes a file on the node; use a backup instead"
      : "VACUUM must be the only statement of a request to /db/execute or /db/request, without a transaction";
  }
  if (part.verb !== "PRAGMA") return null;
  const pragma = parsePragma(part.sql);
  if (pragma === null) return null; // a syntax error, SQLite's to report
  const { name, hasValue } = pragma;
  if (mode === "read") {
    return isReadPragma(name, hasValue)
      ? null
      : `PRAGMA ${name} is not supported${hasValue ? " with a value" : ""} in a query`;
  }
  if (STORED_PRAGMAS.has(name) || REPLICATED_SCHEMA_PRAGMAS.has(name)) return null;
  if (REQUEST_PRAGMAS.has(name) && hasValue) return null;
  if (REQUEST_PRAGMAS.has(name)) {
    return `PRAGMA ${name} without a value is answered by /db/query: here it sets something`;
  }
  if (name === "auto_vacuum" && hasValue) {
    return "PRAGMA auto_vacuum must be the only statement of its request, without a transaction: it rewrites the database";
  }
  if (name === "optimize") return "PRAGMA optimize is not supported: what it does depends on the node; use ANALYZE";
  return `PRAGMA ${name} is not supported in replicated statements: it concerns one connection or one node`;
}

/** Whether a statement changes nothing and may run where nothing is written: judged by its verb and pragma. */
export function isReadStatement(part: SqlPart): boolean {
  if (part.verb === "SELECT" || part.verb === "VALUES" || part.verb === "EXPLAIN") return true;
  return part.verb === "PRAGMA" && refusal(part, "read") === null;
}

/** Effects of a statement beyond rows of ordinary tables. */
export interface Effects {
  /** Tables and views that it writes, by triggers and keys as well; in lower case. */
  readonly writes: readonly string[];
  /** Tables and views that it reads. */
  readonly reads: readonly string[];
  /** Whether it makes or drops a virtual table. */
  readonly makesVirtualTable: boolean;
  /** Whether it writes the statistics of the planner. */
  readonly writesStatistics: boolean;
}

/** Reads the effects from what was recorded while a statement compiled. */
export function effectsOf(actions: readonly Action[]): Effects {
  const writes = new Set<string>();
  const reads = new Set<string>();
  let makesVirtualTable = false;
  let writesStatistics = false;
  for (const { action, first, second } of actions) {
    if (action === INSERT || action === UPDATE || action === DELETE || action === DROP_TABLE) {
      const table = first?.toLowerCase() ?? "";
      writes.add(table);
      writesStatistics ||= table.startsWith("sqlite_stat");
    } else if (action === READ) {
      reads.add(first?.toLowerCase() ?? "");
    } else if (action === ALTER_TABLE) {
      writes.add(second?.toLowerCase() ?? "");
    } else if (action === CREATE_VTABLE || action === DROP_VTABLE) {
      makesVirtualTable = true;
    } else if (action === ANALYZE) {
      writesStatistics = true;
    }
  }
  return { writes: [...writes], reads: [...reads], makesVirtualTable, writesStatistics };
}

/** What a statement is, for {@linkcode reasonAgainst}. */
export interface Judged {
  readonly mode: GuardMode;
  readonly verb: string;
  /** Modules of extensions, whose virtual tables may be made. */
  readonly extensionModules: ReadonlySet<string>;
}

/** Why a statement may not run by what it would do, or `null`. */
export function reasonAgainst(actions: readonly Action[], judged: Judged): string | null {
  const { mode } = judged;
  for (const { action, first, second, database } of actions) {
    const isTemp = database === "temp" && (action === INSERT || action === CREATE_TABLE || action === DROP_TABLE);
    const reason = (isTemp ? NO_TEMP : commonReason(action, first, second)) ??
      (mode === "read" ? readReason(action, first, second) : replicatedReason({ action, first, second }, judged)) ??
      (mode === "replicated" ? ownTableReason(action, first, second) : null);
    if (reason !== null) return reason;
  }
  return null;
}

/** Refused in reads as well. */
function commonReason(action: number, first: string | null, second: string | null): string | null {
  switch (action) {
    case ATTACH:
      return "ATTACH is not supported: a cluster replicates one database";
    case DETACH:
      return "DETACH is not supported: a cluster replicates one database";
    case TRANSACTION:
      return `${first} is not supported: ${USE_TRANSACTION}`;
    case SAVEPOINT:
      return `SAVEPOINT is not supported: ${USE_TRANSACTION}`;
    case FUNCTION: {
      const name = second?.toLowerCase() ?? "";
      const reason = UNSAFE_FUNCTIONS.get(name);
      return reason === undefined ? null : `${name}() is not supported: ${reason}`;
    }
    default:
      if (
        (action >= CREATE_TEMP_FIRST && action <= CREATE_TEMP_LAST) ||
        (action >= DROP_TEMP_FIRST && action <= DROP_TEMP_LAST)
      ) {
        return NO_TEMP;
      }
      return null;
  }
}

/** Pragmas come here as statements and, where the text does not show it, behind table-valued functions. */
function readReason(action: number, first: string | null, second: string | null): string | null {
  let name = first?.toLowerCase() ?? "";
  if (action === READ && name.startsWith("pragma_")) name = name.slice("pragma_".length);
  else if (action !== PRAGMA) return null;
  return isReadPragma(name, second !== null) ? null : `PRAGMA ${name} is not supported in a query`;
}

/** Whether a pragma changes nothing. */
function isReadPragma(name: string, hasValue: boolean): boolean {
  return hasValue ? SCHEMA_PRAGMAS.has(name) : !ACTING_PRAGMAS.has(name);
}

function replicatedReason(
  { action, first, second }: Omit<Action, "database">,
  { verb, extensionModules }: Judged,
): string | null {
  const name = first?.toLowerCase() ?? "";
  switch (action) {
    case FUNCTION: {
      const called = second?.toLowerCase() ?? "";
      const reason = NODE_FUNCTIONS.get(called);
      return reason === undefined ? null : `${called}() is not supported in replicated statements: ${reason}`;
    }
    case READ:
      // SQLite itself looks whether the rows that are there satisfy the new column (sqlite.org/lang_altertable.html §4).
      if (name === "pragma_quick_check" && verb === "ALTER") return null;
      if (name.startsWith("pragma_") || NODE_TABLES.has(name)) {
        return `${name} is not supported in replicated statements: it describes one node`;
      }
      return null;
    case PRAGMA:
      if (INTERNAL_PRAGMAS.has(name) && second === null) return null;
      if (STORED_PRAGMAS.has(name) || REPLICATED_SCHEMA_PRAGMAS.has(name)) return null;
      if (REQUEST_PRAGMAS.has(name) && second !== null) return null;
      return `PRAGMA ${name} is not supported in replicated statements`;
    case CREATE_VTABLE: {
      const module = second?.toLowerCase() ?? "";
      return STORED_MODULES.has(module) || extensionModules.has(module)
        ? null
        : `virtual tables of ${module} are not supported: they describe one node`;
    }
    default:
      return null;
  }
}

/** Whether virtual tables of a module are about the node's own file or connection. */
export function isNodeModule(module: string): boolean {
  return NODE_TABLES.has(module.toLowerCase());
}

/** Why the new name of `ALTER TABLE … RENAME TO name` is refused: SQLite's authorizer is not told of it. */
export function reasonAgainstName(sql: string): string | null {
  const tokens = new Tokenizer(sql);
  for (let isRename = false; tokens.next();) {
    const word = tokens.word();
    if (isRename && word === "TO") return tokens.next() ? reservedReason(identifierName(tokens.token())) : null;
    isRename = word === "RENAME"; // which a table may be called as well
  }
  return null;
}

function reservedReason(name: string | null): string | null {
  if (!isOwnName(name)) return null;
  return `the name ${name?.toLowerCase()} is reserved: names that begin with ${CATALOG_PREFIX} belong to the cluster`;
}

/** Whether a name is one of the cluster's own, as those of its tables and of what hangs on them. */
export function isOwnName(name: string | null | undefined): boolean {
  const lower = name?.toLowerCase();
  return lower === SYSTEM_TABLE || lower?.startsWith(CATALOG_PREFIX) === true;
}

/** The cluster's own tables, what hangs on them and their names are not for clients. */
function ownTableReason(action: number, first: string | null, second: string | null): string | null {
  if (action === CREATE_INDEX || action === CREATE_TRIGGER) {
    const reason = reservedReason(first);
    if (reason !== null) return reason;
  }
  let table: string | undefined;
  switch (action) {
    case INSERT:
    case UPDATE:
    case DELETE:
    case CREATE_TABLE:
    case CREATE_VIEW:
    case CREATE_VTABLE:
    case DROP_TABLE:
      table = first?.toLowerCase();
      break;
    case CREATE_INDEX:
    case CREATE_TRIGGER:
    case DROP_TRIGGER:
    case ALTER_TABLE:
      table = second?.toLowerCase();
  }
  if (!isOwnName(table)) return null;
  return `table ${table} cannot be changed: it belongs to the cluster`;
}

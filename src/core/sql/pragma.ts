/**
 * PRAGMA statements: their name, and which of them only look at the schema. Pure.
 * @module
 */

import { identifierName, Tokenizer } from "./tokenizer.ts";

/** Name and argument of a PRAGMA statement. */
export interface Pragma {
  /** Its name in lower case, without the schema. */
  readonly name: string;
  /** Whether a value follows, as `= value` or `(value)`. */
  readonly hasValue: boolean;
  /** The value in upper case, without its quotes; empty where none follows. */
  readonly value: string;
}

/** Reads `PRAGMA [schema.]name [= value | (value)]`; `null` when the text is something else. */
export function parsePragma(sql: string): Pragma | null {
  const tokens = new Tokenizer(sql);
  if (!tokens.next() || tokens.word() !== "PRAGMA" || !tokens.next()) return null;
  let name = identifierName(tokens.token());
  let hasNext = tokens.next();
  if (hasNext && tokens.token() === ".") {
    if (!tokens.next()) return null;
    name = identifierName(tokens.token());
    hasNext = tokens.next();
  }
  const hasValue = hasNext && tokens.kind !== "semicolon";
  const value = hasValue && tokens.next() ? identifierName(tokens.token()).toUpperCase() : "";
  return { name: name.toLowerCase(), hasValue, value };
}

/** The PRAGMA behind an EXPLAIN; `null` when the text is something else. */
export function explainedPragma(sql: string): Pragma | null {
  const tokens = new Tokenizer(sql);
  if (!tokens.next() || tokens.word() !== "EXPLAIN") return null;
  while (tokens.next()) {
    const word = tokens.word();
    if (word !== "QUERY" && word !== "PLAN") return parsePragma(sql.slice(tokens.start));
  }
  return null;
}

/** Whether the value of a pragma switches it on, as SQLite reads it (`sqlite3GetBoolean`). */
export function isOn(value: string): boolean {
  if (/^\d/.test(value)) return Number.parseInt(value, 10) % 256 !== 0;
  return value === "ON" || value === "YES" || value === "TRUE";
}

/** Pragmas that only answer, also where they take a value (the name of a table or index, or a count). */
export const SCHEMA_PRAGMAS: ReadonlySet<string> = new Set([
  "collation_list",
  "foreign_key_check",
  "foreign_key_list",
  "function_list",
  "index_info",
  "index_list",
  "index_xinfo",
  "integrity_check",
  "module_list",
  "pragma_list",
  "quick_check",
  "table_info",
  "table_list",
  "table_xinfo",
]);

/** Pragmas of {@linkcode SCHEMA_PRAGMAS} whose answer depends on the schema alone: the same on every node. */
export const REPLICATED_SCHEMA_PRAGMAS: ReadonlySet<string> = new Set([
  "foreign_key_check",
  "foreign_key_list",
  "index_info",
  "index_list",
  "index_xinfo",
  "table_info",
  "table_xinfo",
]);

/** Pragmas that change the database file, like any other write. */
export const STORED_PRAGMAS: ReadonlySet<string> = new Set(["application_id", "incremental_vacuum", "user_version"]);

/** Pragmas that hold, once set, for the rest of their request. */
export const REQUEST_PRAGMAS: ReadonlySet<string> = new Set(["defer_foreign_keys", "foreign_keys"]);

/**
 * SQL text, split into statements and classified. Pure.
 *
 * `node:sqlite` compiles the first statement of a string and ignores the rest without a word (A7), so
 * strings are split here, by tokens: a `;` in a string, a comment, a quoted name or a trigger's body ends nothing. A
 * trigger ends as `sqlite3_complete` has it: at an END that follows a `;` and is followed by one. That needs no count of
 * CASE … END, as the END of a CASE never follows a `;`.
 * @module
 */

import { parsePragma } from "./pragma.ts";
import { TextCache } from "./text_cache.ts";
import { Tokenizer } from "./tokenizer.ts";

/** One statement of a string of SQL. */
export interface SqlPart {
  /** The statement's text, without the `;` that ended it and without comments around it. */
  readonly sql: string;
  /** First keyword in upper case; for WITH the verb of the main statement; empty when there is none. */
  readonly verb: string;
  /** The largest parameter number, as `sqlite3_bind_parameter_count` returns it (sqlite.org/lang_expr.html §3). */
  readonly parameterCount: number;
}

/** Largest parameter number SQLite accepts (`SQLITE_MAX_VARIABLE_NUMBER`); a higher one is its error to report. */
export const PARAMETER_NUMBER_MAX = 32_766;
/** Texts remembered by {@linkcode splitStatements}, in each of two generations. */
const CACHED_TEXTS_MAX = 1024;
/** Longer texts are not remembered: they are bulk loads with literals, seldom sent twice. */
const CACHED_TEXT_LENGTH_MAX = 4096;

const MAIN_VERBS: ReadonlySet<string> = new Set([
  "SELECT",
  "VALUES",
  "INSERT",
  "REPLACE",
  "UPDATE",
  "DELETE",
]);
const READ_VERBS: ReadonlySet<string> = new Set(["SELECT", "VALUES", "EXPLAIN", "PRAGMA"]);

/** Words that may precede the keyword TRIGGER, which is also a valid table name. */
const TRIGGER_HEAD: ReadonlySet<string> = new Set(["EXPLAIN", "QUERY", "PLAN", "CREATE", "TEMP", "TEMPORARY"]);

/** Builds the description of a statement token by token. */
class PartBuilder {
  #verb = "";
  #start = -1;
  #end = 0;
  #tokens = 0;
  #depth = 0;
  #previous = "";
  #isTrigger = false;
  /** Whether only words that may stand before TRIGGER have come so far. */
  #isHead = true;
  #parameterCount = 0;
  #names: Map<string, number> | null = null;

  /** Takes the tokenizer's current token; returns whether it ended the statement. */
  take(tokens: Tokenizer): boolean {
    if (tokens.kind === "semicolon" && !this.#isInsideTrigger()) return true;
    if (this.#start < 0) this.#start = tokens.start;
    this.#end = tokens.end;
    if (tokens.kind === "parameter") {
      this.#countParameter(tokens.token());
      this.#previous = "";
    } else if (tokens.kind === "word") {
      this.#takeWord(tokens);
    } else {
      const sign = tokens.kind === "punctuation" || tokens.kind === "semicolon" ? tokens.token() : "";
      if (sign === "(") this.#depth++;
      else if (sign === ")") this.#depth--;
      this.#previous = sign;
    }
    this.#tokens++;
    return false;
  }

  /** The statement, or `null` when no token came. */
  finish(text: string): SqlPart | null {
    if (this.#start < 0) return null;
    return { sql: text.slice(this.#start, this.#end), verb: this.#verb, parameterCount: this.#parameterCount };
  }

  #isInsideTrigger(): boolean {
    return this.#isTrigger && this.#previous !== "; END";
  }

  #takeWord(tokens: Tokenizer): void {
    // Words matter at the front, as the main verb of a WITH, and as the END of a trigger.
    if (this.#isHead || this.#verb === "WITH" || this.#isTrigger) {
      const word = tokens.word();
      if (this.#tokens === 0) {
        this.#verb = word;
        this.#isHead = TRIGGER_HEAD.has(word);
      } else if (this.#isHead) {
        this.#isTrigger = word === "TRIGGER";
        this.#isHead = TRIGGER_HEAD.has(word);
      } else if (this.#verb === "WITH") {
        if (this.#depth === 0 && this.#previous === ")" && MAIN_VERBS.has(word)) this.#verb = word;
      } else if (word === "END" && this.#previous === ";") {
        this.#previous = "; END";
        return;
      }
    }
    this.#previous = "";
  }

  /** Numbers a parameter as SQLite does: `?NNN` is NNN, the others take the next number; equal names share one. */
  #countParameter(token: string): void {
    if (token === "?") {
      this.#parameterCount++;
      return;
    }
    if (token.charCodeAt(0) === 63) {
      this.#parameterCount = Math.max(this.#parameterCount, Math.min(Number(token.slice(1)), PARAMETER_NUMBER_MAX));
      return;
    }
    this.#names ??= new Map();
    if (!this.#names.has(token)) this.#names.set(token, ++this.#parameterCount);
  }
}

/** Statements of one text. */
export const STATEMENTS_MAX = 2_000_000;

const splitCache = new TextCache<readonly SqlPart[]>(CACHED_TEXTS_MAX); // a memo of a pure function, bounded

/** A text holds more statements than are split at a time; each takes a hundred bytes, besides its text. */
export class TooManyStatementsError extends Error {
  /** Always `TooManyStatementsError`. */
  override readonly name = "TooManyStatementsError";

  constructor() {
    super(`the text holds more than ${STATEMENTS_MAX} statements: split it`);
  }
}

/**
 * Splits a string of SQL at its semicolons; empty statements and comments are dropped. The result is shared with later
 * calls for the same text.
 * @throws {TooManyStatementsError} When there are more than {@linkcode STATEMENTS_MAX}.
 */
export function splitStatements(sql: string): readonly SqlPart[] {
  const cached = splitCache.get(sql);
  if (cached !== undefined) return cached;
  const parts: SqlPart[] = [];
  const tokens = new Tokenizer(sql);
  let builder = new PartBuilder();
  while (tokens.next()) {
    if (!builder.take(tokens)) continue;
    const part = builder.finish(sql);
    if (part !== null) parts.push(part);
    if (parts.length > STATEMENTS_MAX) throw new TooManyStatementsError();
    builder = new PartBuilder();
  }
  const last = builder.finish(sql);
  if (last !== null) parts.push(last);
  if (sql.length <= CACHED_TEXT_LENGTH_MAX) splitCache.set(sql, parts);
  return parts;
}

/**
 * Names of a statement's parameters by number, prefix included (`:a`, `@a`, `$a`); `null` for `?` and `?NNN`. The
 * array is empty when no parameter has a name.
 */
export function parameterNames(sql: string): readonly (string | null)[] {
  const names: (string | null)[] = [];
  const known = new Set<string>();
  let count = 0;
  const tokens = new Tokenizer(sql);
  while (tokens.next()) {
    if (tokens.kind !== "parameter") continue;
    const token = tokens.token();
    if (token === "?") {
      count++;
    } else if (token.charCodeAt(0) === 63) {
      count = Math.max(count, Math.min(Number(token.slice(1)), PARAMETER_NUMBER_MAX));
    } else if (!known.has(token)) {
      names[count++] = token;
      known.add(token);
    }
  }
  return known.size > 0 ? Array.from({ length: count }, (_, at) => names[at] ?? null) : [];
}

/** Whether the statement may be read-only, judged by its verb; SQLite has the last word where it runs. */
export function mayRead(part: SqlPart): boolean {
  return READ_VERBS.has(part.verb);
}

const DISALLOWED_PRAGMAS: ReadonlySet<string> = new Set([
  "journal_mode",
  "query_only",
  "synchronous",
  "wal_autocheckpoint",
]);

/**
 * Whether any statement of the string is a PRAGMA that would change how this node keeps its files: setting
 * `journal_mode`, `wal_autocheckpoint`, `synchronous` or `query_only` in either form, or any `wal_checkpoint`. Such a
 * request fails as a whole (rqlite's `disallowed pragma`).
 */
export function isDisallowedPragma(sql: string): boolean {
  for (const part of splitStatements(sql)) {
    if (part.verb !== "PRAGMA") continue;
    const pragma = parsePragma(part.sql);
    if (pragma === null) continue;
    if (pragma.name === "wal_checkpoint" || (pragma.hasValue && DISALLOWED_PRAGMAS.has(pragma.name))) return true;
  }
  return false;
}

/**
 * Finds the clock where it may not be: in what SQLite must be able to compute again. Pure.
 *
 * An index entry, a generated column and a CHECK are evaluated at different times and must come out the same. Stock
 * SQLite refuses `datetime('now')` there when it is evaluated; muster's own date functions cannot see where they are
 * called from, so the schema's text is searched when it is created. (`datetime()` and CURRENT_* are refused by SQLite,
 * since they are registered as non-deterministic.)
 * @module
 */

import { identifierName, Tokenizer } from "./tokenizer.ts";

const DATE_FUNCTIONS: ReadonlySet<string> = new Set([
  "DATE",
  "TIME",
  "DATETIME",
  "JULIANDAY",
  "UNIXEPOCH",
  "STRFTIME",
  "TIMEDIFF",
]);
const CLOCK_WORDS: ReadonlySet<string> = new Set(["now", "subsec", "subsecond"]);
const CLOCK_KEYWORDS: ReadonlySet<string> = new Set(["CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"]);

/** An open parenthesis. */
interface Frame {
  /** Date function it holds the arguments of, here or further out. */
  readonly dateFunction: string | null;
  /** Whether what it holds is computed again later. */
  readonly isRecomputed: boolean;
}

/**
 * The date function that a CREATE or ALTER statement calls on the clock in an index, a generated column or a CHECK, in
 * lower case; `null` when there is none.
 */
export function clockInSchema(sql: string): string | null {
  const tokens = new Tokenizer(sql);
  const frames: Frame[] = [];
  let previous = "";
  let isIndex = false;
  let isAlter = false;
  let count = 0;
  while (tokens.next()) {
    const word = tokens.word();
    if (++count <= 3) {
      isIndex ||= word === "INDEX"; // CREATE UNIQUE INDEX
      if (word === "VIEW" || word === "TRIGGER") return null; // evaluated when used, not stored
    }
    isAlter ||= count === 1 && word === "ALTER";
    const frame = frames.at(-1);
    const isRecomputed = isIndex || frame?.isRecomputed === true;
    const token = tokens.token();
    if (token === "(") {
      // A column's `AS (` lies within the table's parentheses; that of a WITH or a CREATE TABLE … AS does not.
      const isClause = previous === "CHECK" || (previous === "AS" && (frames.length > 0 || isAlter));
      frames.push({
        dateFunction: DATE_FUNCTIONS.has(previous) ? previous.toLowerCase() : frame?.dateFunction ?? null,
        isRecomputed: isRecomputed || isClause,
      });
    } else if (token === ")") {
      frames.pop();
    } else if (isRecomputed && CLOCK_KEYWORDS.has(word)) {
      return word.toLowerCase();
    } else if (isRecomputed && frame !== undefined && frame.dateFunction !== null) {
      const isText = tokens.kind === "string" || tokens.kind === "quoted";
      if (isText && CLOCK_WORDS.has(identifierName(token).toLowerCase())) return frame.dateFunction;
    }
    previous = tokens.kind === "quoted" ? identifierName(token).toUpperCase() : word;
  }
  return null;
}

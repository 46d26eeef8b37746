/**
 * Rows of a read, fast for few and bounded for many.
 *
 * `all()` is thirty times cheaper than `iterate()` for a point read, but holds every row at once and cannot be stopped:
 * a table of ten million rows would end the process. So a SELECT without a LIMIT is first run as a variant that has one;
 * only when that comes back full is the statement itself walked row by row, now and from then on. What is bounded by
 * its text (VALUES, EXPLAIN, PRAGMA, a small literal LIMIT) is read at once, anything else row by row.
 * @module
 */

import { Tokenizer } from "../sql/tokenizer.ts";
import type { Bindings, Database, Row } from "./driver.ts";
import type { Fetching, Prepared } from "./prepared.ts";

/** Rows read at once at most. */
const ROWS_AT_ONCE_MAX = 100;

/** The text of a read and its verb. */
interface ReadText {
  /** One statement. */
  readonly sql: string;
  /** Its verb. */
  readonly verb: string;
}

/** Whether the text has a LIMIT anywhere, and whether it ends in a small literal one. */
function limitOf(sql: string): "none" | "small" | "other" {
  const tokens = new Tokenizer(sql);
  let hasLimit = false;
  let isLastLimit = false;
  let endsSmall = false;
  while (tokens.next()) {
    endsSmall = isLastLimit && tokens.kind === "number" && Number(tokens.token()) <= ROWS_AT_ONCE_MAX;
    isLastLimit = tokens.word() === "LIMIT";
    hasLimit ||= isLastLimit;
  }
  if (endsSmall) return "small";
  return hasLimit ? "other" : "none";
}

function fetchingOf(database: Database, { sql, verb }: ReadText): Fetching {
  if (verb !== "SELECT") return { by: "all" };
  const limit = limitOf(sql);
  if (limit !== "none") return { by: limit === "small" ? "all" : "row" };
  try {
    return { by: "limited", variant: database.prepare(`${sql}\nLIMIT ${ROWS_AT_ONCE_MAX + 1}`) };
  } catch {
    return { by: "row" }; // a compound SELECT that ends in VALUES takes no LIMIT
  }
}

/** Rows of a read. Walk them to the end, or return from the walk, before running anything else. */
export function fetchRows(database: Database, text: ReadText, prepared: Prepared, bindings: Bindings): Iterable<Row> {
  const fetching = prepared.fetching ??= fetchingOf(database, text);
  if (fetching.by === "all") return prepared.statement.all(bindings);
  if (fetching.by === "limited") {
    const rows = fetching.variant.all(bindings);
    if (rows.length <= ROWS_AT_ONCE_MAX) return rows;
    prepared.fetching = { by: "row" };
  }
  return prepared.statement.iterate(bindings);
}

/** Whether the text holds the word SELECT, so that a RETURNING may give any number of rows. */
function hasSelect(sql: string): boolean {
  const tokens = new Tokenizer(sql);
  while (tokens.next()) {
    if (tokens.word() === "SELECT") return true;
  }
  return false;
}

/**
 * Rows of a statement that runs on every replica: itself, never a variant. Only what its text bounds is read at once.
 * Walk them to the end.
 */
export function fetchReplicated({ sql, verb }: ReadText, prepared: Prepared, bindings: Bindings): Iterable<Row> {
  if (prepared.fetching === null) {
    const isBounded = verb === "PRAGMA" || ((verb === "INSERT" || verb === "REPLACE") && !hasSelect(sql));
    prepared.fetching = { by: isBounded ? "all" : "row" };
  }
  return prepared.fetching.by === "all" ? prepared.statement.all(bindings) : prepared.statement.iterate(bindings);
}

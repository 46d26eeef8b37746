/**
 * Rows of a read, fast for few and bounded for many.
 *
 * `all()` is thirty times cheaper than `iterate()` for a point read, but holds every row at once and cannot be stopped:
 * a table of ten million rows would end the process. So a SELECT without a LIMIT is first run as a variant that has one;
 * only when that comes back full is the statement itself walked row by row, now and from then on. What is bounded by
 * its text (VALUES, EXPLAIN, PRAGMA, a small literal LIMIT) is read at once, and so is what must be (see `isRandom`);
 * anything else row by row.
 * @module
 */

import { Tokenizer } from "../sql/tokenizer.ts";
import type { Bindings, Database, Row } from "./driver.ts";
import { StatementError } from "./failure.ts";
import type { Fetching, Prepared } from "./prepared.ts";

/** Rows read at once at most. */
const ROWS_AT_ONCE_MAX = 100;

/** The text of a read and its verb. */
export interface ReadText {
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

/** Whether the text calls for chance: run again, it gives other rows, so that the end of a walk cannot be checked. */
function isRandom(sql: string): boolean {
  return /random/i.test(sql);
}

function fetchingOf(database: Database, { sql, verb }: ReadText): Fetching {
  if (verb !== "SELECT" || isRandom(sql)) return { by: "all" };
  const limit = limitOf(sql);
  if (limit !== "none") return { by: limit === "small" ? "all" : "row" };
  try {
    return { by: "limited", variant: database.prepare(`${sql}\nLIMIT ${ROWS_AT_ONCE_MAX + 1}`) };
  } catch {
    return { by: "row" }; // a compound SELECT that ends in VALUES takes no LIMIT
  }
}

/**
 * Rows of a read. Walk them to the end, or return from the walk, before running anything else.
 * @throws {StatementError} From the walk, when the rows end early for a reason that cannot be told.
 */
export function fetchRows(database: Database, text: ReadText, prepared: Prepared, bindings: Bindings): Iterable<Row> {
  const fetching = prepared.fetching ??= fetchingOf(database, text);
  if (fetching.by === "all") return prepared.statement.all(bindings);
  if (fetching.by === "limited") {
    const rows = fetching.variant.all(bindings);
    if (rows.length <= ROWS_AT_ONCE_MAX) return rows;
    prepared.fetching = { by: "row" };
  }
  return walkRows(database, text, prepared, bindings);
}

/**
 * Rows one by one. The driver's `iterate()` ends silently where a step fails, so the end is checked: a read that skips
 * the rows seen must find no further one. If it fails, that is the error that was hidden.
 */
function* walkRows(database: Database, { sql }: ReadText, prepared: Prepared, bindings: Bindings): Generator<Row> {
  let count = 0;
  for (const row of prepared.statement.iterate(bindings)) {
    count++;
    yield row;
  }
  const rest = database.prepare(`SELECT * FROM (\n${sql}\n) LIMIT 1 OFFSET ${count}`).all(bindings);
  if (rest.length > 0) throw new StatementError(`the query failed after ${count} rows`);
}

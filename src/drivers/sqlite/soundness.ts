/**
 * Checks a database for damage of its pages, not of its data. Rows that break a CHECK or a type that was declared after
 * they were inserted are legal and the same on every node. So are values that a generated column or an index cannot
 * compute.
 * @module
 */

import { type Database, SqliteError } from "../libsqlite/driver.ts";
import { causeOf } from "./failure.ts";

/**
 * Messages of `quick_check` about rows and virtual tables, which data and schema cause. (The modules of virtual tables
 * keep their data in ordinary tables, whose pages are checked like all others.)
 */
const ABOUT_ROWS = new RegExp(
  "^(?:NULL value in |CHECK constraint failed in |non-\\w+ value in |NUMERIC value in |TEXT value in |missing value from |" +
    "unable to validate the inverted index |malformed inverted index |fts5: |In RTree |In RTREE |Rtree |Schema corrupt or not an rtree)",
);

/**
 * The lines of `quick_check` that SQLite itself writes, about pages and b-trees. Where extensions are loaded, other lines
 * come from their virtual tables, whose rows lie in ordinary tables as well.
 */
const OF_SQLITE = /^(?:\*\*\* in database |row |rowid |wrong # of entries |Tree |Page |Freelist)/;

/**
 * Checks every page of a database; takes seconds per gigabyte. SQLite checks the pages of all tables before the rows of
 * the first, so that a row which cannot be computed ends the check behind what matters.
 * @returns What is damaged, or undefined.
 * @throws {SqliteError} When the file cannot be read for another reason than damage.
 */
export function findDamage(database: Database): string | undefined {
  try {
    const statement = database.prepare("PRAGMA quick_check");
    for (const [line] of statement.iterate()) {
      const text = String(line);
      if (text === "ok" || ABOUT_ROWS.test(text)) continue;
      if (database.extensions.length === 0 || OF_SQLITE.test(text)) return text;
    }
    statement.finalize();
    return undefined;
  } catch (error) {
    const cause = causeOf(error);
    if (cause === "statement") return undefined;
    if (cause === "damage" && error instanceof SqliteError) return error.message;
    throw error;
  }
}

/**
 * The message of a statement's error that looks like damage, or like an error of the environment, and is neither: what a
 * client brought about must not end a node, each time that it comes to the entry. `null` for any other.
 *
 * Damage that the database has not is none. The function of an extension may fail with any code. Where no operation on a
 * file failed meanwhile and memory sufficed, the code is the function's: inside a transaction, which has its locks, SQLite
 * itself comes to such a code by a file alone. One that was cut short is found by the check.
 */
export function excusedMessage(error: unknown, database: Database): string | null {
  if (!(error instanceof SqliteError)) return null;
  const cause = causeOf(error);
  const isOfExtension = cause === "environment" && database.extensions.length > 0 && error.io.code === 0;
  if (cause !== "damage" && !isOfExtension) return null;
  return findDamage(database) === undefined ? error.message : null;
}

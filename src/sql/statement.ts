/**
 * SQL text, split into statements and classified. Pure.
 * @module
 */

/** One statement of a string of SQL. */
export interface SqlPart {
  /** The statement's text, without the `;` that ended it and without comments around it. */
  readonly sql: string;
  /** First keyword in upper case; for WITH the verb of the main statement; empty when there is none. */
  readonly verb: string;
  /** What `sqlite3_bind_parameter_count` will say: the largest parameter number (sqlite.org/lang_expr.html §3). */
  readonly parameterCount: number;
}

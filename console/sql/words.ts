/**
 * The words of SQLite's SQL: what the editor highlights and completes, and nothing of other dialects. Pure.
 * @module
 */

/** The keywords (sqlite.org/lang_keywords.html). */
export const KEYWORDS =
  "abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade case cast " +
  "check collate column commit conflict constraint create cross current current_date current_time current_timestamp database " +
  "default deferrable deferred delete desc detach distinct do drop each else end escape except exclude exclusive exists " +
  "explain fail filter first following for foreign from full generated glob group groups having if ignore immediate in index " +
  "indexed initially inner insert instead intersect into is isnull join key last left like limit match materialized natural " +
  "no not nothing notnull null nulls of offset on or order others outer over partition plan pragma preceding primary query " +
  "raise range recursive references regexp reindex release rename replace restrict returning right rollback row rows " +
  "savepoint select set table temp temporary then ties to transaction trigger unbounded union unique update using vacuum " +
  "values view virtual when where window with without rowid strict stored true false";

/** Names of types that say what they mean to SQLite (sqlite.org/datatype3.html). */
export const TYPES = "any blob integer int numeric real text";

/** Functions that are part of SQLite (sqlite.org/lang_corefunc.html and the pages beside it). */
export const FUNCTIONS =
  "abs avg ceil changes char coalesce concat concat_ws count cume_dist date datetime dense_rank exp first_value floor format " +
  "group_concat hex ifnull iif instr json json_array json_array_length json_each json_extract json_group_array " +
  "json_group_object json_insert json_object json_patch json_quote json_remove json_replace json_set json_tree json_type " +
  "json_valid jsonb julianday lag last_insert_rowid last_value lead length lower ltrim max min mod nth_value ntile nullif " +
  "octet_length percent_rank pow printf quote random randomblob rank round row_number rtrim sign sqrt strftime string_agg " +
  "substr substring sum time timediff total trim trunc typeof unhex unicode unixepoch upper zeroblob";

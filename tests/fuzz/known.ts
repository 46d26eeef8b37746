/**
 * Kinds of statement that the state machine is known not to bear yet. The tests leave them out; `deno task fuzz-sql`
 * does not. An entry goes away with the fault.
 * @module
 */

import type { Kind } from "./grammar/kinds.ts";

/** What the tests leave out. */
export const KNOWN_FAULTS: readonly Kind[] = [
  "sequence-write", // an exhausted AUTOINCREMENT ends the node
  "rowid-max", // random rowids after the largest one; SQLITE_FULL
  "overflow", // 2^63-1 as a key; virtual columns that cannot be computed
  "virtual-column", // a column that cannot be computed fails the hash and the snapshot
  "date-word", // timediff('subsec'), 'now' in rows and by concatenation
  "localtime", // taken in indexes, where SQLite refuses it
  "clock-schema",
  "analyze", // statistics in memory differ from those of a replica that was opened again
  "stat-write",
  "stat-drop",
  "rtree", // SQLITE_LOCKED where a statement reads and writes one R-tree
  "rtree-self",
  "fts3", // what is pending is written at COMMIT, so that segments depend on the batches
  "fts5",
  "fts-external", // COMMIT fails; quick_check of a contentless FTS4 table
  "several", // a failed read in a string of a query hides the refusal of what follows it
  "explain", // EXPLAIN for its asker alone changes changes()
  "alter", // a failed ALTER leaves a wrong schema in memory
  "alter-check",
];

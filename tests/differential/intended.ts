/**
 * Reasons for which muster's answers differ from those of rqlite 8.26, and what becomes of rqlite's where the same holds
 * for many.
 * @module
 */
import type { Intended } from "./case.ts";

/** rqlite 10 has `raft_index`, rqlite 8 does not. */
export const RAFT_INDEX: Intended = {
  reason: "raft_index came with a later rqlite (Q2.5)",
  muster: {
    body: (rqlite) =>
      rqlite.endsWith("\n}")
        ? rqlite.replace(/\n\}$/, `,\n    "raft_index": «index»\n}`)
        : rqlite.replace(/\}$/, `,"raft_index":«index»}`),
  },
};

/** Associative results of writes. */
export const ROWS_NULL: Intended = {
  reason: `rqlite 10 adds "rows":null to associative results of writes, rqlite 8 only on /db/request (Q4.1)`,
  muster: {
    body: (rqlite) =>
      rqlite
        .replace(/(\{"(?:last_insert_id|rows_affected|time)":[^{}]*)\}/g, `$1,"rows":null}`)
        .replace(/("(?:last_insert_id|rows_affected)": -?\d+)\n( +)\}/g, `$1,\n$2    "rows": null\n$2}`),
  },
};

/** SQL text with a NUL. */
export const NUL_IN_SQL: Intended = {
  reason: "SQLite would silently ignore what follows a NUL",
  muster: { status: 200, body: `{"results":[{"error":"the SQL text holds a NUL character"}]}` },
};

/**
 * Facts about a database's schema that are needed to run statements identically on every replica.
 * @module
 */

import { CHANGES_TABLE } from "../../core/sql/change_log.ts";
import { type Database, runOnce } from "../libsqlite/driver.ts";

/** Facts about a schema. */
export interface SchemaFacts {
  /** Names of the virtual tables, in lower case. */
  readonly virtualTables: ReadonlySet<string>;
  /** Whether a table may declare a foreign key that is checked at COMMIT. */
  readonly hasDeferredKeys: boolean;
  /** Whether changed rows are recorded (libsqlite/change_log.ts). */
  readonly hasChangeLog: boolean;
}

/** Reads the facts from the schema. */
export function readSchemaFacts(database: Database): SchemaFacts {
  const rows = runOnce(
    database,
    "SELECT name, sql LIKE 'CREATE VIRTUAL%', sql LIKE '%deferr%' FROM sqlite_schema " +
      `WHERE type = 'table' AND (sql LIKE 'CREATE VIRTUAL%' OR sql LIKE '%deferr%' OR name = '${CHANGES_TABLE}')`,
  );
  return {
    virtualTables: new Set(
      rows.filter(([, isVirtual]) => isVirtual === 1n).map(([name]) => String(name).toLowerCase()),
    ),
    hasChangeLog: rows.some(([name]) => name === CHANGES_TABLE),
    hasDeferredKeys: rows.some(([, , isDeferred]) => isDeferred === 1n),
  };
}

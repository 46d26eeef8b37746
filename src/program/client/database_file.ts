/**
 * Checks a database file for the command line and describes its content.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { identifierText } from "../../core/sql/tokenizer.ts";
import { Database, runOnce, SqliteError, STORED_BYTES_MAX } from "../../drivers/libsqlite/driver.ts";
import { findDamage } from "../../drivers/sqlite/soundness.ts";

/** Facts about a database file. */
export interface Inspection {
  /** Tables with the numbers of their rows, by name. */
  readonly tables: readonly { readonly name: string; readonly rows: number }[];
  /** Indexes, triggers and views. */
  readonly others: number;
}

/**
 * Checks a database file as a node checks what it loads, and counts what is in it.
 * @throws {Error} What is wrong with it.
 */
export function inspectDatabase(path: string): Inspection {
  const database = new Database(path, { readOnly: true, foreignKeys: false, valueBytesMax: STORED_BYTES_MAX });
  try {
    const damage = findDamage(database);
    if (damage !== undefined) throw new Error(`it is damaged: ${damage}`);
    const names = runOnce(
      database,
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT GLOB 'sqlite_*' " +
        "ORDER BY name",
    );
    const tables = names.map(([name]) => ({
      name: String(name),
      rows: rowsOf(database, String(name)),
    }));
    const [others] =
      runOnce(database, "SELECT count(*) FROM sqlite_schema WHERE type <> 'table' AND sql IS NOT NULL")[0] ??
        [];
    return { tables, others: Number(others) };
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`);
  } finally {
    database.close();
    for (const side of ["-wal", "-shm"]) removeIfEmpty(`${path}${side}`);
  }
}

/** Rows of a table; 0 where it cannot say: a virtual table may lack what it reads. */
function rowsOf(database: Database, table: string): number {
  try {
    return Number(runOnce(database, `SELECT count(*) FROM ${identifierText(table)}`)[0]?.[0] ?? 0n);
  } catch (error) {
    if (error instanceof SqliteError) return 0;
    throw error;
  }
}

/** Reading a file in WAL mode leaves empty files beside it. */
function removeIfEmpty(path: string): void {
  try {
    if (path.endsWith("-shm") || Deno.statSync(path).size === 0) Deno.removeSync(path);
  } catch {
    // there is none
  }
}

/** Describes a database in one line. */
export function describe({ tables, others }: Inspection): string {
  const rows = tables.reduce((sum, one) => sum + one.rows, 0);
  return `tables: ${tables.length}, rows: ${rows.toLocaleString("en-US")}, indexes, triggers and views: ${others}`;
}

/**
 * A database file for users: a consistent copy of the database without what the cluster keeps in it for itself. Nothing of that
 * is left in free pages or in the gaps of others, as keys and hashes of passwords may be among it: where there was any, the
 * copy is written anew (VACUUM).
 * @module
 */
import { identifierText } from "../../core/sql/tokenizer.ts";
import { Database, runOnce, STORED_BYTES_MAX } from "../libsqlite/driver.ts";
import type { SqliteLibrary } from "../libsqlite/library.ts";
import { isOwnName, SYSTEM_TABLE } from "../sqlite/authorizer.ts";
import { copyPages, damageOf, removeDatabase } from "../sqlite/snapshot_file.ts";
import type { BackupOptions } from "./api.ts";

/**
 * Copies the database at `from` into the file `to`, while it is written to.
 * @returns Whether the copy has no tables.
 * @throws {Error} When there is no room for it, or the database is damaged; nothing is left behind then.
 */
export function copyForUsers(
  from: string,
  to: string,
  { library, format, isVacuumed }: { library: SqliteLibrary } & Pick<BackupOptions, "format" | "isVacuumed">,
): boolean {
  copyPages(from, to, library);
  try {
    const damage = damageOf(to, library);
    if (damage !== undefined) throw new Error(`the database is damaged: ${damage}`);
    const copy = new Database(to, { readOnly: false, foreignKeys: false, library, valueBytesMax: STORED_BYTES_MAX });
    try {
      runOnce(copy, "PRAGMA synchronous = OFF"); // after a crash it is of no use in any case
      runOnce(copy, "PRAGMA journal_mode = DELETE"); // no WAL any more
      runOnce(copy, "PRAGMA journal_mode = OFF");
      const names = runOnce(copy, "SELECT name FROM sqlite_schema WHERE type = 'table'").map(([name]) => String(name));
      const own = names.filter(isOwnName);
      for (const name of own) runOnce(copy, `DROP TABLE ${identifierText(name)}`);
      const hasSecrets = own.some((name) => name !== SYSTEM_TABLE); // that one has the place in the log
      if (isVacuumed || hasSecrets) runOnce(copy, "VACUUM");
      if (format === "wal") runOnce(copy, "PRAGMA journal_mode = WAL");
      return runOnce(copy, "SELECT 1 FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*' LIMIT 1").length === 0;
    } finally {
      copy.close();
    }
  } catch (error) {
    removeDatabase(to);
    throw error;
  }
}

/**
 * Databases for the tests of this folder.
 * @module
 */
import { Database } from "../../../src/drivers/libsqlite/driver.ts";

/** Opens a database for the time of some work. @param path A file, or `:memory:`. */
export function withDatabase(work: (database: Database) => void, path = ":memory:"): void {
  const database = new Database(path, { readOnly: false, foreignKeys: true });
  try {
    work(database);
  } finally {
    database.close();
  }
}

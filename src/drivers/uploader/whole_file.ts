/**
 * Whether a file is all of its database: SQLite keeps changes beside it, in a write-ahead log that was not copied into it yet or in
 * a journal that has to be rolled back (sqlite.org/tempfiles.html). Alone the file is an older database, or a damaged one.
 * @module
 */

/**
 * Looks for changes beside a file.
 * @throws {Error} When there are some; it says what to do.
 */
export async function refuseUnlessWhole(path: string): Promise<void> {
  for (const side of [`${path}-wal`, `${path}-journal`]) {
    if (await firstByteOf(side) === 0) continue;
    throw new Error(
      `${path} is not all of its database: changes in ${side} would be lost. Put them into it with ` +
        `sqlite3 ${path} 'PRAGMA wal_checkpoint(TRUNCATE)', or make a whole copy with sqlite3 ${path} '.backup COPY'`,
    );
  }
}

/** 0 where there is none. A log or journal that counts begins with another byte; a journal that is kept behind its transaction, with 0. */
async function firstByteOf(path: string): Promise<number> {
  const first = new Uint8Array(1);
  try {
    using file = await Deno.open(path);
    await file.read(first);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return first[0];
}

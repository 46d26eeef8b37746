/**
 * The section `store.sqlite3` of `/status` (Q12).
 * @module
 */

import { crc32 } from "../../base/codec/crc32.ts";
import { friendlySize } from "../../base/codec/size_text.ts";
import { type Database, runOnce } from "../libsqlite/driver.ts";

/** What rqlite shows of the memory: pragmas that only answer. */
const MEMORY_PRAGMAS = [
  "cache_size",
  "freelist_count",
  "hard_heap_limit",
  "max_page_count",
  "page_count",
  "page_size",
  "soft_heap_limit",
] as const;
const PRAGMAS = ["synchronous", "journal_mode", "foreign_keys", "wal_autocheckpoint", "busy_timeout"] as const;

function value(database: Database, sql: string): unknown {
  return runOnce(database, sql)[0]?.[0];
}

/** The pragmas rqlite shows, as strings. */
export function describePragmas(database: Database): Record<string, string> {
  return Object.fromEntries(PRAGMAS.map((name) => [name, String(value(database, `PRAGMA ${name}`))]));
}

function fileInfo(path: string): { size: number; modified: string | null } {
  try {
    const { size, mtime } = Deno.statSync(path);
    return { size, modified: mtime?.toISOString() ?? null };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { size: 0, modified: null };
    throw error;
  }
}

/** The writer's part of the status. */
export function describeWriter(database: Database, path: string): Record<string, unknown> {
  const file = path === ":memory:" ? { size: 0, modified: null } : fileInfo(path);
  const wal = path === ":memory:" ? { size: 0, modified: null } : fileInfo(`${path}-wal`);
  const dbSize = Number(value(database, "PRAGMA page_count")) * Number(value(database, "PRAGMA page_size"));
  return {
    version: sqliteVersion(database),
    path,
    size: file.size,
    wal_size: wal.size,
    db_size: dbSize,
    db_size_friendly: friendlySize(dbSize),
    last_modified: wal.size > 0 ? wal.modified ?? file.modified : file.modified,
    compile_options: runOnce(database, "PRAGMA compile_options").map(([option]) => String(option)),
    extensions: database.extensions.map(fileName),
    mem_stats: Object.fromEntries(MEMORY_PRAGMAS.map((name) => [name, Number(value(database, `PRAGMA ${name}`))])),
    pragmas: { rw: describePragmas(database) },
    transaction: { rw: database.isTransaction, ro: false },
  };
}

/** Options that say how the library was built, not what it does. */
const BUILD_OPTIONS = /^(?:COMPILER=|ATOMIC_INTRINSICS|MUTEX_|HAVE_|SYSTEM_MALLOC)/;

/** Names a build of SQLite: its version, its sources and its options. Two builds with one name compute the same. */
export function identityOf(database: Database): string {
  const [[version, source]] = runOnce(database, "SELECT sqlite_version(), sqlite_source_id()");
  const options = runOnce(database, "PRAGMA compile_options").map(([option]) => String(option));
  const text = options.filter((option) => !BUILD_OPTIONS.test(option)).join(" ");
  const build = `${String(source).slice(20, 30)}, options ${sumOf(text)}`;
  return `${version} (${build}${extensionsOf(database)})`;
}

/** Extensions by name, whatever the platform's files are called, and a sum of what connections have beyond SQLite itself. */
function extensionsOf(database: Database): string {
  if (database.extensions.length === 0) return "";
  const names = database.extensions.map((path) => fileName(path).replace(/\..*/, "")).sort();
  const functions = runOnce(
    database,
    "SELECT DISTINCT name, narg FROM pragma_function_list WHERE builtin = 0 ORDER BY 1, 2",
  );
  const added = [...functions, ...[...database.extensionModules].sort()].join(" ");
  return `, extensions ${names.join(" ")} ${sumOf(added)}`;
}

function sumOf(text: string): string {
  return crc32(new TextEncoder().encode(text)).toString(16);
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Version of SQLite. */
export function sqliteVersion(database: Database): string {
  return String(value(database, "SELECT sqlite_version()"));
}

/**
 * The native library: SQLite of our own build, and what drives it (library/muster.c). It is opened once in each SQLite
 * Worker, which has `ffi` for its path and for nothing else.
 * @module
 */

import { ROOT } from "../../root.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Path of the library for this machine: beside the sources, or inside the executable. */
export function bundledLibrary({ os, arch } = Deno.build): string {
  const name = LIBRARIES.find((one) => one.os === os && one.arch === arch)?.file;
  if (name === undefined) {
    throw new LibraryError(
      `there is no SQLite library for ${os} on ${arch}: build one (scripts/sqlite_library.ts --help) and name it with ` +
        "-sqlite-library PATH",
    );
  }
  const url = new URL(`src/drivers/libsqlite/library/${name}`, ROOT);
  return url.protocol === "file:" && os !== "windows"
    ? decodeURIComponent(url.pathname)
    : decodeURIComponent(url.pathname.replace(/^\/([A-Za-z]:)/, "$1"));
}

/** A library, and the extensions that each of its connections loads. */
export interface SqliteLibrary {
  /** Path of the library. */
  readonly path: string;
  /** Paths of SQLite extensions (`-extensions-path`), in the order in which they are loaded. */
  readonly extensions: readonly string[];
}

/** The libraries that are kept in the repository. */
export const LIBRARIES = [
  { os: "linux", arch: "x86_64", file: "libmuster-linux-x64.so", target: "x86_64-linux-gnu.2.17" },
  { os: "linux", arch: "aarch64", file: "libmuster-linux-arm64.so", target: "aarch64-linux-gnu.2.17" },
  { os: "darwin", arch: "x86_64", file: "libmuster-macos-x64.dylib", target: "x86_64-macos" },
  { os: "darwin", arch: "aarch64", file: "libmuster-macos-arm64.dylib", target: "aarch64-macos" },
  { os: "windows", arch: "x86_64", file: "muster-windows-x64.dll", target: "x86_64-windows-gnu" },
] as const;

/** The library cannot be used; the message says what to do. */
export class LibraryError extends Error {
  /** Always `LibraryError`. */
  override readonly name = "LibraryError";
}

const ANOTHER_WAY = "build it again with `deno task sqlite-library`, or name another one with -sqlite-library PATH";

/**
 * Makes sure that the Workers can open the library at `path`, before any of them is started.
 * @throws {LibraryError} When it is not there, or when this process may not open it.
 */
export function requireLibrary(path: string): void {
  try {
    Deno.statSync(path);
  } catch (error) {
    const why = messageOf(error);
    throw new LibraryError(`Cannot load the SQLite library "${path}" (${why}): restore the file, ${ANOTHER_WAY}`);
  }
  if (Deno.permissions.querySync({ name: "ffi", path }).state === "granted") return;
  throw new LibraryError(
    `Cannot load the SQLite library "${path}": Deno was not given the right to it; start muster with --allow-ffi=${path}`,
  );
}

/** The library's exported functions. */
export const SYMBOLS = {
  muster_open: { parameters: ["buffer", "i32", "buffer", "buffer", "buffer"], result: "i32" },
  muster_close: { parameters: ["usize"], result: "i32" },
  muster_connection: { parameters: ["usize"], result: "usize" },
  muster_config: { parameters: ["usize", "i32", "i32"], result: "i32" },
  muster_prepare: { parameters: ["usize", "buffer", "i32", "i32", "i64", "buffer"], result: "i32" },
  muster_finalize: { parameters: ["usize", "usize"], result: "i32" },
  muster_events: { parameters: ["usize", "buffer", "i32"], result: "i32" },
  muster_columns: { parameters: ["usize", "buffer", "i32"], result: "i32" },
  muster_error: { parameters: ["usize", "buffer", "i32"], result: "i32" },
  muster_address: { parameters: ["buffer"], result: "usize" },
  muster_run: { parameters: ["usize", "usize", "usize", "i32", "usize"], result: "i32" },
  muster_rows: { parameters: ["usize", "usize", "usize", "i32", "usize", "i32", "usize"], result: "i32" },
  muster_reset: { parameters: ["usize", "usize", "buffer"], result: "void" },
  muster_capture: { parameters: ["usize", "i32"], result: "void" },
  muster_changes: { parameters: ["usize", "buffer", "i32"], result: "i32" },
  muster_forget: { parameters: ["usize", "i32"], result: "void" },
  muster_recount: { parameters: ["usize"], result: "void" },
  /** Those built before it lack it. */
  muster_nice: { parameters: ["buffer", "i32"], result: "i32", optional: true },
  sqlite3_limit: { parameters: ["usize", "i32", "i32"], result: "i32" },
  sqlite3_backup_init: { parameters: ["usize", "buffer", "usize", "buffer"], result: "usize" },
  muster_backup_step: { parameters: ["usize", "usize", "i32", "buffer"], result: "i32" },
  sqlite3_backup_finish: { parameters: ["usize"], result: "i32" },
  sqlite3_backup_remaining: { parameters: ["usize"], result: "i32" },
  sqlite3_backup_pagecount: { parameters: ["usize"], result: "i32" },
  /** glibc's, which the library is linked to: other C libraries lack it. */
  malloc_trim: { parameters: ["usize"], result: "i32", optional: true },
} as const;

/** The functions of the library. */
export type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const opened = new Map<string, Symbols>(); // a library is loaded once in a thread, and stays

/**
 * Opens the library at `path`.
 * @throws {LibraryError} When it is not there or is not one of ours.
 */
export function openLibrary(path: string = bundledLibrary()): Symbols {
  const known = opened.get(path);
  if (known !== undefined) return known;
  try {
    const { symbols } = Deno.dlopen(path, SYMBOLS);
    opened.set(path, symbols);
    return symbols;
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    const wayOut = why.includes("failed to map segment") // the executable unpacks the library there
      ? "the folder of temporary files is mounted noexec: name another one in the environment variable TMPDIR"
      : `restore the file, ${ANOTHER_WAY}`;
    throw new LibraryError(`Cannot load the SQLite library "${path}" (${why}): ${wayOut}`);
  }
}

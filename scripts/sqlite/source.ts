/**
 * Fetches SQLite's source, changes it as patches.ts says, and lays it out with the native part of muster, ready to be
 * compiled. Used to build the library, and by the tests of the native part.
 * @module
 */
import { EXTENSION_SYMBOLS } from "../../src/drivers/libsqlite/extension.ts";
import { SYMBOLS } from "../../src/drivers/libsqlite/library.ts";
import { patched, PATCHES, PROLOGUE } from "./patches.ts";

const SOURCE_PACKAGE = "better-sqlite3@12.11.1";
/** The version of SQLite in it. */
export const SQLITE_VERSION = "3.53.2";
/** Of its sqlite3.c. */
export const SOURCE_SHA256 = "60d2f39a3726cd6b9021da6f4e868608d66fbb6528a9f513dc8ffcc640493422";
/** The compiler, from PyPI. */
export const COMPILER_PACKAGE = "ziglang==0.17.1";
/** Options of the compiler that are the same everywhere; the result is the same to the byte each time. */
export const COMPILER_OPTIONS = [
  "-O2",
  "-g0",
  "-s",
  "-shared",
  "-fno-sanitize=undefined",
  "-ffp-contract=off", // what is computed is the same on every processor
];
/** What the library shows to those that open it, for the linker. */
const EXPORTS = "exports.map";
/**
 * Options of the linker, where it can optimise the program as a whole: what is not exported need not stay as it is, and
 * a statement takes a tenth less time. Those of macOS and Windows cannot.
 */
const LINUX_LINKER_OPTIONS = ["-flto", `-Wl,--version-script=${EXPORTS}`, "-lpthread", "-lm", "-ldl"];

/** Options of the linker on a platform. */
export function linkerOptions(os: string): readonly string[] {
  return os === "linux" ? LINUX_LINKER_OPTIONS : [];
}

/** Our own functions, and those of SQLite that are called from TypeScript. */
function exportedNames(): string {
  const names = Object.keys({ ...SYMBOLS, ...EXTENSION_SYMBOLS }).filter((name) => name.startsWith("sqlite3_"));
  return `{ global: ${["muster_*", ...names].map((name) => `${name};`).join(" ")} local: *; };\n`;
}

/** Attempts to fetch a package. */
const FETCH_ATTEMPTS = 4;

const ROOT = new URL("../../", import.meta.url).pathname;
/** The folder of the native part and the libraries. */
export const LIBRARY = `${ROOT}src/drivers/libsqlite/library`;

/** Where the sum of what the libraries were made of is kept. */
export const SOURCES_SUM = `${LIBRARY}/SOURCES.sha256`;

/** The native part of muster, in C. */
export const NATIVE_SOURCES = ["muster.c", "values.c", "changes.c", "threads.c"];
const NATIVE_PART = [...NATIVE_SOURCES, "muster.h", "connection.h"];

/** After what rqlite's own SQLite reports (`PRAGMA compile_options`), and what muster needs beyond that. */
const OPTIONS = [
  "SQLITE_DQS=3", // double-quoted text that names nothing is a string, as in rqlite
  "SQLITE_THREADSAFE=2", // a connection belongs to one thread
  "SQLITE_ENABLE_COLUMN_METADATA", // names of tables in results
  "SQLITE_ENABLE_DBSTAT_VTAB",
  "SQLITE_ENABLE_FTS3",
  "SQLITE_ENABLE_FTS3_PARENTHESIS",
  "SQLITE_ENABLE_FTS5",
  "SQLITE_ENABLE_RTREE",
  "SQLITE_ENABLE_GEOPOLY",
  "SQLITE_ENABLE_MATH_FUNCTIONS",
  "SQLITE_ENABLE_UPDATE_DELETE_LIMIT",
  "SQLITE_ENABLE_SESSION",
  "SQLITE_ENABLE_PREUPDATE_HOOK",
  "SQLITE_DEFAULT_MEMSTATUS=0", // no lock at every allocation
  "SQLITE_DEFAULT_WAL_SYNCHRONOUS=1",
  "SQLITE_OMIT_SHARED_CACHE",
  "SQLITE_USE_URI=0",
  "SQLITE_WITHOUT_ZONEMALLOC", // sizes of allocations are the same on every platform
];
const UNIX_OPTIONS = ["HAVE_LOCALTIME_R=1", "HAVE_USLEEP=1", "USE_PREAD=1"];
const LINUX_OPTIONS = [...UNIX_OPTIONS, "HAVE_FDATASYNC=1", "_GNU_SOURCE"];
const WINDOWS_OPTIONS = ["HAVE_LOCALTIME_S=1", "SQLITE_API=__declspec(dllexport)"];

/** Options of the compiler for SQLite on a platform, as `-DNAME=VALUE`. */
export function definitions(os: string): string[] {
  const own = os === "linux" ? LINUX_OPTIONS : os === "darwin" ? UNIX_OPTIONS : WINDOWS_OPTIONS;
  return [...OPTIONS, ...own].map((option) => `-D${option}`);
}

/**
 * Runs a program in a folder.
 * @throws {Error} When it fails, with what it printed.
 */
export async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { success, stderr, stdout } = await new Deno.Command(command, {
    args: [...args],
    cwd,
    stdin: "null",
    env: { ZIG_GLOBAL_CACHE_DIR: `${cwd}/cache`, ZIG_LOCAL_CACHE_DIR: `${cwd}/cache` },
  }).output();
  if (success) return;
  const decoder = new TextDecoder();
  throw new Error(`${command} ${args.join(" ")} failed:\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
}

/** Runs a program that fetches something; a registry may be out of reach for a moment. */
export async function fetched(command: string, args: readonly string[], cwd: string): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await run(command, args, cwd);
    } catch (error) {
      if (attempt === FETCH_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * 2000));
    }
  }
}

/** SHA-256 of some bytes, in hexadecimal. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/**
 * Sum of all that decides what the libraries are: SQLite's source and its changes, the native part, the compiler and its
 * options. It is kept beside the libraries (`SOURCES.sha256`), so that a change without a build is found in no time.
 */
export async function sourcesSum(): Promise<string> {
  const options = ["linux", "darwin", "windows"].map((os) => [definitions(os), linkerOptions(os)]);
  const changes = PATCHES.map(({ find, replace, count }) => [find, replace, count]);
  const native = await Promise.all(NATIVE_PART.map((name) => Deno.readTextFile(`${LIBRARY}/${name}`)));
  const all = [SOURCE_SHA256, PROLOGUE, changes, native, COMPILER_PACKAGE, COMPILER_OPTIONS, options, exportedNames()];
  return await sha256(new TextEncoder().encode(JSON.stringify(all)));
}

/**
 * Puts the sources into the folder where they are built, by names without a path: these end up in the library.
 * @param folder Where sqlite3.c and sqlite3.h lie. @default Those that belong to muster are fetched.
 */
export async function prepareSources(work: string, folder?: string): Promise<void> {
  if (folder === undefined) {
    await fetched("npm", ["pack", "--silent", SOURCE_PACKAGE], work);
    await run("tar", ["xzf", `${SOURCE_PACKAGE.replace("@", "-")}.tgz`], work);
    folder = `${work}/package/deps/sqlite3`;
    const found = await sha256(await Deno.readFile(`${folder}/sqlite3.c`));
    if (found !== SOURCE_SHA256) throw new Error(`${SOURCE_PACKAGE} has another sqlite3.c than it had: ${found}`);
  }
  await Deno.writeTextFile(`${work}/sqlite3.c`, patched(await Deno.readTextFile(`${folder}/sqlite3.c`)));
  await Deno.copyFile(`${folder}/sqlite3.h`, `${work}/sqlite3.h`);
  for (const name of NATIVE_PART) await Deno.copyFile(`${LIBRARY}/${name}`, `${work}/${name}`);
  await Deno.writeTextFile(`${work}/${EXPORTS}`, exportedNames());
}

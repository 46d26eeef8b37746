/**
 * Builds the SQLite library of muster, for every platform from one machine, the same to the byte each time.
 *
 *     deno task sqlite-library                      all platforms, into src/sqlite/library/
 *     deno task sqlite-library --check              rebuild this machine's and compare it with the one that is kept
 *     deno task sqlite-library --source DIR --output FILE
 *                                                   another SQLite (sqlite3.c and sqlite3.h in DIR; SQLCipher, say), for
 *                                                   this machine: start muster with -sqlite-library FILE
 *     --option -DNAME=VALUE                         one more option for the compiler; may be repeated
 *
 * SQLite's source is the public-domain amalgamation that the npm package `better-sqlite3` ships, changed in the places
 * that scripts/sqlite/patches.ts names; beside it stands src/sqlite/library/muster.c. The compiler is `zig cc`, from the
 * PyPI package `ziglang`, which crosses to all platforms. Both are pinned, fetched into a temporary folder, and removed.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { LIBRARIES } from "../src/sqlite/library.ts";
import { patched } from "./sqlite/patches.ts";

const SOURCE_PACKAGE = "better-sqlite3@12.11.1";
/** Of its sqlite3.c: SQLite 3.53.2. */
const SOURCE_SHA256 = "60d2f39a3726cd6b9021da6f4e868608d66fbb6528a9f513dc8ffcc640493422";
const COMPILER_PACKAGE = "ziglang==0.17.1";
/** Attempts to fetch a package. */
const FETCH_ATTEMPTS = 4;

const ROOT = new URL("../", import.meta.url).pathname;
const LIBRARY = `${ROOT}src/sqlite/library`;
const SUMS = `${LIBRARY}/SHA256SUMS`;

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

type Library = typeof LIBRARIES[number];

const flags = parseArgs(Deno.args, {
  boolean: ["check", "help"],
  string: ["source", "output", "option"],
  collect: ["option"],
});

if (flags.help) {
  console.log(
    "deno task sqlite-library [--check | --source DIR --output FILE] [--option -DNAME=VALUE]…\n" +
      "Builds SQLite and what drives it (src/sqlite/library/muster.c) for all platforms; --check rebuilds this machine's " +
      "and compares it with the one that is kept; --source takes another SQLite, for this machine.",
  );
  Deno.exit(0);
}

async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
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

/** Fetches a package; a registry may be out of reach for a moment. */
async function fetched(command: string, args: readonly string[], cwd: string): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await run(command, args, cwd);
    } catch (error) {
      if (attempt === FETCH_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * 2000));
    }
  }
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Puts the sources into the folder where they are built, by names without a path: these end up in the library. */
async function prepareSources(work: string): Promise<void> {
  let folder = flags.source;
  if (folder === undefined) {
    await fetched("npm", ["pack", "--silent", SOURCE_PACKAGE], work);
    await run("tar", ["xzf", `${SOURCE_PACKAGE.replace("@", "-")}.tgz`], work);
    folder = `${work}/package/deps/sqlite3`;
    const found = await sha256(await Deno.readFile(`${folder}/sqlite3.c`));
    if (found !== SOURCE_SHA256) throw new Error(`${SOURCE_PACKAGE} has another sqlite3.c than it had: ${found}`);
  }
  await Deno.writeTextFile(`${work}/sqlite3.c`, patched(await Deno.readTextFile(`${folder}/sqlite3.c`)));
  await Deno.copyFile(`${folder}/sqlite3.h`, `${work}/sqlite3.h`);
  await Deno.copyFile(`${LIBRARY}/muster.c`, `${work}/muster.c`);
}

async function build(work: string, { os, target, file }: Library, output: string): Promise<void> {
  console.error(`building ${file}`);
  const options = os === "linux" ? LINUX_OPTIONS : os === "darwin" ? UNIX_OPTIONS : WINDOWS_OPTIONS;
  await run("python3", [
    "-m",
    "ziglang",
    "cc",
    "-target",
    target,
    "-O2",
    "-g0",
    "-s",
    "-shared",
    "-fno-sanitize=undefined",
    "-ffp-contract=off", // what is computed is the same on every processor
    ...(os === "windows" ? [] : ["-fPIC"]),
    ...[...OPTIONS, ...options].map((option) => `-D${option}`),
    ...(flags.option ?? []),
    "-w",
    "-I.",
    "-o",
    file,
    "muster.c",
    "sqlite3.c",
    ...(os === "linux" ? ["-lpthread", "-lm", "-ldl"] : []),
  ], work);
  await Deno.copyFile(`${work}/${file}`, output);
}

const own = LIBRARIES.find(({ os, arch }) => os === Deno.build.os && arch === Deno.build.arch);
const work = await Deno.makeTempDir({ prefix: "muster-sqlite-" });
try {
  await prepareSources(work);
  Deno.env.set("PYTHONPATH", `${work}/python`);
  await fetched("python3", ["-m", "pip", "install", "--quiet", "--target", `${work}/python`, COMPILER_PACKAGE], work);
  if (flags.check || flags.source !== undefined) {
    if (!own) throw new Error(`there is no library for ${Deno.build.os} on ${Deno.build.arch} to build`);
    const output = flags.output ?? `${work}/rebuilt`;
    await build(work, own, output);
    if (flags.check) await compare(output, `${LIBRARY}/${own.file}`);
  } else {
    let sums = "";
    for (const library of LIBRARIES) {
      const output = `${LIBRARY}/${library.file}`;
      await build(work, library, output);
      sums += `${await sha256(await Deno.readFile(output))}  ${library.file}\n`;
    }
    await Deno.writeTextFile(SUMS, sums);
  }
} finally {
  await Deno.remove(work, { recursive: true });
}

async function compare(rebuilt: string, kept: string): Promise<void> {
  const [found, wanted] = [await sha256(await Deno.readFile(rebuilt)), await sha256(await Deno.readFile(kept))];
  if (found !== wanted) {
    throw new Error(`the library that is kept (${wanted}) is not what its sources make (${found}): build it again`);
  }
  console.log(`${kept} is what its sources make: ${found}`);
}

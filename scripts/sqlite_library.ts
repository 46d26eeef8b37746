/**
 * Builds the SQLite library of muster, for every platform from one machine, the same to the byte each time.
 *
 *     deno task sqlite-library                      all platforms, into src/drivers/libsqlite/library/
 *     deno task sqlite-library --check              rebuild this machine's and compare it with the one that is kept
 *     deno task sqlite-library --source DIR --output FILE
 *                                                   another SQLite (sqlite3.c and sqlite3.h in DIR; SQLCipher, say), for
 *                                                   this machine: start muster with -sqlite-library FILE
 *     --option -DNAME=VALUE                         one more option for the compiler; may be repeated
 *
 * SQLite's source is the public-domain amalgamation that the npm package `better-sqlite3` ships, changed in the places
 * that scripts/sqlite/patches.ts names; beside it stands what drives it, the C files in src/drivers/libsqlite/library
 * (scripts/sqlite/source.ts). The compiler is `zig cc`, from the PyPI package `ziglang`, which crosses to all platforms. Both are pinned, fetched into a temporary folder, and removed.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { LIBRARIES } from "../src/drivers/libsqlite/library.ts";
import {
  COMPILER_OPTIONS,
  COMPILER_PACKAGE,
  definitions,
  fetched,
  LIBRARY,
  linkerOptions,
  NATIVE_SOURCES,
  prepareSources,
  run,
  sha256,
  SOURCES_SUM,
  sourcesSum,
} from "./sqlite/source.ts";

const SUMS = `${LIBRARY}/SHA256SUMS`;

type Library = typeof LIBRARIES[number];

const flags = parseArgs(Deno.args, {
  boolean: ["check", "help"],
  string: ["source", "output", "option"],
  collect: ["option"],
});

if (flags.help) {
  console.log(
    "deno task sqlite-library [--check | --source DIR --output FILE] [--option -DNAME=VALUE]…\n" +
      "Builds SQLite and what drives it (src/drivers/libsqlite/library/) for all platforms; --check rebuilds this machine's " +
      "and compares it with the one that is kept; --source takes another SQLite, for this machine.",
  );
  Deno.exit(0);
}

async function build(work: string, { os, target, file }: Library, output: string): Promise<void> {
  console.error(`building ${file}`);
  await run("python3", [
    "-m",
    "ziglang",
    "cc",
    "-target",
    target,
    ...COMPILER_OPTIONS,
    ...(os === "windows" ? [] : ["-fPIC"]),
    ...definitions(os),
    ...(flags.option ?? []),
    "-w",
    "-I.",
    "-o",
    file,
    ...NATIVE_SOURCES,
    "sqlite3.c",
    ...linkerOptions(os),
  ], work);
  await Deno.copyFile(`${work}/${file}`, output);
}

const own = LIBRARIES.find(({ os, arch }) => os === Deno.build.os && arch === Deno.build.arch);
const work = await Deno.makeTempDir({ prefix: "muster-sqlite-" });
try {
  await prepareSources(work, flags.source);
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
    await Deno.writeTextFile(SOURCES_SUM, `${await sourcesSum()}\n`);
  }
} finally {
  await Deno.remove(work, { recursive: true });
}

async function compare(rebuilt: string, kept: string): Promise<void> {
  const [found, wanted] = [await sha256(await Deno.readFile(rebuilt)), await sha256(await Deno.readFile(kept))];
  if (found !== wanted) {
    throw new Error(
      `the library that is kept (${wanted}) is not what its sources make (${found}): build it again with \`deno task sqlite-library\``,
    );
  }
  console.log(`${kept} is what its sources make: ${found}`);
}

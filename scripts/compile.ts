/**
 * Builds `dist/muster`: one executable with the Workers inside and the supervisor's permissions alone.
 *
 *     deno task compile [--deno PATH] [--target TRIPLE]
 *
 * `--target` compiles for another platform, such as `aarch64-unknown-linux-gnu`, into `dist/muster-linux-arm64`.
 *
 * `--deno` names another Deno to compile with, for machines where `deno compile` cannot fetch its base binary: with
 * DENORT_BIN set it needs no download. The SQLite library of the platform and the pages of docs/ are inside.
 *
 * Every package of the lock file would be put into the executable, and into the memory of whoever runs it, those of the
 * tests and the demonstration too: it is compiled with a lock of its own that holds only what the program itself uses.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { bundledLibrary } from "../src/drivers/libsqlite/library.ts";
import { PLATFORMS } from "./packages/platforms.ts";
import { lockOfProgram, WORKERS } from "./packages/program_lock.ts";

const { deno, target } = parseArgs(Deno.args, { string: ["deno", "target"] });
const platform = PLATFORMS.find(({ triple }) => triple === target);
if (target !== undefined && platform === undefined) {
  console.error(`--target ${target}: expected one of ${PLATFORMS.map(({ triple }) => triple).join(", ")}`);
  Deno.exit(2);
}

const ROOT = new URL("../", import.meta.url).pathname;
/** Pages of the documentation, without the pictures, which a terminal does not show. */
const PAGES = [...Deno.readDirSync(`${ROOT}docs`)].map(({ name }) => name).filter((name) => name.endsWith(".md"))
  .sort();
const LOCK = "dist/deno.lock";
const EXECUTABLE = platform === undefined
  ? "dist/muster"
  : `dist/muster-${platform.name}${platform.os === "windows" ? ".exe" : ""}`;

Deno.mkdirSync("dist", { recursive: true });
Deno.writeTextFileSync(LOCK, JSON.stringify(await lockOfProgram()));
const { code } = await new Deno.Command(deno ?? Deno.execPath(), {
  args: [
    "compile",
    "--no-check",
    "--lock",
    LOCK,
    "--allow-read",
    "--allow-write",
    "--allow-net",
    "--allow-env",
    "--allow-run", // given up at the start, unless checks may run programs
    "--allow-sys=hostname,networkInterfaces,statfs",
    "--unstable-worker-options",
    "--unstable-net",
    "--allow-ffi",
    ...WORKERS.flatMap((worker) => ["--include", worker]),
    "--include",
    bundledLibrary({ ...Deno.build, ...platform }).slice(ROOT.length),
    ...PAGES.flatMap((page) => ["--include", `docs/${page}`]),
    "--include",
    "src/api/console/page",
    "--output",
    EXECUTABLE,
    ...(target === undefined ? [] : ["--target", target]),
    "mod.ts",
  ],
  stdin: "null",
}).spawn().status;
if (code === 0) console.error(`built ${EXECUTABLE}${target === undefined ? `; try it: ${EXECUTABLE} serve data` : ""}`);
Deno.exit(code);

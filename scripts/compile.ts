/**
 * Builds `dist/muster`: one executable with the Workers inside and the supervisor's permissions alone.
 *
 *     deno task compile [--deno PATH]
 *
 * `--deno` names another Deno to compile with, for machines where `deno compile` cannot fetch its base binary: with
 * DENORT_BIN set it needs no download. The SQLite library of this machine and the pages of docs/ are inside.
 *
 * Every package of the lock file would be put into the executable, and into the memory of whoever runs it, those of the
 * tests and the demonstration too: it is compiled with a lock of its own that holds only what the program itself uses.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { bundledLibrary } from "../src/drivers/libsqlite/library.ts";
import { lockOfProgram, WORKERS } from "./packages/program_lock.ts";

const { deno } = parseArgs(Deno.args, { string: ["deno"] });

const ROOT = new URL("../", import.meta.url).pathname;
const LOCK = "dist/deno.lock";

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
    "--allow-sys=hostname,networkInterfaces",
    "--unstable-worker-options",
    "--unstable-net",
    "--allow-ffi",
    ...WORKERS.flatMap((worker) => ["--include", worker]),
    "--include",
    bundledLibrary().slice(ROOT.length),
    "--include",
    "docs",
    "--output",
    "dist/muster",
    "mod.ts",
  ],
  stdin: "null",
}).spawn().status;
if (code === 0) console.error("built dist/muster; try it: dist/muster serve data");
Deno.exit(code);

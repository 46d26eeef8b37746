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
 * It is compiled from the program as few scripts (packages/bundle.ts), which holds what the program itself uses and nothing that
 * the tests do.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { bundleProgram } from "./packages/bundle.ts";
import { PLATFORMS } from "./packages/platforms.ts";

const { deno, target } = parseArgs(Deno.args, { string: ["deno", "target"] });
const platform = PLATFORMS.find(({ triple }) => triple === target);
if (target !== undefined && platform === undefined) {
  console.error(`--target ${target}: expected one of ${PLATFORMS.map(({ triple }) => triple).join(", ")}`);
  Deno.exit(2);
}

const ROOT = new URL("../", import.meta.url).pathname;
const SCRIPTS = `${ROOT}dist/program`;
const EXECUTABLE = platform === undefined
  ? "dist/muster"
  : `dist/muster-${platform.name}${platform.os === "windows" ? ".exe" : ""}`;

const { main, included } = await bundleProgram(SCRIPTS, platform);
const { code } = await new Deno.Command(deno ?? Deno.execPath(), {
  args: [
    "compile",
    "--no-check",
    "--no-lock",
    "--no-config",
    "--allow-read",
    "--allow-write",
    "--allow-net",
    "--allow-env",
    "--allow-run", // given up at the start, unless checks may run programs
    "--allow-sys=hostname,networkInterfaces,statfs",
    "--unstable-worker-options",
    "--unstable-net",
    "--v8-flags=--expose-gc", // src/base/worker/heap_at_rest.ts
    "--allow-ffi",
    ...included.flatMap((path) => ["--include", path]),
    "--output",
    ROOT + EXECUTABLE,
    ...(target === undefined ? [] : ["--target", target]),
    main,
  ],
  cwd: SCRIPTS,
  stdin: "null",
}).spawn().status;
if (code === 0) console.error(`built ${EXECUTABLE}${target === undefined ? `; try it: ${EXECUTABLE} serve data` : ""}`);
Deno.exit(code);

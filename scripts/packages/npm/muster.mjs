#!/usr/bin/env node
// Runs the executable of this machine's platform, which npm has installed as an optional dependency.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";
import process from "node:process";

const platform = `${process.platform}-${process.arch}`;
const require = createRequire(import.meta.url);
const { optionalDependencies } = require("../package.json");

/** Path of the executable, or the end of this program with what to do. */
function executable() {
  const name = Object.keys(optionalDependencies).find((one) => one.endsWith(`/${platform}`));
  if (name === undefined) {
    const known = Object.keys(optionalDependencies).map((one) => one.split("/")[1]).join(", ");
    fail(`there is no executable for ${platform} (there is one for ${known}); run muster from its source with Deno`);
  }
  try {
    return require.resolve(`${name}/bin/muster${process.platform === "win32" ? ".exe" : ""}`);
  } catch {
    return fail(`the package ${name} is not installed; install again without --omit=optional (--no-optional)`);
  }
}

function fail(why) {
  console.error(`Cannot run muster: ${why}`);
  process.exit(1);
}

const child = spawn(executable(), process.argv.slice(2), { stdio: "inherit" });
child.on("error", (error) => fail(error.message));
// A terminal sends SIGINT to both; without one, only this process is told.
process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));

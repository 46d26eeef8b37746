/**
 * The native part by itself, built with the sanitizers of addresses and of undefined behaviour: every call with its limits
 * and errors, and calls at random from a seed (native/muster_fuzz.c says how to have one again).
 */
import { assert } from "@std/assert";
import { definitions, NATIVE_SOURCES, prepareSources, run } from "../../../scripts/sqlite/source.ts";

const NATIVE = new URL("./native/", import.meta.url).pathname;
/** How long the fuzzer runs, in seconds. */
const FUZZ_SECONDS = 4;
const SANITIZED = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

async function hasCompiler(): Promise<boolean> {
  try {
    return (await new Deno.Command("cc", { args: ["--version"], stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Compiles SQLite once, without optimization as that takes a minute, and both programs beside it. */
async function build(work: string): Promise<void> {
  const cc = (...args: string[]) => run("cc", args, work);
  const programs = ["muster_test", "muster_fuzz"];
  const own = [...SANITIZED, "-Wall", "-Wextra", "-Werror", "-I.", `-I${NATIVE}`, "-c"];
  await Promise.all([
    cc("-g", "-O0", "-fsanitize=address", "-fno-omit-frame-pointer", "-w", ...definitions("linux"), "-c", "sqlite3.c"),
    cc(...own, ...definitions("linux"), ...NATIVE_SOURCES),
    ...programs.map((name) => cc(...own, `${NATIVE}${name}.c`)),
  ]);
  for (const name of programs) {
    const objects = [name, "sqlite3", ...NATIVE_SOURCES.map((file) => file.replace(/\.c$/, ""))].map((one) =>
      `${one}.o`
    );
    await cc("-fsanitize=address,undefined", "-o", name, ...objects, "-lpthread", "-lm", "-ldl");
  }
}

/** Runs a program; fails with what it printed last. */
async function sound(work: string, program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(`${work}/${program}`, {
    args,
    cwd: work,
    env: { ASAN_OPTIONS: "detect_leaks=1", UBSAN_OPTIONS: "print_stacktrace=1" },
  }).output();
  const decoder = new TextDecoder();
  assert(success, `${program} ${args.join(" ")}:\n${decoder.decode(stderr).slice(-8000)}`);
  return decoder.decode(stdout).trim();
}

Deno.test("the native part keeps its contract and its memory, whatever it is called with", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  if (!await hasCompiler()) {
    console.error("!! there is no C compiler (cc) here: the native part was not tested");
    assert(Deno.env.get("CI") === undefined, "in CI the test must run");
    return;
  }
  const work = await Deno.makeTempDir({ prefix: "muster-native-" });
  try {
    await prepareSources(work);
    await build(work);
    console.log(await sound(work, "muster_test", work));
    const seed = crypto.getRandomValues(new Uint32Array(1))[0];
    console.log(await sound(work, "muster_fuzz", String(seed), String(FUZZ_SECONDS), work));
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});

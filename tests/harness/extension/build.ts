/**
 * Builds the extension of the tests (twice.c) with the machine's C compiler.
 * @module
 */
import { SUFFIX } from "../../../src/drivers/libsqlite/extension.ts";

const SOURCE = new URL("./twice.c", import.meta.url).pathname;

/** Whether there is a C compiler; where there is none, says that the tests of extensions did not run. */
export async function hasCompiler(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("cc", { args: ["--version"], stdout: "null", stderr: "null" }).output();
    if (success) return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  if (Deno.env.has("CI")) throw new Error("there is no C compiler (cc) here");
  console.error("!! there is no C compiler (cc) here: extensions were not tested");
  return false;
}

/**
 * Builds it as `name` in `directory`.
 * @param options Definitions for the compiler: `NAME=once`, `ENTRY=sqlite3_x_init`, `FAILS`.
 * @returns Its path.
 */
export async function buildExtension(
  directory: string,
  name: string,
  options: readonly string[] = [],
): Promise<string> {
  const path = `${directory}/${name}${SUFFIX}`;
  const args = ["-shared", "-fPIC", "-w", "-O1", ...options.map((option) => `-D${option}`), "-o", path, SOURCE];
  const { success, stderr } = await new Deno.Command("cc", { args, stdout: "null", stderr: "piped" }).output();
  if (!success) throw new Error(`cc failed: ${new TextDecoder().decode(stderr)}`);
  return path;
}

/**
 * The compiled executable, built as a user builds it; once for all tests of a run, as it takes a while.
 * @module
 */
import { assert } from "@std/assert";
import { delay } from "@std/async/delay";

const ROOT = new URL("../../", import.meta.url).pathname;
const TOOLCHAIN_SCRIPT = new URL("../../../shared/tools/denort.sh", import.meta.url).pathname;

/** Path of the executable. */
export const BINARY = `${ROOT}dist/muster`;

/** What it is made of. */
const SOURCES = ["src", "client", "docs", "mod.ts", "deno.json", "deno.lock", "scripts/compile.ts", "scripts/packages"];

/** The toolchain is downloaded: the registry may be out of reach for a moment. */
const TOOLCHAIN_ATTEMPTS = 4;

async function run(
  command: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ success: boolean; output: string }> {
  const child = new Deno.Command(command, { args, env, cwd: ROOT, stdin: "null", stdout: "piped", stderr: "piped" })
    .spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), 240_000);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Builds dist/muster; says which way it went. */
export async function buildBinary(): Promise<void> {
  const plain = await run(Deno.execPath(), ["task", "compile"]);
  if (plain.success) return console.error("!! the executable was built by plain `deno task compile`");
  const toolchain = `${ROOT}dist/toolchain`;
  let made = await run("bash", [TOOLCHAIN_SCRIPT, toolchain]);
  for (let attempt = 1; !made.success && attempt < TOOLCHAIN_ATTEMPTS; attempt++) {
    await delay(attempt * 2000);
    made = await run("bash", [TOOLCHAIN_SCRIPT, toolchain]);
  }
  assert(made.success, `neither way of building worked:\n${plain.output}\n${made.output}`);
  const env = { DENORT_BIN: `${toolchain}/denort`, DENO_TLS_CA_STORE: "system" };
  const built = await run(Deno.execPath(), ["task", "compile", "--deno", `${toolchain}/deno`], env);
  assert(built.success, built.output);
  console.error(
    "!! Deno's own download is out of reach: the executable was built with the offline toolchain (Deno 2.7.11)",
  );
}

/** Makes sure that dist/muster is there and is of the sources as they are. */
export async function requireBinary(): Promise<void> {
  const built = changedMs("dist/muster");
  if (built === 0 || SOURCES.some((source) => changedMs(source) > built)) await buildBinary();
}

/** When a file, or anything in a folder, was changed last; 0 where there is none. */
function changedMs(path: string): number {
  try {
    const { isDirectory, mtime } = Deno.statSync(ROOT + path);
    const inside = isDirectory
      ? [...Deno.readDirSync(ROOT + path)].map(({ name }) => changedMs(`${path}/${name}`))
      : [];
    return Math.max(mtime?.getTime() ?? 0, ...inside);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

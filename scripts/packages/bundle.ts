/**
 * The program as few scripts: what an executable is compiled from.
 *
 * Of each module that a Worker loads from its source the runtime keeps five times its size in memory, in every Worker anew: 600
 * modules take 20 MB. As scripts they take a fourth of that, and a node starts sooner. They are not made smaller still: a stack
 * trace has the names of the source.
 *
 * @module
 */
import { bundledLibrary } from "../../src/drivers/libsqlite/library.ts";
import { licensesOf } from "./licenses.ts";
import { entryModules, lockOfProgram } from "./program_lock.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PAGE = "src/api/console/page";
const FENCE = "```";

/** Whom the library is for; the default is this machine. */
export type Target = Partial<Pick<typeof Deno.build, "os" | "arch">>;

/** What `deno compile` needs to know of them; paths lie below the folder. */
export interface Bundle {
  readonly main: string;
  /** Modules that no import leads to, and files that the program reads. */
  readonly included: readonly string[];
}

/**
 * Writes the scripts into `folder`, which is made anew, and beside them what the program reads: the library of SQLite, the
 * console, the pages of `docs/` without their pictures, which a terminal does not show, and with them
 * the licences of the packages (`muster docs licenses`).
 * @throws {Error} When the bundler fails.
 */
export async function bundleProgram(folder: string, target: Target = {}): Promise<Bundle> {
  await Deno.remove(folder, { recursive: true }).catch(() => {}); // there is none yet
  await Deno.mkdir(folder, { recursive: true });
  const entries = await entryModules();
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--platform", "deno", "--code-splitting", "--outdir", folder, "mod.ts", ...entries],
    cwd: ROOT,
    stdin: "null",
  }).output();
  if (!success) throw new Error(`deno bundle failed:\n${new TextDecoder().decode(stderr)}`);
  const library = bundledLibrary({ ...Deno.build, ...target }).slice(ROOT.length);
  const pages = await filesOf("docs", ".md");
  await Promise.all([library, ...await filesOf(PAGE, ""), ...pages].map((path) => copy(path, folder)));
  const licenses = await licensesOf(await lockOfProgram());
  await Deno.writeTextFile(
    `${folder}/docs/licenses.md`,
    `# Licences of the packages inside\n\n${FENCE}\n${licenses}${FENCE}\n`,
  );
  const scripts = entries.map((path) => path.replace(/\.ts$/, ".js"));
  return { main: "mod.js", included: [...scripts, library, PAGE, "docs"] };
}

/** Paths of the files of a folder that end so, by name. */
async function filesOf(folder: string, ending: string): Promise<string[]> {
  const files = await Array.fromAsync(Deno.readDir(ROOT + folder));
  return files.filter(({ name, isFile }) => isFile && name.endsWith(ending)).map(({ name }) => `${folder}/${name}`)
    .sort();
}

async function copy(path: string, folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
  await Deno.copyFile(ROOT + path, `${folder}/${path}`);
}

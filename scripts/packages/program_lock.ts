/**
 * The program's modules that no import by name leads to, and the packages of the lock file that it uses, without those of
 * the tests and the demonstration.
 * @module
 */
import { WORKER_MODULES } from "../../src/program/node/spawn.ts";
import { sourceFiles } from "../tidy/source.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What `load()` names (src/root.ts): the type of a module, and its path. */
const LOADED = /load<typeof import\("(.+?)"\)>\(\s*"(.+?)"/g;

/**
 * Paths from the root of the repository, of the modules that no import by name leads to: those of the Workers, and those that are loaded when they are needed.
 * @throws {Error} When one is loaded as what it is not.
 */
export async function entryModules(): Promise<readonly string[]> {
  const found = new Set(Object.values(WORKER_MODULES).map(({ pathname }) => pathname.slice(ROOT.length)));
  for (const path of sourceFiles(`${ROOT}src`)) {
    for (const [text, type, module] of (await Deno.readTextFile(path)).matchAll(LOADED)) {
      const { pathname } = new URL(type, `file://${path}`);
      if (pathname !== `${ROOT}${module}.ts`) throw new Error(`${path} loads another module than it says: ${text}`);
      found.add(`${module}.ts`);
    }
  }
  return [...found].sort();
}

/** A lock file, as far as it is read here. */
export interface Lock {
  readonly version: string;
  readonly specifiers: Readonly<Record<string, string>>;
  /** Packages by `name@version`. */
  readonly npm: Readonly<Record<string, { readonly integrity: string; readonly dependencies?: readonly string[] }>>;
}

/** Adds the packages, as `name@version`, that a module and all that it imports use. */
async function addPackages(used: Set<string>, module: string): Promise<void> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", module], cwd: ROOT }).output();
  const { modules, npmPackages } = JSON.parse(new TextDecoder().decode(stdout));
  const add = (name: string) => {
    if (used.has(name)) return;
    used.add(name);
    npmPackages[name].dependencies.forEach(add);
  };
  for (const { npmPackage } of modules) if (npmPackage) add(npmPackage);
}

/** The lock file of the program alone. */
export async function lockOfProgram(): Promise<Lock> {
  const used = new Set<string>();
  await Promise.all(["mod.ts", ...await entryModules()].map((module) => addPackages(used, module)));
  const isUsed = ([name]: [string, unknown]) => used.has(name.replace(/^npm:/, ""));
  const { version, specifiers, npm }: Lock = JSON.parse(await Deno.readTextFile(`${ROOT}deno.lock`));
  return {
    version,
    specifiers: Object.fromEntries(Object.entries(specifiers).filter(isUsed)),
    npm: Object.fromEntries(Object.entries(npm).filter(isUsed)),
  };
}

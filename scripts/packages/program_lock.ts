/**
 * The packages of the lock file that the program itself uses, without those of the tests and the demonstration.
 * @module
 */
import { WORKER_MODULES } from "../../src/program/node/spawn.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Paths of the Workers' modules, from the root of the repository. */
export const WORKERS: readonly string[] = Object.values(WORKER_MODULES).map(({ pathname }) =>
  pathname.slice(ROOT.length)
);

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
  await Promise.all(["mod.ts", ...WORKERS].map((module) => addPackages(used, module)));
  const isUsed = ([name]: [string, unknown]) => used.has(name.replace(/^npm:/, ""));
  const { version, specifiers, npm }: Lock = JSON.parse(await Deno.readTextFile(`${ROOT}deno.lock`));
  return {
    version,
    specifiers: Object.fromEntries(Object.entries(specifiers).filter(isUsed)),
    npm: Object.fromEntries(Object.entries(npm).filter(isUsed)),
  };
}

/**
 * Where the program's own files lie: its Workers' modules, the SQLite library, the console, the pages of `docs/`. As source they lie
 * as in the repository; `scripts/packages/bundle.ts` packs the modules into few scripts for an executable, which lie beside the rest.
 * @module
 */
const HERE = new URL(import.meta.url);
const isPacked = HERE.pathname.endsWith(".js");

/** The folder that `src/` is in. */
export const ROOT = new URL(isPacked ? "./" : "../", HERE);

/** The module at a path from {@linkcode ROOT} without its ending, such as `src/drivers/log/worker`: for Workers, as no import leads to them. */
export function moduleAt(path: string): URL {
  return new URL(isPacked ? `${path}.js` : `${path}.ts`, ROOT);
}

/**
 * Loads a module that most starts do not need, by its path as for {@linkcode moduleAt}: `load<typeof import("./x.ts")>(…)`. What is
 * imported by its name, dynamic imports included, the runtime reads and keeps in memory before the program starts: 10 KB a module.
 * It needs the right to read the module.
 * @throws {TypeError} When it cannot be loaded.
 */
export function load<Module>(path: string): Promise<Module> {
  return import(moduleAt(path).href);
}

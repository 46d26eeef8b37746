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

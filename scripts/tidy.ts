/**
 * Checks what the compiler does not: that imports go down the floors of `src/` and never in a circle, that pure cores stay
 * pure, that Workers start in one place, that files, folders and functions keep a readable size, that every rule that is
 * cited is written down and tested. Prints each fault with its place; exits 1 when there is one.
 *
 * @module
 */
import { codeOf, sourceFiles } from "./tidy/source.ts";
import { importFaults } from "./tidy/imports.ts";
import { ruleFaults } from "./tidy/rules.ts";
import { sizeFaults } from "./tidy/sizes.ts";

const PURE = /^src\/core\/|^src\/base\/codec\//;
const IMPURE =
  /\b(Deno\.|Date\.now|new Date\(\)|performance\.|Math\.random|crypto\.|setTimeout|setInterval|queueMicrotask|console\.|fetch\(|await |"node:)/;
const SPAWN = "src/program/node/spawn.ts";
const BANNED_NAMES = ["util", "utils", "helpers", "common", "types", "constants"];

/** A method as the callback: it gets the index as its second argument, which may mean something else to it. */
const BARE_METHOD = /\.forEach\([\w#]+(?:\.[\w#]+)+\)/;

/** The faults that a single file shows. */
function* faultsOf(path: string, text: string): Generator<string> {
  const name = path.slice(path.lastIndexOf("/") + 1, -3);
  if (BANNED_NAMES.includes(name)) yield `${path}: name the file after what it holds`;
  const lines = codeOf(text).split("\n");
  for (const [at, line] of lines.entries()) {
    const impure = PURE.test(path) ? IMPURE.exec(line) : null;
    if (impure) yield `${path}:${at + 1}: a pure core must not use ${impure[0].trim()}`;
    const bare = BARE_METHOD.exec(line);
    if (bare) yield `${path}:${at + 1}: ${bare[0]} hands an index on as well: name the argument`;
    if (path !== SPAWN && line.includes("new Worker(")) {
      yield `${path}:${at + 1}: Workers are started in ${SPAWN} alone`;
    }
  }
}

const sources = new Map<string, string>();
for (const path of sourceFiles("src")) sources.set(path, Deno.readTextFileSync(path));
const prose = new Map<string, string>();
for (const root of ["src", "tests", "scripts"]) {
  for (const path of sourceFiles(root, [".ts", ".txt", "/RULES.md"])) prose.set(path, Deno.readTextFileSync(path));
}
const files = new Set(sourceFiles("tests", [""]));
const faults = [
  ...[...sources].flatMap(([path, text]) => [...faultsOf(path, text)]),
  ...importFaults(sources),
  ...sizeFaults(sources),
  ...ruleFaults(prose, (path) => files.has(path)),
];
for (const fault of faults) console.error(fault);
console.error(
  faults.length === 0 ? "tidy: floors, purity, sizes and rules are as they should be" : `tidy: ${faults.length} faults`,
);
Deno.exit(faults.length === 0 ? 0 : 1);

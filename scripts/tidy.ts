/**
 * Checks what the compiler does not: who may import whom, that pure cores stay pure, that Workers start in one place,
 * that files and functions keep a readable size. Prints each fault with its place; exits 1 when there is one.
 *
 * @module
 */

/** What a folder of src/ may import besides itself. `type:` means types of that folder's api.ts or of a core only. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  codec: ["invariant"],
  disk: ["invariant"],
  rpc: ["invariant"],
  raft: ["codec", "rpc", "invariant"],
  gossip: ["codec", "invariant"],
  sql: ["codec", "rpc", "invariant"],
  replica: ["raft", "sql", "membership", "disk", "codec", "rpc", "invariant"],
  sqlite: ["sql", "disk", "codec", "rpc", "invariant"],
  membership: ["gossip", "disk", "codec", "rpc", "invariant"],
  agent: ["membership", "replica", "codec", "rpc", "invariant"],
  http: ["sql", "membership", "codec", "rpc", "invariant"],
  nameserver: ["dns", "codec", "rpc", "invariant"],
  dns: ["codec", "invariant"],
  discovery: ["codec", "rpc", "invariant"],
  node: ["raft", "sql", "replica", "sqlite", "http", "membership", "discovery", "disk", "codec", "rpc", "invariant"],
  cli: ["node", "codec", "rpc", "invariant"],
};
const PURE = ["raft", "gossip", "dns", "sql", "codec"];
const IMPURE =
  /\b(Deno\.|Date\.now|new Date\(\)|performance\.|Math\.random|crypto\.|setTimeout|setInterval|queueMicrotask|console\.|fetch\(|await |"node:)/;
const FILE_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 70;
const BANNED_NAMES = ["util", "utils", "helpers", "common", "types", "constants"];

const faults: string[] = [];

function* sourceFiles(directory: string): Generator<string> {
  for (const entry of Deno.readDirSync(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* sourceFiles(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

/** Source without comments, line by line, so that words in prose do not count. */
function codeLines(text: string): string[] {
  const withoutBlocks = text.replace(/\/\*[\s\S]*?\*\//g, (block) => block.replace(/[^\n]/g, ""));
  return withoutBlocks.split("\n").map((line) => line.replace(/(^|[^:"'`])\/\/.*$/, "$1"));
}

function checkImports(path: string, folder: string, lines: readonly string[]): void {
  const source = lines.join("\n");
  for (const [, kind, target] of source.matchAll(/(?:import|export)\s+(type\s+)?[^;"']*?from\s+"([^"]+)"/g)) {
    const match = /^\.\.\/([^/]+?)(?:\.ts)?(?:\/(.+))?$/.exec(target);
    if (!match || target.endsWith(".json")) continue;
    const [, other] = match;
    if (other === folder) continue;
    const typeOnly = kind !== undefined;
    const isApi = target.endsWith("/api.ts") || target.endsWith("/render.ts");
    const allowed = LAYERS[folder]?.includes(other) || typeOnly && (isApi || PURE.includes(other));
    if (!allowed) faults.push(`${path}: src/${folder} may not import ${target}`);
  }
}

function checkPurity(path: string, lines: readonly string[]): void {
  lines.forEach((line, at) => {
    const found = IMPURE.exec(line);
    if (found) faults.push(`${path}:${at + 1}: a pure core must not use ${found[0].trim()}`);
  });
}

/** Lines of each function or method that stands at the margin or one level in. */
function checkSizes(path: string, lines: readonly string[]): void {
  if (lines.length > FILE_LINES_MAX) faults.push(`${path}: ${lines.length} lines, more than ${FILE_LINES_MAX}`);
  let start = -1;
  let margin = "";
  lines.forEach((line, at) => {
    const opens =
      /^(\s{0,2})(?:export )?(?:async )?(?:static )?(?:function |constructor\(|(?:async )?[#\w]+(?:<[^>]*>)?\()[^;]*\{$/
        .exec(line);
    if (opens && start < 0) {
      start = at;
      margin = opens[1];
    } else if (start >= 0 && (line === `${margin}}` || line === `${margin}},`)) {
      if (at - start + 1 > FUNCTION_LINES_MAX) {
        faults.push(`${path}:${start + 1}: a function of ${at - start + 1} lines, more than ${FUNCTION_LINES_MAX}`);
      }
      start = -1;
    }
  });
}

for (const path of sourceFiles("src")) {
  const folder = path.split("/")[1].replace(/\.ts$/, "");
  const lines = codeLines(Deno.readTextFileSync(path));
  const name = path.slice(path.lastIndexOf("/") + 1, -3);
  if (BANNED_NAMES.includes(name)) faults.push(`${path}: name the file after what it holds`);
  if (path.split("/").length > 3) faults.push(`${path}: two levels of folders, no deeper`);
  if (path !== "src/program/node/spawn.ts" && lines.some((line) => line.includes("new Worker("))) {
    faults.push(`${path}: Workers are started in src/program/node/spawn.ts alone`);
  }
  checkImports(path, folder, lines);
  if (PURE.includes(folder)) checkPurity(path, lines);
  checkSizes(path, Deno.readTextFileSync(path).split("\n"));
}

for (const fault of faults) console.error(fault);
console.error(
  faults.length === 0 ? "tidy: layers, purity and sizes are as they should be" : `tidy: ${faults.length} faults`,
);
Deno.exit(faults.length === 0 ? 0 : 1);

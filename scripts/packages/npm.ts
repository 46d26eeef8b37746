/**
 * `deno task package:npm`: npm packages of the executables in `dist/`, and the client for npm and JSR, as folders.
 *
 *     deno task package:npm [--out DIR] [--name NAME]
 *
 * - `DIR/npm/muster`: the command `muster`, which runs the executable of the platform, and the client as `muster` and
 *   `muster/client`, with its types.
 * - `DIR/npm/PLATFORM`: the executable for a platform, an optional dependency of the package above.
 * - `DIR/jsr`: the client in TypeScript.
 *
 * Publish with `npm publish DIR/npm/PLATFORM` for each, then `npm publish DIR/npm/muster`; and `deno publish` in DIR/jsr.
 * `--name` names the packages `NAME` and `@NAME/PLATFORM`.
 *
 * The whole program is not on JSR: its modules would be loaded from there, but the SQLite library has to be a file.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { type Executable, executables, PackageError } from "./platforms.ts";
import { repositoryText, ROOT, SUMMARY, VERSION } from "./texts.ts";
import { output, plain, program, sourceEpoch, type TreeFile, writeTree } from "./tree.ts";

/** Where to make the packages, and how. */
export interface NpmOptions {
  readonly out: string;
  /** Name of the package, and scope of its platforms. @default {"muster"} */
  readonly name?: string;
  /** Time of all files in seconds. */
  readonly epoch: number;
}

/** Oldest Node.js that the client and the command run on. */
const NODE = ">=20";

/** Makes the packages of executables; resolves to their folders, those of the platforms first. */
export async function buildNpm(
  all: readonly Executable[],
  { out, name = "muster", epoch }: NpmOptions,
): Promise<string[]> {
  const license = plain("LICENSE", await repositoryText("LICENSE"));
  const folders: string[] = [];
  for (const { path, platform } of all) {
    const folder = `${out}/npm/${platform.name}`;
    const file = `bin/muster${platform.os === "windows" ? ".exe" : ""}`;
    const [os, cpu] = platform.name.split("-");
    const described = {
      ...common(`@${name}/${platform.name}`, `The executable of muster for ${platform.name}`),
      os: [os],
      cpu: [cpu],
      ...(os === "linux" ? { libc: ["glibc"] } : {}),
      preferUnplugged: true, // an executable cannot be run inside of an archive
      files: ["bin"],
    };
    await writeTree(folder, [json("package.json", described), program(file, { copyOf: path }), license], epoch);
    folders.push(folder);
  }
  const folder = `${out}/npm/muster`;
  const files = [
    json("package.json", mainPackage(name, all.map(({ platform }) => platform.name))),
    program("bin/muster.mjs", await repositoryText("scripts/packages/npm/muster.mjs")),
    plain("README.md", readme(name)),
    ...await bundledClient(),
    license,
  ];
  await writeTree(folder, files, epoch);
  return [...folders, folder];
}

/** The package.json of the main package. Pure. */
export function mainPackage(name: string, platforms: readonly string[]): Readonly<Record<string, unknown>> {
  const client = { types: "./lib/client.d.mts", default: "./lib/client.mjs" };
  return {
    ...common(name, `A ${SUMMARY}: the program, and a client for Node.js and browsers`),
    keywords: ["sqlite", "raft", "distributed", "database", "consul", "rqlite"],
    type: "module",
    bin: { muster: "bin/muster.mjs" },
    exports: { ".": client, "./client": client, "./package.json": "./package.json" },
    types: "./lib/client.d.mts",
    files: ["bin", "lib"],
    engines: { node: NODE },
    optionalDependencies: Object.fromEntries(platforms.map((platform) => [`@${name}/${platform}`, VERSION])),
  };
}

function common(name: string, description: string): Readonly<Record<string, unknown>> {
  return { name, version: VERSION, description, license: "MIT" };
}

function json(path: string, value: unknown): TreeFile {
  return plain(path, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** The client as one file of JavaScript, with its types. */
async function bundledClient(): Promise<TreeFile[]> {
  const folder = await Deno.makeTempDir({ prefix: "muster-npm-" });
  try {
    const client = `${folder}/client.mjs`;
    const args = ["bundle", "--quiet", "--platform=browser", "--declaration", "client/mod.ts", "-o", client];
    await output(Deno.execPath(), args, { cwd: ROOT });
    const [code, types] = await Promise.all([client, `${folder}/client.d.mts`].map((path) => Deno.readTextFile(path)));
    return [plain("lib/client.mjs", code), plain("lib/client.d.mts", named(types, "muster"))];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A source with the name of its package in its examples. */
function named(text: string, name: string): string {
  return text.replaceAll('"./client/mod.ts"', `"${name}"`);
}

/** Makes the package of the client for JSR, below `@NAME`; resolves to its folder. */
export async function buildJsr({ out, name = "muster", epoch }: NpmOptions): Promise<string> {
  const folder = `${out}/jsr`;
  const sources = [...Deno.readDirSync(`${ROOT}client`)].map((entry) => entry.name).sort();
  const modules = sources.map(async (file) =>
    plain(file, named(await repositoryText(`client/${file}`), `jsr:@${name}/client`))
  );
  const described = { name: `@${name}/client`, version: VERSION, license: "MIT", exports: "./mod.ts" };
  const files = [
    json("deno.json", described),
    plain("LICENSE", await repositoryText("LICENSE")),
    plain("README.md", readme(name)),
  ];
  await writeTree(folder, [...files, ...await Promise.all(modules)], epoch);
  return folder;
}

function readme(name: string): string {
  return `# ${name}

A ${SUMMARY}. Each node serves SQL over HTTP, is compatible with rqlite and replicates with Raft; an agent
does what a Consul agent does.

    npx ${name} serve data          a node on localhost:4001
    npx ${name} docs                the documentation

\`\`\`js
import { connect } from "${name}";

const db = connect("http://localhost:4001");
await db.execute("CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT)");
await db.execute("INSERT INTO users (name) VALUES (?)", ["Ann"]);
console.log(await db.query("SELECT * FROM users"));
\`\`\`
`;
}

if (import.meta.main) {
  const { out, name } = parseArgs(Deno.args, { string: ["out", "name"], default: { out: "dist" } });
  try {
    const options = { out, ...(name === undefined ? {} : { name }), epoch: await sourceEpoch() };
    const all = await executables("dist");
    if (all.length === 0) throw new PackageError("Cannot find an executable in dist/: run `deno task compile` first");
    for (const folder of [...await buildNpm(all, options), await buildJsr(options)]) console.log(folder);
  } catch (error) {
    if (!(error instanceof PackageError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}

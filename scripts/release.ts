/**
 * `deno task release`: everything that is released, in `dist/release`. `--help` shows its flags.
 *
 * The same commit, executables and Debian packages give the same files to the byte: times are those of the commit
 * (SOURCE_DATE_EPOCH), and archives are in order. `SHA256SUMS` has the sums of all files.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { buildDeb } from "./packages/deb.ts";
import { type Archive, formula } from "./packages/homebrew.ts";
import { buildJsr, buildNpm } from "./packages/npm.ts";
import { buildOci } from "./packages/oci.ts";
import { type Executable, executables, PackageError } from "./packages/platforms.ts";
import { lockOfProgram } from "./packages/program_lock.ts";
import { consoleLock } from "./console/lock.ts";
import { billOfMaterials } from "./packages/sbom.ts";
import { completions, manual, repositoryText, ROOT, VERSION } from "./packages/texts.ts";
import { output, plain, program, sourceEpoch, tarOptions, writeTree } from "./packages/tree.ts";
import { PATCHES } from "./sqlite/patches.ts";
import { sha256, SOURCE_SHA256, SQLITE_VERSION } from "./sqlite/source.ts";
import { optionsOrExitCode, UsageError } from "./usage.ts";

/** Parts that can be left out, as each needs tools of its own. */
const PARTS = ["deb", "npm", "jsr", "oci", "helm"] as const;

const USAGE = `deno task release [--deno PATH] [--no-compile] [--dist DIR] [--without PART,PART] [--url URL] [--out DIR]

Compiles the program for this machine, and makes of it and of the executables for other platforms that are in dist/
(dist/muster-linux-arm64, ...), in dist/release:

  muster-VERSION-PLATFORM.tar.gz   the executable, manual page and completions
  muster_VERSION_ARCH.deb          Debian package         (deb: dpkg-deb)
  *.tgz                            npm packages           (npm: npm)
  muster-jsr-VERSION.tar.gz        the client for JSR     (jsr)
  muster-VERSION-ARCH.oci.tar      container image        (oci: mmdebstrap, umoci)
  muster-chart-VERSION.tgz         Helm chart             (helm)
  muster.1, muster.cdx.json        manual page, bill of materials (CycloneDX)
  muster.rb                        formula for Homebrew, with --url
  SHA256SUMS

  --deno PATH      compile with another Deno, as deno task compile does
  --no-compile     take dist/muster as it is
  --dist DIR       another folder with executables; implies --no-compile
  --without PARTS  leave out some of ${PARTS.join(", ")}
  --url URL        where the archives will be, for Homebrew
  --out DIR        another folder; it is emptied
  --compression C  of Debian packages: xz, gzip, zstd, none`;

/** What to make a release of, and where. */
export interface Options {
  readonly out: string;
  /** Folder with the executables. */
  readonly dist: string;
  readonly deno: string | undefined;
  readonly compile: boolean;
  readonly without: readonly string[];
  readonly url: string | undefined;
  readonly compression: string;
}

function readOptions(args: readonly string[]): Options {
  const flags = parseArgs([...args], {
    string: ["deno", "without", "url", "out", "dist", "compression"],
    boolean: ["compile"],
    negatable: ["compile"],
    default: { compile: true, out: "dist/release", compression: "xz" },
    unknown: (flag: string) => {
      throw new UsageError(`unknown argument: ${flag}`);
    },
  });
  const without = String(flags.without ?? "").split(",").filter((part) => part !== "");
  const wrong = without.find((part) => !PARTS.some((one) => one === part));
  if (wrong !== undefined) throw new UsageError(`--without ${wrong}: expected some of ${PARTS.join(", ")}`);
  if (flags.url !== undefined && !URL.canParse(flags.url)) throw new UsageError(`--url ${flags.url}: expected a URL`);
  const { out, deno, compile, compression, dist = "dist" } = flags;
  return {
    out,
    dist,
    deno,
    compile: compile && flags.dist === undefined,
    without,
    url: flags.url?.replace(/\/$/, ""),
    compression,
  };
}

/** Compiles the program for this machine. */
async function compile(deno: string | undefined): Promise<void> {
  const args = ["task", "compile", ...(deno === undefined ? [] : ["--deno", deno])];
  const { success } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null" }).spawn().status;
  if (!success) throw new PackageError("Cannot compile the program; with --no-compile, dist/muster is taken as it is");
}

/** A folder as an archive; resolves to its path. */
async function archived(target: string, { folder, epoch }: { folder: string; epoch: number }): Promise<string> {
  const at = folder.lastIndexOf("/");
  const tar = target.replace(/(?:\.tar\.gz|\.tgz)$/, ".tar");
  await output("tar", [...tarOptions(epoch), "-cf", tar, "-C", folder.slice(0, at), folder.slice(at + 1)]);
  await output("gzip", ["-9n", tar]);
  if (`${tar}.gz` !== target) await Deno.rename(`${tar}.gz`, target);
  return target;
}

/** The executable with what a person would install beside it. */
async function archive({ path, platform }: Executable, { out, work, epoch }: Place): Promise<Archive> {
  const name = `muster-${VERSION}-${platform.name}`;
  await writeTree(`${work}/${name}`, [
    program(platform.os === "windows" ? "muster.exe" : "muster", { copyOf: path }),
    plain("muster.1", manual(epoch)),
    plain("completions/muster.bash", completions("bash")),
    plain("completions/_muster", completions("zsh")),
    plain("completions/muster.fish", completions("fish")),
    plain("LICENSE", await repositoryText("LICENSE")),
  ], epoch);
  const file = await archived(`${out}/${name}.tar.gz`, { folder: `${work}/${name}`, epoch });
  return { platform: platform.name, file: `${name}.tar.gz`, sha256: await sha256(await Deno.readFile(file)) };
}

interface Place {
  readonly out: string;
  /** For what is not released as it is. */
  readonly work: string;
  readonly epoch: number;
}

/** The npm packages, as npm packs them. */
async function npm(all: readonly Executable[], { out, work, epoch }: Place): Promise<void> {
  for (const folder of await buildNpm(all, { out: work, epoch })) {
    await output("npm", ["pack", folder, "--pack-destination", out, "--silent"]);
  }
}

/** The chart, in a folder of its name, as Helm expects it. */
async function chart({ out, work, epoch }: Place): Promise<void> {
  const paths = (await output("git", ["ls-files", "scripts/deploy/helm"], { cwd: ROOT })).trim().split("\n");
  const files = paths.map(async (path) => plain(path.replace("scripts/deploy/helm/", ""), await repositoryText(path)));
  await writeTree(`${work}/chart/muster`, await Promise.all(files), epoch);
  await archived(`${out}/muster-chart-${VERSION}.tgz`, { folder: `${work}/chart/muster`, epoch });
}

async function bill(all: readonly Executable[], epoch: number): Promise<string> {
  const sums = await repositoryText("src/drivers/libsqlite/library/SHA256SUMS");
  const own = all.find(({ platform: { os, arch } }) => os === Deno.build.os && arch === Deno.build.arch);
  const said = own === undefined ? "" : await output(own.path, ["version"]);
  const [program, bundled] = await Promise.all([lockOfProgram(), consoleLock()]);
  return billOfMaterials({
    version: VERSION,
    epoch,
    lock: { ...program, npm: { ...program.npm, ...bundled.npm } },
    sqlite: { version: SQLITE_VERSION, sha256: SOURCE_SHA256, changes: PATCHES.map(({ why }) => why) },
    libraries: Object.fromEntries(
      sums.trim().split("\n").map((line) => line.split(/\s+\*?/, 2)).map(([sum, name]) => [name, sum]),
    ),
    deno: / deno (\S+)/.exec(said)?.[1],
  });
}

async function sums(out: string): Promise<void> {
  const names = [...Deno.readDirSync(out)].map(({ name }) => name).sort();
  const lines = names.map(async (name) => `${await sha256(await Deno.readFile(`${out}/${name}`))}  ${name}\n`);
  await Deno.writeTextFile(`${out}/SHA256SUMS`, (await Promise.all(lines)).join(""));
}

/** Makes the release; resolves to the names of its files. @throws {PackageError} */
export async function release(options: Options): Promise<readonly string[]> {
  const { out, dist, without, url, compression } = options;
  if (options.compile) await compile(options.deno);
  const all = await executables(dist);
  if (all.length === 0) {
    throw new PackageError(`Cannot find an executable in ${dist}/: run \`deno task compile\` first`);
  }
  const epoch = await sourceEpoch();
  await Deno.remove(out, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(out, { recursive: true });
  const work = await Deno.makeTempDir({ prefix: "muster-release-" });
  const place = { out, work, epoch };
  const wanted = (part: typeof PARTS[number]) => !without.includes(part);
  try {
    const archives: Archive[] = [];
    for (const one of all) {
      archives.push(await archive(one, place));
      if (wanted("deb") && one.platform.debian !== undefined) await buildDeb(one, { out, compression, epoch });
      if (wanted("oci") && one.platform.oci !== undefined) await buildOci(one, { out, epoch });
    }
    if (wanted("npm")) await npm(all, place);
    if (wanted("jsr")) {
      await archived(`${out}/muster-jsr-${VERSION}.tar.gz`, { folder: await buildJsr({ out: work, epoch }), epoch });
    }
    if (wanted("helm")) await chart(place);
    await Deno.writeTextFile(`${out}/muster.1`, manual(epoch));
    await Deno.writeTextFile(`${out}/muster.cdx.json`, await bill(all, epoch));
    if (url !== undefined) await Deno.writeTextFile(`${out}/muster.rb`, formula({ version: VERSION, url, archives }));
    await sums(out);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return [...Deno.readDirSync(out)].map(({ name }) => name).sort();
}

if (import.meta.main) {
  const options = optionsOrExitCode(Deno.args, USAGE, readOptions);
  if (typeof options === "number") Deno.exit(options);
  try {
    for (const name of await release(options)) console.log(`${options.out}/${name}`);
  } catch (error) {
    if (!(error instanceof PackageError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}

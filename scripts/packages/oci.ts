/**
 * `deno task package:oci`: a container image without a daemon, as an OCI layout in a tar archive.
 *
 *     deno task package:oci [--binary PATH] [--out DIR] [--variant minbase] [--suite bookworm]
 *
 * What the image runs, and as whom, is what `scripts/deploy/Dockerfile` says. Its base is Debian, made by mmdebstrap from
 * Debian's packages (`--variant`: see its manual); umoci makes the image of it. Both are in Debian. The layers are the same to
 * the byte for the same packages, executable and commit.
 *
 *     skopeo copy oci-archive:dist/muster-0.1.0-amd64.oci.tar:0.1.0 docker://REGISTRY/muster:0.1.0
 *     podman load -i dist/muster-0.1.0-amd64.oci.tar
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { type Executable, executableAt, executables, PackageError } from "./platforms.ts";
import { repositoryText, VERSION } from "./texts.ts";
import { output, plain, program, sourceEpoch, tarOptions, writeTree } from "./tree.ts";

/** How an image is built. */
export interface OciOptions {
  readonly out: string;
  /** How much of Debian is in it, as mmdebstrap names it. @default {"minbase"} */
  readonly variant?: string;
  /** Release of Debian. @default {"bookworm"} */
  readonly suite?: string;
  /** Time of all files in seconds. */
  readonly epoch: number;
}

/** What a Dockerfile says of how its image is run. */
export interface ImageSettings {
  readonly user: string;
  readonly directory: string;
  readonly volumes: readonly string[];
  readonly ports: readonly string[];
  readonly stopSignal: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

/** What entrypoint.sh and healthcheck.sh need; bash is for the latter. */
const BASE_PACKAGES = ["bash", "base-files", "ca-certificates", "coreutils", "dash", "hostname", "libc6", "libgcc-s1"];
/** Files of Debian's packages that nobody reads in a container; the licences stay. */
const LEFT_OUT = ["/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/doc/*"];
const KEPT = ["/usr/share/doc/*/copyright"];
/** The mirror may be out of reach for a moment. */
const FETCH_ATTEMPTS = 3;

/** The settings of a Dockerfile. Pure. @throws {PackageError} When it lacks one. */
export function imageSettings(dockerfile: string): ImageSettings {
  const value = (name: string) => {
    const found = new RegExp(`^${name} (.+)$`, "m").exec(dockerfile)?.[1];
    if (found === undefined) throw new PackageError(`Cannot make an image: the Dockerfile has no ${name}`);
    return found;
  };
  const list = (name: string): string[] => JSON.parse(value(name)).map(String);
  return {
    user: value("USER"),
    directory: value("WORKDIR"),
    volumes: value("VOLUME").split(" "),
    ports: value("EXPOSE").split(" ").map((port) => `${port}/tcp`),
    stopSignal: value("STOPSIGNAL"),
    entrypoint: list("ENTRYPOINT"),
    command: list("CMD"),
  };
}

/** Builds the image of an executable as a layout in a folder; resolves to its path. @throws {PackageError} */
export async function buildLayout({ path, platform }: Executable, options: OciOptions): Promise<string> {
  const { out, epoch } = options;
  if (platform.oci === undefined) throw new PackageError(`Cannot make a container image for ${platform.name}`);
  const settings = imageSettings(await repositoryText("scripts/deploy/Dockerfile"));
  const created = new Date(epoch * 1000).toISOString().replace(".000", "");
  const folder = await Deno.makeTempDir({ prefix: "muster-oci-" });
  try {
    const layout = `${out}/muster-${VERSION}-${platform.oci}.oci`;
    await Deno.mkdir(out, { recursive: true });
    await Deno.remove(layout, { recursive: true }).catch(ignoreMissing);
    const image = `${layout}:${VERSION}`;
    const base = await baseLayer(folder, platform.oci, options);
    const own = await ownLayer(folder, { binary: path, base, settings, epoch });
    await output("umoci", ["init", "--layout", layout]);
    await output("umoci", ["new", "--image", image]);
    for (const [layer, by] of [[base, "mmdebstrap"], [own, "muster"]]) {
      const history = ["--history.created", created, "--history.created_by", by];
      await output("umoci", ["raw", "add-layer", "--image", image, ...history, layer]);
    }
    await output("umoci", [
      "config",
      ...["--image", image, "--no-history", "--os", "linux", "--architecture", platform.oci, "--created", created],
      ...["--config.user", settings.user, "--config.workingdir", settings.directory],
      ...["--config.stopsignal", settings.stopSignal],
      ...settings.volumes.flatMap((volume) => ["--config.volume", volume]),
      ...settings.ports.flatMap((port) => ["--config.exposedports", port]),
      ...settings.entrypoint.flatMap((word) => ["--config.entrypoint", word]),
      ...settings.command.flatMap((word) => ["--config.cmd", word]),
      ...["--config.env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      ...["--config.label", `org.opencontainers.image.version=${VERSION}`],
      ...["--config.label", "org.opencontainers.image.title=muster"],
      ...["--config.label", "org.opencontainers.image.licenses=MIT"],
    ]);
    await output("umoci", ["gc", "--layout", layout]);
    return layout;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Builds the image as one file. */
export async function buildOci(executable: Executable, options: OciOptions): Promise<string> {
  const layout = await buildLayout(executable, options);
  const names = [...Deno.readDirSync(layout)].map(({ name }) => name).sort();
  await output("tar", [...tarOptions(options.epoch), "-cf", `${layout}.tar`, "-C", layout, ...names]);
  await Deno.remove(layout, { recursive: true });
  return `${layout}.tar`;
}

/** Debian, as a tar archive. */
async function baseLayer(folder: string, architecture: string, options: OciOptions): Promise<string> {
  const { variant = "minbase", suite = "bookworm", epoch } = options;
  const target = `${folder}/base.tar`;
  const args = [
    ...["--quiet", `--variant=${variant}`, `--architectures=${architecture}`, `--include=${BASE_PACKAGES.join(",")}`],
    ...LEFT_OUT.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    ...KEPT.map((pattern) => `--dpkgopt=path-include=${pattern}`),
    ...[suite, target],
  ];
  for (let attempt = 1;; attempt++) {
    try {
      await output("mmdebstrap", args, { env: { SOURCE_DATE_EPOCH: String(epoch) } });
      return target;
    } catch (error) {
      if (attempt === FETCH_ATTEMPTS || !(error instanceof PackageError)) throw error;
    }
  }
}

/** The program with its scripts, its user and its directories, as a tar archive. */
async function ownLayer(
  folder: string,
  { binary, base, settings, epoch }: {
    readonly binary: string;
    readonly base: string;
    readonly settings: ImageSettings;
    readonly epoch: number;
  },
): Promise<string> {
  const target = `${folder}/own.tar`;
  const [uid, gid] = settings.user.split(":");
  const accounts = async (path: string, root: string, line: string) =>
    plain(path, `${(await output("tar", ["-xOf", base, `./${path}`]).catch(() => root)).trimEnd()}\n${line}\n`);
  const files = [
    program("usr/local/bin/muster", { copyOf: binary }),
    program("usr/local/bin/muster-entrypoint", await repositoryText("scripts/deploy/entrypoint.sh")),
    program("usr/local/bin/muster-healthcheck", await repositoryText("scripts/deploy/healthcheck.sh")),
    await accounts("etc/passwd", "root:x:0:0:root:/root:/bin/sh", `muster:x:${uid}:${gid}::/muster:/usr/sbin/nologin`),
    await accounts("etc/group", "root:x:0:", `muster:x:${gid}:`),
  ];
  await writeTree(`${folder}/own`, files, epoch);
  await Deno.mkdir(`${folder}/data/muster/data`, { recursive: true, mode: 0o750 });
  for (const path of ["muster/data", "muster"]) await Deno.chmod(`${folder}/data/${path}`, 0o750);
  const options = tarOptions(epoch);
  // Files alone: the folders above them are the base's, with its modes.
  await output("tar", [...options, "-cf", target, "-C", `${folder}/own`, ...files.map(({ path }) => `./${path}`)]);
  const owner = [`--owner=muster:${uid}`, `--group=muster:${gid}`];
  await output("tar", [...options, ...owner, "-rf", target, "-C", `${folder}/data`, "./muster"]);
  return target;
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

if (import.meta.main) {
  const { binary, out, variant, suite } = parseArgs(Deno.args, {
    string: ["binary", "out", "variant", "suite"],
    default: { out: "dist", variant: "minbase", suite: "bookworm" },
  });
  try {
    const all = binary === undefined ? await executables("dist") : [await executableAt(binary)];
    const linux = all.filter(({ platform }) => binary !== undefined || platform.oci !== undefined);
    if (linux.length === 0) {
      throw new PackageError("Cannot find an executable for Linux in dist/: run `deno task compile` first");
    }
    const epoch = await sourceEpoch();
    for (const one of linux) console.log(await buildOci(one, { out, variant, suite, epoch }));
  } catch (error) {
    if (!(error instanceof PackageError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}

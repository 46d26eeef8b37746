/**
 * `deno task package:deb`: a Debian package of each executable for Linux that is in `dist/`.
 *
 *     deno task package:deb [--binary PATH] [--out DIR] [--compression xz|gzip|zstd|none] [--maintainer "NAME <MAIL>"]
 *
 * It has the program, the manual page, completions, both units and their settings. Its scripts make the user and its
 * directories. It is the same to the byte for the same executable and commit. Needs dpkg-deb, but no Debian.
 *
 * @module
 */
// The sums that dpkg --verify compares are MD5, which the Web's own interface for sums lacks.
import { createHash } from "node:crypto";
import { parseArgs } from "@std/cli/parse-args";
import { type Executable, executableAt, executables, PackageError } from "./platforms.ts";
import { completions, manual, repositoryText, SUMMARY, unit, VERSION } from "./texts.ts";
import { gzipped, output, plain, program, sourceEpoch, type TreeFile, writeTree } from "./tree.ts";

/** How a package is built. */
export interface DebOptions {
  /** Folder for the package. */
  readonly out: string;
  /** Compression of dpkg-deb. @default {"xz"} */
  readonly compression?: string;
  /** Who answers for it. */
  readonly maintainer?: string;
  /** Its time in seconds. */
  readonly epoch: number;
}

/** Who builds a package for others names himself with --maintainer. */
const MAINTAINER = "the muster authors <muster@localhost.localdomain>";
const SCRIPTS = ["postinst", "prerm", "postrm"];
/** The files that an administrator changes, which an upgrade leaves as they are. */
const SETTINGS: Readonly<Record<string, string>> = {
  "etc/default/muster": "muster.default",
  "etc/default/muster-agent": "muster-agent.default",
  "etc/muster.d/agent.hcl": "agent.hcl",
};

/** Builds the package of an executable; resolves to its path. @throws {PackageError} */
export async function buildDeb({ path, platform }: Executable, options: DebOptions): Promise<string> {
  const { out, compression = "xz", maintainer = MAINTAINER, epoch } = options;
  if (platform.debian === undefined) throw new PackageError(`Cannot make a Debian package for ${platform.name}`);
  const root = await Deno.makeTempDir({ prefix: "muster-deb-" });
  try {
    const files = await filesOf(path, epoch, maintainer);
    const bytes = (await Promise.all(files.map(sizeOf))).reduce((sum, size) => sum + size, 0);
    const head = control({ architecture: platform.debian, maintainer, kilobytes: Math.ceil(bytes / 1024) });
    const scripts = await Promise.all(
      SCRIPTS.map(async (name) => program(`DEBIAN/${name}`, await repositoryText(`scripts/packages/deb/${name}`))),
    );
    const conffiles = Object.keys(SETTINGS).map((name) => `/${name}\n`).join("");
    await writeTree(
      root,
      [
        ...files,
        ...scripts,
        plain("DEBIAN/control", head),
        plain("DEBIAN/conffiles", conffiles),
        plain("DEBIAN/md5sums", await md5sums(files)),
      ],
      epoch,
    );
    await Deno.mkdir(out, { recursive: true });
    const target = `${out}/muster_${VERSION}_${platform.debian}.deb`;
    await output("dpkg-deb", ["--root-owner-group", `-Z${compression}`, "--build", root, target], {
      env: { SOURCE_DATE_EPOCH: String(epoch) },
    });
    return target;
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** The control file. Pure. */
export function control(
  { architecture, maintainer, kilobytes }: {
    readonly architecture: string;
    readonly maintainer: string;
    readonly kilobytes: number;
  },
): string {
  return `Package: muster
Version: ${VERSION}
Architecture: ${architecture}
Maintainer: ${maintainer}
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.27), libgcc-s1 (>= 3.0) | libgcc1 (>= 3.0), passwd
Recommends: ca-certificates
Section: database
Priority: optional
Description: ${SUMMARY}
 A node of muster serves SQL over HTTP, is compatible with rqlite and replicates
 with Raft. Each node is one process and keeps the whole database in an ordinary
 SQLite file.
 .
 An agent of muster does what an agent of Consul does: gossip membership,
 services with health checks, names over DNS, keys and locks.
`;
}

async function filesOf(binary: string, epoch: number, maintainer: string): Promise<TreeFile[]> {
  const doc = "usr/share/doc/muster";
  const date = new Date(epoch * 1000).toUTCString().replace("GMT", "+0000");
  const changelog =
    `muster (${VERSION}) unstable; urgency=medium\n\n  * Version ${VERSION}.\n\n -- ${maintainer}  ${date}\n`;
  const settings = Object.entries(SETTINGS).map(async ([path, name]) =>
    plain(path, await repositoryText(`scripts/packages/deb/${name}`))
  );
  const units = ["muster.service", "muster-agent.service"].map(async (name) =>
    plain(`usr/lib/systemd/system/${name}`, await unit(name))
  );
  return [
    program("usr/bin/muster", { copyOf: binary }),
    plain("usr/share/man/man1/muster.1.gz", gzipped(manual(epoch))),
    plain("usr/share/bash-completion/completions/muster", completions("bash")),
    plain("usr/share/zsh/vendor-completions/_muster", completions("zsh")),
    plain("usr/share/fish/vendor_completions.d/muster.fish", completions("fish")),
    plain(`${doc}/copyright`, await copyright()),
    plain(`${doc}/changelog.gz`, gzipped(changelog)),
    plain("usr/share/lintian/overrides/muster", await repositoryText("scripts/packages/deb/lintian-overrides")),
    ...await Promise.all([...units, ...settings]),
  ];
}

/** The licence in the format of Debian's copyright files. */
async function copyright(): Promise<string> {
  const [, holder, ...text] = (await repositoryText("LICENSE")).split(/\n{2,}/);
  const body = text.join("\n\n").trim().split("\n").map((line) => line === "" ? " ." : ` ${line}`).join("\n");
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: muster

Files: *
Copyright: ${holder.replace(/^Copyright \(c\) /, "")}
License: Expat
${body}
`;
}

/** Sums of all files that nobody is meant to change. */
async function md5sums(files: readonly TreeFile[]): Promise<string> {
  const lines = files.filter(({ path }) => SETTINGS[path] === undefined).map(async ({ path, content }) => {
    const bytes = typeof content === "object" && "copyOf" in content ? await Deno.readFile(content.copyOf) : content;
    return `${createHash("md5").update(bytes).digest("hex")}  ${path}\n`;
  });
  return (await Promise.all(lines)).sort().join("");
}

async function sizeOf({ content }: TreeFile): Promise<number> {
  if (typeof content === "string") return new TextEncoder().encode(content).length;
  return content instanceof Uint8Array ? content.length : (await Deno.stat(content.copyOf)).size;
}

if (import.meta.main) {
  const { binary, out, compression, maintainer } = parseArgs(Deno.args, {
    string: ["binary", "out", "compression", "maintainer"],
    default: { out: "dist" },
  });
  try {
    const all = binary === undefined ? await executables("dist") : [await executableAt(binary)];
    const linux = all.filter(({ platform }) => binary !== undefined || platform.debian !== undefined);
    if (linux.length === 0) {
      throw new PackageError("Cannot find an executable for Linux in dist/: run `deno task compile` first");
    }
    const epoch = await sourceEpoch();
    for (const one of linux) console.log(await buildDeb(one, { out, compression, maintainer, epoch }));
  } catch (error) {
    if (!(error instanceof PackageError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}

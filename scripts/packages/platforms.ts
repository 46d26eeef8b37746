/**
 * The platforms that packages are made for, each with its names in other systems, and the executables that are there for them.
 * An executable is recognised by what stands in it, not by the name of its file.
 * @module
 */

/** A platform. */
export interface Platform {
  /** Its name in names of files and npm packages: as Node.js names system and processor. */
  readonly name: string;
  readonly os: typeof Deno.build.os;
  readonly arch: typeof Deno.build.arch;
  /** Its name for `deno compile --target`. */
  readonly triple: string;
  /** Its architecture for Debian; undefined for another system. */
  readonly debian?: string;
  /** Its architecture for container images; undefined where there are none. */
  readonly oci?: string;
}

/** All of them: those that the SQLite library is kept for. */
export const PLATFORMS: readonly Platform[] = [
  {
    name: "linux-x64",
    os: "linux",
    arch: "x86_64",
    triple: "x86_64-unknown-linux-gnu",
    debian: "amd64",
    oci: "amd64",
  },
  {
    name: "linux-arm64",
    os: "linux",
    arch: "aarch64",
    triple: "aarch64-unknown-linux-gnu",
    debian: "arm64",
    oci: "arm64",
  },
  { name: "darwin-x64", os: "darwin", arch: "x86_64", triple: "x86_64-apple-darwin" },
  { name: "darwin-arm64", os: "darwin", arch: "aarch64", triple: "aarch64-apple-darwin" },
  { name: "win32-x64", os: "windows", arch: "x86_64", triple: "x86_64-pc-windows-msvc" },
];

/** An executable with its platform. */
export interface Executable {
  readonly path: string;
  readonly platform: Platform;
}

/** Bytes from the start of an executable that say what it is. */
const HEAD_BYTES = 4096;

/** The platform that an executable is for, by its first bytes (ELF, Mach-O, PE); undefined for anything else. Pure. */
export function platformOf(head: Uint8Array): Platform | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const named = (name: string) => PLATFORMS.find((platform) => platform.name === name);
  if (head.length < 64) return undefined;
  const magic = view.getUint32(0);
  if (magic === 0x7f454c46) return named({ 0x3e: "linux-x64", 0xb7: "linux-arm64" }[view.getUint16(18, true)] ?? "");
  if (magic === 0xcffaedfe) {
    return named({ 0x01000007: "darwin-x64", 0x0100000c: "darwin-arm64" }[view.getUint32(4, true)] ?? "");
  }
  const header = magic >>> 16 === 0x4d5a ? view.getUint32(60, true) : undefined;
  if (header === undefined || header + 6 > head.length || view.getUint32(header) !== 0x50450000) return undefined;
  return view.getUint16(header + 4, true) === 0x8664 ? named("win32-x64") : undefined;
}

/** An executable, by its path. @throws {PackageError} When there is none, or it is for no platform that is known. */
export async function executableAt(path: string): Promise<Executable> {
  const head = new Uint8Array(HEAD_BYTES);
  try {
    using file = await Deno.open(path);
    let length = 0;
    for (let read: number | null = 0; read !== null && length < head.length; length += read ?? 0) {
      read = await file.read(head.subarray(length));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new PackageError(`Cannot package ${path}: there is no such file; run \`deno task compile\` first`);
  }
  const platform = platformOf(head);
  if (platform !== undefined) return { path, platform };
  throw new PackageError(
    `Cannot package ${path}: it is no executable for ${PLATFORMS.map(({ name }) => name).join(", ")}`,
  );
}

/** The executables of `dist/`: that of this machine, and those that were compiled for others. */
export async function executables(dist: string): Promise<readonly Executable[]> {
  const found = new Map<string, Executable>();
  const names = (await Array.fromAsync(Deno.readDir(dist))).map(({ name }) => name).sort();
  for (const name of names.filter((one) => /^muster(?:-[a-z0-9]+-[a-z0-9]+)?(?:\.exe)?$/.test(one))) {
    const executable = await executableAt(`${dist}/${name}`);
    const [, told] = /^muster-([a-z0-9]+-[a-z0-9]+)/.exec(name) ?? [];
    if (told !== undefined && told !== executable.platform.name) {
      throw new PackageError(
        `Cannot package ${dist}/${name}: it is for ${executable.platform.name}; compile it again or remove it`,
      );
    }
    found.set(executable.platform.name, executable);
  }
  return PLATFORMS.flatMap(({ name }) => found.get(name) ?? []);
}

/** A package cannot be made; the message says what to do. */
export class PackageError extends Error {
  /** Always `PackageError`. */
  override readonly name = "PackageError";
}

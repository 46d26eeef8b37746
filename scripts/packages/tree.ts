/**
 * The files of a package, written into a folder such that the same input gives the same package: modes are explicit, and all
 * times are that of the last commit (or SOURCE_DATE_EPOCH).
 * @module
 */
import { gzipSync } from "fflate";
import { PackageError } from "./platforms.ts";

/** A file of a package. */
export interface TreeFile {
  /** From the root of the package, without a slash in front. */
  readonly path: string;
  /** Its contents, or the path of a file that it is a copy of. */
  readonly content: string | Uint8Array | { readonly copyOf: string };
  readonly mode: number;
}

/** A file that only its owner may write. */
export function plain(path: string, content: TreeFile["content"]): TreeFile {
  return { path, content, mode: 0o644 };
}

/** A file that can be run. */
export function program(path: string, content: TreeFile["content"]): TreeFile {
  return { path, content, mode: 0o755 };
}

/** A text as a .gz file without the time and the name that gzip would add. */
export function gzipped(text: string): Uint8Array {
  return gzipSync(new TextEncoder().encode(text), { level: 9, mtime: 0 });
}

/** Writes files below `root`, which is made, with their modes and times. */
export async function writeTree(root: string, files: readonly TreeFile[], epoch: number): Promise<void> {
  const directories = new Set([root]);
  for (const { path, content, mode } of files) {
    const target = `${root}/${path}`;
    for (let at = target.indexOf("/", root.length + 1); at > 0; at = target.indexOf("/", at + 1)) {
      directories.add(target.slice(0, at));
    }
    await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
    if (typeof content === "string") await Deno.writeTextFile(target, content);
    else if (content instanceof Uint8Array) await Deno.writeFile(target, content);
    else await Deno.copyFile(content.copyOf, target);
    if (Deno.build.os !== "windows") await Deno.chmod(target, mode);
    await Deno.utime(target, epoch, epoch);
  }
  for (const directory of [...directories].sort().reverse()) {
    if (Deno.build.os !== "windows") await Deno.chmod(directory, 0o755);
    await Deno.utime(directory, epoch, epoch);
  }
}

/** The time of a package in seconds: SOURCE_DATE_EPOCH, or else that of the last commit, or 0 without a repository. */
export async function sourceEpoch(): Promise<number> {
  const told = Deno.env.get("SOURCE_DATE_EPOCH");
  if (told !== undefined && /^\d{1,10}$/.test(told)) return Number(told);
  try {
    return Number((await output("git", ["log", "-1", "--format=%ct"])).trim());
  } catch (error) {
    if (error instanceof PackageError) return 0;
    throw error;
  }
}

/** Options for archives that depend on nothing but the files. */
export function tarOptions(epoch: number): string[] {
  return ["--format=ustar", "--sort=name", `--mtime=@${epoch}`, "--owner=root:0", "--group=root:0"];
}

/** What a program prints. @throws {PackageError} When it is not there or fails. */
export async function output(
  command: string,
  args: readonly string[],
  options: Deno.CommandOptions = {},
): Promise<string> {
  let result: Deno.CommandOutput;
  try {
    result = await new Deno.Command(command, { ...options, args: [...args], stdin: "null" }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new PackageError(`Cannot run ${command}: it is not installed`);
  }
  const decoder = new TextDecoder();
  if (result.success) return decoder.decode(result.stdout);
  throw new PackageError(`${command} ${args[0] ?? ""} failed:\n${decoder.decode(result.stderr)}`);
}

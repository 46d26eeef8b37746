/**
 * The SQLite extensions of a node (`-extensions-path`): files, directories, and zip or tar.gz archives without
 * directories in them. They are read at the start, and written into `extensions/` of the data directory, which holds no
 * others then: the SQLite Workers load them from there, so a file that is replaced while a node runs disturbs nothing.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { SUFFIX } from "../../drivers/libsqlite/extension.ts";
import { bundledLibrary, requireLibrary } from "../../drivers/libsqlite/library.ts";
import { syncDirectory } from "../../base/worker/files.ts";

/** Extensions that cannot be used; the message says which and why. */
export class ExtensionsError extends Error {
  /** Always `ExtensionsError`. */
  override readonly name = "ExtensionsError";
}

/** An extension. */
export interface ExtensionFile {
  /** Its name, without a path. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Reads the extensions at `paths`, in their order; those of a directory or an archive by name. Hidden files are none.
 * @throws {ExtensionsError} When one cannot be read, or two have the same name.
 */
export async function readExtensions(paths: readonly string[]): Promise<ExtensionFile[]> {
  const files: ExtensionFile[] = [];
  for (const path of paths) files.push(...await readPath(path));
  // SQLite takes a name with and without the platform's suffix for the same.
  const names = files.map(({ name }) => name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new ExtensionsError(`-extensions-path has two extensions that are called ${twice}`);
  return files;
}

/** Whether a path of `-extensions-path` exists. */
export function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

async function readPath(path: string): Promise<ExtensionFile[]> {
  try {
    if (Deno.statSync(path).isDirectory) return readDirectory(path);
    const bytes = Deno.readFileSync(path);
    if (bytes[0] === 0x50 && bytes[1] === 0x4b) return flat(await unzipped(bytes), "zip");
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) return flat(await untarred(bytes), "tar.gz");
    return [{ name: path.slice(path.lastIndexOf("/") + 1), bytes }];
  } catch (error) {
    throw new ExtensionsError(`Cannot read the extensions in ${path}: ${messageOf(error)}`);
  }
}

function readDirectory(path: string): ExtensionFile[] {
  const names = [...Deno.readDirSync(path)].map(({ name }) => name).filter((name) => !name.startsWith(".")).sort();
  return names
    .filter((name) => Deno.statSync(`${path}/${name}`).isFile)
    .map((name) => ({ name, bytes: Deno.readFileSync(`${path}/${name}`) }));
}

async function unzipped(bytes: Uint8Array): Promise<ExtensionFile[]> {
  const { unzipSync } = await import("fflate"); // only where it is asked for
  return Object.entries(unzipSync(bytes)).map(([name, bytes]) => ({ name, bytes }));
}

async function untarred(bytes: Uint8Array): Promise<ExtensionFile[]> {
  const [{ gunzipSync }, { parseTar }] = await Promise.all([import("fflate"), import("nanotar")]);
  return parseTar(gunzipSync(bytes))
    .map(({ name, type, data }) => ({
      name: type === "directory" && !name.endsWith("/") ? `${name}/` : name,
      bytes: data ?? new Uint8Array(0),
    }));
}

/** The files of an archive, which may name them and its own directory with `./`. */
function flat(entries: readonly ExtensionFile[], kind: "zip" | "tar.gz"): ExtensionFile[] {
  const files = entries
    .map(({ name, bytes }) => ({ name: name.replace(/^\.\//, ""), bytes }))
    .filter(({ name }) => name !== "" && !name.startsWith("."))
    .sort((a, b) => a.name < b.name ? -1 : 1);
  if (files.some(({ name }) => /[/\\]/.test(name))) throw new Error(`${kind} file contains subdirectories`);
  return files;
}

/**
 * Writes the extensions into `directory`, in the place of those of an earlier start.
 * @returns Their paths.
 * @throws {ExtensionsError} When they cannot be written.
 */
export function installExtensions(files: readonly ExtensionFile[], directory: string): string[] {
  try {
    if (isThere(directory)) Deno.removeSync(directory, { recursive: true });
    if (files.length === 0) return [];
    Deno.mkdirSync(directory, { mode: 0o750 });
    for (const { name, bytes } of files) Deno.writeFileSync(`${directory}/${name}`, bytes, { mode: 0o750 });
    syncDirectory(directory);
    return files.map(({ name }) => `${directory}/${name}`);
  } catch (error) {
    throw new ExtensionsError(`Cannot write the extensions into ${directory}: ${messageOf(error)}`);
  }
}

/**
 * The SQLite library to use: the one at `path`, or the bundled one where that is empty.
 * @throws {Error} When it cannot be used.
 */
export function usableLibrary(path: string): string {
  const library = path || bundledLibrary();
  requireLibrary(library);
  return library;
}

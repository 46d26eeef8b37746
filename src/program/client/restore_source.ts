/**
 * The files that the command line restores from. They are looked at before they are sent, which takes ordinary files: they can be
 * read twice.
 * @module
 */
import { GZIP_MAGIC } from "../../base/net/gunzip.ts";
import { refuseUnlessWhole } from "../../drivers/uploader/whole_file.ts";

/** The first bytes of every SQLite file. */
const MAGIC = "SQLite format 3\0";
/** Bytes of a file that show whether it is text. */
const TEXT_BYTES = 64 * 1024;

/**
 * Looks at a file that is to be restored.
 * @throws {Error} When it can hold nothing that can, or not all of it.
 */
export async function checkSource(path: string): Promise<void> {
  const size = await refuseUnlessOrdinary(path);
  if (size === 0) throw new Error(`${path} is empty`);
  await refuseUnlessWhole(path);
}

/**
 * Looks whether a file can be read twice.
 * @returns Its size.
 * @throws {Error} When it cannot.
 */
export async function refuseUnlessOrdinary(path: string): Promise<number> {
  const { isFile, size } = await Deno.stat(path);
  if (!isFile) throw new Error(`${path} is not an ordinary file: write what it holds to one first`);
  return size;
}

/** The first bytes of a file, so many at most. */
function headOf(path: string, bytesMax: number): Uint8Array {
  using file = Deno.openSync(path);
  const head = new Uint8Array(bytesMax);
  return head.subarray(0, file.readSync(head) ?? 0);
}

/** Whether a file is compressed by gzip. */
export function isCompressed(path: string): boolean {
  const head = headOf(path, GZIP_MAGIC.length);
  return GZIP_MAGIC.every((byte, at) => head[at] === byte);
}

/** Whether a file begins as a database does. */
export function isDatabaseFile(path: string): boolean {
  return new TextDecoder().decode(headOf(path, MAGIC.length)) === MAGIC;
}

/** Whether these may be the first bytes of a database: a few may be those of text, too. */
export function mayBeDatabase(first: Uint8Array): boolean {
  return MAGIC.startsWith(new TextDecoder().decode(first.subarray(0, MAGIC.length)));
}

/** Whether a file begins as text does: in UTF-8, without the characters that only binary files have. */
export function isTextFile(path: string): boolean {
  try {
    // A character that the end of the piece cuts is none that is wrong.
    const decoder = new TextDecoder("utf-8", { fatal: true });
    return !decoder.decode(headOf(path, TEXT_BYTES), { stream: true }).includes("\0");
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

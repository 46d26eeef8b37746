/**
 * The files that the command line restores from. They are looked at before they are sent, which takes ordinary files: they can be
 * read twice.
 * @module
 */
import { GZIP_MAGIC } from "../../base/net/gunzip.ts";
import { refuseUnlessWhole } from "../../drivers/uploader/whole_file.ts";

/**
 * Looks at a file that is to be restored.
 * @throws {Error} When it can hold nothing that can, or not all of it.
 */
export async function checkSource(path: string): Promise<void> {
  const { isFile, size } = await Deno.stat(path);
  if (!isFile) throw new Error(`${path} is not an ordinary file: write what it holds to one first`);
  if (size === 0) throw new Error(`${path} is empty`);
  await refuseUnlessWhole(path);
}

/** Whether a file is compressed by gzip. */
export async function isCompressed(path: string): Promise<boolean> {
  using file = await Deno.open(path);
  const head = new Uint8Array(GZIP_MAGIC.length);
  await file.read(head);
  return GZIP_MAGIC.every((byte, at) => head[at] === byte);
}

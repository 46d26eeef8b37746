/** The source of an older version, from the history of the repository. */
import { assert } from "@std/assert";

/** Versions that were released, by the numbers of the releases before this one. */
const RELEASED = ["5b2667efc6fff38a0b2a3d0ee4e2597ddd0f856a", "493e493959fa38281da3a65465fb7588cca8f2d9"] as const;

async function git(...args: string[]): Promise<{ readonly ok: boolean; readonly bytes: Uint8Array<ArrayBuffer> }> {
  const { success, stdout } = await new Deno.Command("git", {
    args: ["-C", new URL("../../", import.meta.url).pathname, ...args],
    stdout: "piped",
    stderr: "null",
  }).output();
  return { ok: success, bytes: stdout };
}

/**
 * The source of a release before this one, unpacked: the last one, or the one before that. Versions in between were never
 * released, and another release need not understand their data.
 */
export async function olderSource(root: string, release: "last" | "before that" = "last"): Promise<string> {
  const commit = RELEASED[release === "last" ? 0 : 1];
  const archive = await git("archive", "--format=tar", commit);
  assert(archive.ok, "git archive failed: this test needs the history of the source");
  await Deno.writeFile(`${root}/older.tar`, archive.bytes);
  await Deno.mkdir(`${root}/older`);
  const tar = await new Deno.Command("tar", { args: ["-xf", `${root}/older.tar`, "-C", `${root}/older`] }).output();
  assert(tar.success);
  return `${root}/older/`;
}

/** The source of an older version, from the history of the repository. */
import { assert } from "@std/assert";

/** The version before: what was released last. */
const OLDER = "493e4931";

async function git(...args: string[]): Promise<{ readonly ok: boolean; readonly bytes: Uint8Array<ArrayBuffer> }> {
  const { success, stdout } = await new Deno.Command("git", {
    args: ["-C", new URL("../../", import.meta.url).pathname, ...args],
    stdout: "piped",
    stderr: "null",
  }).output();
  return { ok: success, bytes: stdout };
}

/** The older source, unpacked; where the history does not reach back so far, the oldest that there is. */
export async function olderSource(root: string): Promise<string> {
  const { ok } = await git("cat-file", "-e", `${OLDER}^{commit}`);
  const oldest = new TextDecoder().decode((await git("rev-list", "--max-count=200", "HEAD")).bytes).trim().split("\n");
  const commit = ok ? OLDER : oldest[oldest.length - 1];
  const archive = await git("archive", "--format=tar", commit);
  assert(archive.ok, "git archive failed: this test needs the history of the source");
  await Deno.writeFile(`${root}/older.tar`, archive.bytes);
  await Deno.mkdir(`${root}/older`);
  const tar = await new Deno.Command("tar", { args: ["-xf", `${root}/older.tar`, "-C", `${root}/older`] }).output();
  assert(tar.success);
  return `${root}/older/`;
}

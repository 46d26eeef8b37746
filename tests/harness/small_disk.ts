/**
 * A small file system of its own, for tests of full disks.
 * @module
 */
import { assert, assertMatch } from "@std/assert";

/** Runs `work` with an empty file system of 96 MiB; without one, and with a word, where none can be mounted. */
export async function mounted(work: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "muster-full-" });
  const run = async (command: string, args: string[]) =>
    (await new Deno.Command(command, { args, stderr: "null" }).output()).success;
  const isMounted = await run("mount", ["-t", "tmpfs", "-o", "size=96m", "tmpfs", path]);
  try {
    if (!isMounted) {
      console.error("!! a small file system cannot be mounted here (not root?): the full-disk test ran without one");
      assert(Deno.env.get("CI") === undefined, "in CI the test must run");
      return;
    }
    await work(path);
  } finally {
    if (isMounted) await run("umount", ["-l", path]);
    await Deno.remove(path, { recursive: true });
  }
}

/** Fills what is left of the disk. */
export function fill(path: string): void {
  const file = Deno.openSync(path, { create: true, write: true });
  const chunk = new Uint8Array(256 * 1024);
  try {
    for (;;) file.writeSync(chunk);
  } catch (error) {
    assertMatch(String(error), /No space left/);
  } finally {
    file.close();
  }
}

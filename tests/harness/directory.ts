/**
 * A temporary directory for one test.
 * @module
 */

/** Runs `work` with a new directory, which is gone afterwards. */
export async function withDirectory(work: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "muster-test-" });
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

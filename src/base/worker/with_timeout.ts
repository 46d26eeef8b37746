/**
 * A limit on how long something is waited for. Unlike `deadline()` of the standard library, its error has the caller's words,
 * and its timer ends with the work: reads set thousands of them a second.
 * @module
 */

/** Fails with `message` when `work` takes longer than `ms`. */
export async function withTimeout<T>(work: Promise<T>, ms: number, message: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => timer = setTimeout(() => reject(new Error(message)), ms)),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

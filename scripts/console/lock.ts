/**
 * The packages that are bundled into the console.
 * @module
 */
import type { Lock } from "../packages/program_lock.ts";

const LOCK = new URL("../../console/deno.lock", import.meta.url);

/** The packages that are bundled, as a lock file. */
export async function consoleLock(): Promise<Lock> {
  return JSON.parse(await Deno.readTextFile(LOCK));
}

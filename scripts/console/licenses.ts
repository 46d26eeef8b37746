/**
 * The packages that are bundled into the console, whose licences demand to be handed on with it.
 * @module
 */
import type { Lock } from "../packages/program_lock.ts";
import { licensesOf } from "../packages/licenses.ts";

const LOCK = new URL("../../console/deno.lock", import.meta.url);

/** The packages that are bundled, as a lock file. */
export async function consoleLock(): Promise<Lock> {
  return JSON.parse(await Deno.readTextFile(LOCK));
}

/** The texts of their licences, one below the other. @throws {Error} When one has none. */
export async function bundledLicenses(): Promise<string> {
  return await licensesOf(await consoleLock());
}

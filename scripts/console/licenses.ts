/**
 * The licences of the packages that are bundled into the console, which demand to be handed on with it.
 * @module
 */
import type { Lock } from "../packages/program_lock.ts";

const LOCK = new URL("../../console/deno.lock", import.meta.url);
const FILE = /^licen[cs]e(\.md|\.txt)?$/i;

/** The packages that are bundled, as a lock file. */
export async function consoleLock(): Promise<Lock> {
  return JSON.parse(await Deno.readTextFile(LOCK));
}

/** The texts of their licences, one below the other. @throws {Error} When one has none. */
export async function bundledLicenses(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  const { npm } = await consoleLock();
  const texts = await Promise.all(
    Object.keys(npm).sort().map(async (key) => `${key}\n\n${(await licenseOf(npmCache, key)).trim()}\n`),
  );
  return texts.join(`\n${"-".repeat(72)}\n\n`);
}

/** The licence of a package, in the cache of whichever registry it came from. */
async function licenseOf(cache: string, key: string): Promise<string> {
  const at = key.lastIndexOf("@");
  for await (const { name: registry } of Deno.readDir(cache)) {
    const folder = `${cache}/${registry}/${key.slice(0, at)}/${key.slice(at + 1)}`;
    try {
      for await (const { name } of Deno.readDir(folder)) {
        if (FILE.test(name)) return await Deno.readTextFile(`${folder}/${name}`);
      }
      const { license, author } = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
      return `${license}${typeof author === "string" ? `, ${author}` : ""}`;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // it came from another one
    }
  }
  throw new Error(`${key} is not in the cache: run deno task console`);
}

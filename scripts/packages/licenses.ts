/**
 * The licences of packages that are bundled, which demand to be handed on with what they are bundled into.
 * @module
 */
import type { Lock } from "./program_lock.ts";

const FILE = /^licen[cs]e(\.md|\.txt)?$/i;

/** The texts of the packages' licences, one below the other. @throws {Error} When one is not in the cache. */
export async function licensesOf({ npm }: Lock): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
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
  throw new Error(`${key} is not in the cache: run the program once, or deno task console`);
}

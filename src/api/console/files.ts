/**
 * The files of the console, as `deno task console` has made them: beside the source, or inside the executable. They are read
 * by the supervisor, as the HTTP Worker may read no file, and once, when somebody opens the console for the first time.
 * @module
 */

import { ROOT } from "../../root.ts";

/** A file of the console. */
export interface ConsoleFile {
  /** Such as `app-3F2A81B0.js`. */
  readonly name: string;
  /** Its content, compressed by gzip. */
  readonly gzip: Uint8Array;
}

const FOLDER = new URL("src/api/console/page/", ROOT);
const ENDING = ".gz";

/** Reads all of them; none where the folder is not there: somebody may run a copy of the source without it. */
export async function readConsole(): Promise<ConsoleFile[]> {
  const files: ConsoleFile[] = [];
  try {
    for await (const { name } of Deno.readDir(FOLDER)) {
      if (!name.endsWith(ENDING)) continue;
      files.push({ name: name.slice(0, -ENDING.length), gzip: await Deno.readFile(new URL(name, FOLDER)) });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files;
}

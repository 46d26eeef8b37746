/**
 * A directory as a place for backups. A backup is written beside its place, made durable, and renamed; `METADATA.json` then says
 * which one is the newest and what it holds, in rqlite's words:
 *
 *     {"id":"8","timestamp":1764367200000,"name":"/backups/db.sqlite.gz"}
 *
 * One directory holds the backups of one configuration.
 * @module
 */
import { syncDirectory, writeDurably } from "../../base/worker/files.ts";
import type { FileDestination } from "./api.ts";
import type { Store, Stored } from "./store.ts";
import { refuseUnlessWhole } from "./whole_file.ts";

const METADATA = "METADATA.json";
/** Of the file that a backup is written to before it has its name. */
const UNFINISHED = /^\.muster-upload-\d+\.tmp$/;

/** Backups in a directory. */
export class FileStore implements Store {
  readonly place: string;
  readonly #directory: string;

  constructor({ directory, name }: FileDestination) {
    this.#directory = directory;
    this.place = `${directory}/${name}`;
  }

  /** Reads the id from `METADATA.json`, where that speaks of `name`. */
  async idOf(name: string): Promise<string | undefined> {
    try {
      const { id, name: path } = JSON.parse(await Deno.readTextFile(`${this.#directory}/${METADATA}`));
      if (typeof id !== "string" || path !== `${this.#directory}/${name}`) return undefined;
      await Deno.stat(path);
      return id;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** Writes a file; nothing of it is left behind when it fails. */
  async put(name: string, { pieces, id, signal }: Stored): Promise<void> {
    await this.#clean();
    const temporary = `${this.#directory}/.muster-upload-${Date.now()}.tmp`;
    try {
      await writeFile(temporary, pieces, signal);
      await Deno.rename(temporary, `${this.#directory}/${name}`);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {}); // it may not be there yet
      throw error;
    }
    syncDirectory(this.#directory);
    const metadata = { id, timestamp: Date.now(), name: `${this.#directory}/${name}` };
    writeDurably(this.#directory, METADATA, JSON.stringify(metadata));
  }

  /** Names of the files in the directory. */
  async list(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name, isFile } of Deno.readDir(this.#directory)) if (isFile) names.push(name);
    return names;
  }

  /** Removes a file. */
  async remove(name: string): Promise<void> {
    await Deno.remove(`${this.#directory}/${name}`);
  }

  /** Opens a file. @throws {Error} Also where it is a database without the changes that are beside it. */
  async get(name: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const path = `${this.#directory}/${name}`;
    await refuseUnlessWhole(path);
    return (await Deno.open(path)).readable;
  }

  /** Removes what a process left that was killed. */
  async #clean(): Promise<void> {
    for (const name of await this.list()) if (UNFINISHED.test(name)) await this.remove(name);
  }
}

async function writeFile(path: string, pieces: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  try {
    for await (const piece of pieces) {
      signal.throwIfAborted();
      for (let written = 0; written < piece.length;) written += await file.write(piece.subarray(written));
    }
    await file.sync();
  } finally {
    file.close();
  }
}

/**
 * The services and checks that this agent was asked to run, on disk (C5.5): one file each, named by a digest of its id, below
 * `services` and `checks` in the data directory, and the states of TTL checks below `checks/state`.
 * @module
 */
import { AclFiles } from "../config/acl_files.ts";
import { syncDirectory, writeDurably } from "../../base/worker/files.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { DefinitionStore, KeptKind } from "../../app/services/local_state.ts";

/** Texts of each kind. */
export type KeptDefinitions = { readonly [Kind in KeptKind]: readonly string[] };

const FOLDERS: Readonly<Record<KeptKind, string>> = { services: "services", checks: "checks", states: "checks/state" };
/** A definition is smaller. */
const BYTES_MAX = 1024 * 1024;

/** The files below a data directory. */
export class DefinitionFiles implements DefinitionStore {
  /** The files of access control beside them. */
  readonly acl: AclFiles;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.acl = new AclFiles(directory);
  }

  /** What HTTP asks the supervisor to keep. */
  tasks(log: (line: string) => void) {
    return {
      ...this.acl.tasks(log),
      keepDefinition: (asked: { kind: KeptKind; id: string; text: string }) =>
        this.keep(asked.kind, asked.id, asked.text),
      forgetDefinition: (asked: { kind: KeptKind; id: string }) => this.forget(asked.kind, asked.id),
    };
  }

  /** Everything that is kept; a file that cannot be read is named by `log`. */
  read(log: (line: string) => void): KeptDefinitions {
    const of = (kind: KeptKind) => textsIn(`${this.#directory}/${FOLDERS[kind]}`, log);
    return { services: of("services"), checks: of("checks"), states: of("states") };
  }

  async keep(kind: KeptKind, id: string, text: string): Promise<void> {
    const folder = `${this.#directory}/${FOLDERS[kind]}`;
    const name = await fileName(id);
    Deno.mkdirSync(folder, { recursive: true, mode: 0o750 });
    // States change at every heartbeat of a service: after a power loss an older one is as good.
    if (kind !== "states") return writeDurably(folder, name, text, { mode: 0o600 }); // it may have a token
    Deno.writeTextFileSync(`${folder}/${name}.new`, text, { mode: 0o640 });
    Deno.renameSync(`${folder}/${name}.new`, `${folder}/${name}`);
  }

  async forget(kind: KeptKind, id: string): Promise<void> {
    try {
      const folder = `${this.#directory}/${FOLDERS[kind]}`;
      Deno.removeSync(`${folder}/${await fileName(id)}`);
      if (kind !== "states") syncDirectory(folder); // no service comes back after a power loss
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

async function fileName(id: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(id));
  return `${new Uint8Array(digest).toHex()}.json`;
}

function textsIn(folder: string, log: (line: string) => void): string[] {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(folder)];
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) log(`${folder} cannot be read: ${messageOf(error)}`);
    return [];
  }
  return entries.filter(({ isFile, name }) => isFile && name.endsWith(".json")).flatMap(({ name }) => {
    const path = `${folder}/${name}`;
    try {
      if (Deno.statSync(path).size > BYTES_MAX) throw new Error("it is too large for a definition");
      return [Deno.readTextFileSync(path)];
    } catch (error) {
      log(`${path} is left out: ${messageOf(error)}`);
      return [];
    }
  });
}

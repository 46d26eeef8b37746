/**
 * The two files of gossip: the keyring (`keyring.json`, Serf's format) and the snapshot of the pool (`members.snapshot`).
 * Both are replaced whole, by renaming; the snapshot grows line by line in between, and a torn end is disregarded.
 * @module
 */
import { syncDirectory } from "../../base/worker/files.ts";
import type { Keyring } from "../../core/swim/keyring.ts";
import { decodeKeyringFile, encodeKeyringFile } from "../../core/swim/key_text.ts";
import {
  decodeSnapshot,
  encodeSnapshot,
  encodeSnapshotLine,
  isCompactionDue,
  type Snapshot,
  type SnapshotLine,
} from "../../core/serf/snapshot.ts";

/** Name of the keyring file. */
const KEYRING = "keyring.json";
/** Name of the snapshot. */
const SNAPSHOT = "members.snapshot";
/** Longest file that is read. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;
/** Keys are for their owner alone. */
const SECRET_MODE = 0o600;
/** Interval between flushes: writes of this last period may be lost if the process is killed. */
const FLUSH_MS = 500;

function readIfThere(path: string): string | undefined {
  try {
    if (Deno.statSync(path).size > FILE_BYTES_MAX) {
      throw new Error(`Cannot read ${path}: it is larger than any that we write`);
    }
    return new TextDecoder().decode(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function replace(directory: string, name: string, text: string): void {
  const temporary = `${directory}/${name}.new`;
  const file = Deno.openSync(temporary, { create: true, truncate: true, write: true, mode: SECRET_MODE });
  try {
    writeAll(file, text);
    file.syncSync();
  } finally {
    file.close();
  }
  Deno.renameSync(temporary, `${directory}/${name}`);
  syncDirectory(directory);
}

function writeAll(file: Deno.FsFile, text: string): number {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
  return bytes.length;
}

/**
 * Reads the keyring, undefined where there is none.
 * @throws {KeyringError} When the file makes no sense: without its keys the node could not speak to its pool.
 */
export function readKeyring(directory: string): Keyring | undefined {
  const text = readIfThere(`${directory}/${KEYRING}`);
  return text === undefined ? undefined : decodeKeyringFile(text);
}

/** Writes the keyring. */
export function writeKeyring(directory: string, keyring: Keyring): void {
  replace(directory, KEYRING, encodeKeyringFile(keyring));
}

/** The snapshot file, being written. */
export class SnapshotFile {
  readonly #directory: string;
  readonly #snapshot: Snapshot;
  readonly #onError: (error: unknown) => void;
  #file: Deno.FsFile | undefined;
  #bytes = 0;
  #pending = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Opens it, and writes it anew.
   * @param onError Told when writing fails; gossip goes on without.
   */
  constructor(
    directory: string,
    { rejoinAfterLeave, onError }: { rejoinAfterLeave: boolean; onError: (error: unknown) => void },
  ) {
    this.#directory = directory;
    this.#onError = onError;
    this.#snapshot = decodeSnapshot(readIfThere(`${directory}/${SNAPSHOT}`) ?? "", { rejoinAfterLeave });
    this.#compact();
  }

  /** The snapshot from the file, with all changes since. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Adds a line, soon to be written. */
  add(line: SnapshotLine): void {
    const { alive } = this.#snapshot;
    if (line.k === "alive") alive.set(line.name, line.address);
    else if (line.k === "not-alive") alive.delete(line.name);
    else if (line.k === "clocks") this.#snapshot.clocks = line.clocks;
    this.#pending += encodeSnapshotLine(line);
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  /** Writes what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      if (this.#file) this.#bytes += writeAll(this.#file, this.#pending);
      this.#pending = "";
      if (isCompactionDue(this.#bytes, this.#snapshot.alive.size)) this.#compact();
    } catch (error) {
      this.#pending = "";
      this.#onError(error);
    }
  }

  #compact(): void {
    this.#file?.close();
    this.#file = undefined;
    const text = encodeSnapshot(this.#snapshot);
    replace(this.#directory, SNAPSHOT, text);
    this.#bytes = text.length;
    this.#file = Deno.openSync(`${this.#directory}/${SNAPSHOT}`, { append: true });
  }

  /** Writes what waits, and closes. */
  close(): void {
    this.flush();
    this.#file?.close();
    this.#file = undefined;
  }
}

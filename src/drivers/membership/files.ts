/**
 * The two files of gossip: the keyring (`keyring.json`, Serf's format) and the snapshot of the pool (`members.snapshot`).
 * Both are replaced whole, by renaming; the snapshot grows line by line in between, and a torn end is disregarded.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { exists, syncDirectory } from "../../base/worker/files.ts";
import { Keyring, sameBytes } from "../../core/swim/keyring.ts";
import { decodeKeyringFile, decodeKeyText, encodeKeyringFile } from "../../core/swim/key_text.ts";
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
/** Name of an empty file beside a keyring that was begun with a configured key and has met no other member yet. */
const UNPROVEN = "keyring.unproven";
/** Name of the snapshot. */
const SNAPSHOT = "members.snapshot";
/** Longest file that is read. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;
/** Keys are for their owner alone. */
const SECRET_MODE = 0o600;
/** Interval between flushes: writes of this last period may be lost if the process is killed. */
const FLUSH_MS = 500;
/** Pause between two attempts to write a file that could not be written. */
const RETRY_MS = 5000;

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

/** @throws {Error} Naming the file; what was there before stays, and nothing takes up room beside it. */
function replace(directory: string, name: string, text: string): void {
  const temporary = `${directory}/${name}.new`;
  try {
    const file = Deno.openSync(temporary, { create: true, truncate: true, write: true, mode: SECRET_MODE });
    try {
      writeAll(file, text);
      file.syncSync();
    } finally {
      file.close();
    }
    Deno.renameSync(temporary, `${directory}/${name}`);
    syncDirectory(directory);
  } catch (error) {
    removeIfThere(temporary);
    throw new Error(`Cannot write ${directory}/${name}: ${messageOf(error)}`, { cause: error });
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // it was not made, or cannot be removed: then the next attempt says why
  }
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

/**
 * Writes the keyring.
 * @throws {Error} When it cannot be written.
 */
export function writeKeyring(directory: string, keyring: Keyring): void {
  replace(directory, KEYRING, encodeKeyringFile(keyring));
}

/** The keys that a node starts with, and where they are from. */
export interface StartKeys {
  /** Undefined for a pool without encryption. */
  readonly keyring: Keyring | undefined;
  /** `kept`: by an earlier start; `new`: the configured one, which is still to be written. */
  readonly from: "kept" | "new" | "nowhere";
  /** Whether the configured key is another than the primary one, and is not used. */
  readonly isOther: boolean;
}

/**
 * The keys that a node starts with. A keyring of an earlier start wins over the configured key, as that may have been
 * replaced since; but not one with which the node has never met another member: the key in it may have been wrong.
 * @throws {KeyringError} When a key or the keyring cannot be used.
 */
export function startKeys(directory: string | undefined, encryptionKey: string | undefined): StartKeys {
  const kept = directory === undefined ? undefined : readKeyring(directory);
  const given = encryptionKey === undefined ? undefined : new Keyring([decodeKeyText(encryptionKey)]);
  const isOther = kept !== undefined && given !== undefined && !sameBytes(kept.primary, given.primary);
  if (given && (!kept || isOther && readIfThere(`${directory}/${UNPROVEN}`) !== undefined)) {
    return { keyring: given, from: "new", isOther: false };
  }
  return { keyring: kept, from: kept ? "kept" : "nowhere", isOther };
}

/**
 * Begins a keyring with a key that has not proved right yet.
 * @throws {Error} When it cannot be written.
 */
export function beginKeyring(directory: string, keyring: Keyring): void {
  replace(directory, UNPROVEN, "");
  writeKeyring(directory, keyring);
}

/** Whether a snapshot there has another member than `name`; false where none can be read. */
export function remembersOthers(directory: string, name: string): boolean {
  try {
    const { alive } = decodeSnapshot(readIfThere(`${directory}/${SNAPSHOT}`) ?? "", { rejoinAfterLeave: false });
    return [...alive.keys()].some((one) => one !== name);
  } catch {
    return false;
  }
}

/** Whether a keyring is kept there. */
export function hasKeyring(directory: string): boolean {
  return exists(`${directory}/${KEYRING}`);
}

/** Told of a file that cannot be written, once, and once more when it is written again. */
export interface FileReport {
  onError(error: unknown): void;
  onRecovery(): void;
}

/** The keyring file of a running node: what could not be written is tried again. */
export class KeyringFile {
  readonly #directory: string;
  readonly #report: FileReport;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isBehind = false;
  #isProven = false;

  constructor(directory: string, report: FileReport) {
    this.#directory = directory;
    this.#report = report;
  }

  /** The keys have proved right: another member has been met by them, or they were changed on purpose. */
  prove(): void {
    if (!this.#isProven) removeIfThere(`${this.#directory}/${UNPROVEN}`);
    this.#isProven = true;
  }

  /** Writes the keys; the reason where that fails. */
  keep(keyring: Keyring): string | undefined {
    clearTimeout(this.#timer);
    this.prove();
    try {
      writeKeyring(this.#directory, keyring);
    } catch (error) {
      if (!this.#isBehind) this.#report.onError(error);
      this.#isBehind = true;
      this.#timer = setTimeout(() => this.keep(keyring), RETRY_MS);
      return messageOf(error);
    }
    if (this.#isBehind) this.#report.onRecovery();
    this.#isBehind = false;
    return undefined;
  }

  /** Tries no more. */
  close(): void {
    clearTimeout(this.#timer);
  }
}

/**
 * The snapshot file, being written. After a failed write it is behind: nothing more is appended, as the end may be torn,
 * and all of it is written anew as soon as there is room.
 */
export class SnapshotFile {
  readonly #directory: string;
  readonly #snapshot: Snapshot;
  readonly #rejoinAfterLeave: boolean;
  readonly #report: FileReport;
  #file: Deno.FsFile | undefined;
  #bytes = 0;
  #pending = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isBehind = false;
  #hasLeft = false;
  #isClosed = false;

  /**
   * Opens it, and writes it anew; gossip goes on without where it cannot be written.
   * @throws {Error} When it cannot be read.
   */
  constructor(directory: string, { rejoinAfterLeave, ...report }: { rejoinAfterLeave: boolean } & FileReport) {
    this.#directory = directory;
    this.#report = report;
    this.#rejoinAfterLeave = rejoinAfterLeave;
    this.#snapshot = decodeSnapshot(readIfThere(`${directory}/${SNAPSHOT}`) ?? "", { rejoinAfterLeave });
    this.#write(() => this.#compact());
  }

  /** The snapshot from the file, with all changes since. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Adds a line, soon to be written. */
  add(line: SnapshotLine): void {
    const { alive } = this.#snapshot;
    this.#hasLeft = line.k === "leave" || this.#hasLeft && line.k !== "alive";
    if (line.k === "alive") alive.set(line.name, line.address);
    else if (line.k === "not-alive") alive.delete(line.name);
    else if (line.k === "clocks") this.#snapshot.clocks = line.clocks;
    else if (!this.#rejoinAfterLeave) alive.clear();
    if (!this.#isBehind) this.#pending += encodeSnapshotLine(line);
    this.#timer ??= setTimeout(() => this.flush(), this.#isBehind ? RETRY_MS : FLUSH_MS);
  }

  /** Writes what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#write(() => {
      if (this.#isBehind || !this.#file) return this.#compact();
      this.#bytes += writeAll(this.#file, this.#pending);
      this.#pending = "";
      if (isCompactionDue(this.#bytes, this.#snapshot.alive.size)) this.#compact();
    });
  }

  #write(work: () => void): void {
    const wasBehind = this.#isBehind;
    try {
      work();
      this.#isBehind = false;
      if (wasBehind) this.#report.onRecovery();
    } catch (error) {
      this.#isBehind = true;
      this.#pending = ""; // the whole will be written
      if (!wasBehind) this.#report.onError(error);
      // Who has left must not go back by an old file; to remove it takes no room.
      if (this.#hasLeft && !this.#rejoinAfterLeave) removeIfThere(`${this.#directory}/${SNAPSHOT}`);
      if (!this.#isClosed) this.#timer ??= setTimeout(() => this.flush(), RETRY_MS);
    }
  }

  #compact(): void {
    const text = encodeSnapshot(this.#snapshot) + (this.#hasLeft ? encodeSnapshotLine({ k: "leave" }) : "");
    replace(this.#directory, SNAPSHOT, text);
    this.#file?.close();
    this.#file = undefined;
    this.#file = Deno.openSync(`${this.#directory}/${SNAPSHOT}`, { append: true });
    this.#bytes = text.length;
    this.#pending = "";
  }

  /** Writes what waits, and closes. */
  close(): void {
    this.#isClosed = true;
    this.flush();
    this.#file?.close();
    this.#file = undefined;
  }
}

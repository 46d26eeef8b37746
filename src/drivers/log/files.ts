/**
 * The log's files on a real disk.
 * @module
 */
import { freeBuffer } from "../../base/codec/free.ts";
import { exists, syncDirectory } from "../../base/worker/files.ts";
import { Histogram } from "../../base/shared/histogram.ts";
import type { LogDisk, LogFile } from "./disk.ts";
import { SECTOR_BYTES } from "./format.ts";
import type { Wait } from "./task.ts";
import { joinPath } from "./path.ts";

/** Above this a write leaves the thread, so that copying it to the page cache holds up no heartbeat. */
const SYNC_WRITE_BYTES_MAX = 256 * 1024;
/** A disk whose syncs take longer is waited for in the background. */
const INLINE_SYNC_MS_MAX = 5;

/** A directory of the machine's file system. */
export class FileDisk implements LogDisk {
  readonly #directory: string;
  readonly #pace: Pace;

  /**
   * @param directory Must exist.
   * @param syncs Takes the time of each sync of a file.
   */
  constructor(directory: string, syncs: Histogram = new Histogram()) {
    this.#directory = directory;
    this.#pace = new Pace(syncs);
  }

  pathOf(name: string): string {
    return joinPath(this.#directory, name);
  }

  list(): string[] {
    return [...Deno.readDirSync(this.#directory)].map(({ name }) => name);
  }

  exists(name: string): boolean {
    return exists(this.pathOf(name));
  }

  open(name: string): LogFile {
    return new OpenFile(Deno.openSync(this.pathOf(name), { read: true, write: true }), this.#pace);
  }

  createNow(name: string, bytes: Uint8Array): LogFile {
    const path = this.pathOf(name);
    const file = Deno.openSync(path, { read: true, write: true, create: true, truncate: true });
    try {
      for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
    } catch (error) {
      file.close();
      Deno.removeSync(path); // on a full disk half a file would only take what others need
      throw error;
    }
    return new OpenFile(file, this.#pace);
  }

  async makeZeros(name: string, bytes: number): Promise<void> {
    const path = this.pathOf(name);
    const size = Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
    const file = await Deno.open(path, { write: true, create: true, truncate: true });
    const zeros = new Uint8Array(Math.min(size, 256 * 1024));
    try {
      for (let written = 0; written < size;) {
        written += await file.write(zeros.subarray(0, Math.min(zeros.length, size - written)));
      }
      await file.sync();
    } catch (error) {
      await Deno.remove(path);
      throw error;
    } finally {
      file.close();
      freeBuffer(zeros);
    }
  }

  rename(from: string, to: string): Wait {
    return Deno.rename(this.pathOf(from), this.pathOf(to));
  }

  renameNow(from: string, to: string): void {
    Deno.renameSync(this.pathOf(from), this.pathOf(to));
  }

  remove(name: string): void {
    Deno.removeSync(this.pathOf(name));
  }

  async sync(): Promise<void> {
    const directory = await Deno.open(this.#directory, { read: true });
    try {
      await directory.sync();
    } finally {
      directory.close();
    }
  }

  syncNow(): void {
    syncDirectory(this.#directory);
  }

  nowMs(): number {
    return performance.now();
  }

  pause(ms: number): Wait {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Messages leave a microtask after they were queued: followers write at the same time. */
  afterMessages(): Wait {
    return Promise.resolve().then(() => {});
  }
}

/** Recent time of a sync: rises at once, falls slowly; so one slow sync makes the next ones go to the background. */
class Pace {
  #syncMs = 0;
  readonly #all: Histogram;

  constructor(all: Histogram) {
    this.#all = all;
  }

  get isQuick(): boolean {
    return this.#syncMs < INLINE_SYNC_MS_MAX;
  }

  add(elapsedMs: number): void {
    this.#all.observe(elapsedMs);
    this.#syncMs = elapsedMs > this.#syncMs ? elapsedMs : this.#syncMs * 0.9 + elapsedMs * 0.1;
  }
}

class OpenFile implements LogFile {
  readonly bytes: number;
  readonly #file: Deno.FsFile;
  readonly #pace: Pace;

  constructor(file: Deno.FsFile, pace: Pace) {
    this.#file = file;
    this.#pace = pace;
    this.bytes = file.statSync().size;
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let read = 0; read < length;) {
      const count = this.#file.readSync(bytes.subarray(read));
      if (count === null) return bytes.subarray(0, read);
      read += count;
    }
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): Wait {
    if (bytes.length <= SYNC_WRITE_BYTES_MAX) return void this.writeNow(offset, bytes);
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    return this.#writeLater(bytes);
  }

  writeNow(offset: number, bytes: Uint8Array): void {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let written = 0; written < bytes.length;) written += this.#file.writeSync(bytes.subarray(written));
  }

  async #writeLater(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) written += await this.#file.write(bytes.subarray(written));
  }

  /**
   * On this thread while the disk is quick, as two changes of thread cost a quarter of what the sync itself takes (0.04 of
   * 0.16 ms); on a slow disk, or in a slow moment, in the background, so that heartbeats go on.
   */
  sync(): Wait {
    if (!this.#pace.isQuick) return this.#syncLater();
    const started = performance.now();
    this.#file.syncDataSync();
    this.#pace.add(performance.now() - started);
  }

  async #syncLater(): Promise<void> {
    const started = performance.now();
    await this.#file.syncData();
    this.#pace.add(performance.now() - started);
  }

  syncNow(): void {
    this.#file.syncSync();
  }

  close(): void {
    this.#file.close();
  }
}

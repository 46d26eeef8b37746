/**
 * A simulated directory of files, to the sector: what was written but not synced, and names that were changed but not
 * synced, may be gone after a loss of power. `SimFiles` is the platter, which survives; {@linkcode SimDisk} is one
 * process's view of it, a disk for the real log (src/drivers/log/disk.ts).
 *
 * Sectors of a file are written in any order; a loss of power keeps all that is not synced, none, or a random part (a
 * torn write). Names change in order, as in the journal of a file system: a loss of power keeps a prefix.
 * @module
 */
import type { LogDisk, LogFile } from "../../src/drivers/log/disk.ts";
import { SECTOR_BYTES } from "../../src/drivers/log/format.ts";
import type { Wait } from "../../src/drivers/log/task.ts";
import type { Damage } from "./damage.ts";
import type { Random } from "../harness/random.ts";

/** An error of a disk, with the operating system's error code. */
export class DiskError extends Error {
  /** Always `DiskError`. */
  override readonly name = "DiskError";

  /** @param code As in `errno.h`. */
  constructor(readonly code: "EIO" | "ENOSPC", readonly during: "write" | "sync") {
    super(`${code} by the simulated disk in a ${during}`);
  }
}

/** One file: what reads see, and what survives a loss of power. */
export class Content {
  cached: Uint8Array;
  durable: Uint8Array = new Uint8Array(0);
  /** Sectors to be synced. */
  readonly dirty = new Set<number>();
  /** A sync failed, and with that the system gave up what was to be synced: reads see it still (D12). */
  isAbandoned = false;

  constructor(bytes: number) {
    this.cached = new Uint8Array(bytes);
  }

  write(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.cached.length) throw new Error("The log wrote beyond the end of its file");
    this.cached.set(bytes, offset);
    const end = Math.ceil((offset + bytes.length) / SECTOR_BYTES);
    for (let sector = Math.floor(offset / SECTOR_BYTES); sector < end; sector++) this.dirty.add(sector);
  }

  sync(): void {
    if (this.durable.length < this.cached.length) {
      this.durable = this.cached.slice();
    } else for (const sector of this.dirty) this.#keep(sector);
    this.dirty.clear();
  }

  abandon(): void {
    this.dirty.clear();
    this.isAbandoned = true;
  }

  #keep(sector: number): void {
    const from = sector * SECTOR_BYTES;
    this.durable.set(this.cached.subarray(from, from + SECTOR_BYTES), from);
  }

  /** Changes bits of a byte. */
  flip(at: number, bits: number): void {
    this.durable[at] ^= bits;
    this.cached[at] ^= bits;
  }

  /** Changes what is durable; reads see it, as nothing keeps old data in memory for ever. */
  overwrite(at: number, bytes: Uint8Array): void {
    this.durable.set(bytes, at);
    this.cached.set(bytes, at);
  }

  /** The content that a machine started with a copy of the platter finds. */
  image(): Content {
    const image = new Content(this.cached.length);
    image.durable = new Uint8Array(this.cached.length);
    image.durable.set(this.durable);
    image.cached = image.durable.slice();
    return image;
  }

  /** The power is gone: a sector that is not synced is kept where `keeps` says so. */
  losePower(keeps: () => boolean): void {
    if (this.dirty.size === 0 && !this.isAbandoned && this.durable.length === this.cached.length) return;
    if (this.durable.length < this.cached.length) {
      const grown = new Uint8Array(this.cached.length);
      grown.set(this.durable);
      this.durable = grown;
    }
    for (const sector of this.dirty) if (keeps()) this.#keep(sector);
    this.dirty.clear();
    this.isAbandoned = false;
    this.cached = this.durable.slice();
  }
}

/** How a loss of power treats what is not synced. */
const LOSSES = ["all", "none", "torn"] as const;

/** The platter of one node. */
export class SimFiles {
  /** Names as a process sees them. */
  #names = new Map<string, Content>();
  /** Names as they were last synced. */
  #durableNames = new Map<string, Content>();
  /** Changes of names since then, in order. */
  readonly #changes: { readonly name: string; readonly content: Content | undefined; readonly from?: string }[] = [];
  /** No file grows, and writes may fail. */
  isFull = false;
  /** Writes or syncs that fail from now on, in number. */
  failures = 0;
  /** Nothing comes to an end any more, until the node is started anew. */
  isStuck = false;
  /** The damage done to it, which may be found; undefined for a whole disk. */
  damage: Damage | undefined;
  /** Operations until the process dies in the middle of one; 0 for never. */
  killAfter = 0;

  list(): string[] {
    return [...this.#names.keys()];
  }

  find(name: string): Content | undefined {
    return this.#names.get(name);
  }

  /** A name for `content`, in the place of the name `from`; or the end of a name. */
  set(name: string, content: Content | undefined, from?: string): void {
    change(this.#names, { name, content, from });
    this.#changes.push({ name, content, ...(from !== undefined && { from }) });
  }

  syncNames(): void {
    this.#keepChanges(this.#changes.length);
  }

  #keepChanges(count: number): void {
    for (const one of this.#changes.splice(0, count)) change(this.#durableNames, one);
  }

  /** The power is gone. @returns What became of sectors that were not synced. */
  losePower(random: Random): { lostSectors: number; keptSectors: number; lostNames: number } {
    const loss = random.pick(LOSSES);
    let [lostSectors, keptSectors] = [0, 0];
    const keeps = () => {
      const isKept = loss === "all" || (loss === "torn" && random.chance(0.5));
      if (isKept) keptSectors++;
      else lostSectors++;
      return isKept;
    };
    for (const content of new Set([...this.#names.values(), ...this.#durableNames.values()])) content.losePower(keeps);
    this.#keepChanges(loss === "all" ? this.#changes.length : random.below(this.#changes.length + 1));
    const lostNames = this.#changes.splice(0).length;
    this.#names = new Map(this.#durableNames);
    return { lostSectors, keptSectors, lostNames };
  }

  /** A copy of what is durable. */
  image(): SimFiles {
    const image = new SimFiles();
    for (const [name, content] of this.#durableNames) image.#durableNames.set(name, content.image());
    return image;
  }

  /** Holds what `image` holds, in the place of everything. */
  restore(image: SimFiles): void {
    this.#durableNames = image.image().#durableNames;
    this.#names = new Map(this.#durableNames);
    this.#changes.length = 0;
  }
}

function change(
  names: Map<string, Content>,
  { name, content, from }: { name: string; content: Content | undefined; from?: string | undefined },
): void {
  if (from !== undefined) names.delete(from);
  if (content === undefined) names.delete(name);
  else names.set(name, content);
}

/** The parts of the world that a disk uses. */
export interface DiskWorld {
  /** Virtual time in ms. */
  nowMs(): number;
  /** Calls `then` after so long as a write takes, unless the process is gone by then. */
  later(then: () => void): void;
  /** Calls `then` after `ms`, unless the process is gone by then. */
  pause(ms: number, then: () => void): void;
}

/** The process died in the middle of an operation. */
export class Killed extends Error {
  /** Always `Killed`. */
  override readonly name = "Killed";
}

/** One process's view of its files. */
export class SimDisk implements LogDisk {
  constructor(
    private readonly files: SimFiles,
    private readonly world: DiskWorld,
    private readonly random: Random,
  ) {}

  pathOf(name: string): string {
    return `log/${name}`;
  }

  list(): string[] {
    return this.files.list();
  }

  exists(name: string): boolean {
    return this.files.find(name) !== undefined;
  }

  open(name: string): LogFile {
    return new SimFile(this, this.#content(name));
  }

  createNow(name: string, bytes: Uint8Array): LogFile {
    this.step();
    if (this.files.isFull) throw new DiskError("ENOSPC", "write");
    const content = new Content(bytes.length);
    this.files.set(name, content);
    this.step();
    content.write(0, bytes);
    return new SimFile(this, content);
  }

  makeZeros(name: string, bytes: number): Wait {
    if (this.files.isFull) {
      return { then: (_, failed) => this.world.later(() => failed(new DiskError("ENOSPC", "write"))) };
    }
    const content = new Content(Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES);
    this.files.set(name, content);
    return this.wait(() => content.sync());
  }

  rename(from: string, to: string): Wait {
    this.renameNow(from, to);
    return undefined;
  }

  renameNow(from: string, to: string): void {
    this.step();
    this.files.set(to, this.#content(from), from);
  }

  remove(name: string): void {
    this.step();
    this.files.set(name, undefined);
  }

  sync(): Wait {
    return this.wait(() => this.files.syncNames());
  }

  syncNow(): void {
    this.step();
    this.files.syncNames();
  }

  nowMs(): number {
    return this.world.nowMs();
  }

  pause(ms: number): Wait {
    return { then: (done) => this.world.pause(ms, done) };
  }

  afterMessages(): Wait {
    return undefined;
  }

  /** Something that takes as long as the disk does, and may fail. */
  wait(act: () => void, fail: () => void = () => {}): Wait {
    if (this.files.isStuck) return { then: () => {} };
    const fails = this.#fails();
    return {
      then: (done, failed) =>
        this.world.later(() => {
          if (fails) {
            fail();
            failed(new DiskError("EIO", "sync"));
          } else {
            act();
            done();
          }
        }),
    };
  }

  /** Writes as much as there is room for: room comes in whole sectors, or blocks of them. */
  write(content: Content, offset: number, bytes: Uint8Array): void {
    if (this.#fails()) throw new DiskError("EIO", "write");
    if (!this.files.isFull) return content.write(offset, bytes);
    const end = Math.floor((offset + this.random.below(bytes.length)) / SECTOR_BYTES) * SECTOR_BYTES;
    content.write(offset, bytes.subarray(0, Math.max(0, end - offset)));
    throw new DiskError("ENOSPC", "write");
  }

  /** Makes a file durable, or takes it for durable from now on although it is not (D12). */
  syncNowOf(content: Content): void {
    if (!this.#fails()) return content.sync();
    content.abandon();
    throw new DiskError("EIO", "sync");
  }

  #fails(): boolean {
    if (this.files.failures === 0) return false;
    this.files.failures--;
    return true;
  }

  /** One step of what a process does at its start; it may die here. */
  step(): void {
    if (this.files.killAfter > 0 && --this.files.killAfter === 0) throw new Killed("The process was killed");
  }

  #content(name: string): Content {
    const content = this.files.find(name);
    if (content === undefined) throw new Error(`There is no file ${name}`);
    return content;
  }
}

class SimFile implements LogFile {
  readonly bytes: number;

  constructor(private readonly disk: SimDisk, private readonly content: Content) {
    this.bytes = content.cached.length;
  }

  read(offset: number, length: number): Uint8Array {
    return this.content.cached.slice(offset, offset + length);
  }

  write(offset: number, bytes: Uint8Array): Wait {
    this.disk.write(this.content, offset, bytes);
    return undefined;
  }

  writeNow(offset: number, bytes: Uint8Array): void {
    this.disk.step();
    this.disk.write(this.content, offset, bytes);
  }

  sync(): Wait {
    return this.disk.wait(() => this.content.sync(), () => this.content.abandon());
  }

  syncNow(): void {
    this.disk.step();
    this.disk.syncNowOf(this.content);
  }

  close(): void {}
}

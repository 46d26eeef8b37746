/**
 * The real log of a simulated node, from one start of its process to the next: src/drivers/log/store.ts over simulated
 * files. What it reports as durable is kept in {@linkcode Disk}; at the next start the log has to give that back, with a
 * beginning of what was under way, or the run fails: whether it cut off too much, lost a sync or made something up.
 * @module
 */
import type { BootState } from "../../src/core/raft/effects.ts";
import type { Config, Entry, EntryId, HardState, Index } from "../../src/core/raft/message.ts";
import type { LogDisk } from "../../src/drivers/log/disk.ts";
import { LogDamageError, readLogBase } from "../../src/drivers/log/recovery.ts";
import { type LogEvents, LogStore } from "../../src/drivers/log/store.ts";
import { SimFailure } from "./checker.ts";
import type { Disk, Write } from "./disk.ts";
import type { SimFiles } from "./files.ts";

/** Sizes of a log. */
export interface LogSizes {
  /** Bytes of a segment. */
  readonly segmentBytes: number;
  /** Bytes of entries kept in memory. */
  readonly cacheBytes: number;
  /** Bytes that are read again each tick. */
  readonly scrubBytes: number;
}

/** Newest entries that are read after a start: older ones are when they are applied or sent. */
const COMPARED = 64;

/** The node stops by D17 or D9, as its files were damaged. */
export class Stopped extends Error {
  /** Always `Stopped`. */
  override readonly name = "Stopped";
}

/**
 * Damage ends a node where a fault explains it, and nowhere else (I16).
 * @throws {Error} For any other error.
 */
export function stopReason(error: unknown, files: SimFiles | undefined): Stopped {
  if (!(error instanceof LogDamageError)) throw error;
  if (files?.damage === undefined) throw new SimFailure(`I16: a node stops without reason: ${error.message}`);
  return new Stopped(error.message);
}

/** An open log. */
export class NodeLog {
  readonly #disk: Disk;
  readonly #store: LogStore;

  /**
   * Recovers the log.
   * @throws {Stopped} When it is damaged, as it may be.
   */
  constructor(id: string, disk: Disk, parts: { disk: LogDisk; sizes: LogSizes; events: LogEvents }) {
    this.#disk = disk;
    // An installation that a crash cut short: the log has the snapshot, the database has not yet (S8).
    const base = this.#guard(() => readLogBase(parts.disk)?.index ?? 0);
    if (base > disk.applied && disk.staged.some((one) => one.base.index === base)) disk.applied = base;
    const options = { identity: { nodeId: id, storageId: disk.storageId }, applied: disk.applied, ...parts.sizes };
    this.#store = this.#guard(() => LogStore.open(parts.disk, options, parts.events));
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw stopReason(error, this.#disk.files);
    }
  }

  /**
   * Finds out what of the writes under way has survived, and has `complete` take each of them into the disk.
   * @returns How many.
   */
  reconcile(complete: () => Write | undefined): number {
    const { last, hard } = this.#store.recovered;
    const { storageId, entries, pending } = this.#disk;
    let kept = 0;
    let taken: Write | undefined;
    const isReached = () => {
      if (entries.length !== last.index || (entries.at(-1)?.term ?? 0) !== last.term) return false;
      if (isSameHard(this.#disk.hard, hard)) return true;
      // The first block of a segment that begins with a snapshot tells the term of the batch behind it.
      return taken?.snapshot !== undefined && pending.some((one) => isSameHard(one.hard, hard));
    };
    for (; !isReached(); kept++) {
      taken = complete();
      if (taken !== undefined) continue;
      const wanted = `${entries.length} of term ${entries.at(-1)?.term}, ${JSON.stringify(this.#disk.hard)}`;
      const found = `${last.index} of term ${last.term}, ${JSON.stringify(hard)}`;
      throw new SimFailure(`D2: the log of ${storageId} ends at ${found} instead of ${wanted} or what was under way`);
    }
    this.#disk.hard = hard;
    this.#disk.base = this.#store.base;
    this.#disk.commit = this.#store.recovered.commit;
    this.#compare(Math.max(this.#store.base.index, entries.length - COMPARED) + 1);
    return kept;
  }

  /** The kept entries read as they were written. */
  #compare(from: Index): void {
    const { entries } = this.#disk;
    for (const entry of this.read(from, entries.length)) {
      const known = entries[entry.index - 1];
      const isSame = known.term === entry.term && known.kind === entry.kind &&
        known.body.length === entry.body.length &&
        known.body.every((byte, at) => byte === entry.body[at]);
      if (!isSame) throw new SimFailure(`I5: the log of ${this.#disk.storageId} has another entry ${entry.index}`);
    }
  }

  /** The state that the core starts from. */
  bootState(id: string): BootState {
    const { hard, last, terms, configs, commit } = this.#store.recovered;
    const { applied, storageId } = this.#disk;
    return {
      id,
      storageId,
      hard,
      base: this.#store.base,
      last,
      terms,
      configs,
      bytesOf: (index) => this.#store.bytesOf(index),
      commit: Math.max(commit, applied),
      applied,
    };
  }

  setConfig(config: Config): void {
    this.#store.setConfig(config);
  }

  configAt(index: Index): Config {
    return this.#store.configAt(index);
  }

  persist(write: Write): void {
    this.#store.persist(write);
  }

  /** @throws {Stopped} When what is read is damaged, as it may be. */
  read(from: Index, to: Index): Entry[] {
    return this.#guard(() => this.#store.read(from, to, Infinity));
  }

  /** Cuts whole segments off; the new base, where it moved. */
  cut(index: Index): EntryId | undefined {
    return this.#store.cut(index, { keepBytes: 0 });
  }

  /** @returns Whether a seal is written now (D5). */
  tick(): boolean {
    const wasBusy = this.#store.busy;
    this.#store.tick();
    return this.#store.busy && !wasBusy;
  }

  /** Begins a segment; calls `done` when it is in use. */
  rotate(done: () => void): void {
    const rotated = this.#store.rotate();
    if (rotated === undefined) done();
    else rotated.then(done, () => {});
  }
}

function isSameHard(a: HardState | undefined, b: HardState): boolean {
  return a?.term === b.term && a.vote === b.vote;
}

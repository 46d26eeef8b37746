/**
 * The content of a node's disk. By itself it is a simplified log: whole writes become durable in ticket order, and a
 * crash keeps a prefix of those under way. With files, the real log is under it: then this is what the log has promised
 * to hold, and what it gives back at the next start is compared with it.
 * @module
 */
import type { Effects } from "../../src/core/raft/effects.ts";
import type { SimFiles } from "./files.ts";
import type { Machine } from "./machine.ts";
import type { Config, Entry, EntryId, HardState, Index } from "../../src/core/raft/message.ts";

/** A copy of a state machine, as it goes from node to node. */
export interface Snapshot {
  readonly base: EntryId;
  readonly config: Config;
  /** Makes a state machine of its contents. */
  readonly restore: () => Machine;
  /** The entries that it stands for: the simulation keeps what real logs forget, to compare with. */
  readonly prefix: readonly Entry[];
}

/** A write that a core asks for, with the snapshot that it is to install. */
export type Write = NonNullable<Effects["persist"]> & { readonly snapshot?: Snapshot };

/** Replays a write onto a log. */
export function applyWrite(entries: Entry[], write: Write): void {
  if (write.snapshot) {
    entries.length = 0;
    for (const entry of write.snapshot.prefix) entries.push(entry);
  }
  const from = write.truncateFrom ?? write.append[0]?.index;
  if (from !== undefined && from <= entries.length) entries.length = from - 1;
  for (const entry of write.append) entries.push(entry);
}

/** The disk: everything that survives a crash. */
export class Disk {
  /** Durable entries: index i at i - 1. */
  readonly entries: Entry[] = [];
  /** Entry before the first one that the node still knows. */
  base: EntryId = { index: 0, term: 0 };
  /** Durable term and vote. */
  hard: HardState = { term: 0, vote: null };
  /** Durable commit hint (C5). */
  commit: Index = 0;
  /** Last index that the state machine holds durably. */
  applied: Index = 0;
  /** Writes under way, oldest first. */
  readonly pending: Write[] = [];
  /** Virtual time at which the last write under way is done. */
  busyUntil = 0;
  /** Snapshots received whole and not installed yet, newest last. */
  staged: Snapshot[] = [];

  /** An older content was put back: this node may have forgotten what others remember. */
  isRestored = false;

  /** @param storageId Names the disk. @param files Of the real log, where the node has one. */
  constructor(readonly storageId: string, readonly files?: SimFiles) {}

  /** Makes the oldest write durable. */
  complete(): Write | undefined {
    const write = this.pending.shift();
    if (write === undefined) return undefined;
    applyWrite(this.entries, write);
    if (write.snapshot) {
      this.base = write.snapshot.base;
      this.applied = this.base.index;
    }
    if (write.hard !== undefined) this.hard = write.hard;
    this.commit = Math.max(this.commit, write.commit);
    return write;
  }

  /** A copy of what it holds durably, and of the writes under way that its files may hold already. */
  image(): Disk {
    const image = new Disk(this.storageId, this.files?.image());
    image.#take(this);
    return image;
  }

  /** Holds what `image` holds, under the same name (B3). */
  restore(image: Disk): void {
    this.#take(image);
    if (image.files !== undefined) this.files?.restore(image.files);
    this.isRestored = true;
  }

  #take(other: Disk): void {
    this.entries.length = 0;
    for (const entry of other.entries) this.entries.push(entry);
    this.base = other.base;
    this.hard = other.hard;
    this.commit = other.commit;
    this.applied = other.applied;
    this.pending.length = 0;
    if (this.files !== undefined) { for (const write of other.pending) this.pending.push(write); }
    this.staged = other.staged.slice();
  }
}

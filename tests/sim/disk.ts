/**
 * A simulated log on disk: whole writes become durable in ticket order; a crash keeps a prefix of those under way.
 * @module
 */
import type { Effects } from "../../src/raft/effects.ts";
import type { Entry, HardState, Index } from "../../src/raft/message.ts";

/** What a core asks to be written. */
export type Write = NonNullable<Effects["persist"]>;

/** Replays a write onto a log. */
export function applyWrite(entries: Entry[], write: Write): void {
  const from = write.truncateFrom ?? write.append[0]?.index;
  if (from !== undefined && from <= entries.length) entries.length = from - 1;
  for (const entry of write.append) entries.push(entry);
}

/** What survives a crash. */
export class Disk {
  /** Durable entries: index i at i - 1. */
  readonly entries: Entry[] = [];
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

  /** @param storageId Names the disk. */
  constructor(readonly storageId: string) {}

  /** Makes the oldest write durable. */
  complete(): Write | undefined {
    const write = this.pending.shift();
    if (write === undefined) return undefined;
    applyWrite(this.entries, write);
    if (write.hard !== undefined) this.hard = write.hard;
    this.commit = Math.max(this.commit, write.commit);
    return write;
  }
}

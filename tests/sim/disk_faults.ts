/**
 * What disks with files do wrong: they fail, fill up, get stuck, and one of them changes a bit.
 * @module
 */
import type { Mark } from "./coverage.ts";
import type { SimFiles } from "./files.ts";
import type { SimNode } from "./node.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";

const SECOND = 1_000_000;

/** Surroundings. */
export interface DiskFaultsParts {
  readonly schedule: Schedule;
  readonly random: Random;
  /** Nodes that run. */
  running(): readonly SimNode[];
  /** Ends a node's process and starts it anew. */
  restart(node: SimNode): void;
  hit(mark: Mark): void;
  note(node: SimNode, text: () => string): void;
}

/** The faults of one cluster's disks. */
export class DiskFaults {
  readonly #parts: DiskFaultsParts;
  /** The node whose files changed: no other's do, so that a majority keeps each committed entry. */
  damaged: SimNode | undefined;

  constructor(parts: DiskFaultsParts) {
    this.#parts = parts;
  }

  #pick(): { node: SimNode; files: SimFiles } | undefined {
    const node = this.#parts.random.pick(this.#parts.running());
    return node?.disk.files && { node, files: node.disk.files };
  }

  /** The next write or sync fails. */
  fail(): void {
    const picked = this.#pick();
    if (picked) picked.files.failures = 1;
  }

  /** There is no room for a while. */
  fill(): void {
    const picked = this.#pick();
    if (!picked) return;
    const { files } = picked;
    files.isFull = true;
    this.#parts.schedule.after(this.#parts.random.exponential(3 * SECOND), () => files.isFull = false);
  }

  /** Nothing comes back from the disk, until somebody starts the node anew. */
  stick(): void {
    const picked = this.#pick();
    if (!picked) return;
    const { node, files } = picked;
    const { incarnation } = node;
    files.isStuck = true;
    this.#parts.note(node, () => "has a disk that hangs");
    this.#parts.schedule.after(this.#parts.random.exponential(8 * SECOND), () => {
      if (node.incarnation !== incarnation || node.core === undefined) return;
      this.#parts.hit("disk stuck until the restart");
      this.#parts.restart(node);
    });
  }

  /** What a disk holds changes; always the same disk's. */
  damage(): void {
    const picked = this.damaged?.disk.files ? { node: this.damaged, files: this.damaged.disk.files } : this.#pick();
    if (!picked) return;
    const place = picked.files.damage(this.#parts.random);
    if (place === undefined) return;
    this.damaged = picked.node;
    this.#parts.note(picked.node, () => `has damage in ${place}`);
  }

  /** All disks work again; those that hang after a restart of their nodes. */
  heal(nodes: readonly SimNode[]): void {
    for (const node of nodes) {
      const { files } = node.disk;
      if (files === undefined) continue;
      files.isFull = false;
      files.failures = 0;
      if (files.isStuck && node.core !== undefined) this.#parts.restart(node);
    }
  }
}

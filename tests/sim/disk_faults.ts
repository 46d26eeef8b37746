/**
 * Faults of disks: those with files fail, fill up, hang, and hold other bytes than were written; any of them may be
 * reset to an earlier state.
 * @module
 */
import type { Coverage } from "./coverage.ts";
import { damageFiles } from "./damage.ts";
import type { Disk } from "./disk.ts";
import type { SimFiles } from "./files.ts";
import type { SimNode } from "./node.ts";
import type { Random } from "../harness/random.ts";
import { isUpToDate, mayRestore } from "./restored.ts";
import type { Schedule } from "./schedule.ts";

const SECOND = 1_000_000;

/** Surroundings. */
export interface DiskFaultsParts {
  readonly schedule: Schedule;
  readonly coverage: Coverage;
  readonly random: Random;
  nodes(): readonly SimNode[];
  /** Entries committed anywhere. */
  committed(): number;
  /** Ends a node's process, which starts again later. */
  crash(node: SimNode): void;
  /** Ends a node's process and starts it anew. */
  restart(node: SimNode): void;
  note(node: SimNode, text: () => string): void;
}

/** The faults of one cluster's disks. */
export class DiskFaults {
  readonly #parts: DiskFaultsParts;
  /** The node whose disk changed: no other's does until it is whole again, so that a majority keeps each committed entry. */
  #damaged: SimNode | undefined;
  /** The disk that is to be given back when its node starts next. */
  #image: { readonly node: SimNode; readonly disk: Disk } | undefined;
  /** A restored disk, and what it held. */
  #forgotten: { readonly disk: Disk; readonly held: Pick<Disk, "hard" | "entries"> } | undefined;

  constructor(parts: DiskFaultsParts) {
    this.#parts = parts;
  }

  /** Finds out whether all disks hold what was written to them, or hold it again. */
  checkWhole(): boolean {
    const disk = this.#damaged?.disk;
    if (disk === undefined) return true;
    if (disk !== this.#forgotten?.disk || !isUpToDate(disk, this.#forgotten.held)) return false;
    disk.isRestored = false;
    this.#parts.coverage.hit("restored old disk brought up to date");
    this.#damaged = this.#forgotten = undefined;
    return true;
  }

  /** A node that damage stopped has a new disk, and all that was committed on it; unless that is damaged by now, too. */
  repaired(node: SimNode): void {
    if (this.#damaged === node && node.disk.files?.damage === undefined) this.#damaged = this.#forgotten = undefined;
  }

  #files(node: SimNode | undefined): { node: SimNode; files: SimFiles } | undefined {
    return node?.disk.files && { node, files: node.disk.files };
  }

  #pick(): { node: SimNode; files: SimFiles } | undefined {
    const node = this.#parts.random.pick(this.#parts.nodes().filter(({ core }) => core !== undefined));
    return this.#files(node);
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
      this.#parts.coverage.hit("disk stuck until the restart");
      this.#parts.restart(node);
    });
  }

  /** Changes the content of a disk; the same disk's until that is noticed and its node is set up anew. */
  damage(): void {
    const picked = this.checkWhole() ? this.#pick() : this.#files(this.#damaged);
    if (!picked || this.#forgotten !== undefined) return;
    const place = damageFiles(picked.files, this.#parts.random);
    if (place === undefined) return;
    this.#damaged = picked.node;
    this.#parts.note(picked.node, () => `has damage in ${place}`);
  }

  /** A copy of a disk is made; later its node crashes, and is to find that copy when it starts. */
  turnBack(): void {
    const { schedule, random, nodes } = this.#parts;
    const node = random.pick(nodes().filter(({ core }) => core !== undefined));
    const delay = random.exponential(3 * SECOND);
    if (node === undefined || !this.checkWhole()) return;
    const image = { node, disk: node.disk.image() };
    this.#image = image;
    schedule.after(delay, () => {
      if (this.#image === image && node.core !== undefined) this.#parts.crash(node);
    });
  }

  /** A node is about to start: its disk may be an old one. */
  starting(node: SimNode): void {
    const image = this.#image;
    if (image?.node !== node) return;
    const { nodes, committed, coverage, note } = this.#parts;
    const { disk } = node;
    if (!this.checkWhole() || !mayRestore(node, image.disk, { nodes: nodes(), committed: committed() })) return;
    this.#image = undefined;
    this.#damaged = node;
    this.#forgotten = { disk, held: { hard: disk.hard, entries: disk.entries.slice() } };
    note(node, () => `gets an old disk back: log ${image.disk.entries.length} instead of ${disk.entries.length}`);
    node.restoreDisk(image.disk);
    coverage.hit("old disk restored");
  }

  /** All disks work again; those that hang after a restart of their nodes. */
  heal(nodes: readonly SimNode[]): void {
    this.#image = undefined;
    for (const node of nodes) {
      const { files } = node.disk;
      if (files === undefined) continue;
      files.isFull = false;
      files.failures = 0;
      if (files.isStuck && node.core !== undefined) this.#parts.restart(node);
    }
  }
}

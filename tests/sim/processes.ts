/**
 * The processes of a simulated cluster: they start from what their disks hold, die, are started again, and what stopped
 * because of damage is set up anew by an operator.
 * @module
 */
import type { Input, LeaseOptions } from "../../src/core/raft/effects.ts";
import type { Member } from "../../src/core/raft/message.ts";
import { SPARE } from "../../src/drivers/log/prepare.ts";
import type { Clocks } from "./clocks.ts";
import type { Coverage } from "./coverage.ts";
import { DiskError, Killed } from "./files.ts";
import type { SimNode } from "./node.ts";
import { Stopped } from "./node_log.ts";
import type { Profile } from "./profile.ts";
import { Random } from "../harness/random.ts";
import type { Schedule } from "./schedule.ts";

/** Surroundings. */
export interface ProcessesParts {
  readonly schedule: Schedule;
  readonly coverage: Coverage;
  readonly clocks: Clocks;
  /** Draws what starts have of their own. */
  readonly cores: Random;
  /** Draws what becomes of files. */
  readonly files: Random;
  profile(): Profile;
  /** Members of the first configuration. */
  founders(): readonly Member[];
  input(node: SimNode, input: Input | undefined): void;
  note(node: SimNode, text: () => string): void;
  /** The promise of a node in this life (R10). */
  promiseOf(node: SimNode): LeaseOptions | undefined;
  /** A node is about to start. */
  starting(node: SimNode): void;
  /** Notes who could tell it what it promised. */
  noteWitnesses(node: SimNode): void;
  /** An operator wipes a node that stopped because of damage, and lets it join again. */
  repair(node: SimNode): void;
}

/** The processes: which nodes run, and when they stop and start. */
export class Processes {
  readonly #parts: ProcessesParts;
  /** Nodes that stay broken when the others are healed: nothing is expected of them. */
  readonly broken = new Set<SimNode>();
  /** Nodes that damage stopped, until they are wiped. */
  readonly stopped = new Set<SimNode>();
  /** Virtual time at which damage stopped the last one. */
  stoppedAt = 0;

  constructor(parts: ProcessesParts) {
    this.#parts = parts;
  }

  /** Starts a node's process. */
  boot(node: SimNode): void {
    if (this.stopped.has(node) || this.broken.has(node) && node.incarnation > 0) return;
    if (!this.#opens(node)) return;
    const { cores, clocks, founders } = this.#parts;
    this.#parts.note(node, () => `boots with log ${node.disk.entries.length}, term ${node.disk.hard.term}`);
    // All clocks differ by a tenth.
    const pace = 0.9 + cores.below(200) / 1000;
    clocks.start(node, { pace, phase: cores.below(1000) / 1000 });
    // A founder that lost its first write has not begun yet: it bootstraps as if for the first time (M11).
    const isFounder = founders().some(({ storageId }) => storageId === node.disk.storageId);
    const config = { at: 1, clusterId: "sim", members: founders() };
    this.#parts.input(node, isFounder ? { k: "bootstrap", ref: 0, config } : undefined);
  }

  /** Starts a node's process, which its disk may prevent. */
  #opens(node: SimNode): boolean {
    const { cores, coverage } = this.#parts;
    const { log, options } = this.#parts.profile();
    this.#parts.starting(node);
    const { files } = node.disk;
    if (files) {
      files.isStuck = false;
      files.killAfter = this.#parts.files.chance(log?.killedStarts ?? 0) ? this.#parts.files.between(1, 10) : 0;
    }
    this.#parts.noteWitnesses(node);
    const hasSpare = files?.find(SPARE) !== undefined;
    try {
      node.boot({ ...options, recall: true, lease: this.#parts.promiseOf(node) }, new Random(cores.u32()), log);
      if (hasSpare) coverage.hit("start on a spare segment");
      return true;
    } catch (error) {
      if (error instanceof Stopped) {
        coverage.hit("node stopped by damage at its start");
        if (files?.damage === "misdirected") coverage.hit("misdirected write found at a start");
        this.#stop(node);
      } else if (error instanceof Killed) {
        coverage.hit("node killed while it started");
        this.crash(node);
      } else if (error instanceof DiskError) {
        coverage.hit("start failed by its disk");
        this.crash(node);
      } else if (error instanceof Error && error.message.startsWith("no space left")) {
        coverage.hit("start refused by a full disk");
        this.bootLater(node);
      } else throw error;
      this.#parts.note(node, () => `does not start: ${error.message}`);
      return false;
    } finally {
      if (files) files.killAfter = 0;
    }
  }

  /** Starts a node after a while, unless somebody else does. */
  bootLater(node: SimNode, random = this.#parts.files): void {
    const { incarnation } = node;
    this.#parts.schedule.after(random.exponential(this.#parts.profile().downMean), () => {
      if (node.core === undefined && node.incarnation === incarnation) this.boot(node);
    });
  }

  /** The process ends, by itself or with the power, and is started again later. */
  crash(node: SimNode): void {
    const { files } = this.#parts;
    node.crash(files, { isPowerLost: files.chance(this.#parts.profile().log?.powerLoss ?? 1) });
    this.bootLater(node);
  }

  /** The process ends, and is started again at once. */
  restart(node: SimNode): void {
    node.crash(this.#parts.files, { isPowerLost: false });
    this.boot(node);
  }

  /** The process ends by itself: its disk failed, or holds damage. */
  ends(node: SimNode, error: DiskError | Stopped): void {
    const { incarnation } = node;
    // Whatever it does in the same turn may happen still.
    this.#parts.schedule.after(0, () => {
      if (node.incarnation !== incarnation || node.core === undefined) return;
      this.#parts.note(node, () => `ends: ${error.message}`);
      if (!(error instanceof Stopped)) return this.crash(node);
      this.#parts.coverage.hit("node stopped by damage while it ran");
      if (node.disk.files?.damage === "misdirected") {
        this.#parts.coverage.hit("misdirected write found while the node ran");
      }
      node.crash(this.#parts.files, { isPowerLost: false });
      this.#stop(node);
    });
  }

  /** Nothing starts it before its disk is another one: its exit code says so (D8). */
  #stop(node: SimNode): void {
    const { schedule, files, profile } = this.#parts;
    this.stopped.add(node);
    this.stoppedAt = schedule.now;
    schedule.after(files.exponential(profile().downMean), () => {
      this.stopped.delete(node);
      this.#parts.repair(node);
    });
  }
}

/**
 * Clocks that go wrong: each node's ticks have a pace of their own, wall clocks jump, and processes stand still for a
 * while (a collection of garbage, a virtual machine on the move) while messages pile up.
 * @module
 */
import type { Coverage } from "./coverage.ts";
import type { SimNode } from "./node.ts";
import type { ClockFaults } from "./profile.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";

/** Microseconds of a tick by a clock that is right. */
const TICK = 50_000;
/** After a pause at most one election timeout's worth of ticks is made up (spec/raft.md §1.4). */
const MADE_UP_TICKS_MAX = 20;
/** 2023, in ms. */
const EPOCH_MS = 1_700_000_000_000;
const HOUR_MS = 3_600_000;

/** Surroundings. */
export interface ClocksParts {
  readonly schedule: Schedule;
  readonly coverage: Coverage;
  readonly random: Random;
  /** The faults of now. */
  faults(): ClockFaults;
  /** One tick for a node. */
  tick(node: SimNode): void;
  note(node: SimNode, text: () => string): void;
}

/** The clocks of one cluster. */
export class Clocks {
  readonly #parts: ClocksParts;
  /** What each node's wall clock is ahead, in ms. */
  readonly #ahead = new Map<string, number>();
  #stamped = 0;

  constructor(parts: ClocksParts) {
    this.#parts = parts;
  }

  /** Ticks for a process that has just started, at the pace of its clock; `pace` is the part by which all differ. */
  start(node: SimNode, { pace, phase }: { pace: number; phase: number }): void {
    const { random, schedule } = this.#parts;
    const { spread } = this.#parts.faults();
    const period = Math.round(TICK * pace * spread ** (random.below(2001) / 1000 - 1));
    const { incarnation } = node;
    let missed = 0;
    const tick = (): void => {
      if (node.incarnation !== incarnation || node.core === undefined) return;
      if (node.isFrozen) missed = Math.min(missed + 1, MADE_UP_TICKS_MAX);
      else {
        for (; missed > 0; missed--) this.#parts.tick(node);
        this.#parts.tick(node);
      }
      schedule.after(period, tick);
    };
    schedule.after(Math.floor(phase * period), tick);
  }

  /** A process does nothing for a while. */
  freeze(node: SimNode | undefined): void {
    if (node === undefined || node.isFrozen) return;
    const { incarnation } = node;
    node.isFrozen = true;
    this.#parts.note(node, () => "stands still");
    if (node.role?.role === "leader") this.#parts.coverage.hit("leader stood still");
    this.#parts.schedule.after(this.#parts.random.exponential(2 * 20 * TICK), () => {
      if (node.incarnation === incarnation && node.core !== undefined) this.thaw(node);
    });
  }

  /** It goes on with what has gathered. */
  thaw(node: SimNode): void {
    if (!node.isFrozen) return;
    if (node.inbox.length >= 10) this.#parts.coverage.hit("inputs piled up while a node stood still");
    node.thaw();
  }

  /** The wall clock of a node jumps, back or on. */
  jump(node: SimNode | undefined): void {
    if (node === undefined) return;
    const { random } = this.#parts;
    const ms = random.exponential(random.chance(0.5) ? HOUR_MS : 1000) * (random.chance(0.5) ? 1 : -1);
    this.#ahead.set(node.id, (this.#ahead.get(node.id) ?? 0) + ms);
  }

  /** What a node's wall clock says, in ms since 1970: for a stamp. */
  stampMs(node: SimNode): number {
    const now = EPOCH_MS + this.#parts.schedule.now / 1000 + (this.#ahead.get(node.id) ?? 0);
    if (now < this.#stamped) this.#parts.coverage.hit("stamp older than the one before");
    return this.#stamped = now;
  }
}

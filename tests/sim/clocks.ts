/**
 * Clocks that go wrong: each node's ticks have a pace of their own, wall clocks jump, and processes stand still for a
 * while (a collection of garbage, a virtual machine on the move) while messages pile up.
 * @module
 */
import type { ClockReading } from "../../src/base/shared/lease.ts";
import type { Coverage } from "./coverage.ts";
import type { SimNode } from "./node.ts";
import type { ClockFaults } from "./profile.ts";
import type { Random } from "../harness/random.ts";
import type { Schedule } from "./schedule.ts";

/** Microseconds of a tick by a clock that is right. */
const TICK = 50_000;
/** After a pause at most one election timeout's worth of ticks is made up (E13). */
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
  /** Whether clocks may differ by no more than leases allow. */
  areTrusted(): boolean;
  /** One tick for a node. */
  tick(node: SimNode): void;
  note(node: SimNode, text: () => string): void;
}

/** The clocks of one cluster. */
export class Clocks {
  readonly #parts: ClocksParts;
  /** The offset of each node's wall clock, in ms ahead. */
  readonly #ahead = new Map<string, number>();
  /** Monotonic clocks: when each would have begun, had it run all the time, and microseconds of right time per its own. */
  readonly #monotonic = new Map<string, { began: number; readonly pace: number; stoppedAt: number | undefined }>();
  #stamped = 0;

  constructor(parts: ClocksParts) {
    this.#parts = parts;
  }

  /** Ticks for a process that has just started, at the pace of its clock; `pace` is the part by which all differ. */
  start(node: SimNode, { pace, phase }: { pace: number; phase: number }): void {
    const { random, schedule } = this.#parts;
    const { spread } = this.#parts.faults();
    const isTrusted = this.#parts.areTrusted();
    const drawn = pace * spread ** (random.below(2001) / 1000 - 1);
    const period = Math.round(TICK * (isTrusted ? 1 + (pace - 1) / 2 : drawn));
    const { incarnation } = node;
    this.#monotonic.set(node.id, { began: schedule.now, pace: period / TICK, stoppedAt: undefined });
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
    if (this.#parts.areTrusted() && this.#parts.random.chance(0.5)) this.#suspend(node);
    this.#parts.schedule.after(this.#parts.random.exponential(2 * 20 * TICK), () => {
      if (node.incarnation === incarnation && node.core !== undefined) this.thaw(node);
    });
  }

  /** It goes on with what has gathered. */
  thaw(node: SimNode): void {
    if (!node.isFrozen) return;
    const clock = this.#monotonic.get(node.id);
    if (clock?.stoppedAt !== undefined) {
      clock.began += this.#parts.schedule.now - clock.stoppedAt;
      clock.stoppedAt = undefined;
    }
    if (node.inbox.length >= 10) this.#parts.coverage.hit("inputs piled up while a node stood still");
    node.thaw();
  }

  /** Its whole machine stands still, and the monotonic clock with it. */
  #suspend(node: SimNode): void {
    const clock = this.#monotonic.get(node.id);
    if (clock === undefined) return;
    clock.stoppedAt = this.#parts.schedule.now;
    if (node.lease.endMs > this.read(node).ms) this.#parts.coverage.hit("machine suspended with a lease");
  }

  /** The reading of the clocks of a node's machine. */
  read(node: SimNode): ClockReading {
    const { now } = this.#parts.schedule;
    const { began, pace, stoppedAt } = this.#monotonic.get(node.id) ?? { began: now, pace: 1, stoppedAt: undefined };
    return { ms: ((stoppedAt ?? now) - began) / pace / 1000, wallMs: this.#wallMs(node) };
  }

  #wallMs(node: SimNode): number {
    return EPOCH_MS + this.#parts.schedule.now / 1000 + (this.#ahead.get(node.id) ?? 0);
  }

  /** The wall clock of a node jumps, back or on; one that hides a suspension is beyond what leases can bear. */
  jump(node: SimNode | undefined): void {
    if (node === undefined || this.#monotonic.get(node.id)?.stoppedAt !== undefined) return;
    const { random } = this.#parts;
    const ms = random.exponential(random.chance(0.5) ? HOUR_MS : 1000) * (random.chance(0.5) ? 1 : -1);
    this.#ahead.set(node.id, (this.#ahead.get(node.id) ?? 0) + ms);
  }

  /** The time of a node's wall clock, in ms since 1970: for a stamp. */
  stampMs(node: SimNode): number {
    const now = this.#wallMs(node);
    if (now < this.#stamped) this.#parts.coverage.hit("stamp older than the one before");
    return this.#stamped = now;
  }
}

/**
 * Counts of the outcomes of the clients' operations.
 * @module
 */
import type { Outcome } from "../../tests/harness/history/history.ts";

/** Operations of one kind by their outcome. */
export type Outcomes = Readonly<Record<Outcome, number>>;

/** Counts for all clients of a run. */
export class Tally {
  readonly #kinds = new Map<string, Record<Outcome, number>>();
  readonly #reasons = new Map<string, number>();
  #writtenAt: number;
  #gapMs = 0;

  constructor(now: number) {
    this.#writtenAt = now;
  }

  /** An operation ended. @param reason Why it is not done. */
  count(kind: string, outcome: Outcome, reason?: string): void {
    const counts = this.#kinds.get(kind) ?? { done: 0, notDone: 0, unknown: 0 };
    counts[outcome]++;
    this.#kinds.set(kind, counts);
    if (reason === undefined) return;
    const name = `${outcome === "unknown" ? "unknown" : "not done"}: ${reason}`;
    this.#reasons.set(name, (this.#reasons.get(name) ?? 0) + 1);
  }

  /** A write was acknowledged. */
  written(now: number): void {
    this.#gapMs = this.longestGapMs(now);
    this.#writtenAt = now;
  }

  /** Longest time without an acknowledged write, the one that lasts still included. */
  longestGapMs(now: number): number {
    return Math.max(this.#gapMs, now - this.#writtenAt);
  }

  /** By kind. */
  get kinds(): ReadonlyMap<string, Outcomes> {
    return this.#kinds;
  }

  /** All kinds together. */
  get total(): Outcomes {
    const total = { done: 0, notDone: 0, unknown: 0 };
    for (const counts of this.#kinds.values()) {
      for (const outcome of ["done", "notDone", "unknown"] as const) total[outcome] += counts[outcome];
    }
    return total;
  }

  /** Why operations were not done, the most frequent first. */
  get reasons(): [string, number][] {
    return [...this.#reasons].sort((a, b) => b[1] - a[1]);
  }
}

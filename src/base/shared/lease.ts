/**
 * A leader's lease as the parts of a node share it (R10): the replica sets it, whoever answers reads looks at
 * it. Pure.
 *
 * It ends at a time of the monotonic clock. That clock stands still while a machine is suspended, the wall clock does not:
 * where the two have moved apart since the lease was set, nothing is known, and it does not hold.
 * @module
 */

/** Wall clock and monotonic clock may move apart by so much; a suspension that stays below it goes unnoticed. */
export const CLOCKS_APART_MS_MAX = 20;

/** Both clocks of a machine at one moment. */
export interface ClockReading {
  /** Monotonic. */
  readonly ms: number;
  /** Since 1970. */
  readonly wallMs: number;
}

/** Until when a leader may answer reads without asking the others. */
export interface Lease {
  /** Its end, by the monotonic clock; 0 for none. */
  readonly endMs: number;
  /** Wall clock less monotonic clock, as they were when it was set. */
  readonly skewMs: number;
}

/** There is none. */
export const NO_LEASE: Lease = { endMs: 0, skewMs: 0 };

/** Whether a lease holds now. */
export function leaseHolds({ endMs, skewMs }: Lease, now: ClockReading): boolean {
  return now.ms < endMs && areTogether(now, skewMs);
}

/** Whether the clocks stand to each other as they did at `skewMs`. */
export function areTogether({ ms, wallMs }: ClockReading, skewMs: number): boolean {
  return Math.abs(wallMs - ms - skewMs) <= CLOCKS_APART_MS_MAX;
}

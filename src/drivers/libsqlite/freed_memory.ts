/**
 * When memory that the process has freed is worth giving back to the system. The allocator of the C library keeps what a
 * heavy load has left: 90 of 250 MB, measured after inserts of 128 clients. Pure.
 * @module
 */

/** Pause between two looks at the process's memory. */
export const MEMORY_LOOK_MS = 10_000;
/** A change of the resident memory since it was last given back that is worth the work. */
const GROWTH = 1.2;
const SHRINKAGE = 0.9;
/** Memory that changes by no more between two looks is at rest. */
const AT_REST = 0.02;
/**
 * Times that it is given back after such a change, and after the start, a look apart: a Worker at rest collects its garbage
 * some ten seconds later, after ten minutes of load up to forty, and what that frees stays with the allocator, where
 * nobody sees it.
 */
export const TIMES = 6;

/** Decides on the resident memory of the process, in bytes, once per {@linkcode MEMORY_LOOK_MS}. */
export class FreedMemory {
  /** What was left when it was last given back; before that, what there was at the first look. */
  #kept: number | undefined;
  #last = 0;
  #times = TIMES; // a start that had to compile the program leaves 15 MB

  /** Whether to give memory back now: it has changed much, and is at rest. */
  isDue(resident: number): boolean {
    const isAtRest = Math.abs(resident - this.#last) <= this.#last * AT_REST;
    this.#last = resident;
    this.#kept ??= resident;
    // Less than there was: a heap has shrunk, and what it held outside of it may still be with the allocator.
    if (resident > this.#kept * GROWTH || resident < this.#kept * SHRINKAGE) this.#times = TIMES;
    return isAtRest && this.#times > 0;
  }

  /** It was given back, and so much is left. */
  given(resident: number): void {
    this.#times--;
    this.#last = this.#kept = resident;
  }
}

/**
 * When memory that the process has freed is worth giving back to the system. The allocator of the C library keeps what a
 * heavy load has left: 90 of 250 MB, measured after inserts of 128 clients. Pure.
 * @module
 */

/** Pause between two looks at the process's memory. */
export const MEMORY_LOOK_MS = 10_000;
/** Growth over the least resident memory that is worth the work. */
const GROWTH = 1.2;
/** Memory that changes by no more between two looks is at rest. */
const AT_REST = 0.02;

/** Decides on the resident memory of the process, in bytes, once per {@linkcode MEMORY_LOOK_MS}. */
export class FreedMemory {
  #least = Infinity;
  #last = 0;

  /** Whether to give memory back now: it has grown, and is at rest. */
  isDue(resident: number): boolean {
    const isAtRest = Math.abs(resident - this.#last) <= this.#last * AT_REST;
    this.#last = resident;
    this.#least = Math.min(this.#least, resident);
    return isAtRest && resident > this.#least * GROWTH;
  }

  /** It was given back, and so much is left: all of that is in use. */
  given(resident: number): void {
    this.#last = this.#least = resident;
  }
}

/**
 * How results are to be written, as a number of four bits: what travels between Workers with every request. Pure.
 * @module
 */

/** How the results of a request are written. */
interface RenderFlags {
  readonly associative: boolean;
  readonly timings: boolean;
  readonly blobArray: boolean;
  readonly qualifyColumns: boolean;
}

const ALL: readonly RenderFlags[] = Array.from({ length: 16 }, (_, bits) =>
  Object.freeze({
    associative: (bits & 1) > 0,
    timings: (bits & 2) > 0,
    blobArray: (bits & 4) > 0,
    qualifyColumns: (bits & 8) > 0,
  }));

/** Options as bits. */
export function renderBits({ associative, timings, blobArray, qualifyColumns }: RenderFlags): number {
  return (associative ? 1 : 0) | (timings ? 2 : 0) | (blobArray ? 4 : 0) | (qualifyColumns ? 8 : 0);
}

/** The options that {@linkcode renderBits} made bits of. */
export function renderFlags(bits: number): RenderFlags {
  return ALL[bits & 15];
}

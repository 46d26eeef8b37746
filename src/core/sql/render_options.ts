/**
 * Options for rendering results. They are sent between Workers with every request as a number of six bits. Pure.
 * @module
 */

/** How the error of a statement is written: as a text (`error`), with SQLite's codes (`error_v2`), or both. */
export type ErrorForm = "both" | "v1" | "v2";

/** How the results of a request are written. */
export interface RenderOptions {
  /** Rows as objects keyed by column name instead of arrays. */
  readonly associative: boolean;
  /** Adds `time`, in seconds, to each result. */
  readonly timings: boolean;
  /** BLOBs as arrays of integers instead of base64. */
  readonly blobArray: boolean;
  /** Column names as `table.column` where the column comes straight from a table. */
  readonly qualifyColumns: boolean;
  readonly errors: ErrorForm;
}

/** The options of a request that asks for nothing special. */
export const PLAIN_RENDERING: RenderOptions = {
  associative: false,
  timings: false,
  blobArray: false,
  qualifyColumns: false,
  errors: "both",
};

const ERROR_FORMS: readonly ErrorForm[] = ["both", "v1", "v2"];

const ALL: readonly RenderOptions[] = Array.from({ length: 64 }, (_, bits) =>
  Object.freeze({
    associative: (bits & 1) > 0,
    timings: (bits & 2) > 0,
    blobArray: (bits & 4) > 0,
    qualifyColumns: (bits & 8) > 0,
    errors: ERROR_FORMS[bits >> 4] ?? "both",
  }));

/** Options as bits. */
export function renderBits({ associative, timings, blobArray, qualifyColumns, errors }: RenderOptions): number {
  const flags = (associative ? 1 : 0) | (timings ? 2 : 0) | (blobArray ? 4 : 0) | (qualifyColumns ? 8 : 0);
  return flags | ERROR_FORMS.indexOf(errors) << 4;
}

/** The options that {@linkcode renderBits} made bits of. */
export function renderFlags(bits: number): RenderOptions {
  return ALL[bits & 63];
}

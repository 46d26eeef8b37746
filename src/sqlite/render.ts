/**
 * Results as JSON text.
 * @module
 */

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
}

/**
 * Numbers of JSON that a JavaScript number cannot hold: an integer of 64 bits as it stands (ECMA-262, JSON.rawJSON).
 * @module
 */

declare global {
  interface JSON {
    /** Not in the compiler's library yet. */
    rawJSON(text: string): unknown;
  }
}

/** A value that `JSON.stringify` writes as the digits of `value`. */
export function rawInteger(value: bigint): unknown {
  return JSON.rawJSON(String(value));
}

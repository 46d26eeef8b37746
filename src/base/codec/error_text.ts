/**
 * The text of a thrown value. Pure.
 * @module
 */

/** The message of an error; the text of anything else. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

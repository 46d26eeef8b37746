/**
 * Errors as people read them. Pure.
 * @module
 */

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * How many readers a node has at most. Pure.
 * @module
 */

/** Readers that are started at most, whatever `-db-max-ro-conns` says. */
export const READERS_MAX = 4;

/** Readers that are started at most where `-db-max-ro-conns` is `limit`; 0: no limit. */
export function readersMaxOf(limit: number): number {
  return limit === 0 ? READERS_MAX : Math.min(limit, READERS_MAX);
}

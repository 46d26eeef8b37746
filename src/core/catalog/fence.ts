/**
 * `muster_fence(LOCK, TOKEN)` in a client's statement: true while the lock is held by whoever acquired it with that token,
 * otherwise an error, so that a holder that has lost its lock, which it may not know, writes nothing. The token is the index
 * of the log entry in which the lock was acquired: it only grows.
 *
 * It is written out as plain SQL before the statement goes into the log, so that all replicas run the same, whatever
 * their version. SQLite has no function that fails with a text of one's own; one of JSON fails with the path that it
 * is given. Each argument stands once, in its place, since it may be a parameter.
 *
 * Source: Kleppmann, "How to do distributed locking" (2016): fencing tokens. Pure.
 * @module
 */
import { CATALOG_PREFIX } from "./catalog.ts";

/** Name of the function. */
export const FENCE_FUNCTION = "muster_fence";

const HELD = `EXISTS(SELECT 1 FROM ${CATALOG_PREFIX}fences WHERE key = muster_lock AND token = muster_token)`;
const LOST = `format('lock "%s" is lost: %s is not the token that holds it', muster_lock, muster_token)`;

/** The expression for a call. */
export function fenceSql(lock: string, token: string): string {
  return `(SELECT json_extract('1', iif(${HELD}, '$', ${LOST})) ` +
    `FROM (SELECT (${lock}) AS muster_lock, (${token}) AS muster_token))`;
}

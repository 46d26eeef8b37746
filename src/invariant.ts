/**
 * Assertions that stay on in production. What may happen is an error; what cannot happen is a broken invariant: it
 * stops the Worker, and with it the process, before wrong state reaches a disk or a peer.
 * @module
 */

/** A broken internal assumption. Never caught: the process ends. */
export class InvariantError extends Error {
  /** Always `InvariantError`. */
  override readonly name = "InvariantError";
}

/**
 * Asserts what must hold.
 * @throws {InvariantError} When `condition` is false.
 */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

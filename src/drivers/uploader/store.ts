/**
 * A place for backups, whatever kind it is. An object is there as a whole or not at all.
 * @module
 */

/** What is stored with a backup. */
export interface Stored {
  /** Its bytes as they come. */
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Id of the state that it holds. */
  readonly id: string;
  /** Ends the work: nothing is stored then. */
  readonly signal: AbortSignal;
}

/** A place for backups; errors name it and the cause, never a key. */
export interface Store {
  /** The place, for people. */
  readonly place: string;
  /**
   * Id of the object `name`.
   * @returns Undefined where there is no such object, or it has none.
   */
  idOf(name: string): Promise<string | undefined>;
  /** Stores an object. */
  put(name: string, stored: Stored): Promise<void>;
  /** Names of objects that begin with `prefix`. */
  list(prefix: string): Promise<readonly string[]>;
  /** Removes an object. */
  remove(name: string): Promise<void>;
  /** The bytes of an object. */
  get(name: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
}

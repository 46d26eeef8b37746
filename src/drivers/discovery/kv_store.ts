/**
 * One key of a key-value store that can compare and set. Types and the error that both stores share.
 * @module
 */

/** A value as it was read. */
export interface Stored {
  readonly text: string;
  /** Changes with every write. */
  readonly revision: string;
}

/**
 * A key. Every method throws {@linkcode StoreError} when the store refuses, and
 * {@linkcode import("./http_client.ts").UnreachableError} when it does not answer: a write may have been made then.
 */
export interface KvStore {
  /** The store and key as operators write them. */
  readonly name: string;
  /** The value; undefined for none. */
  get(): Promise<Stored | undefined>;
  /** Writes `text` if there is no value; false if there is one. */
  create(text: string): Promise<boolean>;
  /** Writes `text` if the value still has `revision`; false if not. */
  replace(text: string, revision: string): Promise<boolean>;
  /** Writes `text` whatever is there; the revision changes even if the text is the same. */
  put(text: string): Promise<void>;
}

/** The store refused, or answered something else than it should. */
export class StoreError extends Error {
  /** Always `StoreError`. */
  override readonly name = "StoreError";
}

/** A server's answer, shortened to fit a log line. */
export function excerpt(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

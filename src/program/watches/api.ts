/**
 * The messages of the Worker that runs watches. Types only.
 * @module
 */
import type { WatchDefinition } from "../config/watches.ts";

/** To the Worker: what it is to follow from now on, at the agent's own HTTP address. */
export interface ToWatches {
  readonly k: "follow";
  /** Such as `http://127.0.0.1:8500`. */
  readonly url: string;
  readonly watches: readonly WatchDefinition[];
}

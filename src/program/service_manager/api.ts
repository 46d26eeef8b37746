/**
 * The messages of the Worker that talks to the service manager. Types only.
 * @module
 */

/** To the Worker; the first is `open`. */
export type ToNotifier =
  | {
    readonly k: "open";
    /** Address of the service manager's socket. */
    readonly path: string;
    /** An empty directory for a socket of its own, which the Worker removes. */
    readonly directory: string;
  }
  | { readonly k: "tell"; readonly text: string };

/** From the Worker: it could not tell something. */
export interface FromNotifier {
  readonly k: "failed";
  readonly message: string;
}
